"""Smooth motion of the image beyond a view's affine map."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.splines import natural_spline

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Displacement:
    """u = u0 + d(u0), one field a view; u0 = P X + s, angstrom from the image's centre.

    values (n, 2, gy, gx): the x and y components in angstrom at nodes that lie evenly over a
    rectangle of `size` (x, y) angstrom about `centre`, its edges included; one node along an axis
    means constant along it. Between nodes natural cubic splines, outside the nearest edge's value.
    """

    values: Array
    size: tuple[float, float]
    centre: tuple[float, float] = (0.0, 0.0)

    def __call__(self, points: Array) -> Array:
        """(n, m, 2) displacements of points (n, m, 2)."""
        x, y = np.moveaxis((points - self.centre) / self.size + 0.5, -1, 0)
        return np.stack(
            [
                [natural_spline(plane, v, u) for plane, v, u in zip(planes, y, x, strict=True)]
                for planes in self.values.swapaxes(0, 1)
            ],
            -1,
        )

    def chosen(self, views: NDArray[np.intp]) -> "Displacement":
        """The fields of some of the views."""
        return Displacement(self.values[views], self.size, self.centre)

    @property
    def largest(self) -> float:
        """Largest component at a node, angstrom."""
        return float(np.abs(self.values).max(initial=0.0))
