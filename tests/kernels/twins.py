"""Slow float64 twins: what the fast kernels are held to, in a few obvious lines."""

import numpy as np
from scipy import ndimage

PHASES = 16
LINE_STEPS = 8


def spline_row(coefficients, x):
    """Cubic B-spline with these coefficients (0 beyond the ends) at positions x."""
    return ndimage.map_coordinates(
        np.asarray(coefficients, float), [x], order=3, prefilter=False, mode="constant"
    )


def lagrange_six(values, position):
    """Six-point Lagrange interpolation of `values` along its first axis at one position."""
    low = int(np.floor(position))
    nodes = np.arange(low - 2, low + 4)
    weight = [np.prod([(position - k) / (j - k) for k in nodes if k != j]) for j in nodes]
    return np.tensordot(weight, np.asarray(values, float)[nodes], 1)


def backproject_cubic_slowly(planes, sixteenths, first_line, shape):
    nz, rows, nx = shape
    volume = np.zeros(shape)
    for z in range(nz):
        for r in range(rows):
            for t, tilt in enumerate(planes.astype(float)):
                at = np.arange(nx) + sixteenths[z, t] / PHASES
                volume[z, r] += spline_row(tilt[first_line[z] + r], at)
    return volume


def backproject_uneven_slowly(planes, columns, eighths, first_line, shape, steps=LINE_STEPS):
    nz, rows, nx = shape
    volume = np.zeros(shape)
    for z in range(nz):
        for r in range(rows):
            for t, tilt in enumerate(planes.astype(float)):
                line = first_line[z] + r + eighths[z, t] / steps
                row = tilt[int(line)] if line == int(line) else lagrange_six(tilt, line)
                below = np.floor(2 * columns[z, t]) / 2
                w = 2 * (columns[z, t] - below)
                at = np.arange(nx) + below
                volume[z, r] += (1 - w) * spline_row(row, at) + w * spline_row(row, at + 0.5)
    return volume


def backproject_linear_slowly(planes, positions, shape):
    nz, lines, nx = shape
    volume = np.zeros(shape)
    for z in range(nz):
        for t, tilt in enumerate(planes.astype(float)):
            for y in range(lines):
                at = np.arange(nx) + positions[z, t]
                volume[z, y] += np.interp(at, np.arange(tilt.shape[1]), tilt[y])
    return volume


def sheared_line_slowly(image, linear, origin, columns, line):
    """Values of one line: cubic B-spline of the image, 0 outside it."""
    points = linear @ np.stack([columns, np.full(len(columns), float(line))]) + origin[:, None]
    inside = np.all(
        (points > -1e-9) & (points < np.array(image.shape[::-1])[:, None] - 1 + 1e-9), 0
    )
    padded = np.pad(np.asarray(image, float), 12, mode="reflect")
    found = ndimage.map_coordinates(padded, points[::-1] + 12, order=3, mode="mirror")
    return np.where(inside, found, 0)
