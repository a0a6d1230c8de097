"""Dose weighting of frames (Grant & Grigorieff 2015), and few sums from which it can be made.

The weights of a frame, w(f, k), are its amplitudes as the dose leaves them, so normalised that the
sum has the mean and the noise of the plain sum. What all frames had before cancels in that: the
pre-exposure decides nothing within a movie.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.dose import amplitude_of_exposure
from vitreous.records.motion import Exposure

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

STEPS = 1024  # of the table of frequencies, from 0 to the corner of the spectrum
EXACT = 3e-3  # largest error of a weight


def frame_weights(k: Array, exposure: Exposure, frames: NDArray[np.intp]) -> Array:
    """(frames, len(k)) weights at k in 1/A; frames: their numbers in the movie, from 0."""
    doses = zip(exposure.before(frames), exposure.of(frames), strict=True)
    shown = np.array(
        [amplitude_of_exposure(k, had, dose, exposure.voltage_kv) for had, dose in doses]
    )
    weights: Array = shown * np.sqrt(len(frames) / (shown**2).sum(0))
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class Shares:
    """w(f, k) = sum over r of of_frames[f, r] of_frequencies[r, k]: a few sums of all frames do.

    of_frames (frames, sums); of_frequencies (sums, STEPS): at frequencies from 0 evenly to
    sqrt(1/2) cycles per pixel, the corner.
    """

    of_frames: Floats
    of_frequencies: Floats


def dose_shares(exposure: Exposure, frames: NDArray[np.intp], pixel_size: float) -> Shares:
    """The dose's weights as products of frame and frequency, as few as hold them to EXACT."""
    k = np.linspace(0, np.sqrt(0.5) / pixel_size, STEPS)
    weights = frame_weights(k, exposure, frames)
    _, vectors = np.linalg.eigh(weights @ weights.T)
    for count in range(1, len(frames) + 1):
        of_frames = vectors[:, ::-1][:, :count]  # the most of all weights that so many can hold
        of_frequencies = of_frames.T @ weights
        if np.abs(of_frames @ of_frequencies - weights).max() < EXACT:
            break
    return Shares(of_frames.astype(np.float32), of_frequencies.astype(np.float32))


def plain_shares(count: int) -> Shares:
    """Every frame counts alike."""
    return Shares(np.ones((count, 1), np.float32), np.ones((1, STEPS), np.float32))
