"""Particles: where copies of a molecule lie in a tomogram, and how they are turned."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Particles:
    """The particles of one tomogram.

    positions (n, 3): angstrom from the specimen's origin, refined offsets included. rotations
    (n, 3, 3): particle's map -> specimen, so that a point x of the map (angstrom from its centre
    n // 2) lies at positions + rotations x. rows (n,): which rows of the particle set they are.
    half_sets (n,): 1 or 2, 0 where the set doesn't say. boxes (n, 3, 3): the part of the rotation
    that belongs to the subtomogram's box. tracks (n, sections, 3): angstrom by which a particle has
    moved in a section of the stack, to be added to its position; visible (n, sections): sections
    that show it.
    """

    tomogram: str
    names: tuple[str, ...]
    rows: NDArray[np.intp]
    positions: Array
    rotations: Array
    half_sets: NDArray[np.intp]
    boxes: Array
    optics_groups: tuple[str, ...]
    tracks: Array | None = None
    visible: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if self.positions.shape != (n, 3) or self.rotations.shape != (n, 3, 3):
            raise UserError(
                f"{self.tomogram}: {n} particles need positions ({n}, 3) and rotations "
                f"({n}, 3, 3), not {self.positions.shape} and {self.rotations.shape}"
            )
        if not (np.isfinite(self.positions).all() and np.isfinite(self.rotations).all()):
            lost = ~np.isfinite(self.positions).all(1) | ~np.isfinite(self.rotations).all((1, 2))
            raise UserError(
                f"{self.tomogram}: the positions or angles of {self.names[int(np.argmax(lost))]} "
                "are not finite"
            )

    def __len__(self) -> int:
        return len(self.names)

    def chosen(self, keep: NDArray[np.intp]) -> "Particles":
        """The particles of the given indices, in that order."""
        return replace(
            self,
            names=tuple(self.names[i] for i in keep),
            rows=self.rows[keep],
            positions=self.positions[keep],
            rotations=self.rotations[keep],
            half_sets=self.half_sets[keep],
            boxes=self.boxes[keep],
            optics_groups=tuple(self.optics_groups[i] for i in keep),
            tracks=None if self.tracks is None else self.tracks[keep],
            visible=None if self.visible is None else self.visible[keep],
        )

    def positions_in(self, section: int) -> Array:
        """(n, 3) where the particles are in one section of the stack, angstrom."""
        return self.positions if self.tracks is None else self.positions + self.tracks[:, section]
