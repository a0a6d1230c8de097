"""Sums of tabulated curves, each shifted along its axis: how a defocus is looked up."""

import math

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
Indices = NDArray[np.intp]


@njit(parallel=True, cache=True, nogil=True)
def sum_shifted(
    curves: Floats, of: Indices, weights: Array, shifts: Array, starts: Indices, out: Array
) -> None:
    """out[v, j] += weights[r] curves[of[r], s, j + shifts[r, s]], all rows r of v, all s.

    curves (m, sector, j); weights, of (row,); shifts (row, sector) in steps of j, linear between
    points, constant beyond the ends; rows starts[v] to starts[v + 1] are those of v.
    """
    last = curves.shape[2] - 1
    for v in prange(len(starts) - 1):
        for row in range(starts[v], starts[v + 1]):
            for sector in range(curves.shape[1]):
                curve = curves[of[row], sector]
                whole = math.floor(shifts[row, sector])
                share = shifts[row, sector] - whole
                near, far = weights[row] * (1 - share), weights[row] * share
                begin = min(max(-whole, 0), last + 1)
                end = max(min(last - whole, last + 1), begin)
                for j in range(begin):
                    out[v, j] += weights[row] * curve[0]
                for j in range(begin, end):
                    out[v, j] += near * curve[j + whole] + far * curve[j + whole + 1]
                for j in range(end, last + 1):
                    out[v, j] += weights[row] * curve[last]
