"""What a reconstruction needs of a tomogram set, held against what is there; all of it at once."""

from collections.abc import Container, Sequence

from vitreous.errors import FormatError
from vitreous.formats import relion_ctf, relion_images
from vitreous.formats.relion import ANGLES, MATRIX, SHIFTS
from vitreous.formats.relion_sets import Tomogram

SIZE = ("rlnTomoSizeX", "rlnTomoSizeY", "rlnTomoSizeZ")


def require_columns(tomogram: Tomogram, *, ctf: bool, halves: bool) -> None:
    """Raise one `FormatError` with every column that lacks, or doesn't go with the others."""
    of_tilts, of_set = lacking_in_tilts(tomogram, ctf, halves), lacking_in_row(tomogram, ctf)
    faults = inconsistent(tomogram)
    parts = []
    if of_tilts:
        parts.append(f"its tilts have no {', '.join(of_tilts)}")
    if of_set:
        parts.append(f"its row in the set has no {', '.join(of_set)}")
    parts += faults
    if not parts:
        return
    without = [*of_tilts, *of_set]
    hints = []
    if any(label in (*relion_ctf.DEFOCUS, *relion_ctf.OPTICS) for label in without):
        hints.append("Or do without the CTF (--noctf).")
    if of_set and not tomogram.row:
        hints.append("Give the set, not the table of one series.")
    if any(label in (*ANGLES, *SHIFTS) for label in without):
        hints.append("Align the series first.")
    if any(label in (relion_images.COLUMNS["even"], relion_images.COLUMNS["odd"])
           for label in without):  # fmt: skip
        hints.append("Half sets need images of even and odd frames.")
    raise FormatError(
        f"{tomogram.name}: {'; '.join(parts)}", path=tomogram.path, hint=" ".join(hints)
    )


def lacking_in_tilts(tomogram: Tomogram, ctf: bool, halves: bool) -> list[str]:
    """Columns that the table of tilts should have."""
    table = tomogram.tilts
    needed: list[str] = []
    needed += MATRIX[:3] if has_matrices_alone(tomogram) else [*ANGLES, *SHIFTS]
    if halves:
        needed += [relion_images.COLUMNS["even"], relion_images.COLUMNS["odd"]]
    elif relion_images.STACK not in tomogram.row:
        needed.append(relion_images.COLUMNS["all"])
    if ctf:
        needed += relion_ctf.DEFOCUS
    return _absent(needed, table.columns)


def lacking_in_row(tomogram: Tomogram, ctf: bool) -> list[str]:
    """Columns that the set should have; matrices need the size that they are for."""
    needed = [*(SIZE if has_matrices_alone(tomogram) else ()), *(relion_ctf.OPTICS if ctf else ())]
    return _absent(needed, tomogram.row)


def has_matrices_alone(tomogram: Tomogram) -> bool:
    """Whether the views are matrices, not also angles and shifts."""
    table = tomogram.tilts
    has_angles = all(label in table for label in (*ANGLES, *SHIFTS))
    return not has_angles and any(label in table for label in MATRIX)


def inconsistent(tomogram: Tomogram) -> list[str]:
    """What contradicts itself."""
    faults = []
    count = tomogram.number("rlnTomoFrameCount")
    if count is not None and int(count) != len(tomogram.tilts):
        faults.append(f"rlnTomoFrameCount is {count:g}, but there are {len(tomogram.tilts)} tilts")
    partly = [label for label in SIZE if label in tomogram.row]
    if partly and len(partly) < len(SIZE):
        faults.append(f"of the size only {', '.join(partly)} is given")
    for label in (*SIZE, "rlnTomoTiltSeriesPixelSize", "rlnVoltage"):
        value = tomogram.number(label)
        if value is not None and value <= 0:
            faults.append(f"{label} is {value:g}")
    return faults


def _absent(needed: Sequence[str], there: Container[str]) -> list[str]:
    return [label for label in needed if label not in there]
