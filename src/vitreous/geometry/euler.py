"""Euler angles of other programs, degrees.

RELION's (rot, tilt, psi), ZYZ: E = Rz(-psi) Ry(-tilt) Rz(-rot) in the house's right-handed
rotations. RELION's tomography programs take E as the map from the particle's model to the
tomogram; as the orientation of a projection it maps the volume to the image.

EMAN2's (az, alt, phi), ZXZ: M = Rz(-phi) Rx(-alt) Rz(-az), the map from the volume to the image.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.geometry.rotations import rotation_x, rotation_y, rotation_z

Array = NDArray[np.float64]


def relion_matrix(rot: ArrayLike, tilt: ArrayLike, psi: ArrayLike) -> Array:
    """(..., 3, 3) matrices of RELION's angles."""
    rot, tilt, psi = (np.negative(np.asarray(a, np.float64)) for a in (rot, tilt, psi))
    return rotation_z(psi) @ rotation_y(tilt) @ rotation_z(rot)


def relion_angles(matrix: Array) -> tuple[Array, Array, Array]:
    """(rot, tilt, psi) of (..., 3, 3) rotations; tilt lies in [0, 180].

    Where the tilt is 0 or 180 only rot and psi together are determined; psi is 0 then.
    """
    sin = np.hypot(matrix[..., 2, 0], matrix[..., 2, 1])
    tilt = np.arctan2(sin, matrix[..., 2, 2])
    free = sin > 1e-9
    rot = np.where(
        free,
        np.arctan2(matrix[..., 2, 1], matrix[..., 2, 0]),
        np.arctan2(-matrix[..., 1, 0], matrix[..., 1, 1]),
    )
    psi = np.where(free, np.arctan2(matrix[..., 1, 2], -matrix[..., 0, 2]), 0.0)
    return np.rad2deg(rot), np.rad2deg(tilt), np.rad2deg(psi)


def eman2_matrix(az: ArrayLike, alt: ArrayLike, phi: ArrayLike) -> Array:
    """(..., 3, 3) matrices of EMAN2's angles."""
    az, alt, phi = (np.negative(np.asarray(a, np.float64)) for a in (az, alt, phi))
    return rotation_z(phi) @ rotation_x(alt) @ rotation_z(az)


def eman2_angles(matrix: Array) -> tuple[Array, Array, Array]:
    """(az, alt, phi) of (..., 3, 3) rotations; alt lies in [0, 180].

    Where alt is 0 or 180 only az and phi together are determined; az is 0 then, as in EMAN2.
    """
    sin = np.hypot(matrix[..., 2, 0], matrix[..., 2, 1])
    alt = np.arctan2(sin, matrix[..., 2, 2])
    free = sin > 1e-6
    az = np.where(free, np.arctan2(matrix[..., 2, 0], -matrix[..., 2, 1]), 0.0)
    phi = np.where(
        free,
        np.arctan2(matrix[..., 0, 2], matrix[..., 1, 2]),
        np.arctan2(-matrix[..., 1, 0], matrix[..., 0, 0]),
    )
    return np.rad2deg(az), np.rad2deg(alt), np.rad2deg(phi)
