"""Frames of little dose are aligned in groups; between the groups' middles motion is even."""

import numpy as np
from numpy.typing import NDArray

from vitreous.motion.band import Floats
from vitreous.motion.settings import MotionSettings
from vitreous.records.motion import Exposure

Array = NDArray[np.float64]
Starts = NDArray[np.intp]

LEAST_DOSE = 0.15  # e/A^2 that a group has together
FEWEST = 3  # groups that a movie is at least parted in, where the settings don't say


def group_starts(
    frames: NDArray[np.intp], settings: MotionSettings, exposure: Exposure | None
) -> Starts:
    """Where groups of the used frames (numbers in the movie) begin, counted among them."""
    count = len(frames)
    if settings.group is not None:
        return starts_of_size(count, settings.group)
    if exposure is None or not exposure.of(frames).any():
        return starts_of_size(count, 1)
    by_dose = starts_by_dose(exposure.of(frames))
    return by_dose if len(by_dose) >= FEWEST else starts_of_size(count, max(1, count // FEWEST))


def starts_of_size(count: int, size: int) -> Starts:
    """Groups of `size` frames; what doesn't fill one joins the last."""
    return np.arange(max(1, count // size)) * size


def starts_by_dose(doses: Array) -> Starts:
    """Groups of as few frames as have `LEAST_DOSE`; what is too little joins the last."""
    stops = []
    had = 0.0
    for frame, dose in enumerate(doses):
        had += dose
        if had >= LEAST_DOSE * (1 - 1e-6):
            stops.append(frame + 1)
            had = 0.0
    return np.array([0, *stops[:-1]])


def largest_group(starts: Starts, count: int) -> int:
    """The most of `count` frames that are aligned as one."""
    return int(np.diff(np.append(starts, count)).max())


def grouped(spectra: Floats, starts: Starts) -> Floats:
    """Sums of the groups' frames."""
    if len(starts) == len(spectra):
        return spectra
    return np.add.reduceat(spectra, starts, axis=0)


def ungrouped(count: int, starts: Starts) -> Array:
    """(frames, groups): a frame's motion from the groups', linear between their middles.

    Beyond the first and the last middle the way goes on; the mean over the frames is 0.
    """
    if len(starts) == count:
        return np.eye(count)
    middles = (starts + np.append(starts[1:], count) - 1) / 2
    frames = np.arange(count)
    left = np.clip(np.searchsorted(middles, frames, "right") - 1, 0, len(middles) - 2)
    share = (frames - middles[left]) / (middles[left + 1] - middles[left])
    weights = np.zeros((count, len(middles)))
    weights[frames, left] = 1 - share
    weights[frames, left + 1] += share
    return weights - weights.mean(0)
