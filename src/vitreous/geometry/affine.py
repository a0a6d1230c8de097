"""Two-dimensional affine maps of images: q = A p + d, stored as (..., 2, 3) = [A | d].

This is the algebra of IMOD's .xf files (xfproduct, xfinverse), free of any image centre: both
sides are counted from the centre that the caller chose.
"""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def apply(maps: Array, points: Array) -> Array:
    """Points (..., 2) through maps (..., 2, 3)."""
    return np.einsum("...ij,...j->...i", maps[..., :2], points) + maps[..., 2]


def product(first: Array, then: Array) -> Array:
    """The one map that does `first`, then `then` (IMOD's `xfproduct first then`)."""
    linear = then[..., :2] @ first[..., :2]
    shift = np.einsum("...ij,...j->...i", then[..., :2], first[..., 2]) + then[..., 2]
    return np.concatenate([linear, shift[..., None]], axis=-1)


def inverse(maps: Array) -> Array:
    """The maps that undo `maps`. Raises numpy.linalg.LinAlgError for one that flattens."""
    linear = np.linalg.inv(maps[..., :2])
    shift = -np.einsum("...ij,...j->...i", linear, maps[..., 2])
    return np.concatenate([linear, shift[..., None]], axis=-1)


def about(maps: Array, here: Array, there: Array | None = None) -> Array:
    """The same maps with points counted from elsewhere: p' = p - here, q' = q - there."""
    there = here if there is None else there
    shift = maps[..., 2] + np.einsum("...ij,...j->...i", maps[..., :2], here) - there
    return np.concatenate([maps[..., :2], shift[..., None]], axis=-1)
