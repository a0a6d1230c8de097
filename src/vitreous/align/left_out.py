"""References for projection matching: of a tomogram in which only what stands out is left.

A slab of thickness D links the tilts i and j below kx = 1 / (D |slope_i - slope_j|) only, if its
density is white: a slow drift across the axis is invisible. But particles are compact. Of the
tomogram without view i keep what is above a threshold, and each particle knows its height from all
tilts: the projection at tilt i then holds fine detail for the whole range of angles.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.align.plane import Plane, field_on_plane
from vitreous.align.views import Views
from vitreous.kernels.fourier import good_size

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

WIDEST = 1.2  # of the field: the slab's width, since steep tilts see more
BLOB = 60.0  # angstrom, sigma to which the tomogram is smoothed
EDGE = 4  # columns that interpolation may read beyond the slab's
SAMPLED_LINES = 6  # every n-th line tells the tomogram's spread
LINES_AT_A_TIME = 8  # of the tomogram, where some of it is looked at as a whole


@dataclass(frozen=True, slots=True, eq=False)
class Slab:
    """A slab of `depth` planes and `breadth` columns, seen on lines of `plane`.

    field: (x, y) px that an untilted view covers of the plane.
    threshold: what is kept stands out by so many standard deviations.
    """

    plane: Plane
    field: tuple[int, int]
    depth: int
    breadth: int
    threshold: float

    def columns(self, views: Views) -> Array:
        """(depth, n) column of a line that the slab's first voxel reads."""
        heights = np.arange(self.depth) - (self.depth - 1) / 2
        first = self.plane.width // 2 - self.breadth // 2
        return first + heights[:, None] * views.slopes


def slab_for(shape: tuple[int, int], views: Views, thickness: float, threshold: float) -> Slab:
    """A slab of `thickness` angstrom for images of `shape` (y, x) at the views' pixel size."""
    field = field_on_plane(shape, float(views.axes.mean()))
    depth = max(4, int(np.ceil(thickness / views.pixel_size)))
    breadth = int(WIDEST * field[0]) // 2 * 2
    margin = int(np.ceil(depth / 2 * np.abs(views.slopes).max())) + EDGE
    height, width = good_size(field[1] + EDGE), good_size(breadth + 2 * margin)
    plane = Plane(height, width, views.pixel_size)
    return Slab(plane, field, depth, breadth, threshold)


def references(images: Floats, views: Views, slab: Slab, threads: int = 1) -> tuple[Floats, Floats]:
    """((n, height, width) views on the plane, their references), density up in both.

    images: spline coefficients, density dark. A view has no part in its own reference.
    """
    from vitreous.kernels.cpu.left_out import left_out_references

    planes = slab.plane.resampled(images, views)
    np.negative(planes, out=planes)
    lines = planes.copy()
    filter_lines(lines, views, slab, threads)
    columns = slab.columns(views)
    level = np.float32(slab.threshold * spread(lines, columns, slab))
    left_out_references(lines, columns, level, slab.breadth, lines)
    return planes, lines


def filter_lines(planes: Floats, views: Views, slab: Slab, threads: int = 1) -> None:
    """Make of the planes what is back-projected: ramp-filtered across the axis, smooth, weighted.

    In place, one view after the other: the spectra of all would take as much memory again.
    """
    plane = slab.plane
    smooth = np.exp(-(plane.kx**2 + plane.ky**2) * (BLOB / plane.pixel_size) ** 2 / 2)
    weight = (plane.kx * smooth).astype(np.float32)
    for view, cosine in zip(planes, views.cosines.astype(np.float32), strict=True):
        view[:] = plane.images(plane.spectra(view, threads) * (weight * cosine), threads)


def spread(lines: Floats, columns: Array, slab: Slab) -> float:
    """Standard deviation of the tomogram, from some of its lines."""
    some = lines[:, ::SAMPLED_LINES]
    moments = np.zeros(2)
    for start in range(0, some.shape[1], LINES_AT_A_TIME):
        part = back_projected(some[:, start : start + LINES_AT_A_TIME], columns, slab)
        moments += part.sum(dtype=float), np.square(part).sum(dtype=float)
    mean, square = moments / (slab.depth * some.shape[1] * slab.breadth)
    return float(np.sqrt(square - mean**2))


def back_projected(lines: Floats, columns: Array, slab: Slab) -> Floats:
    """(depth, lines, breadth) part of the tomogram that so many lines of the views show."""
    from vitreous.kernels.cpu import backproject_linear

    volume = np.zeros((slab.depth, lines.shape[1], slab.breadth), np.float32)
    backproject_linear(np.ascontiguousarray(lines), np.ascontiguousarray(columns), volume)
    return volume
