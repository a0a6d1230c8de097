"""Where in z the specimen is: thickness, centre and tilt of its slab, from the tomogram itself.

Two tomograms are made, of every other tilt each. Where there is density their product is positive;
above and below the specimen the rays of one lie between the rays of the other, and it is negative.
So the slab is the interval of heights over which the product sums up to most.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.align.left_out import Slab, filtered
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

BLOCKS = 10  # along x and y: columns of the tomogram whose profiles are taken
STEEPEST = 20.0  # degrees of tilt that are looked for
STEPS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)  # degrees


@dataclass(frozen=True, slots=True)
class Extent:
    """The slab in the specimen: z = centre + tan(along_x) x + tan(along_y) y, angstrom, degrees.

    thickness: across the slab; low, high: of what lies over the field, the slab's tilt included.
    """

    thickness: float
    centre: float
    along_x: float
    along_y: float
    low: float
    high: float

    @property
    def height(self) -> float:
        """Angstrom, from the lowest to the highest."""
        return self.high - self.low

    @property
    def middle(self) -> float:
        """Angstrom, between the lowest and the highest."""
        return (self.low + self.high) / 2

    def lowered(self, height: float) -> "Extent":
        """The same seen from an origin that was moved up by `height` angstrom."""
        return replace(
            self, centre=self.centre - height, low=self.low - height, high=self.high - height
        )


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """values (z, columns): how far two half tomograms agree; x, y, z: places in px."""

    values: Array
    x: Array
    y: Array
    z: Array


def find_extent(images: Floats, views: Views, slab: Slab, threads: int = 1) -> Extent:
    """The specimen's slab; `slab` must reach beyond it. images: spline coefficients."""
    profiles = column_profiles(images, views, slab, threads)
    whole = profiles.values.mean(1)
    low, high = best_interval(whole)
    tilt_x, tilt_y = plane_of(profiles)
    first, last = best_interval(_levelled(profiles, tilt_x, tilt_y))
    pixel = views.pixel_size
    return Extent(
        thickness=(last - first) * pixel,
        centre=float((profiles.z[first] + profiles.z[last - 1]) / 2) * pixel,
        along_x=tilt_x,
        along_y=tilt_y,
        low=(float(profiles.z[low]) - 0.5) * pixel,
        high=(float(profiles.z[high - 1]) + 0.5) * pixel,
    )


def column_profiles(images: Floats, views: Views, slab: Slab, threads: int = 1) -> Profiles:
    """Products of the tomograms of odd and even tilts, averaged over columns of the middle."""
    from vitreous.kernels.cpu import backproject_linear

    lines = filtered(slab.plane.resampled(images, views), views, slab, threads)
    columns = slab.columns(views)
    order = np.argsort(views.tilts, kind="stable")
    side = min(slab.field) // BLOCKS * BLOCKS
    top, left = (slab.plane.height - side) // 2, (slab.breadth - side) // 2
    halves = []
    for first in (0, 1):
        half = order[first::2]
        volume = np.zeros((slab.depth, side, slab.breadth), np.float32)
        some = np.ascontiguousarray(lines[half, top : top + side])
        backproject_linear(some, np.ascontiguousarray(columns[:, half]), volume)
        halves.append(volume[:, :, left : left + side])
    product = halves[0] * halves[1]
    size = side // BLOCKS
    blocks = product.reshape(slab.depth, BLOCKS, size, BLOCKS, size).mean((2, 4), dtype=float)
    values = blocks.reshape(slab.depth, -1)
    middle = (np.arange(BLOCKS) - (BLOCKS - 1) / 2) * size
    y, x = np.meshgrid(middle, middle, indexing="ij")
    z = np.arange(slab.depth, dtype=np.float64) - (slab.depth - 1) / 2
    return Profiles(values, x.ravel(), y.ravel(), z)


def best_interval(profile: Array) -> tuple[int, int]:
    """First and last + 1 of the stretch with the largest sum (J. Kadane)."""
    sums = np.concatenate([[0.0], np.cumsum(profile)])
    lowest = np.minimum.accumulate(sums[:-1])
    last = int((sums[1:] - lowest).argmax()) + 1
    first = int(sums[:last].argmin())
    return first, last


def plane_of(profiles: Profiles) -> tuple[float, float]:
    """Degrees along x and y by which the slab is tilted: where one interval holds most."""

    def held(tilts: tuple[float, float]) -> float:
        profile = _levelled(profiles, *tilts)
        first, last = best_interval(profile)
        return float(profile[first:last].sum())

    best = (0.0, 0.0)
    for step in STEPS:
        around = [step * k for k in (-2, -1, 0, 1, 2)]
        tried = [(best[0] + dx, best[1] + dy) for dx in around for dy in around]
        best = max([t for t in tried if max(map(abs, t)) <= STEEPEST], key=held)
    return best


def _levelled(profiles: Profiles, tilt_x: float, tilt_y: float) -> Array:
    """(z,) mean profile of the columns, each moved to the height of the tilted plane."""
    rise = np.tan(np.deg2rad(tilt_x)) * profiles.x + np.tan(np.deg2rad(tilt_y)) * profiles.y
    depth = len(profiles.z)
    row = np.arange(depth)[:, None] + np.round(rise).astype(int)
    inside = (row >= 0) & (row < depth)
    moved = np.take_along_axis(profiles.values, np.clip(row, 0, depth - 1), 0)
    return np.asarray(np.where(inside, moved, 0).mean(1), np.float64)
