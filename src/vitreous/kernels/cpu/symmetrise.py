"""A half transform seen from turned axes, on the CPU, for `vitreous.kernels.symmetrise`."""

import math

import numpy as np
from numba import njit, prange

NEAR = 1e-9  # grid steps within which a coordinate counts as whole


@njit(error_model="numpy", forceinline=True)
def _snapped(x):  # type: ignore[no-untyped-def]
    whole = math.floor(x + 0.5)
    return float(whole) if abs(x - whole) < NEAR else x


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
    for c in range(2 if fz > 0 else 1):
        gz = fz if c else np.float32(1) - fz
        row = z0 + c + (nz if z0 + c < 0 else 0)
        row -= nz if row >= nz else 0
        for b in range(2 if fy > 0 else 1):
            gy = gz * (fy if b else np.float32(1) - fy)
            line = y0 + b + (ny if y0 + b < 0 else 0)
            line -= ny if line >= ny else 0
            for a in range(2 if fx > 0 else 1):
                g = gy * (fx if a else np.float32(1) - fx)
                # RELION: beyond the last column the one before it is read
                column = x0 + a if x0 + a < half else half - 2
                value += g * data[row, line, column]
                total += g * weight[row, line, column]
    return (value.conjugate() if mate else value), total


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def turned_means(data, weight, turns, lifts, out, out_weight):  # type: ignore[no-untyped-def]
    """out(k) = mean over the operators of data(turn k) exp(2 pi i k_z lift), out_weight likewise.

    data, weight, out (z, y, x // 2 + 1) in FFT order; turns (n, 3, 3) in grid steps; lifts (n,).
    Coordinates next to whole ones are rounded, so that what should fall on a point does.
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
                    px = _snapped(t[0, 0] * kx + t[0, 1] * ky + t[0, 2] * kz)
                    py = _snapped(t[1, 0] * kx + t[1, 1] * ky + t[1, 2] * kz)
                    pz = _snapped(t[2, 0] * kx + t[2, 1] * ky + t[2, 2] * kz)
                    if abs(px) >= half or abs(py) >= ny / 2 + 1 or abs(pz) >= nz / 2 + 1:
                        continue
                    found, w = _between(data, weight, px, py, pz)
                    value += found * phase[s]
                    total += w
                out[z, y, kx] = value * share
                out_weight[z, y, kx] = total * share
