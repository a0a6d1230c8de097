"""One series, from its stack to its pages, in whichever process."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vitreous.errors import OutputError, UserError, VitreousError
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.fingerprints import Making
from vitreous.pipeline.inputs import opened, opened_raw, require_apart
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.logs import logged
from vitreous.pipeline.series_movies import (
    ctf,
    ctf_making,
    gain,
    gain_making,
    motion,
    motion_making,
    newstack,
    newstack_making,
)
from vitreous.pipeline.state import STEPS, SeriesState, state_of_series
from vitreous.pipeline.watching import Watch, ignore_watch, of_step, say_changed

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.kernels.machine import Share
    from vitreous.records.alignment import Alignment
    from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)

How = Literal["made", "up to date", "failed"]


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
            made.append(RUN[step](job, share, watch))
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


# -- align -----------------------------------------------------------------------------------------


def align(job: Job, share: "Share", watch: Watch) -> bool:
    """Align a raw series; False: that was done already."""
    folder, settings = job.folder("align"), job.align_settings
    with logged(folder) as step_log:
        say_changed(settings.model_dump(exclude_defaults=True))
        stack, series, making = alignment_making(job)
        require_apart(folder.product(".tlt"), job.given.angles)
        if folder.holds(making):
            folder.settle()
            log.info("the alignment is up to date")
            return False
        from vitreous.pipeline import steps
        from vitreous.pipeline.forecast import require_room_to_align

        folder = step_log.begin()
        require_room_to_align(stack, settings, share)
        steps.align(
            folder,
            making,
            job.stack,
            stack,
            series,
            settings,
            share=share,
            progress=of_step(watch, "align"),
        )
    return True


def alignment_making(job: Job) -> "tuple[MrcStack | TiffStack, TiltSeries, Making]":
    """The raw stack, what is known of its tilts, and what decides its alignment."""
    from vitreous.pipeline.makings import alignment_of

    stack, series = opened_raw(job.stack, job.given, job.source.mdoc)
    return stack, series, alignment_of(job.stack, series, job.align_settings)


# -- reconstruct -----------------------------------------------------------------------------------


def reconstruct(job: Job, share: "Share", watch: Watch) -> bool:
    """Reconstruct an aligned series; False: that was done already."""
    folder, settings = job.folder("reconstruct"), job.reconstruct
    with logged(folder) as step_log:
        say_changed(settings.model_dump(exclude_defaults=True))
        require_apart(folder.product(".mrc"), job.stack, job.alignment.alignment)
        stack, alignment, making = reconstruction_making(job)
        if folder.holds(making):
            folder.settle()
            log.info("the tomogram is up to date")
            return False
        from vitreous.pipeline import steps

        folder = step_log.begin()
        steps.reconstruct(
            folder,
            making,
            stack,
            alignment,
            settings,
            share=share,
            progress=of_step(watch, "reconstruct"),
        )
    return True


def reconstruction_making(job: Job) -> "tuple[MrcStack | TiffStack, Alignment, Making]":
    """The stack, its alignment, and what decides its tomogram."""
    from vitreous.pipeline.makings import reconstruction_of

    given = job.alignment
    stack, alignment = opened(job.stack, given, job.reconstruct, job.source.mdoc)
    making = reconstruction_of(job.stack, given.alignment, stack, alignment, job.reconstruct)
    return stack, alignment, making


# -- what both need --------------------------------------------------------------------------------


def steps_to_do(job: Job) -> tuple[str, ...]:
    """The steps that aren't up to date; a series that can't be read has all before it.

    Costs little: no step is imported.
    """
    if job.source.problem:
        return job.steps
    for number, step in enumerate(job.steps):
        try:
            done = job.folder(step).holds(MAKINGS[step](job)[-1])
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


RUN: dict[str, Callable[[Job, "Share", Watch], bool]] = {
    "gain": gain,
    "motion": motion,
    "newstack": newstack,
    "align": align,
    "ctf": ctf,
    "reconstruct": reconstruct,
}
"""The function of each step."""

MAKINGS: dict[str, Callable[[Job], tuple[Any, ...]]] = {
    "gain": gain_making,
    "motion": motion_making,
    "newstack": newstack_making,
    "align": alignment_making,
    "ctf": ctf_making,
    "reconstruct": reconstruction_making,
}
"""What decides the products of each step, behind what it is made of."""
