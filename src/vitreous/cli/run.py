"""`vitreous run`: the main job."""

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.cli.inputs import AlignmentInput, Computing, DryRun
from vitreous.reconstruct.settings import ReconstructSettings

log = logging.getLogger(__name__)

ALIGNMENTS = (".xf", ".aln", ".star", ".xml", ".json", ".tlt")


def run(
    inputs: list[Path],
    /,
    *,
    project: Path,
    given: Annotated[AlignmentInput, Parameter(name="*")],
    settings: Annotated[
        ReconstructSettings, Parameter(name="*")
    ] = ReconstructSettings.model_construct(),  # noqa: B008
    computing: Annotated[Computing, Parameter(name="*")] = Computing.model_construct(),  # noqa: B008
    dry_run: DryRun = False,
) -> None:
    """Make tomograms of tilt series: INPUTS are stacks whose alignment is given.

    Each series gets a folder in --project with the tomogram, three orthogonal slices as a picture,
    a log and a manifest. For one input --alignment is a file; for several a folder that holds one
    for each, named like the stack. A series that fails doesn't stop the others.

      vitreous run TS_03.mrc --project demo --alignment TS_03.xf --thickness 300nm
    """
    from vitreous.errors import UserError, VitreousError

    require_different_names(inputs)
    failed: dict[Path, str] = {}
    skipped = 0
    for stack in inputs:
        try:
            alignment = alignment_for(stack, given.alignment, alone=len(inputs) == 1)
            of_series = given.model_copy(update={"alignment": alignment})
            if dry_run:
                foresee_series(stack, project, of_series, settings, computing)
            elif not run_series(stack, project, of_series, settings, computing):
                skipped += 1
        except (VitreousError, OSError, MemoryError) as error:
            if len(inputs) == 1:
                raise
            failed[stack] = str(error) or type(error).__name__
            log.error("%s failed: %s", series_name(stack), error)
    before = f"; {skipped} up to date already" if skipped else ""
    if failed:
        say_failed(failed)
        names = ", ".join(series_name(stack) for stack in failed)
        raise UserError(f"{len(failed)} of {len(inputs)} series failed: {names}{before}")
    if not dry_run:
        log.info("done: %d series in %s%s", len(inputs), project, before)


def say_failed(failed: dict[Path, str]) -> None:
    """A table of the series that failed: name, what is wrong and what to do."""
    width = max(len(series_name(stack)) for stack in failed)
    log.info("%-*s  what failed, why, and what to do", width, "series")
    for stack, why in failed.items():
        log.info("%-*s  %s", width, series_name(stack), why)


def series_name(stack: Path) -> str:
    """TS_03.mrc.gz -> TS_03."""
    name = stack.name.removesuffix(".gz").removesuffix(".bz2")
    return Path(name).stem


def require_different_names(inputs: list[Path]) -> None:
    """Raise a `UserError` where two series would share a folder of the project."""
    from vitreous.errors import UserError

    of_name: dict[str, Path] = {}
    for stack in inputs:
        other = of_name.setdefault(series_name(stack), stack)
        if other is not stack:
            raise UserError(
                f"{other} and {stack} are both series {series_name(stack)}: give them names of "
                "their own, or run them in projects of their own"
            )


def alignment_for(stack: Path, given: Path, *, alone: bool) -> Path:
    """The alignment file of a stack: the file given, or the one named like it in the folder."""
    from vitreous.errors import UserError

    if not given.is_dir():
        if not alone:
            raise UserError(
                f"{given} is one alignment, but there are several inputs: give the folder with an "
                "alignment for each"
            )
        return given
    found = [given / f"{series_name(stack)}{suffix}" for suffix in ALIGNMENTS]
    there = [path for path in found if path.exists()]
    if not there:
        raise UserError(f"{given} holds no alignment for {stack.name}: {found[0].name} or the like")
    return there[0]


def foresee_series(
    stack_path: Path,
    project: Path,
    given: AlignmentInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> None:
    """Say what `run_series` would do."""
    from vitreous.cli.inputs import opened
    from vitreous.pipeline.project import StepFolder
    from vitreous.pipeline.tomogram import foresee

    folder = StepFolder(project, series_name(stack_path), "reconstruct")
    stack, alignment = opened(stack_path, given, settings)
    foresee(stack, alignment, settings, folder.product(".mrc"), share=computing.share())


def run_series(
    stack_path: Path,
    project: Path,
    given: AlignmentInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> bool:
    """One series: reconstruct, show, and write down what was done; False: it was done already."""
    from vitreous.cli.inputs import opened, require_apart
    from vitreous.cli.progress import progress_bar
    from vitreous.pipeline import steps
    from vitreous.pipeline.logs import logged
    from vitreous.pipeline.project import StepFolder

    folder = StepFolder(project, series_name(stack_path), "reconstruct")
    require_apart(folder.product(".mrc"), stack_path, given.alignment)
    with logged(folder) as step_log:
        changed = settings.model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        stack, alignment = opened(stack_path, given, settings)
        making = steps.reconstruction_of(stack_path, given.alignment, stack, alignment, settings)
        if folder.holds(making):
            log.info("%s: the tomogram is up to date", folder.series)
            return False
        step_log.begin()
        with progress_bar(f"reconstructing {folder.series}") as progress:
            steps.reconstruct(
                folder, making, stack, alignment, settings,
                share=computing.share(), progress=progress,
            )  # fmt: skip
    return True
