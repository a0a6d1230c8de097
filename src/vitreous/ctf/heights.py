"""How high the specimen lies where a tile shows it: a plane through the origin, seen in a view."""

import numpy as np
from numpy.typing import NDArray

from vitreous.records.alignment import Alignment

Array = NDArray[np.float64]
Indices = NDArray[np.intp]


def height_gradients(alignment: Alignment, pitch_degrees: float = 0.0) -> Array:
    """(n, 2): height along the beam gained with each angstrom in the image, of z = -tan(pitch) x.

    That plane is turned about y as if the pitch were part of every tilt angle.
    """
    slope = -np.tan(np.deg2rad(pitch_degrees))
    plane = np.array([[1.0, 0.0], [0.0, 1.0], [slope, 0.0]])
    seen = alignment.projections @ plane
    raised = alignment.rotations[:, 2:] @ plane
    return (raised @ np.linalg.inv(seen))[:, 0]


def heights(alignment: Alignment, view: Indices, seen: Array, pitch_degrees: float = 0.0) -> Array:
    """(row,) heights, angstrom, of what the views (row,) show at `seen` (row, 2)."""
    gradients = height_gradients(alignment, pitch_degrees)
    return np.asarray(((seen - alignment.shifts[view]) * gradients[view]).sum(-1), np.float64)


def across_axis(alignment: Alignment) -> Array:
    """(n, 2) unit vectors across the tilt axis."""
    angle = np.deg2rad(alignment.axes_degrees)
    return np.stack([np.cos(angle), np.sin(angle)], -1)
