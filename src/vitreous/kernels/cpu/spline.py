"""Coefficients of cubic B-splines on the CPU, by recursive filters (Unser 1999, box 2)."""

import math

import numpy as np
from numba import njit

FAST = {"contract", "nsz"}
POLE = np.float32(math.sqrt(3) - 2)
GAIN = np.float32(6)
TERMS = 14  # POLE^14 is beyond what float32 tells


@njit(inline="always")
def _mirrored(index, n):  # type: ignore[no-untyped-def]
    """The index that mirror images at both ends of a line of n lead to."""
    if n == 1:
        return 0
    index = abs(index) % (2 * n - 2)
    return min(index, 2 * n - 2 - index)


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def spline_coefficients(image, border):  # type: ignore[no-untyped-def]
    """(y + 2 border, x + 2 border) of an image (y, x) that is mirrored at its edges."""
    rows, columns = image.shape
    out = np.empty((rows + 2 * border, columns + 2 * border), np.float32)
    for y in range(rows):
        line = out[y + border, border : border + columns]
        if columns == 1:
            line[0] = image[y, 0]
        else:
            _along_a_line(image[y], line)
    inner = out[border : border + rows, border : border + columns]
    if rows > 1:
        _across_lines(inner)
    for y in range(rows):
        line = out[y + border]
        for k in range(1, border + 1):
            line[border - k] = inner[y, _mirrored(k, columns)]
            line[border + columns - 1 + k] = inner[y, _mirrored(columns - 1 + k, columns)]
    for k in range(1, border + 1):
        out[border - k] = out[border + _mirrored(k, rows)]
        out[border + rows - 1 + k] = out[border + _mirrored(rows - 1 + k, rows)]
    return out


@njit(fastmath=FAST, error_model="numpy")
def _along_a_line(values, out):  # type: ignore[no-untyped-def]
    n = len(values)
    total, power = np.float32(0), np.float32(1)
    for k in range(TERMS):
        total += power * values[_mirrored(k, n)]
        power *= POLE
    out[0] = total
    for x in range(1, n):
        total = values[x] + POLE * total
        out[x] = total
    total = POLE / (POLE * POLE - 1) * (out[n - 1] + POLE * out[n - 2])
    out[n - 1] = GAIN * total
    for x in range(n - 2, -1, -1):
        total = POLE * (total - out[x])
        out[x] = GAIN * total


@njit(fastmath=FAST, error_model="numpy")
def _across_lines(image):  # type: ignore[no-untyped-def]
    """The same along y, in place."""
    n, columns = image.shape
    first = np.zeros(columns, np.float32)
    power = np.float32(1)
    for k in range(TERMS):
        line = image[_mirrored(k, n)]
        for x in range(columns):
            first[x] += power * line[x]
        power *= POLE
    image[0] = first
    for y in range(1, n):
        above, line = image[y - 1], image[y]
        for x in range(columns):
            line[x] += POLE * above[x]
    above, line = image[n - 2], image[n - 1]
    for x in range(columns):
        line[x] = POLE / (POLE * POLE - 1) * (line[x] + POLE * above[x])
    for y in range(n - 2, -1, -1):
        below, line = image[y + 1], image[y]
        for x in range(columns):
            line[x] = POLE * (below[x] - line[x])
    for y in range(n):
        line = image[y]
        for x in range(columns):
            line[x] *= GAIN
