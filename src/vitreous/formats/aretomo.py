"""AreTomo (1, 2, 3): .aln and _TLT.txt <-> Alignment.

    # AreTomo Alignment / Priims bprmMn
    # RawSize = nx ny nz               (version 1.2 instead: `# views patches`)
    # NumPatches = n
    # DarkFrame = index section tilt   one line per removed image; old versions fewer numbers
    # AlphaOffset = a                  already part of TILT
    # BetaOffset = b                   recorded only
    # Thickness = t                    unbinned px
    # SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT
    # Local Alignment
    tilt patch X Y SX SY good

An aligned pixel, counted from the middle, is turned by +ROT, moved by (TX, TY) pixels and counted
from the raw image's middle (n - 1)/2; GMAG is always 1. The aligned width is rounded down to even
(x and y swap where the axis is nearer to x): an odd one puts the middle half a pixel lower. With
kernel '2' (AreTomo 1.3 to 2, AreTomo3 before 2.1.4) the specimen turns about the middle of the
aligned image, with kernel '3' (AreTomo3 from 2.1.4 on) half a pixel higher along the aligned x.
Turned by ROT and TILT, x tilt 0, in the `-FlipVol 1` volume, which is IMOD's after `clip rotx`:

    P = Rz(ROT) Ry(TILT)        s / pixel = T + middle - n // 2

SEC has had three meanings, told apart by which of them explains all rows and dark frames:
(a) AreTomo 1 and 2: section of the raw stack, from 0; (b) AreTomo3 to 2.0.6: row number, from 0;
the rows are the sections that are not the first number of a dark frame; (c) AreTomo3 from 2.0.7:
section, from 1.

Local rows: (X, Y) is where a patch lies in the raw image, from the middle and before T is added;
(SX, SY) its further shift; good 0 marks measurements that failed. Between patches the shift is
their mean with the weights exp(-100 (dx^2/nx^2 + dy^2/ny^2)).

_TLT.txt holds a line `tilt order dose` per section: order of acquisition from 1, e/A^2.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.content import read_text
from vitreous.formats.facts import NOTHING, Told, miscounted, settled
from vitreous.formats.families import AretomoKernel
from vitreous.formats.numbers import parse_columns, parse_number
from vitreous.formats.products import write_text
from vitreous.geometry.rotations import rotation_z, wrapped
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.displacement import Displacement
from vitreous.records.images import StackFacts

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Kernel = AretomoKernel

FIRST_LINE = "# AreTomo Alignment / Priims bprmMn"
COLUMN_HEAD = (
    "# SEC     ROT         GMAG       TX          TY      SMEAN     SFIT    SCALE     BASE     TILT"
)
COLUMNS = "SEC ROT GMAG TX TY SMEAN SFIT SCALE BASE TILT"
LOCAL_NODES = 65  # 4.5 a width of the weights: 0.02 px at worst in a real file of up to 120 px


@dataclass(frozen=True, slots=True, eq=False)
class Aln:
    """A .aln file as it stands, rows in the file's order.

    sections (n,): the column SEC; dark_frames: 1 to 3 numbers each; local (m, 7): tilt (row
    number from 0), patch, X, Y, SX, SY, good. raw_size (x, y, sections) px or None. remarks: lines
    of the head that say something to people; they aren't read.
    """

    sections: NDArray[np.intp]
    rotations: Array
    shifts: Array
    tilts: Array
    raw_size: tuple[int, int, int] | None = None
    dark_frames: tuple[tuple[float, ...], ...] = ()
    alpha_offset: float = 0.0
    beta_offset: float = 0.0
    thickness_px: float | None = None
    local: Array | None = None
    remarks: tuple[str, ...] = ()


# -- the files ----------------------------------------------------------------------------------


def read_aln(path: Path) -> Aln:
    """Read a .aln of any version."""
    return parse_aln(read_text(path), path)


def parse_aln(text: str, path: Path | None = None) -> Aln:
    """The same for text at hand."""
    rows: list[tuple[int, str]] = []
    local: list[tuple[int, str]] = []
    header: list[tuple[int, str]] = []
    in_local = False
    for number, line in enumerate(text.split("\n"), 1):
        if "#" in line:
            in_local = in_local or "Local Alignment" in line
            header.append((number, line.replace("#", " ").strip()))
        elif line.strip():
            (local if in_local else rows).append((number, line))
    if not rows:
        raise FormatError(f"no rows {COLUMNS}", path=path, line=text.count("\n") + 1)
    table = parse_columns(rows, 10, COLUMNS, path)
    keys = _header(header, path)
    return Aln(
        sections=_whole(table[:, 0], [i for i, _ in rows], "SEC", path),
        rotations=table[:, 1],
        shifts=table[:, 3:5],
        tilts=table[:, 9],
        raw_size=_raw_size(keys.get("RawSize"), path),
        dark_frames=tuple(frame for frame in keys.get("DarkFrame", []) if frame),
        alpha_offset=_number(keys, "AlphaOffset") or 0.0,
        beta_offset=_number(keys, "BetaOffset") or 0.0,
        thickness_px=_number(keys, "Thickness"),
        local=_local_rows(local, len(table), path),
    )


def _header(
    lines: Sequence[tuple[int, str]], path: Path | None
) -> dict[str, list[tuple[float, ...]]]:
    """Key -> the numbers of each of its lines."""
    found: dict[str, list[tuple[float, ...]]] = {}
    for number, line in lines:
        key, equals, value = line.partition("=")
        if not equals:
            continue
        name = "DarkFrame" if key.lower().replace(" ", "") == "darkframe" else key.strip()
        words = value.split() if name in KEYS else []
        numbers = tuple(parse_number(word, name, path, number) for word in words)
        if any(abs(value) > LARGEST for value in numbers):
            raise FormatError(f"{name}: {words} can't be", path=path, line=number)
        found.setdefault(name, []).append(numbers)
    return found


LARGEST = 1e6
KEYS = ("RawSize", "NumPatches", "DarkFrame", "AlphaOffset", "BetaOffset", "Thickness")


def _number(keys: dict[str, list[tuple[float, ...]]], name: str) -> float | None:
    numbers = keys.get(name, [()])[0]
    return numbers[0] if numbers else None


def _raw_size(
    found: list[tuple[float, ...]] | None, path: Path | None
) -> tuple[int, int, int] | None:
    if not found:
        return None
    if len(found[0]) != 3 or min(found[0]) < 1:
        raise FormatError("expected '# RawSize = nx ny nz'", path=path, line=2)
    x, y, z = found[0]
    return int(x), int(y), int(z)


def _local_rows(lines: list[tuple[int, str]], tilts: int, path: Path | None) -> Array | None:
    """(m, 7); files before 1.3 lack the last column."""
    if not lines:
        return None
    rows = parse_columns(lines, None, "local alignment: tilt patch X Y SX SY good", path)
    if rows.shape[1] not in (6, 7):
        raise FormatError(
            f"local alignment: expected 7 numbers (tilt patch X Y SX SY good), found "
            f"{rows.shape[1]}",
            path=path,
            line=lines[0][0],
        )
    for (number, _), tilt in zip(lines, rows[:, 0], strict=True):
        if not (0 <= tilt < tilts and tilt == int(tilt)):
            raise FormatError(
                f"local alignment of tilt {tilt:g}, but there are {tilts} rows (from 0)",
                path=path,
                line=number,
            )
    if rows.shape[1] == 6:
        rows = np.concatenate([rows, np.ones((len(rows), 1))], 1)
    return rows


def _whole(numbers: Array, lines: Sequence[int], what: str, path: Path | None) -> NDArray[np.intp]:
    for number, line in zip(numbers, lines, strict=True):
        if number != int(number) or not 0 <= number < LARGEST:
            raise FormatError(
                f"{what}: expected a whole number, found {number:g}", path=path, line=line
            )
    return numbers.astype(np.intp)


def write_aln(path: Path, aln: Aln) -> None:
    """Write a .aln with the decimals that 1e-3 px over a large image take."""
    head = [FIRST_LINE]
    if aln.raw_size:
        head += ["# RawSize = {} {} {}".format(*aln.raw_size)]
    patches = 0 if aln.local is None else int(aln.local[:, 1].max()) + 1
    head += [f"# NumPatches = {patches}"]
    head += ["# DarkFrame = {:5.0f} {:4.0f} {:8.2f}".format(*dark) for dark in aln.dark_frames]
    head += [f"# AlphaOffset = {aln.alpha_offset:12.7f}", f"# BetaOffset = {aln.beta_offset:8.2f}"]
    if aln.thickness_px is not None:
        head += [f"# Thickness = {aln.thickness_px:.0f}"]
    head += [f"# {remark}" for remark in aln.remarks]
    rows = [
        f"{section:5d} {rotation:13.7f} {1:10.5f} {tx:14.5f} {ty:14.5f} "
        f"{1:8.2f} {1:8.2f} {1:8.2f} {0:8.2f} {tilt:13.7f}"
        for section, rotation, (tx, ty), tilt in zip(
            aln.sections, aln.rotations + 0.0, aln.shifts + 0.0, aln.tilts + 0.0, strict=True
        )
    ]
    local = []
    if aln.local is not None:
        local = ["# Local Alignment"] + [
            "{:4.0f} {:3.0f} {:11.4f} {:11.4f} {:11.4f} {:11.4f} {:4.1f}".format(*row)
            for row in aln.local
        ]
    write_text(path, "\n".join([*head, COLUMN_HEAD, *rows, *local, ""]))


@dataclass(frozen=True, slots=True, eq=False)
class TiltList:
    """_TLT.txt: per section the tilt angle, order of acquisition (from 1) and dose (e/A^2)."""

    tilts: Array
    order: NDArray[np.intp] | None = None
    dose: Array | None = None


def read_tlt_txt(path: Path) -> TiltList:
    """Read 1, 2 or 3 columns."""
    lines = enumerate(read_text(path).split("\n"), 1)
    kept = [(i, line) for i, line in lines if line.strip() and "#" not in line]
    rows = parse_columns(kept, None, "tilt order dose", path)
    if rows.shape[1] > 3:
        raise FormatError(
            f"expected 'tilt order dose', found {rows.shape[1]} numbers",
            path=path,
            line=kept[0][0],
        )
    order = dose = None
    if rows.shape[1] > 1:
        order = _whole(rows[:, 1], [i for i, _ in kept], "order of acquisition", path)
    if rows.shape[1] > 2:
        dose = rows[:, 2]
    return TiltList(rows[:, 0], order, dose)


def write_tlt_txt(path: Path, tilts: TiltList) -> None:
    """Write as many columns as there are."""
    columns = [[f"{tilt:10.4f}" for tilt in tilts.tilts]]
    if tilts.order is not None:
        columns += [[f"{order:4d}" for order in tilts.order]]
    if tilts.order is not None and tilts.dose is not None:
        columns += [[f"{dose:10.4f}" for dose in tilts.dose]]
    lines = [" ".join(fields) for fields in zip(*columns, strict=True)]
    write_text(path, "\n".join([*lines, ""]))


# -- the geometry -------------------------------------------------------------------------------


def volume_centre(size: tuple[int, int, int], kernel: Kernel = "2") -> tuple[float, float, float]:
    """0-based voxel (x, y, z) of our origin in a `-FlipVol 1` volume of `size`."""
    x, y, z = size
    if kernel == "2":
        return (x - 1) / 2, (y - 1) / 2, (z - 1) / 2
    return x / 2, (y - 1) / 2, z / 2


def image_centres(rotations: Array, image_size: tuple[int, int], kernel: Kernel) -> Array:
    """(n, 2): where the specimen's origin lands for T = 0, px from our centre pixel n // 2."""
    size = np.asarray(image_size)
    along = np.zeros((len(rotations), 3))
    along[:, 0] = (0.5 if kernel == "3" else 0.0) - (_aligned_widths(rotations, image_size) % 2) / 2
    turned = np.einsum("nij,nj->ni", rotation_z(rotations), along)[:, :2]
    return (size - 1) / 2 - size // 2 + turned


def _aligned_widths(rotations: Array, image_size: tuple[int, int]) -> NDArray[np.intp]:
    """Width of the aligned image: x and y swap where the axis lies nearer to x."""
    swapped = np.abs(np.sin(rotations * 3.14 / 180)) > 0.707  # the numbers of its source
    return np.where(swapped, image_size[1], image_size[0])


def to_alignment(
    aln: Aln, sections: NDArray[np.intp], facts: StackFacts, kernel: Kernel = "2"
) -> Alignment:
    """AreTomo's numbers -> our maps; sections (n,): the stack's, 0-based, of the rows."""
    order = np.argsort(sections)
    middle = image_centres(aln.rotations, facts.image_size, kernel)
    alignment = alignment_from_angles(
        axes_degrees=aln.rotations[order],
        tilts_degrees=aln.tilts[order],
        shifts=((aln.shifts + middle) * facts.pixel_size)[order],
        sections=sections[order],
        section_count=facts.sections,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
        tilt_offset_degrees=aln.alpha_offset,
        thickness_angstrom=aln.thickness_px and aln.thickness_px * facts.pixel_size,
    )
    if aln.local is None:
        return alignment
    return replace(alignment, displacement=_displacement(aln, facts).chosen(order))


def from_alignment(
    alignment: Alignment, kernel: Kernel = "2", tilts_of_all: Array | None = None
) -> Aln:
    """Our maps -> AreTomo's numbers, SEC in the newest meaning (c), rows by tilt.

    X tilts, magnification, stretch and local motion have no place and are left. tilts_of_all: an
    angle for every section of the stack, for the dark frames; without it they are interpolated.
    """
    rotations, tilts = alignment.axes_degrees, alignment.tilts_degrees
    middle = image_centres(rotations, alignment.image_size, kernel)
    if tilts_of_all is None:
        every = np.arange(alignment.section_count)
        tilts_of_all = np.interp(every, alignment.sections, tilts)
    tilts_of_all = tilts_of_all.copy()
    tilts_of_all[alignment.sections] = tilts
    rank = np.argsort(np.argsort(tilts_of_all, kind="stable"))
    dark = [(float(rank[i]), float(i + 1), float(tilts_of_all[i])) for i in alignment.left_out]
    order = np.argsort(tilts, kind="stable")
    thickness = alignment.thickness_angstrom
    return Aln(
        sections=alignment.sections[order] + 1,
        rotations=rotations[order],
        shifts=(alignment.shifts_px - middle)[order],
        tilts=tilts[order],
        raw_size=(*alignment.image_size, alignment.section_count),
        dark_frames=tuple(sorted(dark)),
        alpha_offset=alignment.tilt_offset_degrees,
        thickness_px=thickness and thickness / alignment.pixel_size,
    )


def with_other_hand(aln: Aln, kernel: Kernel = "2") -> Aln:
    """The same images of the mirror image: the axis turned by 180 degrees.

    Shifts make up for where the kernel has its middle, so that no image moves against the others.
    """
    if aln.raw_size is None:
        raise UserError("an .aln without '# RawSize' can't be turned to the other hand")
    size = aln.raw_size[:2]
    turned = wrapped(aln.rotations + 180)
    moved = image_centres(aln.rotations, size, kernel) - image_centres(turned, size, kernel)
    local = aln.local
    if local is not None:
        local = local.copy()
        local[:, 2:4] -= moved[local[:, 0].astype(int)]
    return replace(aln, rotations=turned, shifts=aln.shifts + moved, local=local)


def sections_of(aln: Aln, section_count: int, path: Path | None = None) -> NDArray[np.intp]:
    """The 0-based section of the raw stack for each row: which meaning SEC has in this file."""
    found = aln.sections
    dark = np.array([frame[min(1, len(frame) - 1)] for frame in aln.dark_frames], np.intp)
    listed = np.sort(np.concatenate([found, dark]))
    every = np.arange(section_count)
    rows = np.arange(len(found))
    if len(set(found.tolist())) != len(found):
        raise FormatError("a section occurs twice in the column SEC", path=path)
    if np.array_equal(listed, every):  # (a)
        return found
    if np.array_equal(listed, every + 1):  # (c)
        return found - 1
    if len(dark) and np.array_equal(np.sort(found), rows):  # (b)
        removed = [int(frame[0]) for frame in aln.dark_frames]
        kept = np.setdiff1d(every, removed)
        if len(kept) == len(found):
            return kept[found]
    if len(listed) == len(set(listed.tolist())) < section_count:
        # Rows that somebody took out: the base is certain only where an end is there.
        if listed[0] == 0:
            return found
        if listed[-1] == section_count:
            return found - 1
    raise FormatError(
        f"the column SEC ({found.min()} to {found.max()}, {len(found)} rows, {len(dark)} dark "
        f"frames) doesn't fit a stack of {section_count} sections",
        path=path,
        hint="Give the stack that was aligned.",
    )


def _displacement(aln: Aln, facts: StackFacts) -> Displacement:
    """The local rows sampled on a grid of nodes over the image, one field a row of the .aln."""
    assert aln.local is not None
    size = np.asarray(facts.image_size)
    edges = [np.linspace(-0.5, 0.5, LOCAL_NODES) * n for n in size]
    nodes = np.stack(np.meshgrid(*edges), -1).reshape(-1, 2)  # y slow, x fast; px from n // 2
    values = np.zeros((len(aln.tilts), 2, LOCAL_NODES, LOCAL_NODES))
    middle = (size - 1) / 2 - size // 2
    good = aln.local[aln.local[:, 6] > 0.5]
    for row in range(len(values)):
        patches = good[good[:, 0] == row]
        if len(patches):
            moved = local_shift(nodes - aln.shifts[row] - middle, patches, facts.image_size)
            values[row] = moved.T.reshape(2, LOCAL_NODES, LOCAL_NODES)
    span = size * facts.pixel_size
    return Displacement(values * facts.pixel_size, (float(span[0]), float(span[1])))


def local_shift(points: Array, patches: Array, image_size: tuple[int, int]) -> Array:
    """AreTomo's rule: shifts (m, 2) px at points (m, 2) px from the middle, T taken off.

    patches (p, 7): the good local rows of one tilt.
    """
    apart = (points[:, None] - patches[:, 2:4]) / np.asarray(image_size)
    exponent = -100 * (apart**2).sum(-1)
    weights = np.exp(exponent - exponent.max(1, keepdims=True))  # far from all: the nearest
    return (weights @ patches[:, 4:6]) / weights.sum(1, keepdims=True)


# -- alignments on disk -------------------------------------------------------------------------


def read(path: Path, told: Told = NOTHING, *, kernel: Kernel | None = None) -> Alignment:
    """Read a .aln; which kernel its volumes belong to the file doesn't say."""
    aln = read_aln(path)
    if kernel is None:
        kernel = "2"
        log.info("%s: taken as of AreTomo 1, 2 or AreTomo3 before 2.1.4 (kernel 2)", path)
    if aln.raw_size:
        *image_size, sections = aln.raw_size
        facts = settled(path, told, sections=sections, image_size=(image_size[0], image_size[1]))
    else:
        facts = settled(path, told, sections=told.sections or len(aln.sections))
    if len(aln.sections) > facts.sections:
        raise miscounted(path, len(aln.sections), facts.sections)
    return to_alignment(aln, sections_of(aln, facts.sections, path), facts, kernel)


def write(
    alignment: Alignment,
    path: Path,
    *,
    kernel: Kernel | None = None,
    tilts_of_all: Array | None = None,
    remarks: Sequence[str] = (),
) -> list[Path]:
    """Write a .aln."""
    aln = from_alignment(alignment, kernel or "2", tilts_of_all)
    write_aln(path, replace(aln, remarks=tuple(remarks)))
    return [path]
