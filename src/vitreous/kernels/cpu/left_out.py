"""Projections of what stands out in a slab, each of a slab without its own view, on the CPU.

Line by line, so that a line's slab stays in the cache and no volume is ever held: all views are
back-projected once; then each is taken off, the rest cut at a level and projected at its tilt.
"""

import numpy as np
from numba import njit, prange

from vitreous.kernels.cpu.backproject import (
    _add_four_weighted,
    _add_one_weighted,
    _padded,
    _whole_and_rest,
)

FAST = {"contract", "nsz"}


@njit(fastmath=FAST, error_model="numpy")
def _standing_out(kept, n, slab, start, rows, at, w, level):  # type: ignore[no-untyped-def]
    """kept[1 + x] = what a row of the slab has above `level` without its view's share."""
    v = np.float32(1) - w
    zero = np.float32(0)
    one = np.uint64(1)
    for x in range(n):
        rest = slab[start + x] - level - v * rows[at + x] - w * rows[at + one + x]
        kept[one + x] = rest if rest > zero else zero


@njit(fastmath=FAST, error_model="numpy")
def _project_row(out, at, n, kept, w):  # type: ignore[no-untyped-def]
    """out[at:] += a row, placed between two columns: the transpose of reading it there."""
    v = np.float32(1) - w
    one = np.uint64(1)
    for x in range(n):
        out[at + x] = out[at + x] + v * kept[one + x] + w * kept[x]


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def left_out_references(planes, columns, level, nx, out):  # type: ignore[no-untyped-def]
    """out[t] = projection at tilt t of max(back-projection of all others - level, 0).

    planes, out (n, lines, width) float32; columns (z, n) float64: the column of tilt t that voxel
    x = 0 of plane z reads, linear between columns, 0 <= column and column + nx + 1 < width;
    nx: voxels of the slab along x.
    """
    n, lines, width = planes.shape
    nz = columns.shape[0]
    whole, rest = _whole_and_rest(columns)
    pitch = _padded(width)
    for y in prange(lines):
        rows = np.zeros(n * pitch, np.float32)
        for t in range(n):
            rows[t * pitch : t * pitch + width] = planes[t, y]
        slab = np.zeros(nz * nx, np.float32)
        many = np.uint64(nx)
        for z in range(nz):
            at = np.uint64(z * nx)
            for t in range(0, n - 3, 4):
                a = t * pitch + whole[z, t]
                b = (t + 1) * pitch + whole[z, t + 1]
                c = (t + 2) * pitch + whole[z, t + 2]
                d = (t + 3) * pitch + whole[z, t + 3]
                _add_four_weighted(
                    slab, at, many, rows,
                    np.uint64(a), np.uint64(a + 1), rest[z, t],
                    np.uint64(b), np.uint64(b + 1), rest[z, t + 1],
                    np.uint64(c), np.uint64(c + 1), rest[z, t + 2],
                    np.uint64(d), np.uint64(d + 1), rest[z, t + 3],
                )  # fmt: skip
            for t in range(n // 4 * 4, n):
                a = t * pitch + whole[z, t]
                _add_one_weighted(slab, at, many, rows, np.uint64(a), np.uint64(a + 1), rest[z, t])
        kept = np.zeros(nx + 2, np.float32)
        seen = np.empty(width, np.float32)
        for t in range(n):
            seen[:] = 0
            for z in range(nz):
                w = rest[z, t]
                place = np.uint64(t * pitch + whole[z, t])
                _standing_out(kept, many, slab, np.uint64(z * nx), rows, place, w, level)
                _project_row(seen, np.uint64(whole[z, t]), np.uint64(nx + 1), kept, w)
            out[t, y] = seen
