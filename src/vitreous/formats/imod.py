"""IMOD: .xf, .tlt, .rawtlt, .xtilt <-> Alignment.

A .xf has a line `A11 A12 A21 A22 DX DY` (4f12.7, 2f12.3; read in any layout) for each view. It
takes a raw to an aligned position, q - (na - 1)/2 = A (p - (n - 1)/2) + d, in 0-based pixels about
the middle of each image. In the aligned image the tilt axis is vertical; with the tilt angle
t = tlt + OFFSET and the X tilt a = xtilt - XAXISTILT the specimen is seen as Ry(t) Rx(a) (after
`clip rotx`, z upwards). The second number of OFFSET moves the axis in x. So

    P = A^-1 (Ry(t) Rx(a))_xy        s / pixel = A^-1 (axis offset - d) + (n - 1)/2 - n // 2

.tlt, .rawtlt and .xtilt hold one angle a line, degrees. All files have a line for every section
of the stack; for views that are left out a neighbour's stands in. Which they are and how thick the
specimen is (IMOD keeps that in tilt.com, EXCLUDELIST2 and THICKNESS) we write beside it into
NAME_tilts.txt and read back from there.

Local alignments (NAMElocal.xf: a first line of 7 to 9 numbers) come later.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.content import read_text
from vitreous.formats.facts import NOTHING, Told, miscounted, settled
from vitreous.formats.numbers import parse_columns
from vitreous.formats.products import write_text
from vitreous.geometry.rotations import rotation_x, rotation_y
from vitreous.records.alignment import Alignment
from vitreous.records.images import StackFacts

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

XF_WIDTHS = (12, 12, 12, 12, 12, 12)
TILT_MAP = "_tilts.txt"
MOST_ANGLE_COLUMNS = 3  # AreTomo's angle files: tilt, order, dose


# -- the files ----------------------------------------------------------------------------------


def is_local_xf(text: str) -> bool:
    """Does a text begin like a local alignment: grid counts, grid, flags, pixel size?"""
    words = text.lstrip().split("\n", 1)[0].split()
    return 7 <= len(words) <= 9 and words[0].isdigit() and words[1].isdigit()


def read_xf(path: Path) -> Array:
    """The transforms as they stand, (n, 2, 3): matrix and shift in pixels."""
    text = read_text(path)
    if is_local_xf(text):
        raise UnknownFormatError(
            "local alignments are not read yet",
            path=path,
            hint="Give the global alignment, NAME.xf, instead.",
        )
    rows = parse_columns(_lines(text), 6, "transform A11 A12 A21 A22 DX DY", path, XF_WIDTHS)
    return np.concatenate([rows[:, :4].reshape(-1, 2, 2), rows[:, 4:, None]], -1)


def write_xf(path: Path, transforms: Array) -> None:
    """Write (n, 2, 3) transforms, with the decimals that 1e-3 px over a large image take."""
    layout = "{:14.10f} {:14.10f} {:14.10f} {:14.10f} {:13.6f} {:13.6f}"
    lines = [layout.format(*t[:, :2].ravel(), *t[:, 2]) for t in transforms + 0.0]
    write_text(path, "\n".join([*lines, ""]))


def read_angles(path: Path) -> Array:
    """.tlt, .rawtlt, .xtilt: (n,) degrees; of more columns (order, dose) the first."""
    return _angles(_lines(read_text(path)), path)


def _angles(lines: list[tuple[int, str]], path: Path | None = None) -> Array:
    rows = parse_columns(lines, None, "tilt angle", path)
    if rows.shape[1] > MOST_ANGLE_COLUMNS:
        raise FormatError(
            f"expected one tilt angle a line, found {rows.shape[1]} numbers",
            path=path,
            line=lines[0][0] if lines else 1,
        )
    return rows[:, 0]


def write_angles(path: Path, degrees: Array) -> None:
    """Write one angle a line."""
    write_text(path, "".join(f"{angle:13.7f}\n" for angle in degrees + 0.0))


def _lines(text: str) -> list[tuple[int, str]]:
    """The lines that say something, with their numbers."""
    return [(i, line) for i, line in enumerate(text.split("\n"), 1) if line.strip()]


@dataclass(frozen=True, slots=True, eq=False)
class TiltMap:
    """NAME_tilts.txt: what an alignment says besides, and the files of IMOD don't.

    used (n,) per section of the stack; tilt_offset_degrees: the constant part of the tilt angles.
    """

    used: NDArray[np.bool_]
    tilt_offset_degrees: float
    thickness_angstrom: float | None = None


def read_tilt_map(path: Path) -> TiltMap:
    """Read what `write_tilt_map` writes."""
    lines = _lines(read_text(path))
    offset, thickness = 0.0, None
    for number, line in lines:
        if line.startswith("# offset"):
            offset = float(parse_columns([(number, line[8:])], 1, "offset", path)[0, 0])
        elif line.startswith("# thickness"):
            thickness = float(parse_columns([(number, line[11:])], 1, "thickness", path)[0, 0])
    rows = parse_columns([(i, t) for i, t in lines if t[0] != "#"], 2, "section, used", path)
    if not np.array_equal(rows[:, 0], np.arange(1, len(rows) + 1)):
        raise FormatError("expected the sections 1, 2, 3, ...", path=path, line=lines[0][0])
    return TiltMap(rows[:, 1] != 0, offset, thickness)


def write_tilt_map(path: Path, tilt_map: TiltMap) -> None:
    """Write the used sections, and the left-out ones as IMOD's tilt takes them."""
    left_out = [str(i) for i, used in enumerate(tilt_map.used, 1) if not used]
    head = ["# section of the stack (from 1), used (1) or left out (0)"]
    head += [f"# EXCLUDELIST2 {','.join(left_out)}"] if left_out else []
    head += ["# constant angle that is part of the tilt angles:"]
    head += [f"# offset {tilt_map.tilt_offset_degrees:.7f}"]
    if tilt_map.thickness_angstrom is not None:
        head += ["# angstrom, of a tomogram that holds the specimen:"]
        head += [f"# thickness {tilt_map.thickness_angstrom:.1f}"]
    rows = [f"{i:4d} {int(used)}" for i, used in enumerate(tilt_map.used, 1)]
    write_text(path, "\n".join([*head, *rows, ""]))


def beside(path: Path, ending: str) -> Path:
    """NAME.xf or NAME.xf.gz -> NAME + ending."""
    name = path.name.removesuffix(".gz").removesuffix(".bz2")
    return path.with_name(name.removesuffix(".xf") + ending)


# -- the geometry -------------------------------------------------------------------------------


def volume_centre(
    size: tuple[int, int, int], shift: tuple[float, float] = (0.0, 0.0), axis_offset: float = 0.0
) -> tuple[float, float, float]:
    """0-based voxel (x, y, z) of our origin in tilt's volume of `size`, turned by `clip rotx`.

    shift: SHIFT x and z; axis_offset: second number of OFFSET; all in voxels. y counts over all
    rows of the aligned stack. An odd width or thickness puts it half a voxel beside the middle.
    """
    width, rows, thickness = size
    depth = thickness // 2 - 0.5 + shift[1]
    return width // 2 - 0.5 + shift[0] + axis_offset, (rows - 1) / 2, thickness - 1 - depth


def to_alignment(
    transforms: Array,
    tilts_degrees: Array,
    facts: StackFacts,
    *,
    sections: NDArray[np.intp] | None = None,
    x_tilts_degrees: Array | float = 0.0,
    tilt_offset_degrees: float = 0.0,
    axis_offset_px: float = 0.0,
) -> Alignment:
    """IMOD's numbers -> our maps.

    transforms (n, 2, 3) of the used views, tilts_degrees (n,) as in .tlt; OFFSET and XAXISTILT
    are the caller's to give (`tilt_offset_degrees` is added, x_tilts are what remains).
    """
    tilts = tilts_degrees + tilt_offset_degrees
    specimen = rotation_y(tilts) @ rotation_x(np.broadcast_to(x_tilts_degrees, tilts.shape))
    back = np.linalg.inv(transforms[:, :, :2])
    aligned = np.array([axis_offset_px, 0.0]) - transforms[:, :, 2]
    shifts = np.einsum("nij,nj->ni", back, aligned) + _middle(facts.image_size)
    return Alignment(
        projections=back @ specimen[:, :2],
        shifts=shifts * facts.pixel_size,
        sections=np.arange(facts.sections) if sections is None else sections,
        section_count=facts.sections,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
        tilt_offset_degrees=tilt_offset_degrees,
    )


def from_alignment(alignment: Alignment) -> tuple[Array, Array, Array]:
    """Our maps -> transforms (n, 2, 3), tilt angles in all (n,), X tilts (n,) of the used views.

    Exact for any map: the tilts give the plane that its rows span, the transform the rest.
    """
    tilts, x_tilts = alignment.tilts_degrees, alignment.x_tilts_degrees
    plane = (rotation_y(tilts) @ rotation_x(x_tilts))[:, :2]
    forward = np.linalg.inv(alignment.projections @ plane.swapaxes(1, 2))
    raw = alignment.shifts_px - _middle(alignment.image_size)
    shift = -np.einsum("nij,nj->ni", forward, raw)
    return np.concatenate([forward, shift[..., None]], -1), tilts, x_tilts


def _middle(image_size: tuple[int, int]) -> Array:
    """From our centre pixel n // 2 to IMOD's (n - 1)/2, px."""
    size = np.asarray(image_size)
    return (size - 1) / 2 - size // 2


# -- alignments on disk -------------------------------------------------------------------------


def read(
    path: Path,
    told: Told = NOTHING,
    *,
    angles: Path | None = None,
    x_tilts: Path | None = None,
    left_out: Collection[int] = (),
    tilt_offset_degrees: float = 0.0,
    x_axis_tilt_degrees: float = 0.0,
    axis_offset_px: float = 0.0,
) -> Alignment:
    """Read NAME.xf with its angles: NAME.tlt, NAME.xtilt and NAME_tilts.txt, where they are.

    left_out: 0-based sections that are not used; the files have lines for all sections, or for
    the used ones only. The rest is what tilt.com says: OFFSET, XAXISTILT.
    """
    transforms = read_xf(path)
    _require_invertible(path, transforms)
    angles = angles or _angles_beside(path)
    tilts = read_angles(angles)
    _require_same_count(path, len(transforms), angles, len(tilts))
    x_tilts = x_tilts or _existing(beside(path, ".xtilt"))
    turned = read_angles(x_tilts) if x_tilts else np.zeros(len(tilts))
    _require_same_count(path, len(transforms), x_tilts or path, len(turned))

    kept = _existing(beside(path, TILT_MAP))
    tilt_map = read_tilt_map(kept) if kept else TiltMap(np.ones(len(tilts), bool), 0.0)
    if kept and len(tilts) not in (len(tilt_map.used), tilt_map.used.sum()):
        raise miscounted(path, len(tilts), len(tilt_map.used), said_by=str(kept))
    left_out = {*left_out, *np.flatnonzero(~tilt_map.used).tolist()}
    total = len(tilt_map.used) if kept else told.sections
    lines, facts, sections = _used_lines(path, len(tilts), total, told, left_out)
    alignment = to_alignment(
        transforms[lines],
        tilts[lines] - tilt_map.tilt_offset_degrees,
        facts,
        sections=sections,
        x_tilts_degrees=turned[lines] - x_axis_tilt_degrees,
        tilt_offset_degrees=tilt_offset_degrees + tilt_map.tilt_offset_degrees,
        axis_offset_px=axis_offset_px,
    )
    return replace(alignment, thickness_angstrom=tilt_map.thickness_angstrom)


def read_aligned(path: Path, told: Told = NOTHING, *, left_out: Collection[int] = ()) -> Alignment:
    """The angles (a .tlt) of a stack that is aligned already: upright axis, no shifts."""
    log.warning("%s: angles only; the stack is taken as aligned, its axis upright", path)
    tilts = read_angles(path)
    lines, facts, sections = _used_lines(path, len(tilts), told.sections, told, left_out)
    transforms = np.broadcast_to(np.eye(2, 3), (len(lines), 2, 3))
    return to_alignment(transforms, tilts[lines], facts, sections=sections)


def write(alignment: Alignment, path: Path) -> list[Path]:
    """Write NAME.xf, NAME.tlt, NAME.xtilt and NAME_tilts.txt: a line for every section.

    A left-out section repeats the nearest used one, as tiltalign does.
    """
    transforms, tilts, x_tilts = from_alignment(alignment)
    every = np.arange(alignment.section_count)
    nearest = np.abs(every[:, None] - alignment.sections).argmin(1)
    used = np.isin(every, alignment.sections)
    written = [path, *(beside(path, end) for end in (".tlt", ".xtilt", TILT_MAP))]
    write_xf(written[0], transforms[nearest])
    write_angles(written[1], tilts[nearest])
    write_angles(written[2], x_tilts[nearest])
    write_tilt_map(
        written[3], TiltMap(used, alignment.tilt_offset_degrees, alignment.thickness_angstrom)
    )
    return written


def _angles_beside(path: Path) -> Path:
    for ending in (".tlt", ".rawtlt"):
        if found := _existing(beside(path, ending)):
            if ending == ".rawtlt":
                log.warning(
                    "%s: no .tlt beside it, the nominal angles of %s are taken", path, found
                )
            return found
    raise UserError(
        f"{path} has no tilt angles: there is no {beside(path, '.tlt').name} beside it. "
        "Give the file of angles (--angles)."
    )


def _existing(path: Path) -> Path | None:
    return path if path.is_file() else None


def _require_same_count(path: Path, views: int, other: Path, lines: int) -> None:
    if views != lines:
        raise UserError(
            f"{path} has {views} views, but {other} has {lines}. They must be of the same stack, "
            "with a line for each of its images."
        )


def _require_invertible(path: Path, transforms: Array) -> None:
    size = np.linalg.det(transforms[:, :, :2])
    for view in np.flatnonzero(np.abs(size) < 1e-6):
        raise FormatError(f"the transform of view {view + 1} flattens the image", path=path)


def _used_lines(
    path: Path, count: int, total: int | None, told: Told, left_out: Collection[int]
) -> tuple[NDArray[np.intp], StackFacts, NDArray[np.intp]]:
    """Which lines are of used views, the facts of the stack, and the lines' sections."""
    excluded = sorted(set(left_out))
    of_used_only = bool(excluded) and total == count + len(excluded)
    facts = settled(path, told, sections=total if of_used_only else count)
    if excluded and not 0 <= excluded[0] <= excluded[-1] < facts.sections:
        raise UserError(
            f"{path}: tilt {excluded[-1] + 1} can't be left out, there are 1 to {facts.sections}"
        )
    sections = np.setdiff1d(np.arange(facts.sections), excluded)
    if not len(sections):
        raise UserError(f"{path}: no tilt is left")
    return (np.arange(count) if of_used_only else sections), facts, sections
