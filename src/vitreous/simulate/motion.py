"""How the dose deforms the specimen: smooth motion that grows towards an end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.simulate.chance import stream

Array = NDArray[np.float64]

DOSE_CONSTANT = 40.0  # e/A^2


@dataclass(frozen=True, slots=True, eq=False)
class Deformation:
    """X -> X + f(dose) u(x, y); each component of u is a sum of three cosines.

    amplitudes (3, 3): component, cosine, angstrom; waves (3, 3, 2): rad/A along x and y; phases
    (3, 3): rad.
    """

    amplitudes: Array
    waves: Array
    phases: Array

    def motion(self, points: Array) -> Array:
        """u (m, 3), angstrom, of specimen points (m, 3) or (m, 2)."""
        angles = np.einsum("cjk,mk->mcj", self.waves, points[:, :2]) + self.phases
        return (self.amplitudes * np.cos(angles)).sum(-1)

    def moved(self, points: Array, share: float) -> Array:
        """Points (m, 3) after a share f of the whole motion."""
        return points + share * self.motion(points)


def share_of_motion(dose: ArrayLike) -> Array:
    """f = 1 - exp(-dose / 40): which share of the motion a dose (e/A^2) has brought about."""
    return 1 - np.exp(-np.asarray(dose, np.float64) / DOSE_CONSTANT)


def random_deformation(seed: int, largest: float, field: float) -> Deformation:
    """Up to about `largest` angstrom across the beam and twice that along it.

    field: angstrom; the waves are one to a few fields long.
    """
    rng = stream(seed, "deformation")
    amplitudes = largest / 3 * rng.uniform(0.75, 1.25, (3, 3)) * np.array([[1.0], [1.0], [2.0]])
    directions = rng.uniform(0, 2 * np.pi, (3, 3))
    lengths = rng.uniform(1.5, 4.0, (3, 3)) / field
    waves = lengths[..., None] * np.stack([np.cos(directions), np.sin(directions)], -1)
    return Deformation(amplitudes, waves, rng.uniform(0, 2 * np.pi, (3, 3)))
