"""From a command line of tomo_reconstruct_tomogram to our settings."""

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from vitreous.errors import UserError
from vitreous.faces.relion_line import Line
from vitreous.reconstruct.fourier_settings import FourierSettings
from vitreous.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from vitreous.formats.relion_sets import Tomogram
    from vitreous.records.alignment import Alignment

log = logging.getLogger(__name__)

Version = Literal[4, 5]

BINNING: dict[Version, float] = {4: 8.0, 5: 1.0}
FIRST_VOXEL: dict[Version, int] = {4: 1, 5: 0}
AS_ONE = 0.01  # a binning that differs less from 1 is none


def version_of(line: Line) -> Version:
    """Whose defaults hold: RELION 4's, unless a job of RELION 5's is given, or it is said."""
    said = line.text("relion-version")
    if said is None:
        return 5 if line.has("job") else 4
    if said not in ("4", "5"):
        raise UserError(f"--relion-version {said}: 4 or 5 is expected")
    return 4 if said == "4" else 5


def has_ctf(line: Line, version: Version) -> bool:
    """Whether images are multiplied by their CTF; Fourier inversion always does."""
    if line.has("fourier"):
        return True
    wants = [name for name in ("ctf", "skip_wiener") if line.has(name)]
    if wants and line.has("noctf"):
        raise UserError(f"--{wants[0]} and --noctf exclude each other: give one")
    return bool(wants) or (version == 4 and not line.has("noctf"))


def settings_of(
    line: Line, version: Version, tomogram: "Tomogram", alignment: "Alignment"
) -> ReconstructSettings | FourierSettings:
    """The settings of one tomogram's reconstruction."""
    region = region_of(line, version, tomogram, alignment)
    width, height, thickness = (str(side) for side in region.size)
    if line.has("fourier"):
        if any(region.shift):
            raise UserError("--fourier makes what lies round the centre: --x0 --y0 --z0 can't be")
        smoothness = line.number("lambda")
        return FourierSettings(
            width=width,
            height=height,
            thickness=thickness,
            voxel_size=binning_of(line, version, alignment.pixel_size) * alignment.pixel_size,
            tilt_offset=line.number("tiltangle_offset") or 0.0,
            smoothness=10.0 if smoothness is None else smoothness,
            ctf_intact_first_peak=line.has("ctf_intact_first_peak"),
        )
    x, y, z = (f"{shift:.12g}" for shift in region.shift)
    return ReconstructSettings(
        width=width,
        height=height,
        thickness=thickness,
        shift_x=x,
        shift_y=y,
        shift_z=z,
        binning=binning_of(line, version, alignment.pixel_size),
        tilt_offset=line.number("tiltangle_offset") or 0.0,
        grid="relion",
        downsample="relion-crop" if line.has("Fc") else "relion",
        combine="mean",
        density_neighbours=0,
        keep_mean=line.has("keep_mean"),
        taper_distance=_not_negative(line, "td"),
        taper_falloff=_not_negative(line, "tf"),
        **weights_of(line, version),
    )


def weights_of(line: Line, version: Version) -> dict[str, Any]:
    """Weighting and CTF: RELION's 3D formula without CTF, the corrected one with it."""
    ctf = has_ctf(line, version)
    chosen: dict[str, Any] = {"weighting": "wiener"}
    if line.has("pre_weight") and not is_weighted_in_3d_alone(line, version):
        chosen = {"weighting": "overlap"}
    elif line.has("no_weight") or line.has("skip_wiener"):
        chosen = {"weighting": "none"}
    if ctf:
        chosen |= {
            "ctf": "multiply",
            "ctf_strip_defocus": 0.0,
            "ctf_intact_first_peak": version == 5,
            "ctf_damping": version == 4,
        }
    if chosen["weighting"] == "wiener":
        chosen["wiener_formula"] = "house" if ctf else "relion"
    if (snr := line.positive("SNR")) is not None:
        chosen["snr"] = snr
    return chosen


def is_weighted_in_3d_alone(line: Line, version: Version) -> bool:
    """Whether --pre_weight has no say: RELION 5's --ctf divides in 3D, which weights already."""
    return version == 5 and line.has("ctf") and not line.has("skip_wiener")


def binning_of(line: Line, version: Version, pixel_size: float) -> float:
    """--binned_angpix, or --bin; 1 where it is nearly that."""
    voxel_size = line.number("binned_angpix") or 0.0
    binning = line.positive("bin")
    if voxel_size > 0:
        binning = voxel_size / pixel_size
    binning = BINNING[version] if binning is None else binning
    if abs(binning - 1) < AS_ONE:
        return 1.0
    if binning < 1:
        raise UserError(
            f"voxels of {binning * pixel_size:g} A are smaller than the images' pixels "
            f"({pixel_size:g} A): --bin is at least 1"
        )
    return binning


def _not_negative(line: Line, name: str) -> float:
    number = line.number(name) or 0.0
    if number < 0:
        raise UserError(f"--{name} {number:g}: it can't be below 0")
    return number


# -- which voxels ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Region:
    """size (x, y, z), and by how much the contents move against a volume round the centre; px."""

    size: tuple[int, int, int]
    shift: tuple[float, float, float]


def region_of(line: Line, version: Version, tomogram: "Tomogram", alignment: "Alignment") -> Region:
    """The part of the set's tomogram that --w, --h, --d and --x0, --y0, --z0 mean.

    The centre is that of the set's size. RELION 5 takes the given size for it where the set has
    angles, not matrices.
    """
    from vitreous.formats.relion import is_by_matrix

    size = _size(line, tomogram, alignment)
    known = tomogram.size
    frame = known if known and (version == 4 or is_by_matrix(tomogram)) else size
    shifts = []
    for name, side, whole in zip("xyz", size, frame, strict=True):
        given = line.number(f"{name}0")
        first = FIRST_VOXEL[version]
        start = (first if given is None else given) - first
        if start >= whole or start + side <= 0:
            raise UserError(
                f"--{name}0 {start + first:g}: the region of {side} px lies outside the sample of "
                f"{tomogram.name}, {first} to {whole + first - 1} in {name}"
            )
        shifts.append(whole // 2 - side // 2 - start)
    return Region(size, (shifts[0], shifts[1], shifts[2]))


def _size(line: Line, tomogram: "Tomogram", alignment: "Alignment") -> tuple[int, int, int]:
    """--w --h --d; the set's size; the field of view; in bin-1 pixels."""
    from vitreous.formats.relion import tomogram_size

    given = [_side(line, name) for name in "whd"]
    known = tomogram.size
    if known is None:
        if given[2] is None:
            raise UserError(
                f"--d is needed: {tomogram.path} doesn't say how thick {tomogram.name} is"
            )
        known = tomogram_size(alignment)
        if None in given:
            log.info("%s: the set has no size, the field is %d x %d px", tomogram.name, *known[:2])
    w, h, d = (known[k] if side is None else side for k, side in enumerate(given))
    return w, h, d


def _side(line: Line, name: str) -> int | None:
    """A side as given; RELION's -1 is none."""
    side = line.whole(name)
    if side == 0:
        raise UserError(f"--{name} 0: it must be above 0")
    return side if side is not None and side > 0 else None


# -- what is said ---------------------------------------------------------------------------------


def corrections(line: Line, version: Version) -> list[str]:
    """What is done otherwise than RELION does, of what a command line asks for."""
    ctf, said = has_ctf(line, version), []
    if line.has("fourier"):
        return corrections_of_fourier(line)
    weighting = weights_of(line, version)["weighting"]
    if version == 4 and any(_side(line, name) for name in "whd"):
        said.append(
            "--w --h --d are unbinned pixels, as the manual says (RELION 4's program takes binned "
            "voxels)"
        )
    if ctf and weighting == "wiener":
        said.append(
            "the division by CTF^2 in 3D has its point spread centred and normalised (RELION's is "
            "neither: there it hardly does more than multiply by SNR)"
        )
    if ctf and line.has("no_weight"):
        said.append("--no_weight holds with the CTF too (RELION divides all the same)")
    if ctf and line.has("pre_weight"):
        said.append(
            "--pre_weight beside --ctf is left: the division in 3D weights already (RELION does "
            "both)"
            if is_weighted_in_3d_alone(line, version)
            else "--pre_weight weights in 2D instead of 3D (RELION 4 does both with the CTF)"
        )
    if line.number("td") or line.number("tf"):
        said.append(
            "--td --tf fade each image before it is back-projected (RELION fades voxels near the "
            "edge of all images)"
        )
    return said


def corrections_of_fourier(line: Line) -> list[str]:
    """The same for Fourier inversion; what doesn't go with it is a `UserError`."""
    if line.has("generate_split_tomograms"):
        raise UserError(
            "--fourier takes the images of both half sets for one volume: without it, or without "
            "--generate_split_tomograms"
        )
    others = ("no_weight", "pre_weight", "skip_wiener", "keep_mean", "td", "tf", "SNR", "Fc")
    if idle := [f"--{name}" for name in others if line.has(name)]:
        log.warning("%s: not used with --fourier, as in RELION", ", ".join(idle))
    return [
        "signal-to-noise ratios are the minimum that RELION looks for (its minimiser stops before)"
    ]
