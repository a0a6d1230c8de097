"""The slab of ice: tilted, bent, equally thick; where views see it and how much of it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Slab:
    """Ice of one thickness along z about a middle surface, angstrom.

    z0(x, y) = tan(pitch_x) y - tan(pitch_y) x
               + bend (0.6 (1 - cos(pi x / 2.6 L + 0.4)) + 0.4 sin(pi y / 2.2 L))

    with L = half_field.
    """

    thickness: float
    pitch_x_degrees: float
    pitch_y_degrees: float
    bend: float
    half_field: float

    def middle(self, x: Array, y: Array) -> Array:
        """z of the middle surface."""
        slope_y, slope_x = self._pitch
        wave_x, wave_y = self._waves(x, y)
        bent = 0.6 * (1 - np.cos(wave_x)) + 0.4 * np.sin(wave_y)
        return slope_y * y - slope_x * x + self.bend * bent

    def slopes(self, x: Array, y: Array) -> tuple[Array, Array]:
        """dz/dx and dz/dy of the middle surface."""
        slope_y, slope_x = self._pitch
        wave_x, wave_y = self._waves(x, y)
        along_x = 0.6 * np.sin(wave_x) * np.pi / (2.6 * self.half_field)
        along_y = 0.4 * np.cos(wave_y) * np.pi / (2.2 * self.half_field)
        return self.bend * along_x - slope_x, self.bend * along_y + slope_y

    @property
    def steepest(self) -> float:
        """No slope along x is larger."""
        _, slope_x = self._pitch
        return abs(slope_x) + abs(self.bend) * 0.6 * np.pi / (2.6 * self.half_field)

    @property
    def _pitch(self) -> tuple[float, float]:
        return (
            float(np.tan(np.deg2rad(self.pitch_x_degrees))),
            float(np.tan(np.deg2rad(self.pitch_y_degrees))),
        )

    def _waves(self, x: Array, y: Array) -> tuple[Array, Array]:
        unit = np.pi / self.half_field
        return unit * x / 2.6 + 0.4, unit * y / 2.2

    def seen(self, rotation: Array, across: Array) -> tuple[Array, Array]:
        """Heights of the middle surface and lengths of ice on the rays of a view.

        rotation (3, 3): its third row is the beam; across (..., 2): the rays, angstrom from the
        specimen's origin in the view's frame. Newton's steps along each ray.
        """
        start, beam = across @ rotation[:2], rotation[2]
        height = np.zeros(across.shape[:-1])
        for _ in range(6):
            x, y, z = np.moveaxis(start + height[..., None] * beam, -1, 0)
            along_x, along_y = self.slopes(x, y)
            rate = beam[2] - along_x * beam[0] - along_y * beam[1]
            height -= (z - self.middle(x, y)) / rate
        return height, self.thickness / np.abs(rate)
