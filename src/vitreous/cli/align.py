"""`vitreous align`: a raw stack and its tilt angles become an alignment."""

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.align.settings import AlignSettings
from vitreous.pipeline.inputs import RawInput

log = logging.getLogger(__name__)


def align(
    stack: Path,
    /,
    *,
    output: Annotated[Path, Parameter(help="Folder for the alignment; made if it isn't there.")],
    given: Annotated[RawInput, Parameter(name="*")] = RawInput.model_construct(),  # noqa: B008
    settings: Annotated[AlignSettings, Parameter(name="*")] = AlignSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Align STACK (MRC or TIFF) without markers, from its images and tilt angles alone.

    Tilt angles are those of --angles, of the .rawtlt, .mdoc or .tlt beside the stack or of its
    header. In --output there will be NAME.xf, .tlt and .xtilt for IMOD, .aln for AreTomo, .star for
    RELION and NAME.log, which scores each tilt. Whether the tomogram has the right hand is not
    determined: parallel projections of a specimen and of its mirror image are the same.

      vitreous align TS_03.mrc --tilt-axis 85.3 --output aligned
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.errors import OutputError
    from vitreous.formats.beside import series_name
    from vitreous.pipeline.inputs import opened_raw, require_apart
    from vitreous.pipeline.logs import logged_to

    name = series_name(stack)

    def product(ending: str) -> Path:
        return output / f"{name}{ending}"

    for ending in (".xf", ".tlt", ".aln", ".star", ".log"):
        require_apart(product(ending), stack, given.angles)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} can't be made: {error.strerror}") from error
    with logged_to(product(".log")):
        changed = settings.model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        images, series = opened_raw(stack, given)
        from vitreous.align.series import align_series
        from vitreous.kernels import machine
        from vitreous.pipeline.steps import say_alignment, write_alignments

        with progress_bar(f"aligning {stack.name}") as progress:
            found = align_series(
                images,
                series.nominal_tilts_degrees,
                settings,
                nominal_axis_degrees=series.nominal_axis_degrees,
                threads=min(cpus or machine.cores(), machine.cores()),
                progress=progress,
            )
        say_alignment(found, series)
        written = write_alignments(found, product, series, stack)
        log.info("wrote %s", ", ".join(map(str, written)))
