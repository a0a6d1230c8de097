"""`vitreous view`: a volume as a picture or a page."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.pipeline.view_settings import ViewSettings


def view(
    volume: Path,
    /,
    *,
    output: Annotated[
        Path | None,
        Parameter(help="Picture (.png) or page (.html). Default: NAME_view.png in this folder."),
    ] = None,
    fsc: Annotated[
        tuple[Path, ...], Parameter(help="A volume to correlate VOLUME with, or two half maps.")
    ] = (),
    settings: Annotated[ViewSettings, Parameter(name="*")] = ViewSettings.model_construct(),  # noqa: B008
) -> None:
    """Show VOLUME (MRC or OME-Zarr): slices, projections, sampled region, FSC.

    A page has sliders through the volume and needs no other file. The volume is read once, strip by
    strip: it may be larger than memory.

      vitreous view TS_03.mrc

      vitreous view TS_03.mrc --output TS_03.html --fsc TS_03_odd.mrc TS_03_even.mrc
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.formats.beside import plain_name
    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.view import write_view

    output = output or Path(Path(plain_name(volume)).stem.removesuffix(".ome") + "_view.png")
    require_apart(output, volume, settings.alignment, settings.stack, *fsc)
    with progress_bar(f"looking at {volume.name}") as progress:
        write_view(volume, output, settings, fsc, progress=progress)
