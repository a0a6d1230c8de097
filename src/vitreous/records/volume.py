"""Volumes, and where their voxels lie in the specimen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Grid:
    """Voxels of a volume: X = voxel_size (index - centre), angstrom from the rotation centre.

    size (x, y, z) voxels; centre (x, y, z): the 0-based, possibly fractional voxel index at which
    the specimen's origin lies. The house's own centre is size // 2, other programs' differ.
    """

    size: tuple[int, int, int]
    voxel_size: float
    centre: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x), as the array has it."""
        nx, ny, nz = self.size
        return nz, ny, nx

    def specimen(self, indices: Array) -> Array:
        """Voxel indices (..., 3) (x, y, z) -> angstrom."""
        return (indices - np.asarray(self.centre)) * self.voxel_size

    def indices(self, specimen: Array) -> Array:
        """Angstrom (..., 3) -> voxel indices (x, y, z)."""
        return specimen / self.voxel_size + np.asarray(self.centre)


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A volume in memory: data (z, y, x) on a grid."""

    data: NDArray[np.generic]
    grid: Grid

    @property
    def voxel_size(self) -> float:
        """Angstrom a voxel."""
        return self.grid.voxel_size
