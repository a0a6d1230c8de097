"""RELION 5 and 4: the alignment in tomogram sets <-> Alignment.

RELION 5, per tilt rlnTomoXTilt, YTilt, ZRot (degrees), rlnTomoXShiftAngst, YShiftAngst. From the
integer centres n // 2 of image and tomogram (unbinned rlnTomoSizeX, Y, Z)

    P = Rz(ZRot) Ry(YTilt) Rx(XTilt)        s = (XShiftAngst, YShiftAngst)

RELION 4, per tilt the rows rlnTomoProjX, Y, Z, W = [0,0,0,1] of a matrix M that takes unbinned
voxel coordinates, from 1, to 0-based pixels. Any affine map goes. Voxel size // 2 is our origin:

    P = M_xy        s / pixel = t + P (size // 2 + 1) - n // 2

RELION 5 reads such columns too and takes them in preference, then with coordinates from 0. Its
third row, the height, is not needed: we complete P to a right-handed rotation; a set imported with
`--flipYZ` alone has the opposite one, for its volume is the mirror image.

Where the files lie, names and other columns: `relion_sets`.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.facts import NOTHING, PartialFacts, Told, settled
from vitreous.formats.relion_sets import (
    SECTION,
    Tomogram,
    kept_rows,
    read_tomogram,
    row_of,
    rows_of,
    sections_of,
    table_of_tilts,
    write_set,
)
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.images import StackFacts
from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

ANGLES = ("rlnTomoXTilt", "rlnTomoYTilt", "rlnTomoZRot")
SHIFTS = ("rlnTomoXShiftAngst", "rlnTomoYShiftAngst")
MATRIX = ("rlnTomoProjX", "rlnTomoProjY", "rlnTomoProjZ", "rlnTomoProjW")
USUAL_THICKNESS = 3000.0  # angstrom, where nobody says one


def volume_centre(size: tuple[int, int, int]) -> tuple[float, float, float]:
    """0-based voxel (x, y, z) of our origin in a tomogram of `size`, of either version."""
    x, y, z = size
    return float(x // 2), float(y // 2), float(z // 2)


# -- RELION 5 -----------------------------------------------------------------------------------


def angles_to_alignment(
    angles: Array, shifts: Array, facts: StackFacts, sections: NDArray[np.intp]
) -> Alignment:
    """angles (n, 3): XTilt, YTilt, ZRot in degrees; shifts (n, 2) in angstrom."""
    order = np.argsort(sections)
    x_tilts, tilts, axes = angles[order].T
    return alignment_from_angles(
        axes_degrees=axes,
        tilts_degrees=tilts,
        x_tilts_degrees=x_tilts,
        shifts=shifts[order],
        sections=sections[order],
        section_count=facts.sections,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
    )


def tilt_scales(
    alignment: Alignment, sections: NDArray[np.intp], offset_degrees: float = 0.0
) -> Array:
    """cos(YTilt + offset) of the given sections: RELION 5's rlnCtfScalefactor where it isn't."""
    rows = np.searchsorted(alignment.sections, sections)
    return np.asarray(np.cos(np.deg2rad(alignment.tilts_degrees[rows] + offset_degrees)))


def alignment_to_angles(alignment: Alignment) -> tuple[Array, Array]:
    """Our maps -> angles (n, 3), shifts (n, 2) in angstrom.

    Magnification, stretch and local motion have no place and are left.
    """
    angles = (alignment.x_tilts_degrees, alignment.tilts_degrees, alignment.axes_degrees)
    return np.stack(angles, -1), alignment.shifts


# -- RELION 4 -----------------------------------------------------------------------------------


def matrices_to_alignment(
    matrices: Array,
    size: tuple[int, int, int],
    facts: StackFacts,
    sections: NDArray[np.intp],
    first_voxel: int = 1,
) -> Alignment:
    """matrices (n, 3, 4): rows X, Y, Z; size (x, y, z) of the tomogram, unbinned.

    first_voxel: the coordinate of voxel 0, 1 in RELION 4's sets, 0 in RELION 5's.
    """
    order = np.argsort(sections)
    matrices = matrices[order]
    projections = matrices[:, :2, :3]
    centre = np.array(volume_centre(size)) + first_voxel
    shifts = matrices[:, :2, 3] + projections @ centre - np.asarray(facts.image_size) // 2
    return Alignment(
        projections=projections,
        shifts=shifts * facts.pixel_size,
        sections=sections[order],
        section_count=facts.sections,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
    )


def alignment_to_matrices(
    alignment: Alignment, size: tuple[int, int, int], first_voxel: int = 1
) -> Array:
    """Our maps -> matrices (n, 4, 4) in voxel coordinates of a tomogram of `size`."""
    matrices = np.zeros((len(alignment), 4, 4))
    matrices[:, 3, 3] = 1
    matrices[:, :2, :3] = alignment.projections
    matrices[:, 2, :3] = alignment.rotations[:, 2]
    matrices[:, :2, 3] = alignment.shifts_px + np.asarray(alignment.image_size) // 2
    matrices[:, :3, 3] -= matrices[:, :3, :3] @ (np.array(volume_centre(size)) + first_voxel)
    return matrices


# -- alignments on disk -------------------------------------------------------------------------


def read(path: Path, told: Told = NOTHING, *, tomogram: str | None = None) -> Alignment:
    """Read one tomogram's alignment of a set (of either version), or of a series' own table."""
    return alignment_of(read_tomogram(path, tomogram), path, told)


def alignment_of(
    found: Tomogram, path: Path, told: Told = NOTHING, *, directions_only: bool = False
) -> Alignment:
    """The alignment of a tomogram that was read from the set `path`.

    directions_only: a set of particle stacks will do, which has no shifts.
    """
    if not directions_only:
        require_images(found)
    sections, total = sections_of(found.tilts, told, path)
    facts = settled(path, told, sections=total, pixel_size=found.pixel_size)
    if is_by_matrix(found):
        alignment = _read_matrices(found, facts, sections)
    else:
        alignment = _read_angles(found, facts, sections)
    if found.size is None:
        return alignment
    return replace(alignment, thickness_angstrom=found.size[2] * facts.pixel_size)


def is_by_matrix(found: Tomogram) -> bool:
    """Whether a tomogram's views are matrices of the voxels of its size."""
    return all(label in found.tilts for label in MATRIX[:3]) and found.size is not None


def require_images(found: Tomogram) -> None:
    """Raise a `UserError` where the views aren't those of images but of boxes cut out of them."""
    if is_by_matrix(found):
        matrices = np.stack([found.tilts.vectors(label, 4) for label in MATRIX[:2]], 1)
        of_boxes = not matrices[:, :, 3].any()
    else:
        has_angles = all(label in found.tilts for label in ANGLES)
        of_boxes = has_angles and not all(label in found.tilts for label in SHIFTS)
    if of_boxes:
        raise UserError(
            f"{found.path}: {found.name} has directions but no shifts: it describes particle "
            "stacks (WarpTools ts_export_particles), not the images. Give the alignment that Warp "
            "used."
        )


def _read_angles(found: Tomogram, facts: StackFacts, sections: NDArray[np.intp]) -> Alignment:
    table = found.tilts
    if not all(label in table for label in ANGLES):
        raise UserError(f"{found.path}: {found.name} isn't aligned, it has no {' '.join(ANGLES)}")
    angles = np.stack([table.numbers(label) for label in ANGLES], -1)
    has_shifts = all(label in table for label in SHIFTS)
    shifts = np.zeros((len(table), 2))
    if has_shifts:
        shifts = np.stack([table.numbers(label) for label in SHIFTS], -1)
    return angles_to_alignment(angles, shifts, facts, sections)


def _read_matrices(found: Tomogram, facts: StackFacts, sections: NDArray[np.intp]) -> Alignment:
    assert found.size is not None
    matrices = np.stack([found.tilts.vectors(label, 4) for label in MATRIX[:3]], 1)
    hand = np.linalg.det(matrices[:, :, :3])
    if (hand < 0).all():
        log.warning(
            "%s: %s was imported without --flipZ: its volumes are mirror images, the images' "
            "positions are right",
            found.path,
            found.name,
        )
    first_voxel = 1 if found.in_one_file else 0
    return matrices_to_alignment(matrices, found.size, facts, sections, first_voxel)


def write(
    alignment: Alignment,
    path: Path,
    *,
    version: Literal[4, 5] = 5,
    name: str | None = None,
    series: TiltSeries | None = None,
    stack: Path | None = None,
    source: Path | None = None,
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Write a set of one tomogram, named `name` (else the series', else the file's).

    series, or `source`, a set with the tomogram `name`: where nominal angles, pre-exposure and all
    other columns come from. Left-out sections get no row. A RELION-4 set needs a tomogram size:
    the field of view as the axis turns it, and the alignment's thickness (else 3000 A).
    """
    sections = alignment.sections.tolist()
    if source is not None:
        told = PartialFacts(sections=alignment.section_count)
        name, rows, overview = kept_rows(source, name, told, sections)
    else:
        name = name or (series.name if series else path.stem)
        rows, overview = rows_of(series, sections), row_of(series, name)
    for row, section in zip(rows, alignment.sections, strict=True):
        row[SECTION] = f"{section + 1}/{alignment.section_count}"
        if stack is not None:
            row["rlnMicrographName"] = _image_name(stack, int(section))
        for label in (*ANGLES, *SHIFTS, *MATRIX):
            row.pop(label, None)
    overview["rlnTomoTiltSeriesPixelSize"] = f"{alignment.pixel_size:.8g}"
    size = tomogram_size(alignment)
    if version == 4 or alignment.thickness_angstrom is not None:
        overview |= {f"rlnTomoSize{axis}": str(n) for axis, n in zip("XYZ", size, strict=True)}
    if version == 4:
        _add_matrices(rows, alignment, size)
        overview.pop("rlnTomoTiltSeriesStarFile", None)
        overview.setdefault("rlnTomoTiltSeriesName", str(stack or f"{name}.mrc"))
        overview["rlnTomoFrameCount"] = str(len(alignment))
        if alignment.left_out:
            log.warning(
                "%s: RELION 4 takes row k for section k: give it a stack without the %d left-out "
                "sections",
                path,
                len(alignment.left_out),
            )
    else:
        _add_angles(rows, alignment)
    tilts = table_of_tilts(name, rows)
    return write_set(path, Tomogram(name, tilts, overview, version == 4, path), remarks)


def _add_angles(rows: list[dict[str, str]], alignment: Alignment) -> None:
    angles, shifts = alignment_to_angles(alignment)
    for row, degrees, angstrom in zip(rows, angles + 0.0, shifts + 0.0, strict=True):
        row |= {label: f"{value:.7f}" for label, value in zip(ANGLES, degrees, strict=True)}
        row |= {label: f"{value:.5f}" for label, value in zip(SHIFTS, angstrom, strict=True)}


def _add_matrices(
    rows: list[dict[str, str]], alignment: Alignment, size: tuple[int, int, int]
) -> None:
    for row, matrix in zip(rows, alignment_to_matrices(alignment, size) + 0.0, strict=True):
        for label, numbers in zip(MATRIX, matrix, strict=True):
            row[label] = f"[{','.join(f'{number:.12g}' for number in numbers)}]"


def _image_name(stack: Path, section: int) -> str:
    """RELION's name of one image of a stack."""
    return f"{section + 1:06d}@{stack}{'' if stack.suffix == '.mrcs' else ':mrcs'}"


def tomogram_size(alignment: Alignment) -> tuple[int, int, int]:
    """(x, y, z) in unbinned pixels, even: the field of view, swapped where the axis lies."""
    x, y = alignment.image_size
    axis = np.deg2rad(np.median(alignment.axes_degrees))
    if abs(np.sin(axis)) > np.sqrt(0.5):
        x, y = y, x
    thickness = alignment.thickness_angstrom or USUAL_THICKNESS
    return x // 2 * 2, y // 2 * 2, round(thickness / alignment.pixel_size / 2) * 2
