"""What the steps from movies to a stack will take, and the stack that they will leave."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.movies import open_movie
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.movie_series import upsampling
from vitreous.pipeline.series_movies import movies_of, series_of
from vitreous.records.images import ImageStack
from vitreous.records.tilt_series import TiltSeries

# CPU seconds and bytes, fitted to movies of 512 to 2048 px (docs/memory.md)
PER_FRAME_PIXEL = 120e-9  # reading, aligning, summing
PER_CHECKED_PIXEL = 25e-9  # summing for the gain
PER_STACK_PIXEL = 30e-9
PER_SPECTRUM_PIXEL = 250e-9
PROGRAM_BYTES = 350_000_000
FRAMES_OF_WORK = 10  # beside the movie
IMAGES_OF_WORK = 12  # of the CTF, for each thread


@dataclass(frozen=True, slots=True)
class PlannedStack:
    """A stack that isn't made yet: shape (sections, y, x)."""

    shape: tuple[int, int, int]
    pixel_size: float
    dtype: np.dtype[np.generic] = np.dtype(np.float32)  # noqa: RUF009

    def read(self, index: int) -> NDArray[np.generic]:
        """There is nothing to be read."""
        raise UserError(f"section {index + 1} of a stack that isn't made yet")


def planned_stack(job: Job) -> tuple[ImageStack, TiltSeries]:
    """The stack that the movies of a series will make, and its tilts."""
    movies, opened = movies_of(job), series_of(job)
    known = opened.series
    columns, rows = known.image_size
    binning, finer = movies.motion.binning, upsampling(opened.movies[0].path, movies.reading)
    size = (columns * finer // binning, rows * finer // binning)
    pixel_size = known.pixel_size * binning / finer
    tilts = sorted((m.tilt for m in opened.movies), key=lambda tilt: tilt.nominal_tilt_degrees)
    numbered = tuple(replace(tilt, section=z) for z, tilt in enumerate(tilts))
    series = replace(known, tilts=numbered, image_size=size, pixel_size=pixel_size)
    return PlannedStack((len(tilts), size[1], size[0]), pixel_size), series


def frames_of(job: Job) -> tuple[int, int]:
    """(frames of a movie, pixels of a frame) of the first one."""
    movies, opened = movies_of(job), series_of(job)
    first = opened.movies[0]
    movie = open_movie(first.path, movies.reading, pixel_size=1.0, dose=first.tilt.dose)
    frames, rows, columns = movie.shape
    movie.close()
    return frames, rows * columns


def of_gain(job: Job) -> tuple[int, float, int]:
    """(bytes of memory, CPU seconds, bytes on the disk) of the gain reference."""
    frames, pixels = frames_of(job)
    movies = movies_of(job)
    checked = min(len(movies.session.files), movies.gain.most_movies)
    return (
        PROGRAM_BYTES + FRAMES_OF_WORK * pixels * 4,
        PER_CHECKED_PIXEL * checked * frames * pixels,
        4 * pixels,
    )


def of_motion(job: Job) -> tuple[int, float, int]:
    """The same of the motion correction: one movie at a time."""
    frames, pixels = frames_of(job)
    movies = movies_of(job)
    count = len(movies.session.files)
    sums = 1 + 2 * movies.motion.even_odd + movies.motion.unweighted
    return (
        PROGRAM_BYTES + (frames + FRAMES_OF_WORK) * pixels * 4,
        PER_FRAME_PIXEL * count * frames * pixels,
        count * sums * 4 * pixels // movies.motion.binning**2,
    )


def of_newstack(job: Job) -> tuple[int, float, int]:
    """The same of the stack and its halves."""
    stack, _ = planned_stack(job)
    sections, rows, columns = stack.shape
    stacks = 1 + 2 * movies_of(job).newstack.halves
    whole = 4 * sections * rows * columns
    return PROGRAM_BYTES + 8 * rows * columns * 4, PER_STACK_PIXEL * whole / 4, stacks * whole


def of_ctf(stack: ImageStack, threads: int) -> tuple[int, float, int]:
    """The same of the contrast transfer; its tables are small."""
    sections, rows, columns = stack.shape
    pixels = rows * columns
    return (
        PROGRAM_BYTES + IMAGES_OF_WORK * threads * pixels * 4,
        2.0 + PER_SPECTRUM_PIXEL * sections * pixels,
        2_000_000,
    )


def is_planned(job: Job, steps: Sequence[str]) -> bool:
    """Whether the stack of a series is still to be made."""
    return job.movies is not None and "newstack" in steps
