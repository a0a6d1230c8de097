"""Gold beads are masked before spectra are taken.

Gold has an amplitude contrast of its own (0.35 instead of 0.07), which looks like 1850 A more
underfocus at a period of 20 A; in a field with many beads it would bias the whole series.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

GRID = 20.0  # angstrom a pixel in which beads are looked for
CORE, SURROUNDINGS = 30.0, 250.0  # angstrom: a bead's size and what it stands out of (one sigma)
DARK = 6.0  # robust standard deviations
MARGIN = 60.0  # angstrom beyond what is as dark, for the bead's rim and its first fringes
EDGE = 15.0  # angstrom over which a mask begins (one sigma)
MOST = 0.5  # of the image: what is dark in more of it isn't beads


def without_beads(image: Floats, pixel_size: float) -> tuple[Floats, float]:
    """(the image with dark round spots replaced by their surroundings' mean, the share masked)."""
    factor = max(1, round(GRID / pixel_size))
    small = _meaned(image, factor)
    dark = dark_spots(small, pixel_size * factor)
    share = float(dark.mean())
    if not 0 < share < MOST:
        return image, 0.0
    edge = EDGE / (pixel_size * factor)
    weight = ndimage.gaussian_filter(dark.astype(np.float32), edge)
    filling = _surroundings(small, ~dark, SURROUNDINGS / (pixel_size * factor))
    mask, filling = (_enlarged(plane, factor, image.shape) for plane in (weight, filling))
    return image + mask * (filling - image), share


def dark_spots(small: Floats, pixel_size: float) -> Mask:
    """(y, x) what is much darker than its surroundings in the size of a bead, and its margin."""
    core, surroundings = CORE / pixel_size, SURROUNDINGS / pixel_size
    apart = ndimage.gaussian_filter(small, core) - ndimage.gaussian_filter(small, surroundings)
    low, high = np.percentile(apart, [15.87, 84.13])
    seeds = apart - np.median(apart) < -DARK * (high - low) / 2
    if not seeds.any():
        return seeds
    return np.asarray(ndimage.distance_transform_edt(~seeds) * pixel_size <= MARGIN)


def _surroundings(small: Floats, good: Mask, sigma: float) -> Floats:
    """Mean of the good pixels round each."""
    weight = ndimage.gaussian_filter(good.astype(np.float32), sigma)
    total = ndimage.gaussian_filter(np.where(good, small, 0), sigma)
    return total / np.maximum(weight, 1e-3)


def _meaned(image: Floats, factor: int) -> Floats:
    """Blocks of factor x factor pixels, the last ones at the ends smaller."""
    rows, columns = (np.arange(0, n, factor) for n in image.shape)
    sums = np.add.reduceat(np.add.reduceat(image, rows, 0), columns, 1)
    high, wide = (
        np.minimum(factor, n - at) for n, at in zip(image.shape, (rows, columns), strict=True)
    )
    return (sums / np.outer(high, wide)).astype(np.float32)


def _enlarged(small: Floats, factor: int, shape: tuple[int, int]) -> Floats:
    """Every block's value in all of its pixels, smoothed between them."""
    whole = np.repeat(np.repeat(small, factor, 0), factor, 1)[: shape[0], : shape[1]]
    return ndimage.uniform_filter(whole, factor, mode="nearest")
