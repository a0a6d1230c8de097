"""Frames of little dose are aligned in groups first, which even motion between their middles tells.

From there smaller groups, mostly single frames, are aligned: within a group of 0.2 e/A^2 a specimen
that settles moves by pixels, more than such a frame's own error.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.motion.band import Floats
from vitreous.motion.settings import MotionSettings
from vitreous.records.motion import Exposure

Array = NDArray[np.float64]
Starts = NDArray[np.intp]

LEAST_DOSE = 0.15  # e/A^2 that a group has together, for its peak to be found
LEAST_NEAR = 0.08  # ... that it has where it is nearly known
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
    by_dose = starts_by_dose(exposure.of(frames), LEAST_DOSE)
    return by_dose if len(by_dose) >= FEWEST else starts_of_size(count, max(1, count // FEWEST))


def finer_starts(
    frames: NDArray[np.intp], settings: MotionSettings, exposure: Exposure | None
) -> Starts | None:
    """Where the groups begin whose motion is refined at last; None where they are the same."""
    if settings.group is not None or exposure is None or not exposure.of(frames).any():
        return None
    finer = starts_by_dose(exposure.of(frames), LEAST_NEAR)
    return finer if len(finer) > len(group_starts(frames, settings, exposure)) else None


def starts_of_size(count: int, size: int) -> Starts:
    """Groups of `size` frames; what doesn't fill one joins the last."""
    return np.arange(max(1, count // size)) * size


def starts_by_dose(doses: Array, least: float) -> Starts:
    """Groups of as few frames as have the dose `least`; what is too little joins the last."""
    stops = []
    had = 0.0
    for frame, dose in enumerate(doses):
        had += dose
        if had >= least * (1 - 1e-6):
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


def group_means(values: Array, starts: Starts) -> Array:
    """(groups, ...) means over the frames of each."""
    sizes = np.diff(np.append(starts, len(values)))
    return np.asarray(np.add.reduceat(values, starts, axis=0) / sizes[:, None], np.float64)


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
