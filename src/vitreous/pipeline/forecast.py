"""What a run will take: memory by the laws of its steps, room on the disk, time.

Memory is a bound that the steps keep to. Time is an estimate: operations counted, each times what
one took on a core of an EPYC at 3 GHz. Another machine may take twice or half of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from vitreous.align.images import binning_for
from vitreous.align.memory import plan_alignment
from vitreous.align.settings import AlignSettings
from vitreous.errors import UserError, VitreousError
from vitreous.formats.products import readable
from vitreous.kernels.machine import Share
from vitreous.pipeline import forecast_movies
from vitreous.pipeline.forecast_movies import is_planned, planned_stack
from vitreous.pipeline.inputs import opened, opened_raw
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.tomogram import nominal_alignment, planned
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import Plan
from vitreous.records.images import ImageStack
from vitreous.records.tilt_series import TiltSeries

# CPU seconds, from series of 41 tilts of 400 and 720 px, binned and not
START_UP = 2.0
PER_IMAGE_PIXEL = 30e-9  # reading, filtering
PER_UPDATE = 0.12e-9  # one tilt into one voxel
PER_VOXEL = 20e-9  # scaling, writing
PROJECTIONS = 2.6  # back-projections that one iteration costs
PER_WORK_PIXEL = 8e-6  # searching, matching, refining: of the images at the work pixel
ALIGNMENT_BYTES = 300_000  # its files
STAYING_BYTES = 40_000_000  # of what the alignment loads and doesn't give back
STAYING_OF_MOVIES_BYTES = 100_000_000  # of the steps of movies; when kernels are compiled, most


@dataclass(frozen=True, slots=True)
class StepForecast:
    """What one step will take. disk_bytes: of what it leaves."""

    step: str
    memory_bytes: int
    cpu_seconds: float
    disk_bytes: int


@dataclass(frozen=True, slots=True)
class Forecast:
    """What the steps of a series will take that aren't up to date.

    problem: why nothing can be foreseen, and nothing will be made.
    """

    name: str
    steps: tuple[StepForecast, ...] = ()
    problem: str = ""

    @property
    def memory_bytes(self) -> int:
        """The most at a time."""
        return max((step.memory_bytes for step in self.steps), default=0)

    @property
    def cpu_seconds(self) -> float:
        """Of all steps."""
        return sum(step.cpu_seconds for step in self.steps)

    @property
    def disk_bytes(self) -> int:
        """Of all steps."""
        return sum(step.disk_bytes for step in self.steps)


def forecast(job: Job, steps: Sequence[str], share: Share) -> Forecast:
    """What the given steps of a series will take.

    Before it is aligned, its tomogram has the size that the nominal tilts give.
    """
    if job.source.problem:
        return Forecast(job.name, problem=job.source.problem)
    try:
        foreseen = tuple(STEPS[step](job, steps, share) for step in steps)
    except (VitreousError, OSError) as error:
        return Forecast(job.name, problem=str(error))
    staying = STAYING_OF_MOVIES_BYTES if is_planned(job, steps) else STAYING_BYTES
    if len(steps) > 1:
        foreseen = tuple(
            replace(step, memory_bytes=step.memory_bytes + staying) for step in foreseen
        )
    return Forecast(job.name, foreseen)


# -- align -----------------------------------------------------------------------------------------


def stack_of(job: Job, steps: Sequence[str]) -> tuple[ImageStack, TiltSeries]:
    """The raw stack of a series, or what it will be."""
    if is_planned(job, steps):
        return planned_stack(job)
    return opened_raw(job.stack, job.given, job.source.mdoc)


def of_align(job: Job, steps: Sequence[str], share: Share) -> StepForecast:
    """Images and search, by the law of the alignment; its files are small."""
    stack, _ = stack_of(job, steps)
    settings = job.align_settings
    memory = require_room_to_align(stack, settings, share)
    return StepForecast("align", memory, seconds_to_align(stack, settings), ALIGNMENT_BYTES)


def require_room_to_align(stack: ImageStack, settings: AlignSettings, share: Share) -> int:
    """Bytes that an alignment takes; a `UserError` where that is more than may be taken."""
    needed = plan_alignment(stack.shape, settings, stack.pixel_size, share.threads)
    if share.memory_bytes is not None and needed > share.memory_bytes:
        raise UserError(
            f"{readable(share.memory_bytes)} of memory are allowed, aligning needs "
            f"{readable(needed)}: allow more with --memory, or a larger --align.work-pixel"
        )
    return needed


def seconds_to_align(stack: ImageStack, settings: AlignSettings) -> float:
    """CPU seconds: reading every pixel, then searching and matching in binned images."""
    sections, rows, columns = stack.shape
    binning = binning_for(stack.pixel_size, settings.work_pixel)
    pixels = sections * rows * columns
    return START_UP + PER_IMAGE_PIXEL * pixels + PER_WORK_PIXEL * pixels / binning**2


# -- reconstruct -----------------------------------------------------------------------------------


def of_reconstruct(job: Job, steps: Sequence[str], share: Share) -> StepForecast:
    """Images and slabs, by the plan of the reconstruction; the tomogram on the disk."""
    stack: ImageStack
    if "align" in steps or is_planned(job, steps):
        stack, series = stack_of(job, steps)
        alignment = nominal_alignment(series)
    else:
        stack, alignment = opened(job.stack, job.alignment, job.reconstruct, job.source.mdoc)
    settings = job.reconstruct
    plan = planned(stack, alignment, settings, share=share).plan
    voxels = int(np.prod(plan.grid.size, dtype=np.int64))
    return StepForecast(
        "reconstruct",
        plan.memory_bytes,
        seconds_to_reconstruct(stack, plan, settings, alone=len(steps) == 1),
        voxels * np.dtype(settings.mode).itemsize,
    )


def seconds_to_reconstruct(
    stack: ImageStack, plan: Plan, settings: ReconstructSettings, *, alone: bool
) -> float:
    """CPU seconds: filtering the images, every tilt into every voxel, writing.

    alone: no step before has loaded the compiled kernels.
    """
    tilts = len(plan.alignment)
    voxels = float(np.prod(plan.grid.size, dtype=np.float64))
    iterations = PROJECTIONS * settings.iterations if settings.method != "wbp" else 1
    return (
        START_UP * alone
        + PER_IMAGE_PIXEL * tilts * stack.shape[1] * stack.shape[2]
        + PER_UPDATE * tilts * voxels * iterations
        + PER_VOXEL * voxels
    )


# -- movies, contrast transfer ---------------------------------------------------------------------


def of_gain(job: Job, _: Sequence[str], __: Share) -> StepForecast:
    """Summing some movies."""
    return StepForecast("gain", *forecast_movies.of_gain(job))


def of_motion(job: Job, _: Sequence[str], __: Share) -> StepForecast:
    """All movies, one after the other."""
    return StepForecast("motion", *forecast_movies.of_motion(job))


def of_newstack(job: Job, _: Sequence[str], __: Share) -> StepForecast:
    """Copying averages."""
    return StepForecast("newstack", *forecast_movies.of_newstack(job))


def of_ctf(job: Job, steps: Sequence[str], share: Share) -> StepForecast:
    """Spectra of all images."""
    stack, _ = stack_of(job, steps)
    return StepForecast("ctf", *forecast_movies.of_ctf(stack, share.threads))


STEPS = {
    "gain": of_gain,
    "motion": of_motion,
    "newstack": of_newstack,
    "align": of_align,
    "ctf": of_ctf,
    "reconstruct": of_reconstruct,
}
"""The forecast of each step."""
