"""The contrast transfer and the dose of each section of a stack, for its reconstruction."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from vitreous.errors import UserError
from vitreous.records.typed import Hand

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.pipeline.inputs import AlignmentInput
    from vitreous.reconstruct.settings import ReconstructSettings
    from vitreous.records.ctf import Ctf
    from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)


class TransferInput(BaseModel):
    """Where the CTFs of a stack are, and what their file leaves unsaid."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    ctf_file: Annotated[
        Path | None,
        Field(
            description="CTFs of the images: of CTFFIND, AreTomo (_CTF.txt), IMOD (.defocus), "
            "RELION (STAR) or 'vitreous ctf' (_ctf.json). Default: found beside the stack."
        ),
    ] = None
    ctf_hand: Annotated[
        Hand | None,
        Field(
            description="1: what is higher along z is less underfocused; -1: more. Default: as "
            "the file says, else 1."
        ),
    ] = None
    kv: Annotated[
        float | None,
        Field(gt=0, le=2000, description="Voltage, kV. Default: as the files say, else 300."),
    ] = None
    cs: Annotated[
        float | None,
        Field(ge=0, le=20, description="Spherical aberration, mm. Default: as there, else 2.7."),
    ] = None
    amplitude_contrast: Annotated[
        float | None,
        Field(ge=0, le=1, description="Share of it in the contrast. Default: as there, else 0.07."),
    ] = None
    dose_per_tilt: Annotated[
        float | None,
        Field(gt=0, description="Electrons/A^2 of each tilt. Default: what the .mdoc says."),
    ] = None


@dataclass(frozen=True, slots=True)
class Transfers:
    """By section of the stack: its CTF and its dose in e/A^2; None where none is needed.

    source: the file of the CTFs.
    """

    ctfs: tuple["Ctf | None", ...] | None = None
    doses: tuple[float | None, ...] | None = None
    source: Path | None = None


def transfers_of(
    stack_path: Path,
    stack: "MrcStack | TiffStack",
    aligned: "AlignmentInput",
    given: TransferInput,
    settings: "ReconstructSettings",
) -> Transfers:
    """What the settings need of it, from files named or beside the stack."""
    from vitreous.formats.ctf_files import read_ctfs

    require_use(given, settings)
    ctfs = doses = source = None
    if settings.needs_ctf:
        source = given.ctf_file or beside(stack_path, aligned.alignment)
        optics = optics_for(stack_path, given)
        ctfs = read_ctfs(source, stack.shape[0], optics, tomogram=aligned.tomogram)
        ctfs = as_given(ctfs, given)
        log.info("%s: CTFs of %s; %s", stack_path, source, in_words(ctfs))
    if settings.dose_weighting:
        from vitreous.formats.nominal import raw_series

        angles = aligned.angles
        doses = doses_of(
            raw_series(stack_path, stack, angles, dose_per_tilt=given.dose_per_tilt),
            stack.shape[0],
        )
    return Transfers(ctfs, doses, source)


def require_use(given: TransferInput, settings: "ReconstructSettings") -> None:
    """Raise a `UserError` for what is given and not used."""
    for_ctf = ("ctf_file", "ctf_hand", "cs", "amplitude_contrast")
    idle = [name for name in for_ctf if getattr(given, name) is not None]
    if idle and not settings.needs_ctf:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise UserError(f"{options}: only with --ctf multiply, flip or wiener, or --deconvolve")
    if given.dose_per_tilt is not None and not settings.dose_weighting:
        raise UserError("--dose-per-tilt: only with --dose-weighting")


def beside(stack: Path, alignment: Path) -> Path:
    """The table of CTFs beside a stack, named like it; else the alignment's own, if it has them."""
    from vitreous.formats.beside import series_name
    from vitreous.formats.ctf_files import ENDINGS

    names = [stack.with_name(series_name(stack) + ending) for ending in ENDINGS]
    found = next((path for path in names if path.is_file()), None)
    if found is not None:
        return found
    if alignment.suffix == ".star":
        return alignment
    raise UserError(
        f"no CTFs are given or lie beside {stack} ({', '.join(path.name for path in names)}): give "
        "--ctf-file, or estimate them with 'vitreous ctf'"
    )


def optics_for(stack: Path, given: TransferInput) -> "Ctf":
    """The microscope where a table of defoci doesn't tell of it."""
    from vitreous.ctf.optics import Optics
    from vitreous.formats.beside import mdoc_beside
    from vitreous.formats.mdoc import read_mdoc

    usual = Optics()
    mdoc = mdoc_beside(stack)
    noted = read_mdoc(mdoc).get("Voltage") if mdoc else ""
    return replace(
        usual.ctf(0.0),
        voltage_kv=given.kv or (float(noted) if noted else usual.voltage_kv),
    )


def as_given(ctfs: "Sequence[Ctf | None]", given: TransferInput) -> "tuple[Ctf | None, ...]":
    """CTFs with what is given put before what the file says."""
    changes: dict[str, Any] = {
        "voltage_kv": given.kv,
        "spherical_aberration_mm": given.cs,
        "amplitude_contrast": given.amplitude_contrast,
        "hand": given.ctf_hand,
    }
    known = {name: value for name, value in changes.items() if value is not None}
    return tuple(None if ctf is None else replace(ctf, **known) for ctf in ctfs)


def doses_of(series: "TiltSeries", sections: int) -> tuple[float | None, ...]:
    """By section: the dose up to the middle of each tilt, e/A^2."""
    doses: list[float | None] = [None] * sections
    for tilt in series.tilts:
        if tilt.pre_exposure is not None:
            doses[tilt.section] = tilt.pre_exposure + (tilt.dose or 0) / 2
    return tuple(doses)


def in_words(ctfs: "Sequence[Ctf | None]") -> str:
    """What of the CTFs a user wants to see before it is applied."""
    known = [ctf for ctf in ctfs if ctf]
    if not known:
        return "none"
    defoci, first = [ctf.defocus / 1e4 for ctf in known], known[0]
    return (
        f"defocus {min(defoci):.3f} to {max(defoci):.3f} um, {first.voltage_kv:g} kV, Cs "
        f"{first.spherical_aberration_mm:g} mm, amplitude contrast {first.amplitude_contrast:g}, "
        f"hand {first.hand:+d}"
    )
