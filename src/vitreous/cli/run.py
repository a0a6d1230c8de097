"""`vitreous run`: the main job."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from vitreous.cli.inputs import Computing, DryRun
from vitreous.pipeline.inputs import AlignmentInput, SeriesInput
from vitreous.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from vitreous.align.settings import AlignSettings

log = logging.getLogger(__name__)

ALIGNMENTS = (".xf", ".aln", ".star", ".xml", ".json", ".tlt")


def run(
    inputs: list[Path],
    /,
    *,
    project: Path,
    given: Annotated[SeriesInput, Parameter(name="*")] = SeriesInput.model_construct(),  # noqa: B008
    settings: Annotated[
        ReconstructSettings, Parameter(name="*")
    ] = ReconstructSettings.model_construct(),  # noqa: B008
    computing: Annotated[Computing, Parameter(name="*")] = Computing.model_construct(),  # noqa: B008
    dry_run: DryRun = False,
) -> None:
    """Make tomograms of tilt series: INPUTS are stacks, raw or with an alignment.

    A raw stack is aligned first, without markers; its tilt angles are those of --angles, of the
    .rawtlt, .mdoc or .tlt beside it or of its header. For one input --alignment is a file; for
    several a folder that holds one for each, named like the stack.

    Each series gets a folder in --project with a folder for each step: alignment, tomogram, three
    orthogonal slices as a picture, logs, manifest. What is done already isn't done again. A series
    that fails doesn't stop the others.

      vitreous run TS_03.mrc --project demo

      vitreous run TS_03.mrc --project demo --alignment TS_03.xf --thickness 300nm
    """
    from vitreous.errors import UserError, VitreousError

    require_different_names(inputs)
    require_alignment_for_its_facts(given, alone=len(inputs) == 1)
    failed: dict[Path, str] = {}
    skipped = 0
    for stack in inputs:
        try:
            if given.alignment is not None:
                alignment = alignment_for(stack, given.alignment, alone=len(inputs) == 1)
                aligned = given.with_alignment(alignment)
            elif dry_run:
                foresee_raw_series(stack, project, given, settings, computing)
                continue
            else:
                aligned = align_stack(stack, project, given, settings, computing)
            if dry_run:
                foresee_series(stack, project, aligned, settings, computing)
            elif not run_series(stack, project, aligned, settings, computing):
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
        made = len(inputs) - len(failed) - skipped
        done = "" if dry_run else f"; {made} made{before}"
        raise UserError(f"{len(failed)} of {len(inputs)} series failed: {names}{done}")
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


def require_alignment_for_its_facts(given: SeriesInput, *, alone: bool) -> None:
    """Raise a `UserError` for options that have nothing to work on."""
    from vitreous.errors import UserError

    if given.alignment is not None:
        if given.tilt_axis is not None:
            raise UserError("--tilt-axis is for finding an alignment, --alignment gives one")
        return
    idle = [name for name in ("x_tilts", "tomogram", "aretomo_kernel") if getattr(given, name)]
    if idle:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise UserError(f"{options}: only with --alignment")
    if given.angles is not None and not alone:
        raise UserError(
            f"{given.angles} is one list of angles, but there are several inputs: put NAME.rawtlt "
            "beside each"
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
    from vitreous.pipeline.inputs import opened
    from vitreous.pipeline.project import StepFolder
    from vitreous.pipeline.tomogram import foresee

    folder = StepFolder(project, series_name(stack_path), "reconstruct")
    stack, alignment = opened(stack_path, given, settings)
    foresee(stack, alignment, settings, folder.product(".mrc"), share=computing.share())


def foresee_raw_series(
    stack_path: Path,
    project: Path,
    given: SeriesInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> None:
    """Say what aligning and reconstructing would do; sizes are those of the nominal geometry."""
    from vitreous.pipeline.inputs import opened_raw
    from vitreous.pipeline.makings import alignment_of
    from vitreous.pipeline.project import StepFolder
    from vitreous.pipeline.tomogram import foresee, nominal_alignment

    name = series_name(stack_path)
    folder = StepFolder(project, name, "align")
    stack, series = opened_raw(stack_path, given)
    how = align_settings(settings)
    if folder.holds(alignment_of(stack_path, series, how)):
        log.info("%s: the alignment is up to date", name)
        aligned = given.aligned_as(folder.product(".star"))
        foresee_series(stack_path, project, aligned, settings, computing)
        return
    tilts, axis = series.nominal_tilts_degrees, series.nominal_axis_degrees
    log.info(
        "would align %d tilts, %.2f to %.2f degrees, nominal axis %s, into %s",
        len(tilts),
        tilts.min(),
        tilts.max(),
        "unknown" if axis is None else f"{axis:.2f}",
        folder.path,
    )
    output = StepFolder(project, name, "reconstruct").product(".mrc")
    foresee(stack, nominal_alignment(series), settings, output, share=computing.share())


def align_stack(
    stack_path: Path,
    project: Path,
    given: SeriesInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> AlignmentInput:
    """Align a raw series, unless that is done; returns the alignment."""
    from vitreous.cli.progress import progress_bar
    from vitreous.pipeline.inputs import opened_raw, require_apart
    from vitreous.pipeline.logs import logged
    from vitreous.pipeline.makings import alignment_of
    from vitreous.pipeline.project import StepFolder

    folder = StepFolder(project, series_name(stack_path), "align")
    how = align_settings(settings)
    with logged(folder) as step_log:
        changed = how.model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        stack, series = opened_raw(stack_path, given)
        require_apart(folder.product(".tlt"), given.angles)
        making = alignment_of(stack_path, series, how)
        if folder.holds(making):
            folder.settle()
            log.info("%s: the alignment is up to date", folder.series)
        else:
            from vitreous.pipeline.steps import align

            folder = step_log.begin()
            with progress_bar(f"aligning {folder.series}") as progress:
                align(
                    folder, making, stack_path, stack, series, how,
                    share=computing.share(), progress=progress,
                )  # fmt: skip
    return given.aligned_as(folder.product(".star"))


def align_settings(settings: ReconstructSettings) -> "AlignSettings":
    """Tilts that are excluded have no part in the alignment either."""
    from vitreous.align.settings import AlignSettings

    return AlignSettings(exclude_tilts=settings.exclude_tilts)


def run_series(
    stack_path: Path,
    project: Path,
    given: AlignmentInput,
    settings: ReconstructSettings,
    computing: Computing,
) -> bool:
    """One series: reconstruct, show, and write down what was done; False: it was done already."""
    from vitreous.cli.progress import progress_bar
    from vitreous.pipeline.inputs import opened, require_apart
    from vitreous.pipeline.logs import logged
    from vitreous.pipeline.makings import reconstruction_of
    from vitreous.pipeline.project import StepFolder

    folder = StepFolder(project, series_name(stack_path), "reconstruct")
    require_apart(folder.product(".mrc"), stack_path, given.alignment)
    with logged(folder) as step_log:
        changed = settings.model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        stack, alignment = opened(stack_path, given, settings)
        making = reconstruction_of(stack_path, given.alignment, stack, alignment, settings)
        if folder.holds(making):
            folder.settle()
            log.info("%s: the tomogram is up to date", folder.series)
            return False
        from vitreous.pipeline.steps import reconstruct

        folder = step_log.begin()
        with progress_bar(f"reconstructing {folder.series}") as progress:
            reconstruct(
                folder, making, stack, alignment, settings,
                share=computing.share(), progress=progress,
            )  # fmt: skip
    return True
