"""`vitreous run`: the main job."""

import logging
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from vitreous.align.settings import AlignSettings
from vitreous.cli.inputs import Computing, DryRun
from vitreous.ctf.settings import CtfSettings
from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from vitreous.pipeline.jobs import Job
    from vitreous.pipeline.project_file import SeriesSettings
    from vitreous.pipeline.series import Outcome

log = logging.getLogger(__name__)

SECONDS_BETWEEN_PAGES = 10.0  # of the project: it grows with the number of series

Only = Annotated[
    tuple[str, ...],
    Parameter(
        name="--only",
        help="Run these series only: names or patterns (TS_*). Settings given with it are theirs.",
    ),
]

TaskJson = Annotated[
    bool,
    Parameter(
        name="--task-json",
        negative="",
        help="Leave the steps as task folders, too (PROJECT/tasks: task.json, result.json, "
        "imageset.json, logs), for facilities' own programs.",
    ),
]


def run(
    inputs: Sequence[Path] = (),
    /,
    *,
    project: Path,
    given: Annotated[SeriesInput, Parameter(name="*")] = SeriesInput.model_construct(),  # noqa: B008
    settings: Annotated[
        ReconstructSettings, Parameter(name="*")
    ] = ReconstructSettings.model_construct(),  # noqa: B008
    align: Annotated[AlignSettings, Parameter(name="align")] = AlignSettings.model_construct(),  # noqa: B008
    reading: Annotated[MovieSettings, Parameter(name="*")] = MovieSettings.model_construct(),  # noqa: B008
    gain: Annotated[GainSettings, Parameter(name="gain")] = GainSettings.model_construct(),  # noqa: B008
    motion: Annotated[MotionSettings, Parameter(name="motion")] = MotionSettings.model_construct(),  # noqa: B008
    newstack: Annotated[
        NewstackSettings, Parameter(name="newstack")
    ] = NewstackSettings.model_construct(),  # noqa: B008
    ctf: Annotated[CtfSettings, Parameter(name="ctf")] = CtfSettings.model_construct(),  # noqa: B008
    only: Only = (),
    computing: Annotated[Computing, Parameter(name="*")] = Computing.model_construct(),  # noqa: B008
    dry_run: DryRun = False,
    task_json: TaskJson = False,
) -> None:
    """Make tomograms of tilt series: INPUTS are sessions of movies, stacks, .mdoc files, folders.

    Of a session the movies that its .mdoc files name are looked for, and their gain reference; they
    are corrected for motion and joined into a stack, whose contrast transfer is measured too.
    'vitreous check' says beforehand what is there.

    A raw stack is aligned first, without markers; its tilt angles are those of --angles, of the
    .rawtlt, .mdoc or .tlt beside it or of its header. For one series --alignment is a file; for
    several a folder that holds one for each, named like the stack.

    Each series gets a folder in --project with a folder for each step: alignment, tomogram, three
    orthogonal slices as a picture, logs, manifest. What is done already isn't done again. A series
    that fails doesn't stop the others. Inputs and options are kept in vitreous.toml in the project;
    a later run needs the project only, and options given then change what is kept.

      vitreous run TS_03.mrc --project demo

      vitreous run session --project demo --tilt-axis 85.3 --thickness 300nm

      vitreous run --project demo --only TS_03 --exclude-tilts 1,41
    """
    from vitreous.pipeline.project_file import SeriesSettings

    jobs, text = jobs_of(
        project,
        inputs,
        SeriesSettings(given, align, settings, reading, gain, motion, newstack, ctf),
        only,
    )
    if dry_run:
        from vitreous.cli.foresee import foresee_run

        foresee_run(jobs, computing.share())
        return
    keep(text, project)
    try:
        outcome_of = {outcome.name: outcome for outcome in outcomes_of(jobs, computing)}
    except KeyboardInterrupt as stop:
        goes_on = f"interrupted: 'vitreous run --project {shlex.quote(str(project))}' goes on"
        raise type(stop)(goes_on) from None
    if task_json:
        write_task_folders(project)
    say_truth(jobs, outcome_of)
    conclude([outcome_of[job.name] for job in jobs], project)


# -- what is to be done ----------------------------------------------------------------------------


def jobs_of(
    project: Path, inputs: Sequence[Path], options: "SeriesSettings", only: Sequence[str]
) -> "tuple[list[Job], str]":
    """The series to be run, and the text of vitreous.toml with what the command line gives."""
    from vitreous.errors import UserError
    from vitreous.pipeline.intake import chosen, find_series
    from vitreous.pipeline.jobs import jobs_for
    from vitreous.pipeline.project_file import parse, read_text, with_options

    before = read_text(project)
    listed = inputs or parse(before, project).inputs
    if not listed:
        raise UserError(
            f"{project} has no series yet: name stacks or folders, 'vitreous run TS_03.mrc "
            f"--project {project}'"
        )
    sources = chosen(find_series(listed), only)
    names = [source.name for source in sources] if only else None
    text, lost = with_options(before, inputs, options, names)
    for sentence in lost:
        log.warning("%s", sentence)
    return jobs_for(sources, parse(text, project), project), text


def keep(text: str, project: Path) -> None:
    """Write vitreous.toml where it isn't so already."""
    from vitreous.errors import OutputError
    from vitreous.formats.products import write_text
    from vitreous.pipeline.project_file import NAME, read_text

    if text == read_text(project):
        return
    try:
        project.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{project} can't be made: {error.strerror}") from error
    write_text(project / NAME, text)


# -- doing it --------------------------------------------------------------------------------------


def outcomes_of(jobs: "Sequence[Job]", computing: Computing) -> "Iterator[Outcome]":
    """Run what isn't up to date; what is costs next to nothing."""
    from vitreous.pipeline.logs import unheard
    from vitreous.pipeline.series import steps_to_do, up_to_date

    with unheard():
        steps = {job: steps_to_do(job) for job in jobs}
    todo = [job for job in jobs if steps[job]]
    yield from (up_to_date(job) for job in jobs if not steps[job])
    if not todo:
        return
    from vitreous.cli.run_progress import shown
    from vitreous.pipeline.forecast import forecast
    from vitreous.pipeline.runner import run_all

    share = computing.share()
    with unheard():
        forecasts = [forecast(job, steps[job], share) for job in todo]
    with shown(forecasts) as progress:
        written = float("-inf")
        for outcome in run_all(todo, share, forecasts, progress.watch):
            progress.ended(outcome.name)
            if len(todo) > 1:
                say(outcome)
            if time.monotonic() - written > SECONDS_BETWEEN_PAGES or progress.is_over:
                write_page(jobs[0].project)
                written = time.monotonic()
            yield outcome


def write_page(project: Path) -> None:
    """Write the page of the project; where that can't be, its products are no worse for it."""
    from vitreous.errors import OutputError
    from vitreous.pipeline.pages import write_project_page

    try:
        write_project_page(project)
    except OutputError as error:
        log.warning("no report: %s", error)


def say(outcome: "Outcome") -> None:
    """One line for a series that ended; what it warned of was said as it came."""
    from vitreous.cli.run_progress import duration

    if outcome.how == "failed":
        log.error("%s failed: %s", outcome.name, outcome.why)
        return
    log.info("%s: done in %s", outcome.name, duration(outcome.seconds))


# -- how it ended ----------------------------------------------------------------------------------


def write_task_folders(project: Path) -> None:
    """Write the steps as task folders, and say where."""
    from vitreous.pipeline.task_folders import FOLDER, write_tasks

    folders = write_tasks(project)
    log.info("%d task folders in %s", len(folders), project / FOLDER)


def say_truth(jobs: "Sequence[Job]", outcome_of: "Mapping[str, Outcome]") -> None:
    """Of simulated sessions say how far what was found is from what is true."""
    done = [job for job in jobs if job.movies and outcome_of[job.name].how != "failed"]
    if not done:
        return
    from vitreous.cli.tables import lined_up
    from vitreous.pipeline.against_truth import table, truth_of

    for job in done:
        if truth := truth_of(job.name, *job.movies.session.notes.folders if job.movies else ()):
            log.info("%s is simulated; what was found against what is true:", job.name)
            for line in lined_up(table(job.project, job.name, job.stack, truth)):
                log.info("  %s", line)


def conclude(outcomes: "Sequence[Outcome]", project: Path) -> None:
    """Say in one sentence what succeeded, failed, was skipped; what failed in a table before."""
    from vitreous.errors import UserError

    failed = [outcome for outcome in outcomes if outcome.how == "failed"]
    if failed and len(outcomes) == 1:
        raise UserError(f"{failed[0].why} {failed[0].hint}".rstrip())
    parts = []
    if skipped := sum(outcome.how == "up to date" for outcome in outcomes):
        parts.append(f"{skipped} up to date already")
    if doubtful := [outcome.name for outcome in outcomes if outcome.trusted is False]:
        parts.append(f"the alignment of {', '.join(doubtful)} can't be trusted: see the report")
    if not failed:
        parts.append(f"pictures in {project / 'report.html'}")
        log.info("%s", "; ".join([f"done: {len(outcomes)} series in {project}", *parts]))
        return
    for line in table_of_failures(failed):
        log.info("%s", line)
    names = ", ".join(outcome.name for outcome in failed)
    made = sum(outcome.how == "made" for outcome in outcomes)
    first = f"{len(failed)} of {len(outcomes)} series failed: {names}"
    raise UserError("; ".join([first, f"{made} made", *parts]))


def table_of_failures(failed: "Sequence[Outcome]") -> list[str]:
    """Series, step, why, and below it what to do."""
    from vitreous.cli.tables import lined_up

    rows = [("series", "step", "why, and what to do")]
    for outcome in failed:
        rows.append((outcome.name, outcome.step, outcome.why))
        if outcome.hint:
            rows.append(("", "", f"-> {outcome.hint}"))
    return lined_up(rows)
