"""The point spread of plain back-projection: what one point of the specimen comes back as."""

import math

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True, nogil=True)
def spread_of_point(linear, slope, centre, first_row, out):  # type: ignore[no-untyped-def]
    """out (z, rows, x) = sum over tilts of max(0, 1 - |u|) max(0, 1 - |v|).

    (u, v) = linear[t] (x, y) + slope[t] z: pixels between the images of voxel and centre, whose
    coordinates count from centre (x, y, z); row 0 of `out` is the volume's first_row.
    """
    nz, rows, nx = out.shape
    for iz in prange(nz):
        out[iz] = 0
        z = iz - centre[2]
        for t in range(linear.shape[0]):
            a, b, c, d = linear[t, 0, 0], linear[t, 0, 1], linear[t, 1, 0], linear[t, 1, 1]
            inverse = 1 / (a * d - b * c)
            middle_x = (b * slope[t, 1] - d * slope[t, 0]) * z * inverse + centre[0]
            middle_y = (c * slope[t, 0] - a * slope[t, 1]) * z * inverse + centre[1]
            reach_x = (abs(b) + abs(d)) * abs(inverse)
            reach_y = (abs(a) + abs(c)) * abs(inverse)
            for iy in range(
                max(math.ceil(middle_y - reach_y), first_row),
                min(math.floor(middle_y + reach_y), first_row + rows - 1) + 1,
            ):
                for ix in range(
                    max(math.ceil(middle_x - reach_x), 0),
                    min(math.floor(middle_x + reach_x), nx - 1) + 1,
                ):
                    x, y = ix - centre[0], iy - centre[1]
                    u = a * x + b * y + slope[t, 0] * z
                    v = c * x + d * y + slope[t, 1] * z
                    out[iz, iy - first_row, ix] += np.float32(
                        max(0.0, 1 - abs(u)) * max(0.0, 1 - abs(v))
                    )


@njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "nsz"}, error_model="numpy")
def divide_by_rows(plane, rows, turns, scale, constant):  # type: ignore[no-untyped-def]
    """plane (y, x) /= scale |sum over r of turns[y, r] rows[r]| + constant, in place; complex64."""
    ny, half = plane.shape
    for y in prange(ny):
        real, imaginary = np.zeros(half, np.float32), np.zeros(half, np.float32)
        for r in range(rows.shape[0]):
            c, s = turns[y, r].real, turns[y, r].imag
            for x in range(half):
                a, b = rows[r, x].real, rows[r, x].imag
                real[x] += c * a - s * b
                imaginary[x] += c * b + s * a
        for x in range(half):
            modulus = math.sqrt(real[x] * real[x] + imaginary[x] * imaginary[x])
            plane[y, x] *= np.float32(1) / (scale * modulus + constant)
