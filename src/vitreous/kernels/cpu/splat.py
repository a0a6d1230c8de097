"""Gaussians added into images: projections of blobs, on the CPU."""

import math

import numpy as np
from numba import njit

FAST = {"contract", "nsz"}
REACH = 4.5  # sigmas: what is cut off is below 4e-5 of the height


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _profile(offset, sigma, table, out):  # type: ignore[no-untyped-def]
    """out[i] = exp(-(i - half - offset)^2 / 2 sigma^2), |offset| <= 1/2.

    table[i] = exp(-i^2 / 2 sigma^2): the rest is a power of one factor.
    """
    half = out.size // 2
    first = math.exp(-0.5 * (offset / sigma) ** 2)
    factor = math.exp(offset / sigma**2)
    up, down = first, first
    out[half] = first
    for i in range(1, half + 1):
        up *= factor
        down /= factor
        out[half + i] = up * table[i]
        out[half - i] = down * table[i]


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def add_gaussians(planes, x, y, depths, weights, sigma):  # type: ignore[no-untyped-def]
    """Add to planes (n, y, x) float32 a round Gaussian of `sigma` px for each point.

    x, y (m,): px; weights (m,): the sum over its pixels; depths (m,): counted in planes from 0, a
    point between two of them is shared linearly, one beyond the ends goes to the last. Threads
    may work on planes of their own.
    """
    count, rows, columns = planes.shape
    half = math.ceil(REACH * sigma)
    table = np.empty(half + 1)
    for i in range(half + 1):
        table[i] = math.exp(-0.5 * (i / sigma) ** 2)
    across, along = np.empty(2 * half + 1, np.float32), np.empty(2 * half + 1, np.float32)
    height = 1 / (2 * math.pi * sigma**2)

    for k in range(x.size):
        column, row = math.floor(x[k] + 0.5), math.floor(y[k] + 0.5)
        left, right = max(column - half, 0), min(column + half + 1, columns)
        low, high = max(row - half, 0), min(row + half + 1, rows)
        if left >= right or low >= high:
            continue
        _profile(x[k] - column, sigma, table, across)
        _profile(y[k] - row, sigma, table, along)
        depth = min(max(depths[k], 0.0), count - 1.0)
        near = min(int(depth), max(count - 2, 0))
        share = depth - near
        profile = across[left - column + half : right - column + half]
        for at in range(low, high):
            value = np.float32(height * weights[k]) * along[at - row + half]
            _add(planes[near, at, left:right], profile, value * np.float32(1 - share))
            if share > 0:
                _add(planes[near + 1, at, left:right], profile, value * np.float32(share))


@njit(cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def _add(line, profile, value):  # type: ignore[no-untyped-def]
    for i in range(profile.size):
        line[i] += value * profile[i]
