"""The grid of an output volume in the convention that a user asked for."""

from vitreous.formats import aretomo, imod, relion
from vitreous.reconstruct.grid import adjusted, tomogram_grid
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.volume import Grid


def output_grid(
    alignment: Alignment,
    settings: ReconstructSettings,
    image_size: tuple[int, int],
) -> Grid:
    """The unmoved grid of the tomogram, voxel 0 where `settings.grid` has it.

    IMOD bins the images first and counts from the middle again; AreTomo and RELION keep index 0 on
    index 0, so that their centre of the unbinned volume is divided by the binning.
    """
    grid = tomogram_grid(adjusted(alignment, settings, image_size), settings)
    if settings.grid == "house":
        return grid
    if settings.grid == "imod":
        return Grid(grid.size, grid.voxel_size, imod.volume_centre(grid.size))
    bin_ = settings.binning
    unbinned = (grid.size[0] * bin_, grid.size[1] * bin_, grid.size[2] * bin_)
    if settings.grid == "relion":
        x, y, z = relion.volume_centre(unbinned)
    else:
        x, y, z = aretomo.volume_centre(unbinned, "3" if settings.grid == "aretomo3" else "2")
    return Grid(grid.size, grid.voxel_size, (x / bin_, y / bin_, z / bin_))
