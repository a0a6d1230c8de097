"""The slow twin of a whole reconstruction: direct linear interpolation, voxel by voxel, float64.

It takes filter, weights and geometry from the house and puts plain arithmetic, as IMOD and RELION
have it, in the fast kernels' place.
"""

import numpy as np

from vitreous.reconstruct.images import coefficients_shape, prepare, taper
from vitreous.reconstruct.tomogram import plan


def pixel_values(coefficients):
    """(n, y, x) values of images given as spline coefficients with a border of 2."""
    found = coefficients.astype(float)
    for axis in (1, 2):
        found = np.moveaxis(found, axis, -1)
        found = (found[..., :-2] + 4 * found[..., 1:-1] + found[..., 2:]) / 6
        found = np.moveaxis(found, -1, axis)
    return found[:, 1:-1, 1:-1]


def bilinear(image, u, v):
    """Values at (u, v), 0 outside the image; and what lies inside."""
    rows, columns = image.shape
    inside = (u > -1e-9) & (v > -1e-9) & (u < columns - 1 + 1e-9) & (v < rows - 1 + 1e-9)
    u, v = np.clip(u, 0, columns - 1), np.clip(v, 0, rows - 1)
    i = np.minimum(u.astype(int), max(columns - 2, 0))
    j = np.minimum(v.astype(int), max(rows - 2, 0))
    a, b = u - i, v - j
    low = (1 - a) * image[j, i] + a * image[j, np.minimum(i + 1, columns - 1)]
    below = np.minimum(j + 1, rows - 1)
    high = (1 - a) * image[below, i] + a * image[below, np.minimum(i + 1, columns - 1)]
    return np.where(inside, (1 - b) * low + b * high, 0), inside


def reconstruct_directly(stack, alignment, settings, grid=None, **records):
    """Like `reconstruct_tomogram`, slowly."""
    _, height, width = stack.shape
    todo = plan(alignment, settings, (width, height), grid=grid)
    used = todo.alignment
    shape = coefficients_shape(used, settings)
    images = prepare(stack, used, settings, np.empty(shape, np.float32), **records)
    values = pixel_values(images.coefficients)
    z, y, x = np.indices(todo.grid.shape)
    fading = np.ones(values[0].shape)
    if images.fade:
        shown = taper(images.fade)
        fading[:] = np.pad(
            shown, [(0, n - m) for n, m in zip(fading.shape, shown.shape, strict=True)], mode="edge"
        )
    volume, seen = np.zeros(todo.grid.shape), np.zeros(todo.grid.shape)
    shear = todo.shear
    for t, image in enumerate(values):
        (a, b), (c, d) = shear.linear[t]
        u = a * x + b * y + shear.slope[t, 0] * z + shear.origin[t, 0]
        v = c * x + d * y + shear.slope[t, 1] * z + shear.origin[t, 1]
        found, inside = bilinear(image, u, v)
        shown = inside * bilinear(fading, u, v)[0]
        volume += found + images.levels[t] * (shown if settings.combine == "mean" else 1)
        seen += shown
    if settings.combine == "mean":
        volume /= np.maximum(seen, 1)
    return (volume + settings.add) * (1.0 if settings.multiply is None else settings.multiply)
