"""RELION's way of slice insertion: not slices spread over the grid, but grid points that read them.

Every grid point k of the half transform reads each slice that passes nearer than one step, between
four neighbours of the slice, with the weight 1 - distance. Unpadded; `radial_roll_off` is what a
map made so must be divided by.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.insertion import Sums

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]

SLAB = 8  # planes that a thread takes at a time
LEAST = 0.01  # of the roll-off, where a map is divided by it


def empty_points(size: int) -> Floats:
    """Where slices are gathered: (b, b, b // 2 + 1) points (real, imaginary, weight, 0)."""
    return np.zeros((size, size, size // 2 + 1, 4), np.float32)


def gather(
    points: Floats,
    slices: Spectrum,
    weights: Floats,
    matrices: Doubles,
    radii: NDArray[np.intp] | int,
) -> None:
    """Add slices (n, b, b // 2 + 1) and their weights to the points of a volume of b^3.

    matrices (n, 3, 3): from the volume to the image and the height along the beam, magnification
    included. radii (n,) or one: up to which frequency, in grid steps, a slice is used.
    """
    from vitreous.kernels.cpu.gather import gather_slices, pack_slices

    count, size, half = slices.shape
    packed = np.empty((count, size + 3, half + 1, 4), np.float32)
    pairs = np.ascontiguousarray(slices).view(np.float32).reshape(*slices.shape, 2)
    pack_slices(pairs, np.ascontiguousarray(weights), packed)
    gather_slices(
        packed,
        np.ascontiguousarray(np.linalg.inv(matrices).transpose(0, 2, 1)),
        np.broadcast_to(np.asarray(radii, np.float64), count).copy(),
        points,
        SLAB,
    )


def gathered(points: Floats) -> Sums:
    """The points as sums, a copy."""
    size = len(points)
    data = points[..., :2].copy().view(np.complex64)[..., 0]
    return Sums((size,) * 3, data, points[..., 2].copy())


def radial_roll_off(size: int) -> Doubles:
    """(b, b, b) sinc^2 of the distance from the centre b // 2 over b, at least `LEAST`."""
    axis = (np.arange(size) - size // 2) / size
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    return np.where(radius > 1, LEAST, np.maximum(np.sinc(radius) ** 2, LEAST))
