"""Images resampled through an affine map as IMOD's cubinterp does, its edges included."""

import math

import numpy as np
from numba import njit

CORNER = 0.01  # px by which cubic interpolation stays away from its limits on slanted lines
BESIDE = 2  # px beside the cubic part of a row that are interpolated more simply


@njit(cache=True, nogil=True, error_model="numpy")
def _cubic(image, u, v):  # type: ignore[no-untyped-def]
    """Separable cubic convolution with a = -1."""
    i = math.floor(u)
    j = math.floor(v)
    p = u - i
    q = v - j
    r = p - 1
    s = q - 1
    a0 = -r * p * r
    a1 = 1 + p * p * (p - 2)
    a2 = p * (1 - p * r)
    a3 = r * p * p
    total = 0.0
    for k in range(4):
        if k == 0:
            weight = -s * q * s
        elif k == 1:
            weight = 1 + q * q * (q - 2)
        elif k == 2:
            weight = q * (1 - q * s)
        else:
            weight = s * q * q
        row = image[j - 1 + k]
        total += weight * (a0 * row[i - 1] + a1 * row[i] + a2 * row[i + 1] + a3 * row[i + 2])
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def _quadratic(image, u, v):  # type: ignore[no-untyped-def]
    """Quadratic in x and in y through the nearest pixel and its four neighbours; NaN outside.

    The value is held to the range of the five.
    """
    rows, columns = image.shape
    i = math.floor(u + 0.5)
    j = math.floor(v + 0.5)
    if i < 0 or j < 0 or i >= columns or j >= rows:
        return np.nan
    p = u - i
    q = v - j
    here = image[j, i]
    left = image[j, max(i - 1, 0)]
    right = image[j, min(i + 1, columns - 1)]
    below = image[max(j - 1, 0), i]
    above = image[min(j + 1, rows - 1), i]
    value = (
        here
        + ((right + left) * 0.5 - here) * p * p
        + ((above + below) * 0.5 - here) * q * q
        + (right - left) * 0.5 * p
        + (above - below) * 0.5 * q
    )
    low = min(here, left, right, below, above)
    high = max(here, left, right, below, above)
    return min(max(value, low), high)


@njit(cache=True, nogil=True, error_model="numpy")
def _linear(image, u, v):  # type: ignore[no-untyped-def]
    """Bilinear; NaN outside."""
    rows, columns = image.shape
    i = math.floor(u)
    j = math.floor(v)
    if i < 0 or j < 0 or i + 1 >= columns or j + 1 >= rows:
        return np.nan
    p = u - i
    q = v - j
    lower = (1 - p) * image[j, i] + p * image[j, i + 1]
    upper = (1 - p) * image[j + 1, i] + p * image[j + 1, i + 1]
    return (1 - q) * lower + q * upper


@njit(cache=True, nogil=True, error_model="numpy")
def resample(image, source, is_linear, out):  # type: ignore[no-untyped-def]
    """Fill `out` (y, x) from an image; what lies outside of it becomes NaN.

    source (2, 3): (x, y, 1) of an output pixel -> (u, v) in the image. A row is cubic where all 16
    pixels exist, with up to BESIDE pixels of lower order at both ends of that part; a row without
    any is outside as a whole.
    """
    rows, columns = image.shape
    au, bu, cu = source[0]
    av, bv, cv = source[1]
    edge_u = CORNER if abs(au) > 1e-10 else 0.0
    edge_v = CORNER if abs(av) > 1e-10 else 0.0
    for y in range(out.shape[0]):
        first, last = out.shape[1], -1
        for x in range(out.shape[1]):
            u = au * x + bu * y + cu
            v = av * x + bv * y + cv
            if 1 + edge_u <= u < columns - 2 - edge_u and 1 + edge_v <= v < rows - 2 - edge_v:
                first = min(first, x)
                last = x
        for x in range(out.shape[1]):
            u = au * x + bu * y + cu
            v = av * x + bv * y + cv
            if last < 0 or x < first - BESIDE or x > last + BESIDE:
                out[y, x] = np.nan
            elif is_linear:
                out[y, x] = _linear(image, u, v)
            elif first <= x <= last:
                out[y, x] = _cubic(image, u, v)
            else:
                out[y, x] = _quadratic(image, u, v)
