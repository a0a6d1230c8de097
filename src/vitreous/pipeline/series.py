"""One series, from its stack to its pages, in whichever process."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel

from vitreous.errors import OutputError, UserError, VitreousError
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.fingerprints import Making
from vitreous.pipeline.inputs import opened, opened_raw, require_apart
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.logs import logged
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.series_movies import (
    ctf_making,
    ctf_settings_of,
    gain_making,
    make_ctf,
    make_gain,
    make_motion,
    make_newstack,
    motion_making,
    movies_of,
    newstack_making,
)
from vitreous.pipeline.state import STEPS, SeriesState, state_of_series
from vitreous.pipeline.transfers import Transfers, doses_of, in_words
from vitreous.records.progress import Progress

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.kernels.machine import Share
    from vitreous.records.alignment import Alignment
    from vitreous.records.tilt_series import TiltSeries

    Raw = tuple[MrcStack | TiffStack, TiltSeries]
    Corrected = tuple[MrcStack | TiffStack, Alignment, "Transfers"]

log = logging.getLogger(__name__)

How = Literal["made", "up to date", "failed"]

Watch = Callable[[str, int, int], None]
"""watch(step, done, total): how far a step of a series is."""


def ignore_watch(step: str, done: int, total: int) -> None:
    """For callers who don't watch."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the run of a series ended. trusted: what the alignment says of itself; None: not known.

    step, why and hint: of a failure. peak_bytes: the most memory of a step that was run.
    """

    name: str
    how: How
    step: str = ""
    why: str = ""
    hint: str = ""
    trusted: bool | None = None
    warnings: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_bytes: int = 0


# -- the whole series ------------------------------------------------------------------------------


def run_series(job: Job, share: "Share", watch: Watch = ignore_watch) -> Outcome:
    """Align, reconstruct, write the page; what is up to date stays. A failure is an outcome."""
    begun, step = time.monotonic(), job.steps[0]
    made: list[bool] = []
    for other in set(STEPS).difference(job.steps):
        job.folder(other).settle()
    try:
        if job.source.problem:
            refuse(job, job.source.problem)
        for step in job.steps:
            made.append(run_step(job, step, share, watch))
    except (VitreousError, OSError, MemoryError) as error:
        why, hint = why_and_what_to_do(error)
        ended = Outcome(job.name, "failed", step, why, hint)
    else:
        ended = Outcome(job.name, "made" if any(made) else "up to date")
    write_page(job)
    state = state_of_series(job.project, job.name)
    return with_state(ended, state, time.monotonic() - begun)


def write_page(job: Job) -> None:
    """Write the page of a series; where that can't be, its products are no worse for it."""
    from vitreous.pipeline.pages import write_series_page

    try:
        write_series_page(job.project, job.name)
    except OutputError as error:
        log.warning("no report: %s", error)


def with_state(ended: Outcome, state: SeriesState, seconds: float) -> Outcome:
    """An outcome with what the manifests of the series say."""
    costs = [step.manifest.get("cost", {}) for step in state.steps]
    return Outcome(
        ended.name,
        ended.how,
        ended.step,
        ended.why,
        ended.hint,
        trusted=state.trusted,
        warnings=tuple(state.warnings),
        seconds=seconds,
        peak_bytes=max(cost.get("peak_memory_bytes", 0) for cost in costs),
    )


def refuse(job: Job, problem: str) -> None:
    """Leave word in the folder of the series that it can't begin."""
    with logged(job.folder(job.steps[0])):
        raise UserError(problem)


# -- one step --------------------------------------------------------------------------------------


def run_step(job: Job, step: str, share: "Share", watch: Watch = ignore_watch) -> bool:
    """Make what a step makes of a series; False: that was done already."""
    work, folder = WORK[step], job.folder(step)
    with logged(folder) as step_log:
        changed = work.settings(job).model_dump(exclude_defaults=True)
        log.debug("settings that differ from the defaults: %s", changed or "none")
        made_of, making = work.making(job)
        if folder.holds(making):
            folder.settle()
            log.info("%s up to date", work.product)
            return False
        folder = step_log.begin()
        work.make(job, folder, making, made_of, share, lambda *far: watch(step, *far))
    return True


# -- align -----------------------------------------------------------------------------------------


def make_alignment(
    job: Job, folder: StepFolder, making: Making, raw: "Raw", share: "Share", far: Progress
) -> None:
    """Align a raw series."""
    from vitreous.pipeline import steps
    from vitreous.pipeline.forecast import require_room_to_align

    (stack, series), settings = raw, job.align_settings
    require_apart(folder.product(".tlt"), job.given.angles)
    require_room_to_align(stack, settings, share)
    steps.align(folder, making, job.stack, stack, series, settings, share=share, progress=far)


def alignment_making(job: Job) -> "tuple[Raw, Making]":
    """The raw stack with what is known of its tilts, and what decides its alignment."""
    from vitreous.pipeline.makings import alignment_of

    stack, series = opened_raw(job.stack, job.given, job.source.mdoc)
    return (stack, series), alignment_of(job.stack, series, job.align_settings)


# -- reconstruct -----------------------------------------------------------------------------------


def make_tomogram(
    job: Job, folder: StepFolder, making: Making, of: "Corrected", share: "Share", far: Progress
) -> None:
    """Reconstruct an aligned series."""
    from vitreous.pipeline import steps

    (stack, alignment, transfers), settings = of, job.reconstruct
    require_apart(folder.product(".mrc"), job.stack, job.alignment.alignment)
    if transfers.ctfs is not None:
        log.info("CTFs of %s: %s", transfers.source, in_words(transfers.ctfs))
    steps.reconstruct(
        folder, making, job.stack, stack, alignment, settings, transfers, share=share, progress=far
    )


def reconstruction_making(job: Job) -> "tuple[Corrected, Making]":
    """The stack with its alignment and transfers, and what decides its tomogram."""
    from vitreous.pipeline.makings import reconstruction_of

    given = job.alignment
    stack, alignment = opened(job.stack, given, job.reconstruct, job.source.mdoc)
    transfers = transfers_of_job(job, stack)
    making = reconstruction_of(
        job.stack, given.alignment, stack, alignment, job.reconstruct, transfers
    )
    return (stack, alignment, transfers), making


def transfers_of_job(job: Job, stack: "MrcStack | TiffStack") -> Transfers:
    """The CTFs that its own step found, or that it was given, and doses, where they are needed."""
    from vitreous.ctf.optics import Optics
    from vitreous.formats.ctf_files import read_ctfs

    ctfs = doses = table = None
    if job.reconstruct.needs_ctf:
        folder = job.folder("ctf")
        table = job.ctf_table or folder.product("_ctf.json")
        if job.ctf_table is None and job.ctf is None:
            raise UserError(
                "the tomogram is to be corrected for CTFs that --no-estimate-ctf forbids"
            )
        if job.ctf_table is None and folder.read_manifest().get("has_rings") is False:
            raise UserError(
                "no rings are seen in any image: the tomogram can't be corrected for its CTF "
                "(--ctf none)"
            )
        usual, given = Optics(), job.given
        optics = Optics(
            given.kv or usual.voltage_kv,
            usual.spherical_aberration_mm if given.cs is None else given.cs,
            usual.amplitude_contrast
            if given.amplitude_contrast is None
            else given.amplitude_contrast,
        )
        ctfs = read_ctfs(table, stack.shape[0], optics.ctf(0.0))
    if job.reconstruct.dose_weighting:
        doses = doses_of(opened_raw(job.stack, job.given, job.source.mdoc)[1], stack.shape[0])
    return Transfers(ctfs, doses, table)


# -- all steps ---------------------------------------------------------------------------------


def steps_to_do(job: Job) -> tuple[str, ...]:
    """The steps that aren't up to date; a series that can't be read has all before it.

    Costs little: no step is imported.
    """
    if job.source.problem:
        return job.steps
    for number, step in enumerate(job.steps):
        try:
            done = job.folder(step).holds(WORK[step].making(job)[1])
        except (VitreousError, OSError):
            done = False
        if not done:
            return job.steps[number:]
    return ()


def up_to_date(job: Job) -> Outcome:
    """The outcome of a series of which nothing is to be made."""
    for step in STEPS:
        job.folder(step).settle()
    state = state_of_series(job.project, job.name)
    return with_state(Outcome(job.name, "up to date"), state, 0.0)


@dataclass(frozen=True, slots=True)
class Work:
    """A step: its product with the verb, its settings, what it is made of, and the making.

    making: what the products are made of, and the fingerprint that decides them.
    """

    product: str
    settings: Callable[[Job], BaseModel]
    making: Callable[[Job], tuple[Any, Making]]
    make: Callable[[Job, StepFolder, Making, Any, "Share", Progress], None]


WORK = {
    "gain": Work("the gain reference is", lambda job: movies_of(job).gain, gain_making, make_gain),
    "motion": Work(
        "the averages are", lambda job: movies_of(job).motion, motion_making, make_motion
    ),
    "newstack": Work(
        "the stack is", lambda job: movies_of(job).newstack, newstack_making, make_newstack
    ),
    "align": Work(
        "the alignment is", lambda job: job.align_settings, alignment_making, make_alignment
    ),
    "ctf": Work("the contrast transfer is", ctf_settings_of, ctf_making, make_ctf),
    "reconstruct": Work(
        "the tomogram is", lambda job: job.reconstruct, reconstruction_making, make_tomogram
    ),
}
"""All steps."""
