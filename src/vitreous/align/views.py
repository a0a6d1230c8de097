"""The geometry while it is being found: angles, magnifications and shifts of the used views."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.rotations import view_rotation
from vitreous.records.alignment import Alignment, alignment_from_angles

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Views:
    """Image point = size // 2 + shift + A (x, y) + b z, in pixels of `pixel_size` angstrom.

    [A | b] = magnification Rz(axis) Ry(tilt) Rx(x_tilt). tilts, axes: degrees (n,); shifts (n, 2);
    x_tilt: degrees, one for all.
    """

    tilts: Array
    axes: Array
    magnifications: Array
    shifts: Array
    pixel_size: float
    x_tilt: float = 0.0

    def __len__(self) -> int:
        return len(self.tilts)

    @property
    def maps(self) -> Array:
        """(n, 2, 3): [A | b]."""
        rotation = view_rotation(self.axes, self.tilts, self.x_tilt)
        return self.magnifications[:, None, None] * rotation[:, :2]

    @property
    def in_plane(self) -> Array:
        """(n, 2, 2): A."""
        return np.ascontiguousarray(self.maps[:, :, :2])

    @property
    def slopes(self) -> Array:
        """(n,) pixels by which a point moves along x on the specimen plane for a pixel of height.

        Along y all views see it move alike (by the x tilt): that shears the specimen, no more.
        """
        maps = self.maps
        found: Array = np.linalg.solve(maps[:, :, :2], maps[:, :, 2:])[:, 0, 0].astype(np.float64)
        return found

    @property
    def cosines(self) -> Array:
        """(n,) of the tilts."""
        return np.cos(np.deg2rad(self.tilts))

    def at(self, pixel_size: float) -> "Views":
        """The same in pixels of another size."""
        return replace(
            self, shifts=self.shifts * (self.pixel_size / pixel_size), pixel_size=pixel_size
        )

    def chosen(self, which: NDArray[np.intp]) -> "Views":
        """Some of the views."""
        return replace(
            self,
            tilts=self.tilts[which],
            axes=self.axes[which],
            magnifications=self.magnifications[which],
            shifts=self.shifts[which],
        )

    def moved_on_plane(self, moves: Array) -> "Views":
        """What lies at x + moves (n, 2) on the specimen plane is now seen at x."""
        return replace(self, shifts=self.shifts + np.einsum("nij,nj->ni", self.in_plane, moves))

    def raised(self, height: float) -> "Views":
        """With the specimen's origin moved up along z by `height` px."""
        return replace(self, shifts=self.shifts + height * self.maps[:, :, 2])

    def turned(self, degrees: float) -> "Views":
        """With every tilt axis turned by `degrees`, the specimen's centre staying where it is."""
        return replace(self, axes=self.axes + degrees)

    def as_alignment(
        self,
        sections: NDArray[np.intp],
        section_count: int,
        image_size: tuple[int, int],
        pixel_size: float,
    ) -> Alignment:
        """The record of it, for images of `image_size` (x, y) px of `pixel_size`."""
        return alignment_from_angles(
            axes_degrees=self.axes,
            tilts_degrees=self.tilts,
            x_tilts_degrees=self.x_tilt,
            magnifications=self.magnifications,
            shifts=self.shifts * self.pixel_size,
            sections=sections,
            section_count=section_count,
            image_size=image_size,
            pixel_size=pixel_size,
        )


def nominal_views(tilts: Array, axis: float, pixel_size: float) -> Views:
    """Views at the stage's angles: no shifts, magnification 1."""
    n = len(tilts)
    return Views(
        tilts=np.array(tilts, np.float64),
        axes=np.full(n, float(axis)),
        magnifications=np.ones(n),
        shifts=np.zeros((n, 2)),
        pixel_size=pixel_size,
    )
