"""RELION's Euler angles (rot, tilt, psi), degrees: ZYZ.

E = Rz(-psi) Ry(-tilt) Rz(-rot) in the house's right-handed rotations. RELION's tomography programs
take E as the map from the particle's model to the tomogram.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.geometry.rotations import rotation_y, rotation_z

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
