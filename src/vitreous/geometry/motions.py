"""Rigid motions of the specimen, and the one that brings two alignments together (the gauge)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class RigidMotion:
    """X -> rotation X + translation, angstrom."""

    rotation: Array
    translation: Array

    def __call__(self, points: Array) -> Array:
        """Points (..., 3) moved."""
        return points @ self.rotation.T + self.translation

    @property
    def inverse(self) -> "RigidMotion":
        """The motion that undoes this one."""
        return RigidMotion(self.rotation.T, -self.rotation.T @ self.translation)

    @property
    def degrees(self) -> float:
        """Angle of the rotation."""
        return float(np.rad2deg(np.arccos(np.clip((np.trace(self.rotation) - 1) / 2, -1, 1))))


def still() -> RigidMotion:
    """The motion that moves nothing."""
    return RigidMotion(np.eye(3), np.zeros(3))


def box_points(size: Array, steps: int = 3) -> Array:
    """(steps^3, 3) points on a grid that fills a box of `size` (x, y, z) about the origin."""
    axes = [np.linspace(-half, half, steps) for half in np.asarray(size, np.float64) / 2]
    return np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)


def gauge(
    projections: Array, shifts: Array, other_projections: Array, other_shifts: Array, points: Array
) -> RigidMotion:
    """The rigid motion g of the specimen for which other(g(X)) is nearest to this(X).

    projections (n, 2, 3), shifts (n, 2), points (m, 3) at which the distance is counted. An
    orthogonal Procrustes fit of the rows starts, Gauss-Newton on the projected points ends: exact
    where the two agree, least squares where they don't.
    """
    u, _, vt = np.linalg.svd(other_projections.reshape(-1, 3).T @ projections.reshape(-1, 3))
    if np.linalg.det(u @ vt) < 0:
        u[:, -1] = -u[:, -1]
    rotation = u @ vt
    translation = np.zeros(3)
    seen = np.einsum("nij,mj->nmi", projections, points) + shifts[:, None]
    for _ in range(20):
        turned = points @ rotation.T
        found = np.einsum("nij,mj->nmi", other_projections, turned + translation)
        residual = (seen - found - other_shifts[:, None]).reshape(-1)
        # d(exp(w) R X) = w x (R X): the columns of -[R X]_x
        cross = np.zeros((len(points), 3, 3))
        cross[:, 0, 1], cross[:, 0, 2] = turned[:, 2], -turned[:, 1]
        cross[:, 1, 0], cross[:, 1, 2] = -turned[:, 2], turned[:, 0]
        cross[:, 2, 0], cross[:, 2, 1] = turned[:, 1], -turned[:, 0]
        by_turn = np.einsum("nij,mjk->nmik", other_projections, cross)
        by_shift = np.broadcast_to(other_projections[:, None], by_turn.shape)
        jacobian = np.concatenate([by_turn, by_shift], -1).reshape(-1, 6)
        step = np.linalg.lstsq(jacobian, residual, rcond=None)[0]
        rotation = _rotation_of(step[:3]) @ rotation
        translation = translation + step[3:]
        if np.abs(step[:3]).max() < 1e-14 and np.abs(step[3:]).max() < 1e-10:
            break
    return RigidMotion(rotation, translation)


def _rotation_of(vector: Array) -> Array:
    """Rodrigues: the rotation about `vector` by its length in radians."""
    angle = float(np.linalg.norm(vector))
    if angle == 0:
        return np.eye(3)
    x, y, z = vector / angle
    k = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * (k @ k)
