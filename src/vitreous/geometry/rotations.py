"""Rotations: right-handed active matrices on column vectors, angles in degrees.

    Rz(a) = [[c,-s,0],[s,c,0],[0,0,1]]
    Ry(b) = [[c,0,s],[0,1,0],[-s,0,c]]
    Rx(g) = [[1,0,0],[0,c,-s],[0,s,c]]

A view of a tilt series is turned by P = Rz(axis) Ry(tilt) Rx(x_tilt).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def rotation_x(degrees: ArrayLike) -> Array:
    """(..., 3, 3) rotations about x."""
    return _rotation(degrees, 1, 2)


def rotation_y(degrees: ArrayLike) -> Array:
    """(..., 3, 3) rotations about y."""
    return _rotation(degrees, 2, 0)


def rotation_z(degrees: ArrayLike) -> Array:
    """(..., 3, 3) rotations about z."""
    return _rotation(degrees, 0, 1)


def _rotation(degrees: ArrayLike, first: int, second: int) -> Array:
    """Turns axis `first` towards axis `second`."""
    angle = np.deg2rad(np.asarray(degrees, np.float64))
    matrix = np.zeros((*angle.shape, 3, 3))
    matrix[...] = np.eye(3)
    cos, sin = np.cos(angle), np.sin(angle)
    matrix[..., first, first] = cos
    matrix[..., second, second] = cos
    matrix[..., first, second] = -sin
    matrix[..., second, first] = sin
    return matrix


def view_rotation(axis: ArrayLike, tilt: ArrayLike, x_tilt: ArrayLike = 0.0) -> Array:
    """Rz(axis) Ry(tilt) Rx(x_tilt): (..., 3, 3), the three angles broadcast."""
    return rotation_z(axis) @ rotation_y(tilt) @ rotation_x(x_tilt)


def view_angles(rotation: Array) -> tuple[Array, Array, Array]:
    """(axis, tilt, x_tilt) in degrees of (..., 3, 3) rotations; tilt lies in [-90, 90].

    At +-90 degrees only axis and x_tilt together are determined; x_tilt is 0 then.
    """
    sin_tilt = np.clip(-rotation[..., 2, 0], -1, 1)
    tilt = np.arcsin(sin_tilt)
    level = np.hypot(rotation[..., 0, 0], rotation[..., 1, 0]) > 1e-9
    x_tilt = np.where(level, np.arctan2(rotation[..., 2, 1], rotation[..., 2, 2]), 0.0)
    axis = np.where(
        level,
        np.arctan2(rotation[..., 1, 0], rotation[..., 0, 0]),
        np.arctan2(-rotation[..., 0, 1], rotation[..., 1, 1]),
    )
    return np.rad2deg(axis), np.rad2deg(tilt), np.rad2deg(x_tilt)


def polar(projection: Array) -> tuple[Array, Array]:
    """The nearest rotation times magnification to (..., 2, 3) projections.

    Returns (magnification (...), rotation (..., 3, 3)): the rotation is the polar factor of the
    two rows, completed by their cross product; the magnification is their rms length.
    """
    magnification = np.sqrt((projection**2).sum((-2, -1)) / 2)
    u, _, vt = np.linalg.svd(projection / magnification[..., None, None], full_matrices=False)
    rows = u @ vt
    third = np.cross(rows[..., 0, :], rows[..., 1, :])
    return magnification, np.concatenate([rows, third[..., None, :]], axis=-2)


def wrapped(degrees: ArrayLike) -> Array:
    """Angles in (-180, 180]."""
    return -((180.0 - np.asarray(degrees, np.float64)) % 360.0 - 180.0)
