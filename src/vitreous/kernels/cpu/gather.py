"""Slices gathered into a half transform: every grid point reads the slices that pass near it."""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz"}
FLAT = 1e-9  # a slice that is steeper holds the whole x axis


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def pack_slices(slices, weights, packed):  # type: ignore[no-untyped-def]
    """Slices (n, b, half, 2) and weights as packed (n, b + 3, half + 1, 4).

    One point is (real, imaginary, weight, 0), so that a neighbour is one load. Rows begin one below
    the lowest frequency and end two above the highest, where the slice goes round; the column after
    the last is the one before it. Both are RELION's.
    """
    count, size, half = weights.shape
    for s in prange(count):
        for row in range(size + 3):
            at = (row - 1 + (size + 1) // 2) % size
            for column in range(half + 1):
                x = column if column < half else max(half - 2, 0)
                packed[s, row, column, 0] = slices[s, at, x, 0]
                packed[s, row, column, 1] = slices[s, at, x, 1]
                packed[s, row, column, 2] = weights[s, at, x]
                packed[s, row, column, 3] = 0


@njit(cache=True, nogil=True, parallel=True, fastmath=FAST, error_model="numpy")
def gather_slices(packed, inverse, radii, points, slab):  # type: ignore[no-untyped-def]
    """Add packed slices to points (b, b, b // 2 + 1, 4) in the order of the FFT.

    inverse (n, 3, 3): from grid points to (x, y) of the slice and the distance from it, all in
    steps of the grid. A point of the grid nearer to a slice than one step, and within radii[i] of
    the origin, takes the slice's value between four neighbours, times 1 - distance. Each slab of
    planes belongs to one thread, which takes the slices in their order.
    """
    size, _, half, _ = points.shape
    count, rows, columns, _ = packed.shape
    middle = (size + 1) // 2
    least = -(size // 2)
    pitch = np.uint64(4 * columns)
    read, write = packed.reshape(-1), points.reshape(-1)
    one = np.float32(1)
    for part in prange((size + slab - 1) // slab):
        for s in range(count):
            ax, ay, az = inverse[s, 0, 0], inverse[s, 1, 0], inverse[s, 2, 0]
            slope = 1 / az if abs(az) > FLAT else 0.0
            reach = radii[s] * radii[s]
            begin = s * rows * columns * 4
            for plane in range(part * slab, min((part + 1) * slab, size)):
                z = plane if plane < middle else plane - size
                if reach < z * z:
                    continue
                widest = int(math.sqrt(reach - z * z))
                for y in range(max(-widest, least), min(widest, middle - 1) + 1):
                    height = inverse[s, 2, 1] * y + inverse[s, 2, 2] * z
                    low, high = 0, half - 1
                    if slope != 0:
                        centre, around = -height * slope, abs(slope)
                        if centre + around < 0 or centre - around > widest:
                            continue
                        low = max(low, math.ceil(centre - around))
                        high = min(high, math.floor(centre + around))
                    elif abs(height) >= 1:
                        continue
                    high = min(high, int(math.sqrt(reach - z * z - y * y)))
                    bx = inverse[s, 0, 1] * y + inverse[s, 0, 2] * z
                    by = inverse[s, 1, 1] * y + inverse[s, 1, 2] * z
                    row = y if y >= 0 else y + size
                    line = 4 * half * (plane * size + row)
                    for x in range(low, high + 1):
                        near = one - np.float32(abs(az * x + height))
                        u, v = ax * x + bx, ay * x + by
                        sign = one
                        if u < 0:
                            u, v, sign = -u, -v, -one
                        left, below = int(u), math.floor(v)
                        if near <= 0 or left >= half or below > middle or below < least - 1:
                            continue
                        fu, fv = np.float32(u - left), np.float32(v - below)
                        w11 = near * fu * fv
                        w10 = near * fv - w11
                        w01 = near * fu - w11
                        w00 = near - near * fu - w10
                        a = np.uint64(begin + 4 * ((below - least + 1) * columns + left))
                        b = a + pitch
                        out = np.uint64(line + 4 * x)
                        _add_between(write, out, read, a, b, w00, w01, w10, w11, sign)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy", inline="always")
def _add_between(write, out, read, a, b, w00, w01, w10, w11, sign):  # type: ignore[no-untyped-def]
    """Four numbers at once: what stands between the points a, a + 4, b, b + 4."""
    one, two, three, four = np.uint64(1), np.uint64(2), np.uint64(4), np.uint64(5)
    six = np.uint64(6)
    real = w00 * read[a] + w01 * read[a + three] + w10 * read[b] + w11 * read[b + three]
    imaginary = (
        w00 * read[a + one] + w01 * read[a + four] + w10 * read[b + one] + w11 * read[b + four]
    )
    weight = w00 * read[a + two] + w01 * read[a + six] + w10 * read[b + two] + w11 * read[b + six]
    write[out] += real
    write[out + one] += sign * imaginary
    write[out + two] += weight
