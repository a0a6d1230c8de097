"""Contrast transfer and dose of the tilts of a tomogram set.

Per tilt rlnDefocusU, V (angstrom, underfocus positive), rlnDefocusAngle (degrees, from x to U),
perhaps rlnPhaseShift, rlnCtfBfactor, rlnCtfScalefactor; voltage, Cs and amplitude contrast in the
set's row. RELION's defocus grows with rlnTomoHand times the height, ours falls with `hand` times.
"""

import logging
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.relion_sets import Tomogram
from vitreous.records.ctf import Ctf

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
SCALE = "rlnCtfScalefactor"
USUAL_HAND = -1.0


def read_ctfs(
    tomogram: Tomogram, sections: NDArray[np.intp], total: int, scales: Array | None = None
) -> tuple[Ctf | None, ...]:
    """The CTF of each section of a series of `total`; None where the set has no row.

    sections (n,): of the rows. scales (n,): what holds for each row where there is no column
    rlnCtfScalefactor; 1 if None. The columns must be there (`relion_needs`); a tilt without defocus
    is a `UserError`.
    """
    columns = [tomogram.tilts.numbers(label) for label in DEFOCUS]
    _require_defocus(tomogram, columns[0], columns[1])
    count = len(sections)
    phases = _column(tomogram, "rlnPhaseShift", np.zeros(count))
    b_factors = _column(tomogram, "rlnCtfBfactor", np.zeros(count))
    scale = _column(tomogram, SCALE, np.ones(count) if scales is None else scales)
    voltage, aberration, contrast = (_told(tomogram, label) for label in OPTICS)
    hand = tomogram.number("rlnTomoHand")
    ctfs: list[Ctf | None] = [None] * total
    for row, section in enumerate(sections.tolist()):
        ctfs[section] = Ctf(
            defocus_u=float(columns[0][row]),
            defocus_v=float(columns[1][row]),
            astigmatism_degrees=float(columns[2][row]),
            voltage_kv=voltage,
            spherical_aberration_mm=aberration,
            amplitude_contrast=contrast,
            phase_shift_degrees=float(phases[row]),
            b_factor=float(b_factors[row]),
            scale=float(scale[row]),
            hand=-1 if (USUAL_HAND if hand is None else hand) > 0 else 1,
        )
    return tuple(ctfs)


def read_doses(
    tomogram: Tomogram, sections: NDArray[np.intp], total: int
) -> tuple[float | None, ...]:
    """The dose before each section of a series of `total`, e/A^2; None where it isn't known."""
    doses: list[float | None] = [None] * total
    if "rlnMicrographPreExposure" in tomogram.tilts:
        before = tomogram.tilts.numbers("rlnMicrographPreExposure").tolist()
        for section, dose in zip(sections.tolist(), before, strict=True):
            doses[section] = dose
    return tuple(doses)


def _column(tomogram: Tomogram, label: str, default: Array) -> Array:
    return tomogram.tilts.numbers(label) if label in tomogram.tilts else default


def _told(tomogram: Tomogram, label: str) -> float:
    value = tomogram.number(label)
    assert value is not None
    return value


def _require_defocus(tomogram: Tomogram, u: Array, v: Array) -> None:
    blank = np.flatnonzero((u == 0) & (v == 0))
    if len(blank):
        raise UserError(
            f"{tomogram.path}: {tomogram.name} has no defocus (0) for {tilts_named(blank)}: "
            "estimate the CTF first, leave these tilts out of the set, or do without the CTF"
        )


def tilts_named(rows: Sequence[int] | NDArray[np.intp]) -> str:
    """Rows from 0 -> 'tilts 3, 4, 9'; of many the first, and how many more."""
    numbers = ", ".join(str(row + 1) for row in rows[:8])
    more = f" and {len(rows) - 8} more" if len(rows) > 8 else ""
    return f"tilt{'s' if len(rows) > 1 else ''} {numbers}{more}"
