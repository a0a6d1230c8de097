"""Insertion of 2D half transforms into a 3D half transform, and extraction, its transpose.

An orientation R (3, 3) maps the volume to the image: the point (x, y) of a slice, in cycles per
pixel, lies at x R[0] + y R[1] of the volume's frequencies. Images, volumes and their transforms
have their origin at index 0 (`vitreous.kernels.spectra` moves it); half transforms are (y, x // 2
+ 1) and (z, y, x // 2 + 1) in FFT order, any size, odd, even, rectangular.

A point v of a slice with weight w adds g v to the sums and g w to the weights of the grid points
in reach, g being the kernel, and the same at the opposite frequency with the conjugate: division
of the sums by the weights gives the transform.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]
Shape = tuple[int, int, int]

KernelName = Literal[
    "nearest",
    "trilinear",
    "gauss_2",
    "gauss_3",
    "gauss_5",
    "gauss_var",
    "gauss_wide",
    "kaiser_5",
    "kaiser_7",
]

# EMAN2's Gaussians: g = exp(-h d^2); h = pi^2 / I, I its constant of the kernel.
GAUSS_2, GAUSS_3, GAUSS_5 = 4.0, 6.4, 10.4
WIDTHS: dict[KernelName, int] = {
    "nearest": 1,
    "trilinear": 2,
    "gauss_2": 2,
    "gauss_3": 3,
    "gauss_5": 6,
    "gauss_var": 6,
    "gauss_wide": 6,
    "kaiser_5": 5,
    "kaiser_7": 7,
}


@dataclass(frozen=True, slots=True)
class SliceGrid:
    """Sums that slices are added to: points (z, y, x, 4) with a border, for a volume of `shape`."""

    shape: Shape
    points: Floats

    @classmethod
    def empty(cls, shape: Shape) -> "SliceGrid":
        """Zeros for a volume (z, y, x)."""
        return cls(shape, np.zeros((*_bordered(shape), 4), np.float32))


@dataclass(frozen=True, slots=True)
class Sums:
    """data and weight (z, y, x // 2 + 1) of a volume of `shape`; sums of several may be added."""

    shape: Shape
    data: Spectrum
    weight: Floats

    @classmethod
    def empty(cls, shape: Shape) -> "Sums":
        """Zeros for a volume (z, y, x)."""
        half = (shape[0], shape[1], shape[2] // 2 + 1)
        return cls(shape, np.zeros(half, np.complex64), np.zeros(half, np.float32))

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(self.shape, self.data + other.data, self.weight + other.weight)


def grid_bytes(shape: Shape) -> int:
    """Memory of a SliceGrid for a volume (z, y, x)."""
    return 16 * int(np.prod(_bordered(shape)))


def sums_bytes(shape: Shape) -> int:
    """Memory of Sums of a volume (z, y, x)."""
    return 12 * shape[0] * shape[1] * (shape[2] // 2 + 1)


def insert(
    grid: SliceGrid,
    slices: Spectrum,
    orientations: Doubles,
    kernel: KernelName = "trilinear",
    *,
    columns: int,
    weights: Floats | None = None,
    factors: ArrayLike = 1.0,
    reach: float = 0.5,
    axis_twice: bool = False,
) -> None:
    """Add slices (n, y, columns // 2 + 1), seen at orientations (n, 3, 3), to a grid.

    weights: like the slices, which hold value times weight already; None is 1 everywhere. A point
    of weight 0 is left out. factors (n,) or one number: times value and weight of a slice. reach:
    points up to this frequency, cycles per pixel. axis_twice: the column x = 0, which holds both
    members of each Friedel pair, counts twice, as in EMAN2.
    """
    from vitreous.kernels.cpu.insertion import insert_slices

    n, rows, _ = slices.shape
    shaped = shape_of(kernel, _farthest(grid.shape))
    insert_slices(
        grid.points,
        np.ascontiguousarray(slices, np.complex64).view(np.float32).reshape(*slices.shape, 2),
        np.ones((1, 1, 1), np.float32) if weights is None else weights.astype(np.float32),
        np.broadcast_to(np.asarray(factors, np.float32), n).copy(),
        _steps(orientations, (rows, columns), grid.shape),
        np.array([reach * columns, reach * rows]),
        axis_twice,
        shaped.start,
        shaped.kind,
        shaped.table,
        shaped.sharpness,
        WIDTHS[kernel],
        _slab(len(grid.points)),
    )


def folded(grid: SliceGrid) -> Sums:
    """The sums of a grid with the Friedel mates of all that was inserted."""
    from vitreous.kernels.cpu.insertion import fold

    sums = Sums.empty(grid.shape)
    fold(grid.points, grid.shape[2], sums.data, sums.weight)
    return sums


def extract(
    transform: Spectrum,
    orientations: Doubles,
    shape: tuple[int, int],
    kernel: KernelName = "trilinear",
    *,
    columns: int,
    reach: float = 0.5,
) -> Spectrum:
    """Slices (n, y, x // 2 + 1) for images of `shape` (y, x) out of a transform: sums of g value.

    transform (z, y, columns // 2 + 1). With <a, b> the real part of the sum of conj(a) b, over a
    whole volume and over half slices: <volume, folded insertion of s> = 2 <extraction, s>.
    """
    from vitreous.kernels.cpu.insertion import extract_slices, unfold

    size = (transform.shape[0], transform.shape[1], columns)
    points = np.empty(_bordered(size), np.complex64)
    unfold(np.ascontiguousarray(transform, np.complex64), columns, points)
    shaped = shape_of(kernel, _farthest(size))
    slices = np.empty((len(orientations), shape[0], shape[1] // 2 + 1), np.complex64)
    extract_slices(
        points,
        slices,
        _steps(orientations, shape, size),
        np.array([reach * shape[1], reach * shape[0]]),
        shaped.start,
        shaped.kind,
        shaped.table,
        shaped.sharpness,
        WIDTHS[kernel],
    )
    return slices


@dataclass(frozen=True, slots=True)
class Shaped:
    """A kernel as the loops take it: the same along each axis, from floor(x - start) on."""

    start: float
    kind: int
    table: Floats
    sharpness: Floats


@lru_cache(maxsize=32)
def shape_of(kernel: KernelName, farthest: int) -> Shaped:
    """The numbers of a kernel for frequencies up to `farthest` grid steps from the origin."""
    from vitreous.kernels.cpu.insertion import GAUSS, GAUSS_SHARE, LINEAR, TABLE

    width = WIDTHS[kernel]
    start = width / 2 - (0.5 if width == 6 else 1)  # EMAN2's six points are not centred
    none = np.zeros((1, 1), np.float32)
    if kernel == "trilinear":
        return Shaped(start, LINEAR, none, none[0])
    if kernel in ("gauss_3", "gauss_var"):
        sharpness = sharpness_at(kernel, np.arange(farthest + 2.0)).astype(np.float32)
        return Shaped(start, GAUSS_SHARE if kernel == "gauss_3" else GAUSS, none, sharpness)
    return Shaped(start, TABLE, _tabulated(kernel, start), none[0])


def sharpness_at(kernel: KernelName, radius: Doubles) -> Doubles:
    """h of a Gaussian exp(-h d^2), d in grid steps, at distances from the origin (EMAN2)."""
    if kernel == "gauss_3":
        return 32 / ((8 + radius) * GAUSS_3 / np.pi**2)
    if kernel == "gauss_var":
        return np.maximum(0.1, 1 / (radius**2 / 4000 + 0.15))
    constant = {"gauss_2": np.pi**2 / GAUSS_2, "gauss_5": np.pi**2 / GAUSS_5, "gauss_wide": 0.5}
    return np.full(np.shape(radius), constant[kernel])


def kernel_along(kernel: KernelName, distance: Doubles, radius: float = 0.0) -> Doubles:
    """The factor of a kernel along one axis at distances in grid steps; its ends aren't cut."""
    d = np.abs(distance)
    if kernel == "nearest":
        return np.ones(d.shape)
    if kernel == "trilinear":
        return np.maximum(0, 1 - d)
    if kernel.startswith("kaiser"):
        width = WIDTHS[kernel]
        inside = np.sqrt(np.maximum(0, 1 - (2 * d / width) ** 2))
        return np.where(2 * d <= width, np.i0(beta(width) * inside) / np.i0(beta(width)), 0)
    return np.exp(-sharpness_at(kernel, np.full(d.shape, radius)) * d**2)


def beta(width: int) -> float:
    """Kaiser-Bessel parameter for a grid padded 1.5 times (Beatty et al. 2005, eq. 5)."""
    return float(np.pi * np.sqrt((width / 1.5) ** 2 * (1.5 - 0.5) ** 2 - 0.8))


def _tabulated(kernel: KernelName, start: float) -> Floats:
    """(rows, width) values at the fractions a point may have, as the loops look them up."""
    from vitreous.kernels.cpu.insertion import STEPS

    width = WIDTHS[kernel]
    mirrored = width - 2 - start
    lowest = min(start, mirrored)
    fraction = lowest + np.arange((1 + abs(start - mirrored)) * STEPS + 2) / STEPS
    return kernel_along(kernel, fraction[:, None] - np.arange(width)).astype(np.float32)


def _steps(orientations: Doubles, image: tuple[int, int], volume: Shape) -> Doubles:
    """(n, 3, 2): grid step along x, y, z per step along x, y of a slice."""
    turned = np.asarray(orientations, np.float64)[:, :2].transpose(0, 2, 1)
    return np.ascontiguousarray(
        turned * np.array(volume[::-1])[:, None] / np.array([image[1], image[0]])
    )


def _bordered(shape: Shape) -> Shape:
    from vitreous.kernels.cpu.insertion import BORDER

    nz, ny, nx = shape
    return 2 * (nz // 2 + BORDER) + 1, 2 * (ny // 2 + BORDER) + 1, nx // 2 + 1 + 2 * BORDER


def _farthest(shape: Shape) -> int:
    """The longest distance from the origin in a grid, border included."""
    return int(np.ceil(np.linalg.norm(_bordered(shape))))


def _slab(planes: int) -> int:
    """Planes of a slab: few enough for all threads, at least so many that rows are worth it."""
    from numba import get_num_threads

    return max(6, min(16, planes // (4 * get_num_threads())))
