"""The alignment of a tilt series: one affine map from specimen to image a view."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.geometry import affine
from vitreous.geometry.motions import RigidMotion, box_points, gauge
from vitreous.geometry.rotations import polar, view_angles, view_rotation
from vitreous.records.displacement import Displacement

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """u = P X + s (+ displacement): angstrom, u from the image's centre pixel n // 2.

    projections (n, 2, 3) and shifts (n, 2) hold the used views in section order; `sections` (n,)
    says which 0-based sections of the original stack of `section_count` images they are. This is
    the one place where left-out tilts are recorded: what `sections` lacks is left out.

    tilt_offset_degrees is a constant that is part of the maps already; it is kept so that a family
    with a field of its own for it can write refined angles and offset apart (the nominal angles
    are `Tilt.nominal_tilt_degrees`). thickness_angstrom is what the source says of the volume.
    """

    projections: Array
    shifts: Array
    sections: NDArray[np.intp]
    section_count: int
    image_size: tuple[int, int]
    pixel_size: float
    tilt_offset_degrees: float = 0.0
    thickness_angstrom: float | None = None
    displacement: Displacement | None = None

    def __post_init__(self) -> None:
        n = len(self.sections)
        if self.projections.shape != (n, 2, 3) or self.shifts.shape != (n, 2):
            raise UserError(
                f"an alignment of {n} views needs projections ({n}, 2, 3) and shifts ({n}, 2), "
                f"not {self.projections.shape} and {self.shifts.shape}"
            )
        if n == 0:
            raise UserError("an alignment needs at least one view")
        if np.any(np.diff(self.sections) <= 0) or self.sections[0] < 0:
            raise UserError(f"sections must rise from 0, not {self.sections.tolist()}")
        if self.sections[-1] >= self.section_count:
            raise UserError(
                f"section {self.sections[-1] + 1} is aligned, "
                f"but the stack has only {self.section_count}"
            )
        if not (np.isfinite(self.projections).all() and np.isfinite(self.shifts).all()):
            raise UserError("an alignment may not hold NaN or infinite numbers")

    def __len__(self) -> int:
        return len(self.sections)

    # -- what is left out ---------------------------------------------------------------------

    @property
    def left_out(self) -> tuple[int, ...]:
        """0-based sections of the original stack that are not used."""
        return tuple(sorted(set(range(self.section_count)) - set(self.sections.tolist())))

    def without(self, sections: Collection[int]) -> "Alignment":
        """The same alignment with more of the (0-based) sections left out."""
        return self._chosen(~np.isin(self.sections, list(sections)))

    def _chosen(self, keep: NDArray[np.bool_]) -> "Alignment":
        moved = self.displacement and self.displacement.chosen(np.flatnonzero(keep))
        return replace(
            self,
            projections=self.projections[keep],
            shifts=self.shifts[keep],
            sections=self.sections[keep],
            displacement=moved,
        )

    def every_other(self, first: int) -> "Alignment":
        """Half set: views first, first + 2, ... in order of tilt angle."""
        keep = np.zeros(len(self), bool)
        keep[np.argsort(self.tilts_degrees, kind="stable")[first::2]] = True
        return self._chosen(keep)

    # -- derived for display ------------------------------------------------------------------

    @property
    def rotations(self) -> Array:
        """(n, 3, 3): the rotation nearest to each map; its third row gives heights."""
        return polar(self.projections)[1]

    @property
    def magnifications(self) -> Array:
        """(n,)."""
        return polar(self.projections)[0]

    @property
    def axes_degrees(self) -> Array:
        """(n,) tilt axis, counter-clockwise from the image's y axis."""
        return view_angles(self.rotations)[0]

    @property
    def tilts_degrees(self) -> Array:
        """(n,) tilt angles in all, the constant offset included."""
        return view_angles(self.rotations)[1]

    @property
    def refined_tilts_degrees(self) -> Array:
        """(n,) tilt angles without the constant offset."""
        return self.tilts_degrees - self.tilt_offset_degrees

    @property
    def x_tilts_degrees(self) -> Array:
        """(n,) rotation of the specimen about its x axis, before the tilt."""
        return view_angles(self.rotations)[2]

    @property
    def shifts_px(self) -> Array:
        """(n, 2) where the specimen's origin lands, px from the image's centre pixel."""
        return self.shifts / self.pixel_size

    @property
    def stretches(self) -> Array:
        """(n,) how far each map is from a rotation times a magnification (0 = not at all)."""
        magnification, rotation = polar(self.projections)
        rest = self.projections / magnification[:, None, None] - rotation[:, :2]
        return np.abs(rest).max((1, 2))

    # -- the map ------------------------------------------------------------------------------

    def project(self, points: Array) -> Array:
        """Specimen points (m, 3), angstrom -> (n, m, 2), angstrom from the image's centre."""
        seen = np.einsum("nij,mj->nmi", self.projections, points) + self.shifts[:, None]
        return seen if self.displacement is None else seen + self.displacement(seen)

    def pixels(self, points: Array) -> Array:
        """Specimen points (m, 3), angstrom -> (n, m, 2) 0-based pixels (x, y) of the images."""
        return self.project(points) / self.pixel_size + np.asarray(self.image_size) // 2

    def heights(self, points: Array) -> Array:
        """(n, m) heights along the beam of specimen points (m, 3), angstrom."""
        return np.einsum("nj,mj->nm", self.rotations[:, 2], points)

    def back_to_plane(self, seen: Array, z: float = 0.0) -> Array:
        """The map inverted: image points (n, m, 2), angstrom -> (n, m, 3) in the plane at z.

        Displacement is left aside; a plane seen edge on (90 degrees) has no inverse.
        """
        maps = np.concatenate([self.projections[..., :2], self.shifts[..., None]], -1)
        flat = affine.apply(
            affine.inverse(maps)[:, None], seen - z * self.projections[:, None, :, 2]
        )
        return np.concatenate([flat, np.full((*flat.shape[:-1], 1), z)], -1)

    # -- composition --------------------------------------------------------------------------

    def moved(self, motion: RigidMotion) -> "Alignment":
        """The same images of a specimen that was moved: the point motion(X) is seen where X was."""
        back = motion.inverse
        return replace(
            self,
            projections=self.projections @ back.rotation,
            shifts=self.shifts + self.projections @ back.translation,
        )

    def through(self, maps: Array, image_size: tuple[int, int] | None = None) -> "Alignment":
        """The same specimen in transformed images: maps (n, 2, 3), angstrom, centre to centre."""
        if self.displacement is not None:
            raise UserError("images with a displacement field can't be transformed afterwards")
        return replace(
            self,
            projections=maps[..., :2] @ self.projections,
            shifts=affine.apply(maps, self.shifts),
            image_size=image_size or self.image_size,
        )

    def compare(self, other: "Alignment", thickness_angstrom: float = 2000.0) -> "Agreement":
        """How far apart two alignments of one stack are when their gauge is removed.

        Distances are taken on a 5 x 5 x 5 grid over the field and the thickness; views that one
        of the two leaves out are not counted.
        """
        if (self.section_count, self.image_size) != (other.section_count, other.image_size):
            raise UserError(
                f"alignments of different stacks: {self.section_count} images of {self.image_size}"
                f" px and {other.section_count} of {other.image_size} px"
            )
        here = self._chosen(np.isin(self.sections, other.sections))
        there = other._chosen(np.isin(other.sections, self.sections))
        field = np.asarray(self.image_size) * self.pixel_size
        points = box_points(np.array([*field, thickness_angstrom]), 5)
        motion = gauge(here.projections, here.shifts, there.projections, there.shifts, points)
        apart = there.project(motion(points)) - here.project(points)
        return Agreement(
            motion=motion,
            sections=here.sections,
            distances_px=np.linalg.norm(apart, axis=-1) / self.pixel_size,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Two alignments after the gauge `motion` (from the first's specimen to the second's).

    distances_px (n, m): per common view and point of the field.
    """

    motion: RigidMotion
    sections: NDArray[np.intp]
    distances_px: Array

    @property
    def rms_px(self) -> float:
        """Root mean square over views and points."""
        return float(np.sqrt((self.distances_px**2).mean()))

    @property
    def worst_px(self) -> float:
        """The largest distance of all."""
        return float(self.distances_px.max())


def alignment_from_angles(
    *,
    axes_degrees: Array | float,
    tilts_degrees: Array,
    shifts: Array,
    section_count: int | None = None,
    sections: NDArray[np.intp] | None = None,
    image_size: tuple[int, int],
    pixel_size: float,
    x_tilts_degrees: Array | float = 0.0,
    magnifications: Array | float = 1.0,
    tilt_offset_degrees: float = 0.0,
    thickness_angstrom: float | None = None,
) -> Alignment:
    """P = magnification Rz(axis) Ry(tilt) Rx(x_tilt), the offset being part of the tilts given.

    tilts_degrees (n,), shifts (n, 2) angstrom; what is one number holds for all views. Without
    `sections` every image of the stack is used in its order.
    """
    tilts = np.asarray(tilts_degrees, np.float64)
    count = len(tilts)
    rotation = view_rotation(axes_degrees, tilts, x_tilts_degrees)
    magnification = np.broadcast_to(np.asarray(magnifications, np.float64), count)
    return Alignment(
        projections=rotation[:, :2] * magnification[:, None, None],
        shifts=np.asarray(shifts, np.float64),
        sections=np.arange(count) if sections is None else np.asarray(sections, np.intp),
        section_count=count if section_count is None else section_count,
        image_size=image_size,
        pixel_size=pixel_size,
        tilt_offset_degrees=tilt_offset_degrees,
        thickness_angstrom=thickness_angstrom,
    )
