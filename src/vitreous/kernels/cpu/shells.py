"""Sums over shells of equal frequency in half spectra, plane by plane in parallel."""

import math

import numpy as np
from numba import njit, prange


@njit(parallel=True, cache=True, nogil=True)
def shell_products(one, other, columns, width, shells):  # type: ignore[no-untyped-def]
    """(shells, 4): per shell the sums of Re one conj(other), |one|^2, |other|^2, and their count.

    one, other (z, y, columns // 2 + 1) complex64, half spectra of volumes with `columns` columns;
    a frequency of f cycles a voxel belongs to shell round(f / width). A point that stands for two
    counts twice.
    """
    nz, ny, half = one.shape
    sums = np.zeros((nz, shells, 4))
    for z in prange(nz):
        fz = (z if 2 * z <= nz else z - nz) / nz
        for y in range(ny):
            fy = (y if 2 * y <= ny else y - ny) / ny
            for x in range(half):
                fx = x / columns
                shell = int(math.sqrt(fx * fx + fy * fy + fz * fz) / width + 0.5)
                if shell >= shells:
                    continue
                a, b = one[z, y, x], other[z, y, x]
                times = 1.0 if x == 0 or 2 * x == columns else 2.0
                sums[z, shell, 0] += times * (a.real * b.real + a.imag * b.imag)
                sums[z, shell, 1] += times * (a.real * a.real + a.imag * a.imag)
                sums[z, shell, 2] += times * (b.real * b.real + b.imag * b.imag)
                sums[z, shell, 3] += times
    return sums.sum(0)
