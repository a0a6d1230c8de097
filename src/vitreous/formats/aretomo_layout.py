"""What AreTomo leaves beside volume and .aln: NAME_Imod, the table of all series, the log.

NAME_Imod (-OutImod 1 the raw series, 2 without dark tilts and by angle, 3 aligned):

    NAME_st.tlt .xf .xtilt     a line for every section of 1, for every row of the .aln of 2 and 3
    NAME_st_order_list.csv     ImageNumber, TiltAngle in order of acquisition, from 1
    newst.com, tilt.com        how IMOD makes the aligned stack, and the volume of it

TiltSeries_Metrics.csv has a line for each series; what isn't known is nan. NAME_AT_GL.csv, which
has blanks and no head, has `row acq tilt pix dose axis tx ty` of each used image, NAME_MC_GL.csv
`frame acq tilt pix sx sy` of each frame: the shift (px) that was applied to it, from the first on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitreous.errors import FormatError
from vitreous.formats import imod
from vitreous.formats.aretomo import Aln, TiltList
from vitreous.formats.content import read_text
from vitreous.formats.ctf_tables import INVERTED
from vitreous.formats.numbers import parse_columns
from vitreous.formats.products import write_text
from vitreous.records.alignment import Alignment
from vitreous.records.tilt_series import TiltSeries

METRICS = (
    "Tilt_Series,Thickness(Pix),Tilt_Axis,Global_Shift(Pix),Bad_Patch_Low,Bad_Patch_All,"
    "Defocus(A),ExtPhase(Deg),CTF_Res(A),CTF_Score,DF_Hand,Pix_Size(A),Cs(nm),Kv,Alpha0,Beta0"
)


@dataclass(frozen=True, slots=True)
class ImodVolume:
    """What tilt.com says of the volume: unbinned thickness (px), binning, aligned size (x, y)."""

    thickness_px: int
    binning: int
    aligned_size: tuple[int, int]


def by_angle(alignment: Alignment) -> list[int]:
    """Views of an alignment, by tilt: the rows of its .aln."""
    return np.argsort(alignment.tilts_degrees, kind="stable").tolist()


def write_imod_folder(
    folder: Path,
    name: str,
    alignment: Alignment,
    series: TiltSeries,
    kind: int,
    volume: ImodVolume,
    stack: str,
) -> list[Path]:
    """Write all of NAME_Imod but the stack; kind: of -OutImod; stack: the one the files are of."""
    transforms, tilts, _ = imod.from_alignment(alignment)
    rows = by_angle(alignment)
    sections = alignment.sections[rows]
    transforms, tilts = transforms[rows], tilts[rows]
    left_out: tuple[int, ...] = ()
    if kind == 1:
        every = np.tile(np.eye(2, 3), (alignment.section_count, 1, 1))
        every[sections] = transforms
        angles = series.nominal_tilts_degrees + alignment.tilt_offset_degrees
        angles[sections] = tilts
        transforms, tilts, left_out = every, angles, alignment.left_out
        sections = np.arange(alignment.section_count)
    elif kind == 3:
        transforms = np.tile(np.eye(2, 3), (len(rows), 1, 1))
    base = folder / f"{name}_st"
    written = [base.with_name(f"{name}_st{end}") for end in (".tlt", ".xf", ".xtilt")]
    imod.write_angles(written[0], tilts)
    imod.write_xf(written[1], transforms)
    imod.write_angles(written[2], np.zeros(len(tilts)))
    listed = [series.tilts[section].exposure_index for section in sections]
    written += [
        _write_order(folder / f"{name}_st_order_list.csv", listed, tilts),
        _write_newst(folder / "newst.com", name, stack, volume),
        _write_tilt(folder / "tilt.com", name, volume, left_out),
    ]
    return written


def _write_order(path: Path, order: Sequence[int | None], tilts: imod.Array) -> Path:
    """Tilts as they were acquired, by angle where nothing tells that."""
    known = [rank for rank in order if rank is not None]
    ranks = known if len(known) == len(order) else range(len(order))
    in_time = np.argsort(ranks, kind="stable")
    rows = [f"{k:4d},{tilts[i]:.2f}" for k, i in enumerate(in_time, 1)]
    write_text(path, "\n".join(["ImageNumber, TiltAngle", *rows, ""]))
    return path


def _write_newst(path: Path, name: str, stack: str, volume: ImodVolume) -> Path:
    columns, rows = (side // volume.binning for side in volume.aligned_size)
    lines = [
        "$newstack -StandardInput",
        f"InputFile {stack}",
        f"OutputFile {name}_ali.mrc",
        f"TransformFile {name}_st.xf",
        f"BinByFactor {volume.binning}",
        f"SizeToOutputInXandY {columns},{rows}",
    ]
    write_text(path, "\n".join([*lines, ""]))
    return path


def _write_tilt(path: Path, name: str, volume: ImodVolume, left_out: Sequence[int]) -> Path:
    lines = [
        "$tilt -StandardInput",
        f"InputProjections {name}_ali.mrc",
        f"OutputFile {name}_full_rec.mrc",
        f"IMAGEBINNED {volume.binning}",
        f"TILTFILE {name}_st.tlt",
        f"XTILTFILE {name}_st.xtilt",
        f"THICKNESS {volume.thickness_px}",
        "FULLIMAGE {} {}".format(*volume.aligned_size),
        "OFFSET 0.0",
        "SHIFT 0.0 0.0",
    ]
    if left_out:
        lines.append(f"EXCLUDELIST {','.join(str(section + 1) for section in left_out)}")
    write_text(path, "\n".join([*lines, ""]))
    return path


# -- the table of all series, the log --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CtfOfSeries:
    """What the table says of the untilted image: defocus (A), phase (degrees), resolution (A)."""

    defocus: float
    phase_shift_degrees: float
    resolution: float
    score: float
    df_hand: float


UNKNOWN = CtfOfSeries(*[float("nan")] * 5)


def untilted_row(path: Path, tilts_degrees: imod.Array) -> CtfOfSeries:
    """What NAME_CTF.txt says of the image nearest to 0 degrees; tilts of all sections."""
    lines = enumerate(read_text(path).split("\n"), 1)
    kept = [(i, line) for i, line in lines if line.strip() and "#" not in line]
    rows = parse_columns(
        kept, 8, "section, defocus, defocus, azimuth, phase, score, res, hand", path
    )
    sections = rows[:, 0].astype(int) - 1
    if sections.min() < 0 or sections.max() >= len(tilts_degrees):
        raise FormatError(f"sections other than 1 to {len(tilts_degrees)}", path=path)
    row = rows[np.abs(tilts_degrees[sections]).argmin()]
    return CtfOfSeries(
        defocus=float(row[1:3].mean()),
        phase_shift_degrees=float(np.rad2deg(row[4])),
        resolution=float(row[6]),
        score=float(row[5]),
        df_hand=float(row[7]),
    )


def metrics_row(name: str, aln: Aln, series: TiltSeries, ctf: CtfOfSeries | None = None) -> str:
    """The line of a series in TiltSeries_Metrics.csv."""
    seen = ctf or UNKNOWN
    numbers = [
        aln.thickness_px or float("nan"),
        float(aln.rotations.mean()),
        float(np.linalg.norm(aln.shifts, axis=1).max()),
        *[float("nan")] * 2,  # bad patches
        seen.defocus,
        seen.phase_shift_degrees,
        seen.resolution,
        seen.score,
        seen.df_hand,
        series.pixel_size,
        series.spherical_aberration_mm or float("nan"),
        series.voltage_kv or float("nan"),
        aln.alpha_offset,
        aln.beta_offset,
    ]
    return ",".join([name, *(f"{number:.4f}" for number in numbers)])


def write_metrics(path: Path, rows: Sequence[str]) -> None:
    """Write TiltSeries_Metrics.csv; of series that are in it already the lines are replaced."""
    old = path.read_text(encoding="utf-8").splitlines()[1:] if path.exists() else []
    lines = {line.partition(",")[0]: line for line in [*old, *rows] if line.strip()}
    write_text(path, "\n".join([METRICS, *lines.values(), ""]))


def write_global_log(path: Path, aln: Aln, series: TiltSeries) -> None:
    """Write NAME_AT_GL.csv; rows by tilt, SEC of the .aln from 1."""
    lines = []
    for row, section in enumerate(aln.sections):
        tilt = series.tilts[section - 1]
        order = 0 if tilt.exposure_index is None else tilt.exposure_index + 1
        lines.append(
            f"{row:4d} {order:4d} {aln.tilts[row]:8.2f} {series.pixel_size:8.3f} "
            f"{tilt.dose or 0.0:8.3f} {aln.rotations[row]:10.4f} "
            f"{aln.shifts[row, 0]:9.2f} {aln.shifts[row, 1]:9.2f}"
        )
    write_text(path, "\n".join([*lines, ""]))


def write_motion_log(
    path: Path, tilts: Sequence[tuple[float, imod.Array]], listed: TiltList, pixel_size: float
) -> None:
    """Write NAME_MC_GL.csv; tilts: degrees, and how far the specimen moved (frame, 2), angstrom."""
    lines = []
    for degrees, track in tilts:
        section = int(np.abs(listed.tilts - degrees).argmin())
        order = 0 if listed.order is None else listed.order[section]
        for frame, (x, y) in enumerate((track[0] - track) / pixel_size):
            lines.append(
                f"{frame:4d} {order:4d} {degrees:8.2f} {pixel_size:8.3f} {x:9.2f} {y:9.2f}"
            )
    write_text(path, "\n".join([*lines, ""]))


def turn_hand(path: Path) -> None:
    """The other hand for NAME_CTF.txt: the last number of every line changes its sign."""
    lines = read_text(path).splitlines()
    turned = []
    for line in lines:
        head, blank, hand = line.rpartition(" ")
        is_row = bool(line.strip()) and not line.startswith("#")
        turned.append(f"{head}{blank}{-int(hand)}" if is_row else line)
    write_text(path, "\n".join([*turned, ""]))


def turn_imod_hand(path: Path) -> None:
    """The same for NAME_CTF_Imod.txt: its flag for tilts of the other sense changes."""
    flags, tab, rest = read_text(path).partition("\t")
    write_text(path, f"{int(flags) ^ INVERTED}{tab}{rest}")
