"""Macromolecules as sums of equal Gaussian blobs, without symmetry or with Cn about z.

Each is a chain of overlapping lobes, filled at random. The potential is counted above that of ice.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.rotations import rotation_z
from vitreous.simulate.chance import stream

Array = NDArray[np.float64]

BLOB_SIGMA = 4.5  # angstrom, of every blob: density w (2 pi sigma^2)^(-3/2) exp(-r^2 / 2 sigma^2)
POTENTIAL = 1.8  # V above ice, mean over the molecule's volume
VOLUME = 1212.0  # A^3 per kDa
LOBES = 5
MODELS_SEED = 10499  # the molecules are the same in all series


@dataclass(frozen=True, slots=True, eq=False)
class Molecule:
    """positions (n, 3): angstrom from its centre of mass; weights (n,): V A^3."""

    name: str
    kda: float
    symmetry: int
    positions: Array
    weights: Array

    @property
    def radius(self) -> float:
        """Distance of the farthest blob from the centre, angstrom."""
        return float(np.linalg.norm(self.positions, axis=1).max())


@cache
def molecules() -> tuple[Molecule, ...]:
    """The four species, the same in every series."""
    return (
        molecule("A", kda=2500, blobs=900),
        molecule("B", kda=900, blobs=350),
        molecule("C", kda=350, blobs=160),
        molecule("D", kda=750, blobs=300, symmetry=6),
    )


def molecule(name: str, *, kda: float, blobs: int, symmetry: int = 1) -> Molecule:
    """A molecule of a mass; its name decides its shape."""
    rng = stream(MODELS_SEED, f"molecule {name}")
    unit = _filled(*_chain_of_lobes(rng, away=symmetry > 1), blobs // symmetry, rng)
    shares = rng.uniform(0.75, 1.25, len(unit))
    turns = rotation_z(360 / symmetry * np.arange(symmetry))
    positions = np.concatenate([unit @ turn.T for turn in turns])
    weights = np.tile(shares, symmetry) * POTENTIAL * VOLUME * kda / (symmetry * shares.sum())

    positions -= weights @ positions / weights.sum()
    gyration = np.sqrt(weights @ (positions**2).sum(1) / weights.sum())
    positions *= _gyration_of_ball(VOLUME * kda) / gyration
    return Molecule(name, kda, symmetry, positions.round(2), weights.round(1))


def _chain_of_lobes(rng: np.random.Generator, away: bool) -> tuple[Array, Array]:
    """Centres (n, 3) and radii (n,) of balls, each on the surface of the one before it.

    away: the chain starts off the z axis, for a unit that goes round it.
    """
    radii = rng.uniform(0.6, 1.2, LOBES)
    centres = [np.array([1.6, 0.0, 0.0]) if away else np.zeros(3)]
    for radius in radii[:-1]:
        direction = rng.normal(size=3)
        centres.append(centres[-1] + radius * direction / np.linalg.norm(direction))
    return np.array(centres), radii


def _filled(centres: Array, radii: Array, count: int, rng: np.random.Generator) -> Array:
    """(count, 3) points at random within the union of balls."""
    low, high = (centres - radii[:, None]).min(0), (centres + radii[:, None]).max(0)
    candidates = rng.uniform(low, high, (50 * count, 3))
    distances = np.linalg.norm(candidates[:, None] - centres, axis=2)
    return candidates[(distances < radii).any(1)][:count]


def _gyration_of_ball(volume: float) -> float:
    return float(np.sqrt(3 / 5) * (3 * volume / (4 * np.pi)) ** (1 / 3))
