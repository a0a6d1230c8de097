"""The grid of an output volume in the convention that a user asked for."""

from typing import Literal

from vitreous.formats import aretomo, imod, relion
from vitreous.reconstruct.grid import adjusted, require_voxels, tomogram_grid, unbinned_size
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
    used = adjusted(alignment, settings, image_size)
    if settings.grid == "relion":
        return relion_grid(used, settings)
    grid = tomogram_grid(used, settings)
    if settings.grid == "house":
        return grid
    if settings.grid == "imod":
        return Grid(grid.size, grid.voxel_size, imod.volume_centre(grid.size))
    bin_ = settings.binning
    x, y, z = (int(side * bin_) for side in grid.size)
    generation: Literal["2", "3"] = "3" if settings.grid == "aretomo3" else "2"
    x_centre, y_centre, z_centre = aretomo.volume_centre((x, y, z), generation)
    return Grid(grid.size, grid.voxel_size, (x_centre / bin_, y_centre / bin_, z_centre / bin_))


def relion_grid(alignment: Alignment, settings: ReconstructSettings) -> Grid:
    """RELION rounds x and y to voxels and cuts z; the centre is that of the unbinned sizes."""
    bin_, unbinned = settings.binning, unbinned_size(alignment, settings)
    size = int(unbinned[0] / bin_ + 0.5), int(unbinned[1] / bin_ + 0.5), int(unbinned[2] / bin_)
    require_voxels(size, settings)
    x, y, z = relion.volume_centre(unbinned)
    return Grid(size, alignment.pixel_size * bin_, (x / bin_, y / bin_, z / bin_))
