"""Many series on one machine: several at a time, within the cores and the memory allowed."""

import logging
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

from vitreous.kernels.machine import Share
from vitreous.pipeline.failures import LESS_MEMORY, why_and_what_to_do
from vitreous.pipeline.forecast import Forecast
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.series import Outcome, run_series, with_state, write_page
from vitreous.pipeline.state import state_of_series
from vitreous.pipeline.worker import Slot

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS = 0.1
PARENT_BYTES = 200_000_000  # the process that hands out the work
KILLED = "its process was killed from outside; mostly the system does so when memory runs out"

WatchAll = Callable[[str, str, int, int], None]
"""watch(series, step, done, total): how far a step of a series is."""


@dataclass(frozen=True, slots=True)
class Division:
    """How many series at a time, and the threads of each."""

    workers: int
    threads: int


def divided(planned_bytes: Sequence[int], share: Share) -> Division:
    """As many series at a time as there are cores, if memory suffices, with what threads remain.

    planned_bytes: of each series. Two series of 41 x 720 x 720 with a thread each took 30 CPU
    seconds, one after the other with two threads 35.
    """
    workers = min(len(planned_bytes), share.threads)
    if share.memory_bytes is not None:
        fitting = (share.memory_bytes - PARENT_BYTES) // max(1, *planned_bytes)
        workers = max(1, min(workers, fitting))
    return Division(workers, max(1, share.threads // workers))


def peak_of(planned_bytes: Sequence[int], share: Share) -> int:
    """The most memory of a run: of all that runs at a time."""
    if len(planned_bytes) == 1:
        return planned_bytes[0]
    workers = divided(planned_bytes, share).workers
    return PARENT_BYTES + sum(sorted(planned_bytes)[-workers:])


def run_all(
    jobs: Sequence[Job],
    share: Share,
    forecasts: Sequence[Forecast],
    watch: WatchAll,
) -> Iterator[Outcome]:
    """Run the series, each outcome as it comes; a failure of one is no matter to the others.

    A single series runs in this process. Of several, workers tell warnings only, or all that the
    logger of the house is set to with debugging.
    """
    if len(jobs) == 1:
        (job,) = jobs
        yield run_series(job, share, lambda *far: watch(job.name, *far))
        return
    house = logging.getLogger("vitreous")
    level = max(house.level, logging.WARNING if house.level > logging.DEBUG else logging.DEBUG)
    planned = [forecast.memory_bytes for forecast in forecasts]
    division = divided(planned, share)
    slots = [Slot(division.threads, level) for _ in range(division.workers)]
    try:
        yield from run_in(slots, list(zip(jobs, planned, strict=True)), share, watch)
    finally:
        for slot in slots:
            slot.interrupt()
        for slot in slots:
            slot.close()


def run_in(
    slots: Sequence[Slot], waiting: list[tuple[Job, int]], share: Share, watch: WatchAll
) -> Iterator[Outcome]:
    """Hand out series as long as there are some, the first that fits before others."""
    while waiting or any(slot.job for slot in slots):
        for slot in slots:
            if slot.job is None and (fitting := next_fitting(waiting, slots, share)):
                waiting.remove(fitting)
                slot.start(
                    fitting[0], replace(share, memory_bytes=allowed(fitting[1], slots, share))
                )
        wait(
            [slot.future for slot in slots if slot.future],
            timeout=SECONDS_BETWEEN_LOOKS,
            return_when=FIRST_COMPLETED,
        )
        for slot in slots:
            pass_on(slot, watch)
            if slot.job and slot.future and slot.future.done():
                ended = outcome_of(slot)
                pass_on(slot, watch)
                slot.free()
                yield ended


# -- memory ----------------------------------------------------------------------------------------


def next_fitting(
    waiting: Sequence[tuple[Job, int]], slots: Sequence[Slot], share: Share
) -> tuple[Job, int] | None:
    """The first series whose planned memory is free; alone each may try, planned smaller."""
    alone = not any(slot.job for slot in slots)
    free = free_bytes(slots, share)
    return next((each for each in waiting if alone or free is None or each[1] <= free), None)


def free_bytes(slots: Sequence[Slot], share: Share) -> int | None:
    """What running series leave of the memory; None: there is no limit."""
    if share.memory_bytes is None:
        return None
    taken = sum(slot.share.memory_bytes or 0 for slot in slots if slot.job)
    return share.memory_bytes - PARENT_BYTES - taken


def allowed(planned: int, slots: Sequence[Slot], share: Share) -> int | None:
    """What a series may take: what it planned, and its part of what others don't need.

    The thickness found may be larger than the one planned with.
    """
    free = free_bytes(slots, share)
    if free is None or share.memory_bytes is None:
        return None
    part = (share.memory_bytes - PARENT_BYTES) // len(slots)
    return min(free, max(planned, part))


# -- what workers say ------------------------------------------------------------------------------


def pass_on(slot: Slot, watch: WatchAll) -> None:
    """Hand on progress and log lines of a worker."""
    for kind, *told in slot.told():
        if slot.job is None:
            continue
        if kind == "log":
            log.log(int(str(told[0])), "%s: %s", slot.job.name, told[1])
        else:
            step, done, total = told
            watch(slot.job.name, str(step), int(str(done)), int(str(total)))


def outcome_of(slot: Slot) -> Outcome:
    """How the series of a slot ended; a worker that is gone or hit by a fault is a failure too."""
    assert slot.job is not None
    assert slot.future is not None
    error = slot.future.exception()
    if error is None:
        return slot.future.result()
    return lost(slot.job, error)


def lost(job: Job, error: BaseException) -> Outcome:
    """The outcome of a series whose worker was killed, stopped, or hit by a fault of ours."""
    state = state_of_series(job.project, job.name)
    broken = (step.step for step in state.steps if step.how in ("running", "interrupted", "failed"))
    step = next(broken, job.steps[0])
    if isinstance(error, BrokenProcessPool):
        why, hint = KILLED, f"if it was memory, {LESS_MEMORY}; then run again: what is done stays"
    elif isinstance(error, KeyboardInterrupt):
        why, hint = "its process was told to stop (SIGTERM)", "run again: what is done stays"
    else:
        why, hint = why_and_what_to_do(error)
        log.debug("%s", "".join(traceback.format_exception(error)))
    job.folder(step).fail(why, hint)
    write_page(job)
    return with_state(Outcome(job.name, "failed", step, why, hint), state, 0.0)
