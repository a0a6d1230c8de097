"""A small built-in specimen: a cell, a vesicle, a filament and gold, without any symmetry."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.rotations import rotation_x, rotation_y, rotation_z, view_rotation
from vitreous.simulate.phantom import Body, ellipsoid, gaussian

Array = NDArray[np.float64]

MEMBRANE = 45.0  # thickness, angstrom
GOLD_RADIUS = 50.0
APART = 150.0  # least distance of ribosomes
CELL_RADII = np.array([800.0, 460.0, 300.0])
CELL_ROTATION = rotation_z(28.0) @ rotation_x(9.0) @ rotation_y(-6.0)
CELL_CENTRE = np.array([-120.0, -60.0, 15.0])
UPPER_GOLD = [(-900, -560), (-330, -800), (110, 260), (520, -330), (-640, 420), (930, -640)]
LOWER_GOLD = [(-820, 40), (-240, 640), (330, -700), (760, 160), (20, -130)]


@dataclass(frozen=True, slots=True, eq=False)
class Specimen:
    """Matter is positive. beads (n, 3): centres of the gold, angstrom; it is part of `bodies`."""

    bodies: tuple[Body, ...]
    beads: Array

    @property
    def upper(self) -> NDArray[np.bool_]:
        """(n,) which beads lie on the upper face of the slab."""
        return self.beads[:, 2] > 0


def cell_with_gold() -> Specimen:
    """Within 2000 x 1800 x 960 angstrom about the origin."""
    beads = np.array(
        [(x, y, 410 + 0.05 * x - 0.02 * y) for x, y in UPPER_GOLD]
        + [(x, y, -400 + 0.03 * x - 0.04 * y) for x, y in LOWER_GOLD]
    )
    bodies = (
        *_shell(CELL_CENTRE, CELL_RADII, CELL_ROTATION, inside=0.25),
        *_shell(np.array([640.0, 480.0, 130.0]), np.full(3, 210.0), np.eye(3), inside=0.0),
        gaussian((430, 520, -190), (30, 330, 30), 1.2, rotation_z(-50.0) @ rotation_x(12.0)),
        *_ribosomes(),
        *(ellipsoid(bead, GOLD_RADIUS, 8.0) for bead in beads),
    )
    return Specimen(bodies, beads)


def _shell(centre: Array, radii: Array, rotation: Array, inside: float) -> tuple[Body, Body]:
    """A membrane of density 1 round a lumen of density `inside`."""
    return (
        ellipsoid(centre, radii, 1.0, rotation),
        ellipsoid(centre, radii - MEMBRANE, inside - 1.0, rotation),
    )


def _ribosomes(count: int = 32) -> list[Body]:
    """Pairs of blobs, a large and a small subunit, at random places in the cell, none touching."""
    rng = np.random.default_rng(254)
    centres: list[Array] = []
    found: list[Body] = []
    while len(centres) < count:
        within = rng.uniform(-1, 1, 3)
        centre = CELL_CENTRE + CELL_ROTATION @ (within * CELL_RADII)
        crowded = any(np.linalg.norm(centre - other) < APART for other in centres)
        if np.linalg.norm(within) > 0.75 or crowded:
            continue
        centres.append(centre)
        turned = view_rotation(rng.uniform(-180, 180), rng.uniform(-90, 90), rng.uniform(-180, 180))
        found += [
            gaussian(centre, (38, 30, 34), 1.2, turned),
            gaussian(centre + turned @ (0, 0, 62), (34, 22, 22), 1.0, turned),
        ]
    return found
