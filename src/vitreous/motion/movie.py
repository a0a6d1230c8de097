"""From a movie to its average image: measure the motion, then add up the frames without it.

A movie is an image stack of frames, each as it is to be added: gain and defects are made right
before. It is read twice, frame by frame, and never held: what alignment keeps of it is no more than
the movie's own size, see docs/motion.md.
"""

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.machine import use_threads
from vitreous.motion.band import Band, Floats, band_for, edge_window
from vitreous.motion.frames import frames_of
from vitreous.motion.group import (
    Starts,
    finer_starts,
    group_means,
    group_starts,
    grouped,
    largest_group,
    ungrouped,
)
from vitreous.motion.local import align_patches
from vitreous.motion.settings import MotionSettings
from vitreous.motion.sums import Sums, sum_frames
from vitreous.motion.whole import align_frames, refined
from vitreous.records.images import ImageStack
from vitreous.records.motion import Exposure, Motion
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

TAPER = 0.06  # of the field, at each edge
FEWEST_GROUPS_FOR_LOCAL = 4
FINEST_PX = 3.0  # detail below is hardly transferred by a camera; memory is bounded so
DARK = 0.1  # of the median frame's counts: a frame with less isn't used


@dataclass(frozen=True, slots=True, eq=False)
class CorrectedMovie:
    """A movie's sums and the motion that was taken out of them; exposure: where it is known."""

    sums: Sums
    motion: Motion
    exposure: Exposure | None = None


def correct_motion(
    movie: ImageStack,
    settings: MotionSettings,
    exposure: Exposure | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> CorrectedMovie:
    """The average image of a movie. exposure: None where the dose isn't known."""
    share = 2 * movie.shape[0]
    motion = measure_motion(
        movie, settings, exposure, threads, lambda done, _: progress(done, share)
    )
    sums = sum_frames(
        movie,
        motion,
        settings,
        exposure,
        threads,
        lambda done, total: progress(share // 2 + done if done < total else share, share),
    )
    return CorrectedMovie(sums, motion, exposure)


def measure_motion(
    movie: ImageStack,
    settings: MotionSettings,
    exposure: Exposure | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Motion:
    """Where each frame shows the specimen, by itself and across the field.

    Frames that are nearly dark are left out with a warning.
    """
    use_threads(threads)
    count, rows, columns = movie.shape
    finest = max(settings.finest, FINEST_PX * movie.pixel_size)
    band = band_for((rows, columns), movie.pixel_size, finest)
    wanted = chosen_frames(count, settings)
    frames, spectra = lit_spectra(movie, wanted, band, threads, progress)
    starts = group_starts(frames, settings, exposure)
    if len(starts) < 2:
        still, group = np.zeros((len(frames), 2)), len(frames)
        return Motion(frames, count, still, (columns, rows), movie.pixel_size, group=group)

    finer = finer_starts(frames, settings, exposure)
    if finer is None:
        spectra = grouped(spectra, starts)
        found = align_frames(spectra, band, settings)
    else:
        moves = moves_by_groups(spectra, starts, band, settings)
        starts, spectra = finer, grouped(spectra, finer)
        found = refined(spectra, band, settings, group_means(moves, starts))
    to_frames = ungrouped(len(frames), starts)
    motion = Motion(
        frames=frames,
        frame_count=count,
        displacements=to_frames @ found.displacements,
        image_size=(columns, rows),
        pixel_size=movie.pixel_size,
        standard_error=found.standard_error,
        group=largest_group(starts, len(frames)),
    )
    if not settings.local or len(spectra) < FEWEST_GROUPS_FOR_LOCAL:
        return motion
    fit = align_patches(spectra, band, found, (rows, columns), settings, threads)
    local = fit.motion
    if local is not None:
        local = replace(local, coefficients=np.tensordot(to_frames, local.coefficients, 1))
    return replace(motion, local=local, log_evidence=fit.log_evidence)


def moves_by_groups(spectra: Floats, starts: Starts, band: Band, settings: MotionSettings) -> Array:
    """(frames, 2) displacements, angstrom, from groups of frames."""
    found = align_frames(grouped(spectra, starts), band, settings)
    return ungrouped(len(spectra), starts) @ found.displacements


def chosen_frames(count: int, settings: MotionSettings) -> NDArray[np.intp]:
    """The frames that are left, from 0."""
    first, last = settings.leave_out_first, count - settings.leave_out_last
    if first >= last:
        raise UserError(
            f"the movie has {count} frames, {settings.leave_out_first} at the beginning and "
            f"{settings.leave_out_last} at the end are to be left out: none is left"
        )
    return np.arange(first, last)


def lit_spectra(
    movie: ImageStack,
    wanted: NDArray[np.intp],
    band: Band,
    threads: int,
    progress: Progress,
) -> tuple[NDArray[np.intp], Floats]:
    """The frames that are not dark, and their coefficients (frames, 2, n)."""
    means = np.empty(len(wanted))
    spectra = np.empty((len(wanted), 2, len(band)), np.float32)
    window = [edge_window(n, TAPER) for n in movie.shape[1:]]
    for n, stored in enumerate(frames_of(movie, wanted, threads)):
        frame = np.ascontiguousarray(stored, np.float32)
        means[n] = frame.mean(dtype=np.float64)
        take_coefficients(frame, means[n], window, band, spectra[n], threads)
        progress(n + 1, len(wanted))
    least = DARK * float(np.median(means))
    if least <= 0:
        raise UserError("the movie's frames hold no counts: they are empty")
    lit = means > least
    if lit.all():
        return wanted, spectra
    dark = ", ".join(str(number + 1) for number in wanted[~lit])
    log.warning("frames %s are nearly dark and left out", dark)
    return wanted[lit], spectra[lit]


def take_coefficients(
    frame: Floats, mean: float, window: list[Floats], band: Band, out: Floats, threads: int
) -> None:
    """out (2, n) = a frame's contrast, tapered, as coefficients of the band."""
    from scipy import fft

    from vitreous.kernels.cpu.motion import windowed

    contrast = np.empty_like(frame)
    scale = np.float32(1 / mean if mean > 0 else 0)
    windowed(frame, scale, window[0], window[1], contrast)
    rows = fft.rfft(contrast, band.padded[1], axis=1, workers=threads)
    del contrast
    rows = rows[:, : int(band.columns.max()) + 1]
    band.packed(fft.fft(rows, band.padded[0], axis=0, workers=threads), out)
