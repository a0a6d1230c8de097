"""A half transform seen from turned axes, on the CPU, for `vitreous.kernels.symmetrise`."""

import math

import numpy as np
from numba import njit, prange


@njit(error_model="numpy", forceinline=True)
def _between(data, weight, x, y, z):  # type: ignore[no-untyped-def]
    """Value and weight at signed x, y, z, linear between eight points, Friedel mates for x <= 0."""
    nz, ny, half = data.shape
    mate = x <= 0
    if mate:
        x, y, z = -x, -y, -z
    x0, y0, z0 = math.floor(x), math.floor(y), math.floor(z)
    fx, fy, fz = np.float32(x - x0), np.float32(y - y0), np.float32(z - z0)
    value, total = np.complex64(0), np.float32(0)
    for c in range(2):
        gz = fz if c else np.float32(1) - fz
        for b in range(2):
            gy = gz * (fy if b else np.float32(1) - fy)
            for a in range(2):
                g = gy * (fx if a else np.float32(1) - fx)
                # RELION: beyond the last column the one before it is read
                column = x0 + a if x0 + a < half else half - 2
                if g != 0:
                    value += g * data[(z0 + c) % nz, (y0 + b) % ny, column]
                    total += g * weight[(z0 + c) % nz, (y0 + b) % ny, column]
    return (value.conjugate() if mate else value), total


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def turned_means(data, weight, turns, lifts, out, out_weight):  # type: ignore[no-untyped-def]
    """out(k) = mean over the operators of data(turn k) exp(2 pi i k_z lift), out_weight likewise.

    data, weight, out (z, y, x // 2 + 1) in FFT order; turns (n, 3, 3) in grid steps; lifts (n,).
    Coordinates are rounded to 1e-9, so that what should fall on a point does.
    """
    nz, ny, half = data.shape
    n = len(turns)
    share = np.float32(1 / n)
    for plane in prange(nz):
        z = np.int64(plane)
        kz = z if 2 * z < nz else z - nz
        phase = np.empty(n, np.complex64)
        for s in range(n):
            phase[s] = np.exp(2j * math.pi * kz * lifts[s])
        for y in range(ny):
            ky = y if 2 * y < ny else y - ny
            for kx in range(half):
                value, total = np.complex64(0), np.float32(0)
                for s in range(n):
                    t = turns[s]
                    px = np.round((t[0, 0] * kx + t[0, 1] * ky + t[0, 2] * kz) * 1e9) / 1e9
                    py = np.round((t[1, 0] * kx + t[1, 1] * ky + t[1, 2] * kz) * 1e9) / 1e9
                    pz = np.round((t[2, 0] * kx + t[2, 1] * ky + t[2, 2] * kz) * 1e9) / 1e9
                    if abs(px) > half or abs(py) > ny / 2 + 1 or abs(pz) > nz / 2 + 1:
                        continue
                    found, w = _between(data, weight, px, py, pz)
                    value += found * phase[s]
                    total += w
                out[z, y, kx] = value * share
                out_weight[z, y, kx] = total * share
