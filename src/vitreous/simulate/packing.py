"""Bodies at random places of the ice, none overlapping: bounding balls, one after the other."""

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.simulate.slab import Slab

Array = NDArray[np.float64]

MOST_TRIES = 3000  # in vain, for one body


class Packing:
    """Where bodies lie already: `place` finds room for one more.

    reach (x, y): half sides of the region, angstrom; field: of the field of the untilted view in
    it.
    """

    def __init__(self, slab: Slab, field: tuple[float, float], reach: tuple[float, float]) -> None:
        self.slab, self.field, self.reach = slab, field, reach
        self._centres, self._inner, self._outer = np.zeros((0, 3)), np.zeros(0), np.zeros(0)

    @property
    def field_area(self) -> float:
        """Of the field of the untilted view, square micrometres."""
        return 4 * self.field[0] * self.field[1] / 1e8

    def place(
        self,
        rng: np.random.Generator,
        radius: float,
        heights: tuple[float, float],
        in_field: bool,
        wall: float | None = None,
    ) -> Array:
        """(3,) the place of a ball of `radius`, between two heights above the middle surface.

        in_field: in the field or in the rest of the region. wall: the body is hollow, its wall so
        thick: what is small enough may lie inside.
        """
        for _ in range(MOST_TRIES):
            x, y = rng.uniform(-1, 1, 2) * (self.field if in_field else self.reach)
            if not in_field and abs(x) < self.field[0] and abs(y) < self.field[1]:
                continue
            middle = float(self.slab.middle(np.array(x), np.array(y)))
            place = np.array([x, y, middle + rng.uniform(*heights)])
            if self._is_free(place, radius, solid=wall is None):
                self._centres = np.vstack([self._centres, place])
                self._inner = np.append(self._inner, 0 if wall is None else radius - wall)
                self._outer = np.append(self._outer, radius)
                return place
        raise UserError(
            f"no room for another body of {2 * radius:.0f} A in ice of {self.slab.thickness:.0f} A:"
            " ask for fewer molecules, vesicles or beads, or for thicker ice"
        )

    def _is_free(self, place: Array, radius: float, solid: bool) -> bool:
        distances = np.linalg.norm(self._centres - place, axis=1)
        clear = distances > self._outer + radius
        if solid:
            clear |= distances < self._inner - radius
        return bool(clear.all())
