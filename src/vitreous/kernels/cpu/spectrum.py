"""Weighting of half spectra on the CPU."""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz"}


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def weigh_spectrum(spectrum, columns, across, table, step, divide_by_spline):  # type: ignore[no-untyped-def]
    """spectrum *= table at |f . across| / step, linear between entries, in place.

    spectrum (rows, columns // 2 + 1) complex64 of an image with `columns` columns; across (x, y):
    unit vector; frequencies f in cycles/px; beyond the table's end: 0. divide_by_spline: also by
    the transfer function of the cubic B-spline, so that its coefficients come out.
    """
    rows, half = spectrum.shape
    last = table.size - 1
    spline_x = np.empty(half, np.float32)
    for kx in range(half):
        spline_x[kx] = 3 / (2 + math.cos(2 * math.pi * kx / columns)) if divide_by_spline else 1
    for ky in prange(rows):
        signed = ky if 2 * ky <= rows else ky - rows
        fy = signed / rows
        spline_y = np.float32(3 / (2 + math.cos(2 * math.pi * fy)) if divide_by_spline else 1)
        for kx in range(half):
            at = abs(kx / columns * across[0] + fy * across[1]) / step
            i = int(at)
            if i >= last:
                weight = table[last] if i == last and at == i else np.float32(0)
            else:
                weight = table[i] + np.float32(at - i) * (table[i + 1] - table[i])
            spectrum[ky, kx] *= weight * (spline_x[kx] * spline_y)


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def weigh_by_overlap(spectrum, slopes):  # type: ignore[no-untyped-def]
    """spectrum /= how many planes hold each frequency, each a triangle of half-width 1, in place.

    slopes (n, 2): plane t passes the frequency of index (x, y) at a distance of slopes[t] . (x, y),
    in units of a plane's thickness; negative indices y as the FFT has them.
    """
    rows, half = spectrum.shape
    for ky in prange(rows):
        signed = ky if 2 * ky < rows else ky - rows
        count = np.zeros(half, np.float32)
        for t in range(slopes.shape[0]):
            start = np.float32(slopes[t, 1] * signed)
            step = np.float32(slopes[t, 0])
            for kx in range(half):
                count[kx] += max(np.float32(0), np.float32(1) - abs(start + step * np.float32(kx)))
        for kx in range(half):
            spectrum[ky, kx] /= count[kx]
