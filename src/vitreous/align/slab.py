"""Where in z the specimen is: thickness, centre and tilt of its slab, from the tomogram itself.

Two tomograms are made, of every other tilt each. Where there is density their product is positive;
above and below the specimen the rays of one lie between the rays of the other, and it is negative.
So the slab is the interval of heights over which the product sums up to most.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.align.left_out import LINES_AT_A_TIME, Slab, back_projected, filter_lines
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

BLOCKS = 10  # along x and y: columns of the tomogram whose profiles are taken
STEEPEST = 20.0  # degrees of tilt that are looked for
STEPS = (8.0, 4.0, 2.0, 1.0, 0.5, 0.25)  # degrees


@dataclass(frozen=True, slots=True, eq=False)
class Extent:
    """The slab in the specimen: z = centre + tan(along_x) x + tan(along_y) y, angstrom, degrees.

    thickness: across the slab; low, high: of what lies over the field, the slab's tilt included.
    profile (m, 2): heights above the middle of the field, angstrom, and what was found there:
    the agreement of two half tomograms, along planes of the slab's tilt.
    """

    thickness: float
    centre: float
    along_x: float
    along_y: float
    low: float
    high: float
    profile: Array

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
            self,
            centre=self.centre - height,
            low=self.low - height,
            high=self.high - height,
            profile=self.profile - (height, 0.0),
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
    levelled = _levelled(profiles, tilt_x, tilt_y)
    first, last = best_interval(levelled)
    pixel = views.pixel_size
    return Extent(
        thickness=(last - first) * pixel,
        centre=float((profiles.z[first] + profiles.z[last - 1]) / 2) * pixel,
        along_x=tilt_x,
        along_y=tilt_y,
        low=(float(profiles.z[low]) - 0.5) * pixel,
        high=(float(profiles.z[high - 1]) + 0.5) * pixel,
        profile=np.column_stack([profiles.z * pixel, levelled]),
    )


def column_profiles(images: Floats, views: Views, slab: Slab, threads: int = 1) -> Profiles:
    """Products of the tomograms of odd and even tilts, averaged over columns of the middle."""
    lines = slab.plane.resampled(images, views)
    filter_lines(lines, views, slab, threads)
    columns = slab.columns(views)
    order = np.argsort(views.tilts, kind="stable")
    size = min(slab.field) // BLOCKS
    side = BLOCKS * size
    top, left = (slab.plane.height - side) // 2, (slab.breadth - side) // 2
    values = np.zeros((slab.depth, BLOCKS, BLOCKS))
    for block in range(BLOCKS):
        for start in range(0, size, LINES_AT_A_TIME):
            first = top + block * size + start
            rows = slice(first, first + min(LINES_AT_A_TIME, size - start))
            one, other = (
                back_projected(lines[half, rows], columns[:, half], slab)[:, :, left : left + side]
                for half in (order[::2], order[1::2])
            )
            product = (one * other).reshape(slab.depth, -1, BLOCKS, size)
            values[:, block] += product.sum((1, 3), dtype=float) / size**2
    middle = (np.arange(BLOCKS) - (BLOCKS - 1) / 2) * size
    y, x = np.meshgrid(middle, middle, indexing="ij")
    z = np.arange(slab.depth, dtype=np.float64) - (slab.depth - 1) / 2
    return Profiles(values.reshape(slab.depth, -1), x.ravel(), y.ravel(), z)


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
