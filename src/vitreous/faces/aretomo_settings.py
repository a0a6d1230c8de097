"""AreTomo's options as our settings."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vitreous.align.settings import AlignSettings
from vitreous.ctf.settings import CtfSettings
from vitreous.errors import DeviceError, UserError
from vitreous.faces.aretomo_line import Line
from vitreous.formats.families import AretomoKernel
from vitreous.pipeline.inputs import RawInput
from vitreous.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from pathlib import Path

    from vitreous.kernels.machine import Share
    from vitreous.records.alignment import Alignment
    from vitreous.records.images import ImageStack

REFINED_WITHIN = 30.0  # degrees: half of what AreTomo searches for an axis that is given
FEW_PLANES = 16  # binned: AreTomo writes the aligned series instead of so thin a volume
REAL_OFFSET = 0.1  # degrees: what -TiltCor gives below stands for 'measure it'


@dataclass(frozen=True, slots=True)
class Generation:
    """What differs between AreTomo 1 and 2 (one stack) and AreTomo3: grid, kernel, defaults."""

    grid: Literal["aretomo", "aretomo3"]
    kernel: AretomoKernel
    thickness_px: int
    tilts_of_update: int


ONE_STACK = Generation("aretomo", "2", 1200, 5)
MANY_SERIES = Generation("aretomo3", "3", -1, 3)


def require_sense(line: Line) -> None:
    """Raise a `UserError` for values of which nothing can be made, before work begins."""
    for binning in line.numbers("AtBin", (1.0,)):
        if binning >= 1 or binning == line.number("AtBin", 1.0):
            whole_bin(binning)
    for name in ("VolZ", "ExtZ"):
        line.whole(name, 0)
    if line.has("TiltRange") and len(line.numbers("TiltRange", ())) != 2:
        raise UserError("-TiltRange: the first and the last angle are expected")
    align_settings(line, None)


def raw_input(line: Line, angles: "Path | None", dose: float | None) -> RawInput:
    """What is said of the microscope and the stack."""
    axis = line.number("TiltAxis", 0.0)
    return RawInput(
        angles=angles,
        pixel_size=line.positive("PixSize"),
        tilt_axis=axis or None,
        kv=line.positive("Kv"),
        cs=line.positive("Cs"),
        amplitude_contrast=line.positive("AmpContrast"),
        dose_per_tilt=dose,
    )


def require_pixel_size(stack: "Path", given: RawInput) -> None:
    """Raise a `UserError` where neither -PixSize nor header nor .mdoc has one."""
    from vitreous.formats.beside import mdoc_beside
    from vitreous.formats.images import image_facts

    known = given.pixel_size or image_facts(stack).pixel_size or mdoc_beside(stack)
    if not known:
        raise UserError(f"{stack}: its header has no pixel size: give it with -PixSize (angstrom)")


def align_settings(line: Line, dark: list[int] | None) -> AlignSettings:
    """How to align; dark: sections from 0 that -DarkTol leaves out, None where it isn't given."""
    axis, refine = line.numbers("TiltAxis", (0.0, 1.0))
    if refine not in (-1, 0, 1):
        raise UserError(f"-TiltAxis {axis:g} {refine:g}: the second number is -1, 0 or 1")
    given: dict[str, Any] = {}
    if axis and refine == -1:
        given["tilt_axis_fixed"] = True
    elif axis:
        given["axis_range"] = REFINED_WITHIN
    if dark is not None:
        given |= {"exclude_tilts": listed(dark), "keep_all": True}
    return AlignSettings(**given)


def dark_sections(
    line: Line, stack: "ImageStack", tilts_degrees: "list[float]"
) -> list[int] | None:
    """Sections, from 0, that are dark by -DarkTol; None where it isn't given."""
    if not line.has("DarkTol"):
        return None
    import numpy as np

    from vitreous.align.dark import below_tolerance

    tolerance = line.number("DarkTol", 0.7)
    if not 0 <= tolerance <= 1:
        raise UserError(f"-DarkTol {tolerance:g}: it lies between 0 and 1")
    images = (stack.read(k) for k in range(stack.shape[0]))
    seen = [(image.mean(dtype=float), image.std(dtype=float)) for image in images]
    means, deviations = np.array(seen).T
    return below_tolerance(np.array(tilts_degrees), means, deviations, tolerance)


def ctf_settings(line: Line) -> CtfSettings:
    """-ExtPhase: whether a phase shift is looked for."""
    return CtfSettings(phase_plate=any(line.numbers("ExtPhase", (0.0, 0.0))))


def tilt_offset(line: Line, along_x_degrees: float) -> float:
    """The angle that -TiltCor adds to all tilts; along_x: slope of the slab, across the axis."""
    mode, given = line.numbers("TiltCor", (0.0, 0.0))
    if mode != 1:
        return 0.0
    return given if abs(given) > REAL_OFFSET else -along_x_degrees


def reconstruct_settings(
    line: Line,
    alignment: "Alignment",
    generation: Generation,
    *,
    is_wbp: bool | None = None,
    binning: int | None = None,
) -> ReconstructSettings:
    """How to reconstruct a volume of an alignment; is_wbp, binning: of a further volume."""
    from vitreous.reconstruct.grid import tomogram_grid

    if is_wbp is None:
        is_wbp = line.whole("Wbp", 0) > 0
    settings = ReconstructSettings(
        thickness=thickness(line, alignment, generation),
        binning=binning or bin_of(line),
        grid=generation.grid,
        axis_order="xyz" if line.choice("FlipVol", 0, (0, 1)) else "xzy",
        multiply=-1.0 if line.choice("FlipInt", 0, (0, 1)) else None,
        exclude_tilts=listed(outside(line, alignment)),
        **ctf_correction(line),
        **(back_projection() if is_wbp else iterations(line, alignment, generation)),
    )
    width, _, depth = tomogram_grid(alignment, settings).size
    even = {"width": width, "thickness": depth}
    return settings.model_copy(
        update={name: f"{size // 2 * 2 * int(settings.binning)}" for name, size in even.items()}
    )


def ctf_correction(line: Line) -> dict[str, Any]:
    """-CorrCTF: its modes 1 to 3 as ours; its low-pass is none of a correction."""
    ways: tuple[dict[str, Any], ...] = (
        {},
        {"ctf": "wiener", "ctf_intact_first_peak": True},
        {"ctf": "flip"},
        {"ctf": "multiply", "ctf_intact_first_peak": True},
    )
    mode = line.numbers("CorrCTF", (0.0, 15.0))[0]
    if mode not in range(len(ways)):
        raise UserError(f"-CorrCTF {mode:g}: the first number is 0, 1, 2 or 3")
    return ways[int(mode)]


def back_projection() -> dict[str, Any]:
    """AreTomo's: the ramp under a Hamming window, tilts alike, the mean of those that see it."""
    return {"method": "wbp", "window": "hamming", "density_neighbours": 0, "combine": "mean"}


def iterations(line: Line, alignment: "Alignment", generation: Generation) -> dict[str, Any]:
    """-Sart: iterations, and tilts of an update as the number of subsets."""
    count, tilts = line.numbers("Sart", (20.0, float(generation.tilts_of_update)))
    used = len(alignment) - len(outside(line, alignment))
    subsets = max(1, used // int(tilts if tilts >= 1 else generation.tilts_of_update))
    return {
        "method": "os-sart",
        "iterations": int(count) if count > 0 else 15,
        "subsets": subsets,
    }


def thickness(line: Line, alignment: "Alignment", generation: Generation) -> str | None:
    """-VolZ in unbinned pixels; None for what the alignment says, without -ExtZ."""
    asked = line.whole("VolZ", generation.thickness_px)
    if asked >= 0:
        return f"{asked}"
    if generation is ONE_STACK or alignment.thickness_angstrom is None:
        return None
    measured = alignment.thickness_angstrom / alignment.pixel_size
    return f"{round(measured) + line.whole('ExtZ', 300)}"


def bin_of(line: Line) -> int:
    """The first of -OutBin or -AtBin."""
    return whole_bin(line.number("AtBin", 1.0))


def whole_bin(number: float) -> int:
    """A binning as AreTomo takes it; a `UserError` for one that isn't a whole number."""
    if number != int(number) or number < 1:
        raise UserError(f"-AtBin (-OutBin) {number:g}: whole numbers from 1 on are done here")
    return int(number)


def is_aligned_series(line: Line) -> bool:
    """Whether the volume asked for is so thin that AreTomo writes the aligned series."""
    asked = line.whole("VolZ", ONE_STACK.thickness_px)
    return 0 <= asked <= FEW_PLANES * bin_of(line)


def outside(line: Line, alignment: "Alignment") -> list[int]:
    """Sections, from 0, of tilts outside -ReconRange."""
    low, high = sorted(line.numbers("ReconRange", (-90.0, 90.0)))
    tilts = alignment.tilts_degrees
    found = alignment.sections[(tilts < low) | (tilts > high)].tolist()
    if len(found) == len(alignment):
        raise UserError(f"-ReconRange {low:g} {high:g}: no tilt lies within")
    return found


def listed(sections: list[int]) -> str:
    """Sections from 0 as our lists of tilts: from 1."""
    return ",".join(str(section + 1) for section in sections)


def share_of(line: Line, scratch: "Path | None" = None) -> "Share":
    """What of this machine may be used."""
    from vitreous.kernels import machine
    from vitreous.kernels.device import choose

    cores, memory = machine.cores(), line.positive("Memory")
    try:
        device = choose(f"gpu:{line.whole('Gpu', 0)}") if line.has("Gpu") else choose("auto")
    except DeviceError:
        device = choose("auto")
    return machine.Share(
        device,
        max(1, min(line.whole("Cpus", cores), cores)),
        int(machine.memory() * 0.8 if memory is None else memory * 1e9),
        scratch,
    )
