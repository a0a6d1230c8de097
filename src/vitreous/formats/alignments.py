"""Alignments of any family: recognised by content, read, converted and written.

What a family can't hold is named by `conversion_losses` with what it costs in pixels; everything
else is there when a written file is read again, which `write_alignment` does each time.
"""

import logging
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import OutputError, UnknownFormatError, UserError
from vitreous.formats import aretomo, eman, imod, relion, warp
from vitreous.formats.facts import NOTHING, PartialFacts, Told
from vitreous.formats.families import FAMILIES, AretomoKernel, Family
from vitreous.formats.kinds import Kind, kind_of
from vitreous.geometry.motions import box_points
from vitreous.geometry.rotations import rotation_x, view_angles, view_rotation
from vitreous.records.alignment import Agreement, Alignment
from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

OF_KIND: dict[Kind, Family] = {
    Kind.XF: "imod",
    Kind.LOCAL_XF: "imod",
    Kind.ANGLES: "imod",
    Kind.ALN: "aretomo",
    Kind.STAR: "relion5",
    Kind.WARP_XML: "warp",
    Kind.EMAN_JSON: "eman",
}
OF_SUFFIX: dict[str, Family] = {
    ".xf": "imod",
    ".aln": "aretomo",
    ".star": "relion5",
    ".xml": "warp",
    ".json": "eman",
}

TURNS_THE_OTHER_WAY = {
    "warp": "%s: Warp turns the other way: angles negated, same hand as IMOD's rotx. Where its "
    "angles are the stage's, not inverted at import, its volume is the z-mirror of IMOD's",
    "eman": "%s: EMAN2 turns the other way: angles negated, same hand as IMOD's rotx",
}
"""What is said when one of these is read or written: never mirror a volume silently."""

TOLERANCE_PX = 1e-3  # what a written file may differ by when it is read again
USUAL_THICKNESS = 2000.0  # angstrom, of the field in which errors are counted


def family_of(path: Path) -> Family:
    """The family of an alignment file, from its content (RELION 4 counts as 5: one reader)."""
    kind = kind_of(path)
    if kind not in OF_KIND:
        raise UnknownFormatError(
            f"this is no alignment, but: {kind.value}",
            path=path,
            hint="Alignments are .xf, .aln, tomogram sets (.star), Warp's .xml, EMAN2's .json.",
        )
    return OF_KIND[kind]


def family_for(path: Path) -> Family:
    """The family that an output's suffix stands for."""
    if path.suffix not in OF_SUFFIX:
        raise UserError(
            f"{path}: no family writes {path.suffix or 'files without a suffix'}. Use one of "
            f"{', '.join(OF_SUFFIX)}, or say which family: {', '.join(FAMILIES)}"
        )
    return OF_SUFFIX[path.suffix]


def read_alignment(
    path: Path,
    facts: Told | None = None,
    *,
    family: Family | None = None,
    angles: Path | None = None,
    x_tilts: Path | None = None,
    left_out: Collection[int] = (),
    tomogram: str | None = None,
    aretomo_kernel: AretomoKernel | None = None,
) -> Alignment:
    """Read an alignment of any family.

    facts: the stack's, as far as the file leaves them unsaid. angles, x_tilts: IMOD's, where they
    are not beside the .xf. left_out: 0-based sections that are not to be used. tomogram: which one
    of a RELION set. aretomo_kernel: '2' (taken unless said) or '3' (AreTomo3 from 2.1.4 on).
    """
    told = facts or NOTHING
    family = family or family_of(path)
    _say_sense(family, path)
    return _read(
        path,
        told,
        family,
        angles=angles,
        x_tilts=x_tilts,
        left_out=left_out,
        tomogram=tomogram,
        aretomo_kernel=aretomo_kernel,
    )


def _read(
    path: Path,
    told: Told,
    family: Family,
    *,
    angles: Path | None = None,
    x_tilts: Path | None = None,
    left_out: Collection[int] = (),
    tomogram: str | None = None,
    aretomo_kernel: AretomoKernel | None = None,
) -> Alignment:
    if family == "imod" and angles is None and kind_of(path) is Kind.ANGLES:
        return imod.read_aligned(path, told, left_out=left_out)
    if family == "imod":
        return imod.read(path, told, angles=angles, x_tilts=x_tilts, left_out=left_out)
    if family == "aretomo":
        alignment = aretomo.read(path, told, kernel=aretomo_kernel)
    elif family == "warp":
        alignment = warp.read(path, told)
    elif family == "eman":
        alignment = eman.read(path, told)
    else:
        alignment = relion.read(path, told, tomogram=tomogram)
    return _without(alignment, left_out, path)


def _without(alignment: Alignment, sections: Collection[int], path: Path) -> Alignment:
    for section in sections:
        if not 0 <= section < alignment.section_count:
            raise UserError(
                f"{path}: tilt {section + 1} can't be left out, there are 1 to "
                f"{alignment.section_count}"
            )
    if not set(alignment.sections.tolist()) - set(sections):
        raise UserError(f"{path}: no tilt is left")
    return alignment.without(sections)


def _say_sense(family: Family, path: Path) -> None:
    if family in TURNS_THE_OTHER_WAY:
        log.info(TURNS_THE_OTHER_WAY[family], path)


def write_alignment(
    alignment: Alignment,
    path: Path,
    family: Family | None = None,
    *,
    name: str | None = None,
    series: TiltSeries | None = None,
    stack: Path | None = None,
    source: Path | None = None,
    aretomo_kernel: AretomoKernel | None = None,
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Write an alignment, read it again and compare; returns the files.

    series, stack: what RELION's and Warp's files say beside the alignment. source: a file of the
    same family (for RELION of either version, the tomogram `name`) whose other content is kept.
    remarks: for the heads of AreTomo's and RELION's files, which have room for comments.
    What the family can't hold is left (`conversion_losses`); any other difference of more than
    1e-3 px is an `OutputError`.
    """
    family = family or family_for(path)
    _say_sense(family, path)
    if family == "imod":
        written = imod.write(alignment, path)
    elif family == "aretomo":
        nominal = _nominal_tilts(series, alignment)
        written = aretomo.write(
            alignment, path, kernel=aretomo_kernel, tilts_of_all=nominal, remarks=remarks
        )
    elif family == "warp":
        written = warp.write(alignment, path, source=source, series=series)
    elif family == "eman":
        written = eman.write(alignment, path)
    else:
        written = relion.write(
            alignment,
            path,
            version=4 if family == "relion4" else 5,
            name=name,
            series=series,
            stack=stack,
            source=source,
            remarks=remarks,
        )
    _require_same(path, family, alignment, aretomo_kernel)
    return written


def _nominal_tilts(series: TiltSeries | None, alignment: Alignment) -> Array | None:
    """Angles of all sections, the constant offset added, where the series has them all."""
    if series is None or len(series.tilts) != alignment.section_count:
        return None
    return series.nominal_tilts_degrees + alignment.tilt_offset_degrees


def _require_same(
    path: Path, family: Family, alignment: Alignment, kernel: AretomoKernel | None
) -> None:
    told = PartialFacts(alignment.section_count, alignment.image_size, alignment.pixel_size)
    again = _read(path, told, family, aretomo_kernel=kernel or "2")
    kept = held_by(alignment, family)[0]
    if not np.array_equal(again.sections, kept.sections):
        raise OutputError(
            f"{path}: read again it has other sections: {again.sections.tolist()} instead of "
            f"{kept.sections.tolist()}"
        )
    worst = float(same_frame_distances(kept, again).max())
    if worst > TOLERANCE_PX:
        raise OutputError(f"{path}: read again it is {worst:.3g} px off; don't use it")


# -- what a family can't hold -------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """What a conversion leaves behind, and how far points of the field move by it.

    names: what is lost, with its size. distances_px (n, m): per view and point, in the same frame.
    agreement: the same after the best rigid motion of the specimen.
    """

    names: tuple[str, ...]
    distances_px: Array
    agreement: Agreement

    @property
    def mean_px(self) -> float:
        """Mean reprojection error."""
        return float(self.distances_px.mean())

    @property
    def worst_px(self) -> float:
        """Largest reprojection error."""
        return float(self.distances_px.max())


def conversion_losses(alignment: Alignment, family: Family) -> Losses:
    """What of an alignment a family can't hold."""
    kept, names = held_by(alignment, family)
    return Losses(names, same_frame_distances(alignment, kept), alignment.compare(kept))


def held_by(alignment: Alignment, family: Family) -> tuple[Alignment, tuple[str, ...]]:
    """(the alignment as the family holds it, what it lost): CONVERSIONS 6."""
    names = []
    radius = float(np.hypot(*alignment.image_size)) / 2
    if family not in ("imod", "relion4"):
        magnified = np.abs(alignment.magnifications - 1).max()
        if magnified * radius > TOLERANCE_PX:
            names.append(f"magnification ({_span(alignment.magnifications, '.5f')})")
        if alignment.stretches.max() * radius > TOLERANCE_PX:
            names.append(f"stretch and skew (up to {alignment.stretches.max():.2g})")
        constant = None
        if family == "warp":
            constant = warp.constant_x_tilt(alignment)
        elif family == "aretomo":
            constant = 0.0
        rotations = alignment.rotations
        if constant is not None:
            axes, tilts, rest = view_angles(rotations @ rotation_x(-constant))
            rotations = view_rotation(axes, tilts, constant)
            if np.deg2rad(np.abs(rest).max()) * radius > TOLERANCE_PX:
                kind = "X tilt" if family == "aretomo" else "X tilt that differs between views"
                names.append(f"{kind} ({_span(alignment.x_tilts_degrees, '.3f')} degrees)")
        alignment = replace(alignment, projections=rotations[:, :2])
    moved = alignment.displacement
    if moved is not None and family != "warp":
        if moved.largest > TOLERANCE_PX * alignment.pixel_size:
            names.append(f"local motion (up to {moved.largest / alignment.pixel_size:.2f} px)")
        alignment = replace(alignment, displacement=None)
    return alignment, tuple(names)


def same_frame_distances(one: Alignment, other: Alignment) -> Array:
    """(n, m) px: how far apart two alignments see the points of the field, frame as it is.

    5 x 5 x 5 points over the field and the thickness.
    """
    field = np.asarray(one.image_size) * one.pixel_size
    points = box_points(np.array([*field, one.thickness_angstrom or USUAL_THICKNESS]), 5)
    return np.linalg.norm(one.project(points) - other.project(points), axis=-1) / one.pixel_size


def _span(values: Array, layout: str) -> str:
    low, high = format(values.min(), layout), format(values.max(), layout)
    return low if low == high else f"{low} to {high}"
