"""Pixels that no specimen made: X-rays, hot and dead pixels, NaN."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from vitreous.records.images import ImageStack

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

WINDOW = 5  # px: what surrounds a pixel
OUTLIER = 8.0  # standard deviations from its surroundings
LARGEST = 9  # px joined: a larger spot is no X-ray but part of the specimen, a bead's rim say
HOT = 1.5  # standard deviations from its surroundings in the mean of the looked-through images
HOT_SIGNIFICANCE = 6.0  # the same in standard errors
LOOKED_THROUGH = 11  # images, spread over the series, that tell hot pixels


@dataclass(frozen=True, slots=True)
class Repaired:
    """Pixels of one image that were replaced by the median of their surroundings."""

    outliers: int = 0
    hot: int = 0
    missing: int = 0


def hot_pixels(stack: ImageStack, sections: NDArray[np.intp]) -> Mask:
    """(y, x) pixels that differ from their surroundings in the same way throughout the series."""
    chosen = np.unique(np.linspace(0, len(sections) - 1, LOOKED_THROUGH).astype(int))
    total = np.zeros(stack.shape[1:], np.float32)
    for section in sections[chosen]:
        image, _ = filled(stack.read(int(section)))
        total += np.clip(departures(image), -2 * OUTLIER, 2 * OUTLIER)
    mean: Floats = (total / len(chosen)).astype(np.float32)
    least = max(HOT, HOT_SIGNIFICANCE / np.sqrt(len(chosen)))
    return spots_beyond(mean, least)


def cleaned(image: NDArray[np.generic], hot: Mask) -> tuple[Floats, Repaired]:
    """The image as float32 with its outliers and the hot pixels replaced; and their counts."""
    whole, missing = filled(image)
    outliers = spots_beyond(departures(whole), OUTLIER) & ~hot
    bad = outliers | hot
    repaired = Repaired(int(outliers.sum()), int(hot.sum()), missing)
    if bad.any():
        whole[bad] = surroundings(whole, bad)
    return whole, repaired


def filled(image: NDArray[np.generic]) -> tuple[Floats, int]:
    """The image as float32, NaN and infinities replaced by its mean; and how many there were."""
    whole = np.array(image, np.float32)
    finite = np.isfinite(whole)
    missing = int(whole.size - np.count_nonzero(finite))
    if missing:
        whole[~finite] = whole[finite].mean() if missing < whole.size else 0
    return whole, missing


def departures(image: Floats) -> Floats:
    """(y, x) differences from the mean of the surroundings, in robust standard deviations."""
    apart = image - ndimage.uniform_filter(image, WINDOW, mode="nearest")
    some = apart.reshape(-1)[:: max(1, apart.size // 65536)]
    low, high = np.percentile(some, [15.87, 84.13])
    return apart / np.float32(max((high - low) / 2, 1e-6 * np.abs(image).max(), 1e-30))


def spots_beyond(apart: Floats, limit: float) -> Mask:
    """Small spots that are brighter, or darker, than their surroundings by more than `limit`.

    Bright and dark ones apart: a bright X-ray raises the mean round it, and darkens its neighbours.
    """
    return small_spots(apart > limit) | small_spots(apart < -limit)


def small_spots(mask: Mask) -> Mask:
    """Of a mask what hangs together in no more than LARGEST pixels."""
    if not mask.any():
        return mask
    label, _ = ndimage.label(mask, np.ones((3, 3)))
    small = np.bincount(label.ravel()) <= LARGEST
    small[0] = False
    return small[label]


def surroundings(image: Floats, bad: Mask) -> Floats:
    """Median of the good pixels round each bad one, in the order of `image[bad]`."""
    reach = WINDOW // 2 + 1
    good = np.pad(np.where(bad, np.nan, image), reach, constant_values=np.nan)
    y, x = np.nonzero(bad)
    around = np.arange(2 * reach + 1)
    squares = good[(y[:, None] + around)[:, :, None], (x[:, None] + around)[:, None, :]]
    squares = squares.reshape(len(y), -1)
    empty = np.isnan(squares).all(1)
    squares[empty, 0] = np.nanmean(good)
    return np.nanmedian(squares, 1).astype(np.float32)
