"""Slow float64 twins of the insertion of Fourier slices: full complex volumes, NumPy alone."""

import numpy as np

from vitreous.kernels.insertion import WIDTHS, kernel_along, sharpness_at


def half_plane(rows, columns):
    """(y, x) of a half transform's points in FFT order."""
    y = np.fft.fftfreq(rows, 1 / rows).round().astype(int)
    return np.meshgrid(y, np.arange(columns // 2 + 1), indexing="ij")


def taken_points(rows, columns, reach, *, twice):
    """Which points are inserted: inside the ellipse, one of each pair of the column x = 0."""
    y, x = half_plane(rows, columns)
    inside = (x / (reach * columns)) ** 2 + (y / (reach * rows)) ** 2 <= 1
    return inside & (twice | (x > 0) | (y >= 0) | (2 * y == -rows))


def kernel_points(kernel, p):
    """(grid points (m, 3), values (m,)) of a kernel round p = (x, y, z)."""
    width = WIDTHS[kernel]
    start = {1: -0.5, 2: 0, 3: 0.5, 5: 1.5, 6: 2.5, 7: 2.5}[width]
    near = np.floor(p - start) + np.stack(
        np.meshgrid(*3 * [np.arange(width)], indexing="ij"), -1
    ).reshape(-1, 3)
    radius = np.linalg.norm(p)
    value = np.prod(kernel_along(kernel, near - p, radius), -1)
    if kernel == "gauss_3":
        value /= (1 + 2 * np.exp(-sharpness_at(kernel, np.array(radius)))) ** 3
    return near.astype(int), value


def placed(slices, orientations, columns, size):
    """Per slice: grid coordinates (y, x // 2 + 1, 3) of its points in a volume (z, y, x)."""
    rows = slices.shape[1]
    y, x = half_plane(rows, columns)
    for R in orientations:
        k = (x / columns)[..., None] * R[0] + (y / rows)[..., None] * R[1]
        yield k * size[::-1]


def insert_slowly(
    size, slices, orientations, kernel, columns, weights, factors, *, reach=0.5, twice=False
):
    """Full complex sums and weights (z, y, x), Friedel mates added one by one."""
    data, weight = np.zeros(size, complex), np.zeros(size)
    n = np.array(size[::-1])
    taken = taken_points(slices.shape[1], columns, reach, twice=twice)
    for s, at in enumerate(placed(slices, orientations, columns, size)):
        for place in np.argwhere(taken):
            j, i = place
            w = weights[s, j, i] * factors[s]
            if w == 0:
                continue
            value = slices[s, j, i] * factors[s]
            for q, g in zip(*kernel_points(kernel, at[j, i]), strict=True):
                if (2 * np.abs(q) <= n).all():
                    for sign, v in ((1, value), (-1, np.conj(value))):
                        index = tuple((sign * q % n)[::-1])
                        data[index] += g * v
                        weight[index] += g * w
    return data, weight


def extract_slowly(volume, orientations, kernel, shape, *, reach=0.5):
    """Slices (n, y, x // 2 + 1) of a full complex transform (z, y, x)."""
    n = np.array(volume.shape[::-1])
    found = np.zeros((len(orientations), shape[0], shape[1] // 2 + 1), complex)
    taken = taken_points(*shape, reach, twice=True)
    for s, at in enumerate(placed(found, orientations, shape[1], volume.shape)):
        for place in np.argwhere(taken):
            j, i = place
            for q, g in zip(*kernel_points(kernel, at[j, i]), strict=True):
                if (2 * np.abs(q) <= n).all():
                    found[s, j, i] += g * volume[tuple((q % n)[::-1])]
    return found


def symmetrised_slowly(data, rotations, lifts):
    """The mean over rotations of a full complex cube, read at turned points, linearly."""
    n = len(data)
    k = np.fft.fftfreq(n, 1 / n).round().astype(int)
    out = np.zeros(data.shape, complex)
    for index in np.ndindex(*data.shape):
        z, y, x = (k[i] for i in index)
        for R, lift in zip(rotations, lifts, strict=True):
            p = (R @ [x, y, z]).round(9)
            if (np.abs(p) > n // 2).any():
                continue
            low = np.floor(p).astype(int)
            for corner in np.ndindex(2, 2, 2):
                q = low + corner
                g = np.prod(1 - np.abs(p - q))
                if g > 0:
                    out[index] += g * data[tuple((q % n)[::-1])] * np.exp(2j * np.pi * z * lift)
    return out / len(rotations)


def shell_means_slowly(weight):
    """Mean of a half transform's weights about each whole radius, shared linearly; cubes."""
    n = len(weight)
    total, count = np.zeros(n // 2 + 1), np.zeros(n // 2 + 1)
    for z, y, x in np.ndindex(*weight.shape):
        k = np.array([z - n * (2 * z > n), y - n * (2 * y > n), x])
        radius = np.sqrt((k**2).sum())
        for shell in range(n // 2 + 1):
            share = max(0, 1 - abs(radius - shell))
            total[shell] += share * weight[z, y, x]
            count[shell] += share
    return total / count
