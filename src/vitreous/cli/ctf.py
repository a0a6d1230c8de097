"""`vitreous ctf`: the contrast transfer of a tilt series, or of single images."""

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.ctf.settings import CtfSettings
from vitreous.pipeline.inputs import RawInput

log = logging.getLogger(__name__)


def ctf(
    *images: Path,
    output: Annotated[Path, Parameter(help="Folder for the results; made if it isn't there.")],
    alignment: Annotated[
        Path | None,
        Parameter(help="Alignment of a stack. Default: NAME.aln or NAME.xf beside it, if any."),
    ] = None,
    tilt: Annotated[float, Parameter(help="Of single images, degrees about --tilt-axis.")] = 0.0,
    given: Annotated[RawInput, Parameter(name="*")] = RawInput.model_construct(),  # noqa: B008
    settings: Annotated[CtfSettings, Parameter(name="*")] = CtfSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Estimate the contrast transfer of IMAGES: stacks of a tilt series each, or single images.

    All views of a series are fitted at once: defocus of each with its error, astigmatism, and on
    which side of a tilted specimen the defocus is larger (the hand), if the images tell it. There
    will be in --output for each of IMAGES: NAME_ctffind.txt, NAME_ctf.json with all numbers,
    NAME_ctf.png (rings measured and fitted, curves), NAME_ctf.log and NAME_ctf.err; of a stack
    NAME_CTF.txt as AreTomo has it, NAME.defocus for IMOD and NAME_ctf.star for RELION 5 too.

      vitreous ctf TS_03.mrc --tilt-axis 85.3 --output ctf
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.errors import OutputError, UserError, VitreousError
    from vitreous.kernels import machine
    from vitreous.pipeline.ctf import (
        ENDINGS,
        ENDINGS_OF_SERIES,
        estimated,
        opened_images,
        say_ctf,
        write_ctf,
    )
    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.logs import logged_beside

    if not images:
        raise UserError("no images are named: vitreous ctf TS_03.mrc --output ctf")
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} can't be made: {error.strerror}") from error
    threads = min(cpus or machine.cores(), machine.cores())
    failed = []
    for path in images:

        def product(ending: str, stem: str = path.stem) -> Path:
            return output / f"{stem}{ending}"

        for ending in (*ENDINGS, *ENDINGS_OF_SERIES):
            require_apart(product(ending), path, alignment, given.angles)
        with logged_beside(product("_ctf.txt")):
            changed = settings.model_dump(exclude_defaults=True)
            log.debug("settings that differ from the defaults: %s", changed or "none")
            try:
                opened = opened_images(path, given, alignment, tilt)
                with progress_bar(f"CTF of {path.name}") as progress:
                    found = estimated(opened, settings, threads, progress)
                say_ctf(found, path.stem, settings)
                written = write_ctf(found, opened, product)
            except OutputError:
                raise
            except VitreousError as error:
                if len(images) == 1:
                    raise
                log.error("%s", error if str(path) in str(error) else f"{path}: {error}")
                failed.append(path)
                continue
            log.info("wrote %s", ", ".join(map(str, written)))
    if failed:
        raise UserError(f"{len(failed)} of {len(images)} could not be estimated, see above")
