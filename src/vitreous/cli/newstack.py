"""`vitreous newstack`: the images of a tilt series become its stack."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Group, Parameter
from pydantic import BaseModel, ConfigDict, Field

from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.restack_settings import RestackSettings

if TYPE_CHECKING:
    from vitreous.pipeline.newstack_sources import Gathered

log = logging.getLogger(__name__)

WHICH = Group("Images", sort_key=1)
WHAT = Group("What is done to them", sort_key=2)


class Named(BaseModel):
    """Where the images and what is known of them are."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    mdoc: Annotated[
        Path | None,
        Field(description="The series' .mdoc: its tilts, their movies, order and dose."),
    ] = None
    folder: Annotated[
        Path | None,
        Field(description="Folder with the averages of the .mdoc's movies. Default: the .mdoc's."),
    ] = None
    star: Annotated[
        Path | None, Field(description="A RELION table of tilts that names the images.")
    ] = None
    file_list: Annotated[
        Path | None, Field(description="A list of files and sections as newstack's -fileinlist.")
    ] = None
    angles: Annotated[
        Path | None, Field(description="Tilt angles, one a line for each image as given.")
    ] = None
    tilt_axis: Annotated[
        float | None,
        Field(description="Nominal tilt axis, degrees counter-clockwise from the image's y axis."),
    ] = None
    pixel: Annotated[float | None, Field(gt=0, description="Angstrom a pixel of the images.")] = (
        None
    )


def newstack(
    *images: Path,
    named: Annotated[Named, Parameter(name="*", group=WHICH)] = Named.model_construct(),  # noqa: B008
    settings: Annotated[
        NewstackSettings, Parameter(name="*", group=WHICH)
    ] = NewstackSettings.model_construct(),  # noqa: B008
    restack: Annotated[
        RestackSettings, Parameter(name="*", group=WHAT)
    ] = RestackSettings.model_construct(),  # noqa: B008
) -> None:
    """Join IMAGES (MRC, TIFF; single ones or stacks) into the stack that is named last, OUT.st.

    They are ordered by tilt angle. Angles, doses and order come from --mdoc, --star or --angles,
    else from an .mdoc beside a stack, the header, or the images' names. Tilts that were taken again
    give way to the last exposure.

    Beside OUT.st there will be OUT.st.mdoc and OUT.rawtlt, both in its order, OUT_TLT.txt (angle,
    order, dose) for AreTomo, OUT_order.csv for RELION, OUT_dose.txt (pre-exposure), the half stacks
    OUT_EVN.st and OUT_ODD.st, OUT_tiles.jpg to look at, OUT.log and OUT.err.

      vitreous newstack --mdoc TS_03.mdoc --folder motion TS_03.st

      vitreous newstack motion/TS_03_*.mrc TS_03.st --dark leave-out
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.errors import UserError
    from vitreous.formats.images import open_images
    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.logs import logged_beside
    from vitreous.pipeline.newstack import make_stack
    from vitreous.report.tiles import tiles_of

    if not images:
        raise UserError("name the output, OUT.st, after the images")
    *inputs, output = images
    gathered = gathered_from(named, inputs)
    require_apart(output, *(image.path for image in gathered.images))
    with logged_beside(output):
        with progress_bar(f"writing {output.name}") as progress:
            made = make_stack(
                gathered,
                output,
                settings,
                restack,
                pixel_size=named.pixel,
                tilt_axis=named.tilt_axis,
                progress=progress,
            )
        tiles_of(open_images(output)).write(output.with_name(f"{output.stem}_tiles.jpg"))
        tilts = made.series.nominal_tilts_degrees
        columns, rows = made.series.image_size
        log.info(
            "%s: %d images of %d x %d px, %.2f to %.2f degrees, %g A/px",
            output,
            len(tilts),
            columns,
            rows,
            tilts.min(),
            tilts.max(),
            made.series.pixel_size,
        )
        log.info("beside it: %s", ", ".join(path.name for path in made.files[1:]))


def gathered_from(named: Named, inputs: list[Path]) -> "Gathered":
    """The images that a command line names, in one of the ways there are."""
    from vitreous.errors import UserError
    from vitreous.formats.file_lists import read_file_list
    from vitreous.formats.imod import read_angles
    from vitreous.pipeline.newstack_sources import of_files, of_mdoc, of_star
    from vitreous.pipeline.patterns import files_of

    ways = {"--mdoc": named.mdoc, "--star": named.star, "--file-list": named.file_list}
    chosen = [way for way, path in ways.items() if path is not None]
    if len(chosen) > 1:
        raise UserError(f"{' and '.join(chosen)} exclude each other")
    if named.mdoc is not None:
        folder = named.folder or named.mdoc.parent
        if not inputs and not folder.is_dir():
            raise UserError(f"{folder} is no folder")
        return of_mdoc(named.mdoc, inputs or sorted(folder.iterdir()), named.pixel)
    if named.star is not None:
        return of_star(named.star)
    angles = None if named.angles is None else read_angles(named.angles).tolist()
    if named.file_list is not None:
        return of_files(read_file_list(named.file_list), angles, named.pixel)
    files = files_of(map(str, inputs), "images")
    if not files:
        raise UserError("no images are named: give them before OUT.st, or --mdoc, --star")
    return of_files([(path, None) for path in files], angles, named.pixel)
