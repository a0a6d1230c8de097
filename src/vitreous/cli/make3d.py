"""`vitreous make3d`: a map from projections whose orientations are known."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field

from vitreous.average.projection_settings import ProjectionSettings

IMAGES = Group("Images", sort_key=1)
MAP = Group("Map", sort_key=2)


class ProjectionInput(BaseModel):
    """Which images, and where their orientations and weights come from."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    angles: Annotated[
        Path | None,
        Field(
            description="Orientations: a RELION STAR file, or a table of three angles a line and, "
            "if given, shifts x y in pixels that centre the image. Default: the headers."
        ),
    ] = None
    angle_convention: Annotated[
        Literal["relion", "eman2"],
        Field(description="Angles of a table: rot tilt psi (relion) or az alt phi (eman2)."),
    ] = "relion"
    weights: Annotated[
        Literal["repr", "root", "one"],
        Field(
            description="Weight of an image: its number of particles (EMAN2's ptcl_repr), the "
            "square root, or the same for all."
        ),
    ] = "repr"
    keep: Annotated[
        float, Field(gt=0, le=1, description="Share of the images to keep, best class_qual first.")
    ] = 1.0
    pixel_size: Annotated[
        float | None,
        Field(gt=0, alias="pixel", description="Angstrom a pixel, before what the file says."),
    ] = None
    seed: Annotated[
        Path | None, Field(description="Map (MRC, HDF) that fills what the images don't.")
    ] = None
    seed_weight: Annotated[float, Field(gt=0, description="Weight of the seed map.")] = 1.0


def make3d(
    projections: Path,
    output: Path,
    /,
    *,
    given: Annotated[
        ProjectionInput, Parameter(name="*", group=IMAGES)
    ] = ProjectionInput.model_construct(),  # noqa: B008
    settings: Annotated[
        ProjectionSettings, Parameter(name="*", group=MAP)
    ] = ProjectionSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Make a map, OUTPUT (.mrc or .hdf), from PROJECTIONS with known orientations.

    Reads EMAN2's HDF and .lst, IMAGIC, RELION's STAR, and MRC stacks with --angles. Each image's
    Fourier slice is inserted into the map's transform. The mean of its border is taken off.

      vitreous make3d particles.star map.mrc --symmetry C4

      vitreous make3d classes.hdf map.hdf --symmetry icos --symmetry-axes eman2
    """
    from vitreous.average.projections import Seed, reconstruct_projections
    from vitreous.cli.progress import progress_bar
    from vitreous.errors import UserError
    from vitreous.formats.eman_bits import Storage
    from vitreous.formats.projection_files import (
        open_projections,
        read_transforms,
        require_images,
    )
    from vitreous.kernels import machine
    from vitreous.pipeline import map_files
    from vitreous.pipeline import projections as of

    target = map_files.map_file(output, Storage(0), projections)
    file = open_projections(projections)
    require_images(file)
    pixel_size = given.pixel_size or file.pixel_size
    transforms = None
    if given.angles is not None:
        transforms = read_transforms(given.angles, pixel_size, given.angle_convention)
    found = of.listed(file, transforms=transforms, weighting=given.weights)
    of.say_left_out(projections, found.left_out)
    if not found.views:
        raise UserError(f"{projections}: no image is left ({'; '.join(found.left_out)})")
    good, lost = of.kept(found.views, given.keep, "share")
    images = of.PreparedImages(file, [view.number for view in good])
    filled = of.with_content(images)
    views = [good[i] for i in filled]
    if not views:
        raise UserError(f"{projections}: all pixels of every image are the same")
    of.require_memory((len(views), *images.size), settings)

    threads = cpus or machine.cores()
    machine.use_threads(threads)
    seed = None if given.seed is None else Seed(of.any_volume(given.seed), given.seed_weight)
    with progress_bar(f"inserting {len(views)} images") as progress:
        result = reconstruct_projections(
            of.as_projections(views, images.only(filled), use_ssnr=False),
            settings,
            seed=seed,
            threads=threads,
            progress=progress,
        )
    header = map_files.map_header(
        str(projections), pixel_size, views, [view.number for view in lost]
    )
    map_files.write_map(target, result.volume, pixel_size, header)
    print(f"{len(views)} images; wrote {target.path}")
