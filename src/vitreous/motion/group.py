"""Frames of little dose are aligned in groups; between the groups' middles motion is even."""

import numpy as np
from numpy.typing import NDArray

from vitreous.motion.band import Floats
from vitreous.motion.settings import MotionSettings
from vitreous.records.motion import Exposure

Array = NDArray[np.float64]

LEAST_DOSE = 0.15  # e/A^2 that a group has together
FEWEST = 3  # groups that a movie is at least parted in, where the settings don't say


def group_size(count: int, settings: MotionSettings, exposure: Exposure | None) -> int:
    """How many of `count` frames are aligned as one."""
    if settings.group is not None:
        return min(settings.group, count)
    if exposure is None or exposure.dose_per_frame <= 0:
        return 1
    needed = int(np.ceil(LEAST_DOSE / exposure.dose_per_frame - 1e-6))
    return max(1, min(needed, count // FEWEST))


def first_frames(count: int, size: int) -> list[int]:
    """Where groups begin; what doesn't fill one joins the last."""
    return [group * size for group in range(max(1, count // size))]


def grouped(spectra: Floats, size: int) -> Floats:
    """Sums of `size` neighbours."""
    if size == 1:
        return spectra
    return np.add.reduceat(spectra, first_frames(len(spectra), size), axis=0)


def ungrouped(count: int, size: int) -> Array:
    """(frames, groups): a frame's motion from the groups', linear between their middles.

    Beyond the first and the last middle the way goes on; the mean over the frames is 0.
    """
    starts = np.array(first_frames(count, size))
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
