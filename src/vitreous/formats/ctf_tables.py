"""The contrast transfer of a series for other programs: CTFFIND, AreTomo, IMOD, RELION 5.

All of them count underfocus positive and the angle of the larger defocus from x towards y, y being
the row upwards. Hands: a point at height h has defocus + s h with s = dfHand of AreTomo, and
rlnTomoHand of RELION; s = -1 is IMOD's, whose files say otherwise by a flag. Ours is -s.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.errors import FormatError
from vitreous.formats.numbers import parse_number
from vitreous.formats.products import write_text
from vitreous.records.ctf import Ctf, CtfFit
from vitreous.records.tilt_series import TiltSeries
from vitreous.version import __version__

CTFFIND_COLUMNS = (
    "# Columns: #1 - micrograph number; #2 - defocus 1 [Angstroms]; #3 - defocus 2; "
    "#4 - azimuth of astigmatism; #5 - additional phase shift [radians]; "
    "#6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF rings were fit "
    "successfully"
)
ARETOMO_COLUMNS = (
    "# Columns: #1 micrograph number; #2 - defocus 1 [A]; #3 - defocus 2 [A]; "
    "#4 - azimuth of astigmatism [degree]; #5 - additional phase shift [radian]; "
    "#6 - cross correlation; #7 - spacing (in Angstroms) up to which CTF rings were fit "
    "successfully; #8 - dfHand"
)
# IMOD's flags of what a .defocus file of version 3 holds
ASTIGMATISM, RADIANS, PHASE, PHASE_IN_RADIANS, INVERTED, CUT_ON = 1, 2, 4, 8, 16, 32


def ordered(ctf: Ctf) -> tuple[float, float, float]:
    """(larger defocus, smaller defocus, angle of the larger in degrees, -90 to 90)."""
    larger, smaller, angle = ctf.defocus_u, ctf.defocus_v, ctf.astigmatism_degrees
    if smaller > larger:
        larger, smaller, angle = smaller, larger, angle + 90
    return larger, smaller, 90 - (90 - angle) % 180


# -- CTFFIND --------------------------------------------------------------------------------------


def write_ctffind(path: Path, fits: Sequence[CtfFit], pixel_size: float, source: str) -> None:
    """CTFFIND 4's text, a line an image, numbered by its section; source: the images' name."""
    head = [
        f"# Output from vitreous {__version__}, in the layout of CTFFind 4",
        f"# Input file: {source} ; Number of micrographs: {len(fits)}",
        f"# Pixel size: {pixel_size:.3f} Angstroms ; {_optics(fits[0].ctf)}",
        CTFFIND_COLUMNS,
    ]
    rows = [f"{fit.section + 1:.6f} {_ctffind_row(fit)}" for fit in fits]
    write_text(path, "\n".join([*head, *rows]) + "\n")


def _optics(ctf: Ctf) -> str:
    return (
        f"acceleration voltage: {ctf.voltage_kv:.1f} keV ; spherical aberration: "
        f"{ctf.spherical_aberration_mm:.2f} mm ; amplitude contrast: {ctf.amplitude_contrast:.2f}"
    )


def _ctffind_row(fit: CtfFit) -> str:
    larger, smaller, angle = ordered(fit.ctf)
    phase = np.deg2rad(fit.ctf.phase_shift_degrees)
    return (
        f"{larger:.6f} {smaller:.6f} {angle:.6f} {phase:.6f} {fit.score:.6f} {fit.resolution:.6f}"
    )


def read_ctffind(path: Path, optics: Ctf) -> list[tuple[int, Ctf]]:
    """CTFFIND's or AreTomo's table: (0-based section, transfer) of each line.

    Voltage, Cs and amplitude contrast are the file's where it says them, and the hand (dfHand);
    otherwise as in `optics`. Images without a fit (defocus 0) are left out.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    head = "\n".join(line for line in lines if line.startswith("#"))
    optics = _said_optics(head, optics)
    hand_column = 7 if "dfHand" in head else None
    found = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.split()
        if len(words) < max(6, (hand_column or 0) + 1):
            raise FormatError(
                f"expected image, two defoci, azimuth, phase shift, score; found {line.strip()!r}",
                path=path,
                line=number,
            )
        section, u, v, angle, phase = (
            parse_number(word, "CTF", path, number) for word in words[:5]
        )
        if u == 0 and v == 0:
            continue
        ctf = replace(
            optics,
            defocus_u=u,
            defocus_v=v,
            astigmatism_degrees=angle,
            phase_shift_degrees=float(np.rad2deg(phase)),
        )
        if hand_column and (hand := parse_number(words[hand_column], "dfHand", path, number)):
            ctf = replace(ctf, hand=-1 if hand > 0 else 1)
        found.append((round(section) - 1, ctf))
    if not found:
        raise FormatError("no line of an image with a defocus", path=path)
    return found


def _said_optics(head: str, optics: Ctf) -> Ctf:
    """The optics of CTFFIND's heading, where it has them."""
    said: dict[str, Any] = {}
    for name, words in (
        ("voltage_kv", "acceleration voltage"),
        ("spherical_aberration_mm", "spherical aberration"),
        ("amplitude_contrast", "amplitude contrast"),
    ):
        if match := re.search(rf"{words}: *([0-9.]+)", head):
            said[name] = float(match[1])
    return replace(optics, **said)


# -- AreTomo --------------------------------------------------------------------------------------


def write_aretomo(path: Path, fits: Sequence[CtfFit]) -> None:
    """AreTomo 3's NAME_CTF.txt: a line an image, numbered by its section before any is removed."""
    rows = [
        f"{fit.section + 1:4d} {larger:10.2f} {smaller:10.2f} {angle:8.2f} "
        f"{np.deg2rad(fit.ctf.phase_shift_degrees):8.4f} {fit.score:8.4f} {fit.resolution:8.4f} "
        f"{-fit.ctf.hand:3d}"
        for fit in fits
        for larger, smaller, angle in [ordered(fit.ctf)]
    ]
    write_text(path, "\n".join([ARETOMO_COLUMNS, *rows]) + "\n")


# -- IMOD -----------------------------------------------------------------------------------------


def write_defocus(path: Path, fits: Sequence[CtfFit]) -> None:
    """IMOD's .defocus, version 3: nanometres, degrees, views from 1, a line a view."""
    has_phase = any(fit.ctf.phase_shift_degrees for fit in fits)
    inverted = fits[0].ctf.hand == -1
    flags = ASTIGMATISM | PHASE * has_phase | INVERTED * inverted
    lines = [f"{flags}\t0\t0.\t0.\t0\t3"]
    for fit in fits:
        larger, smaller, angle = ordered(fit.ctf)
        view, tilt = fit.section + 1, fit.tilt_degrees
        words = [f"{view}\t{view}\t{tilt:.2f}\t{tilt:.2f}"]
        words += [f"{larger / 10:.2f}\t{smaller / 10:.2f}\t{angle:.2f}"]
        words += [f"{fit.ctf.phase_shift_degrees:.2f}"] if has_phase else []
        lines.append("\t".join(words))
    write_text(path, "\n".join(lines) + "\n")


def read_defocus(path: Path, optics: Ctf) -> list[tuple[int, Ctf]]:
    """IMOD's .defocus of version 2 or 3: (0-based section, transfer) of each line.

    What it doesn't say is as in `optics`. A line for several views holds for the middle one.
    """
    lines = [line.split() for line in path.read_text().splitlines() if line.strip()]
    if not lines or len(lines[0]) < 5:
        raise FormatError(
            "no line 'start end low high defocus' as IMOD's .defocus has it", path=path
        )
    flags, version = 0, int(float(lines[0][5])) if len(lines[0]) > 5 else 1
    if version >= 3:
        flags, lines = int(lines[0][0]), lines[1:]
    found = []
    for number, words in enumerate(lines, 2 if version >= 3 else 1):
        try:
            found.append(_defocus_line([float(word) for word in words], flags, optics))
        except (ValueError, IndexError):
            raise FormatError(
                f"expected numbers as flags {flags} foretell them, found {' '.join(words)!r}",
                path=path,
                line=number,
            ) from None
    return found


def _defocus_line(numbers: list[float], flags: int, optics: Ctf) -> tuple[int, Ctf]:
    """(section, transfer) of a line's numbers."""
    section = (round(numbers[0]) + round(numbers[1])) // 2 - 1
    rest = iter(numbers[4:])
    larger = smaller = next(rest) * 10
    angle, phase = 0.0, optics.phase_shift_degrees
    if flags & ASTIGMATISM:
        smaller, angle = next(rest, np.nan) * 10, next(rest, np.nan)
        angle = float(np.rad2deg(angle)) if flags & RADIANS else angle
    if flags & PHASE:
        phase = next(rest, np.nan)
        phase = float(np.rad2deg(phase)) if flags & PHASE_IN_RADIANS else phase
    if np.isnan([smaller, angle, phase]).any():
        raise ValueError
    larger, smaller, angle = ordered(
        replace(optics, defocus_u=larger, defocus_v=smaller, astigmatism_degrees=angle)
    )
    return section, replace(
        optics,
        defocus_u=larger,
        defocus_v=smaller,
        astigmatism_degrees=angle,
        phase_shift_degrees=phase,
        hand=-1 if flags & INVERTED else 1,
    )


# -- RELION ---------------------------------------------------------------------------------------


def with_relion_columns(series: TiltSeries, fits: Sequence[CtfFit]) -> TiltSeries:
    """The series with what RELION 5 is told of its tilts, kept by `relion.write`."""
    optics = fits[0].ctf
    by_section = {fit.section: fit for fit in fits}
    tilts = tuple(
        replace(tilt, extra={**tilt.extra, **_relion_row(by_section[tilt.section])})
        if tilt.section in by_section
        else tilt
        for tilt in series.tilts
    )
    return replace(
        series,
        tilts=tilts,
        voltage_kv=optics.voltage_kv,
        spherical_aberration_mm=optics.spherical_aberration_mm,
        amplitude_contrast=optics.amplitude_contrast,
        extra={**series.extra, "rlnTomoHand": f"{-optics.hand:.6f}"},
    )


def _relion_row(fit: CtfFit) -> dict[str, str]:
    larger, smaller, angle = ordered(fit.ctf)
    row = {
        "rlnDefocusU": larger,
        "rlnDefocusV": smaller,
        "rlnDefocusAngle": angle,
        "rlnCtfAstigmatism": larger - smaller,
        "rlnCtfFigureOfMerit": fit.score,
        "rlnCtfMaxResolution": min(fit.resolution, 999.0),
    }
    if fit.ctf.phase_shift_degrees:
        row["rlnPhaseShift"] = fit.ctf.phase_shift_degrees
    return {label: f"{value:.6f}" for label, value in row.items()}
