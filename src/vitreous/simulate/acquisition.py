"""The microscope's session: in which order which tilts are taken, and what goes wrong meanwhile."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.ctf import Ctf
from vitreous.records.typed import numbers_in
from vitreous.simulate.chance import stream
from vitreous.simulate.motion import share_of_motion
from vitreous.simulate.settings import SimulateSettings

Array = NDArray[np.float64]

AXIS_DRIFT = 0.0015  # degrees of the axis for each degree of tilt
AXIS_SCATTER = 0.03  # degrees
MAGNIFICATION_SCATTER = 1.5e-4


@dataclass(frozen=True, slots=True)
class Exposure:
    """One tilt as it was taken.

    section: 0-based, by angle; shift_px: where the specimen's origin lies, from the image's middle
    ((n - 1) / 2 counted from pixel 0); fault: "", "dark" or "blank"; ctf: of the origin.
    """

    section: int
    exposure_index: int
    nominal_tilt: float
    tilt: float
    axis: float
    magnification: float
    shift_px: tuple[float, float]
    ctf: Ctf
    dose: float
    pre_exposure: float
    fault: str = ""

    @property
    def deformed(self) -> float:
        """The share of the specimen's motion at the middle of the exposure."""
        return float(share_of_motion(self.pre_exposure + self.dose / 2))


def nominal_tilts(settings: SimulateSettings) -> Array:
    """(n,) stage angles in section order."""
    steps = int(settings.max_tilt / settings.tilt_step + 1e-6)
    return np.arange(-steps, steps + 1, dtype=np.float64) * settings.tilt_step


def acquisition_order(count: int, scheme: str, group: int) -> NDArray[np.intp]:
    """(count,) sections in the order in which they are taken; count is odd, the middle is 0 deg."""
    middle = count // 2
    if scheme == "unidirectional":
        return np.arange(count)
    up, down = np.arange(middle + 1, count), np.arange(middle - 1, -1, -1)
    if scheme == "bidirectional":
        return np.concatenate([[middle], up, down])
    starts = range(0, middle, group)
    sides = [side[i : i + group] for i in starts for side in (up, down)]
    return np.concatenate([[middle], *sides])


def exposures(settings: SimulateSettings) -> tuple[Exposure, ...]:
    """The tilts of a session, in section order."""
    nominal = nominal_tilts(settings)
    count = len(nominal)
    index = np.argsort(acquisition_order(count, settings.scheme, settings.group))
    axes = _axes(settings, nominal)
    tilts = nominal + stream(settings.seed, "tilts").normal(0, settings.tilt_error, count)
    magnifications = _magnifications(settings, index)
    shifts = _shifts(settings, count)
    ctfs = _ctfs(settings, count)
    return tuple(
        Exposure(
            section=section,
            exposure_index=int(index[section]),
            nominal_tilt=float(nominal[section]),
            tilt=float(tilts[section].round(4)),
            axis=float(axes[section]),
            magnification=float(magnifications[section]),
            shift_px=(float(shifts[section, 0]), float(shifts[section, 1])),
            ctf=ctfs[section],
            dose=settings.dose_per_tilt,
            pre_exposure=float(index[section] * settings.dose_per_tilt),
            fault=_fault(settings, section),
        )
        for section in range(count)
    )


def _axes(settings: SimulateSettings, nominal: Array) -> Array:
    rng = stream(settings.seed, "axis")
    off = rng.normal(0, settings.axis_error)
    scatter = rng.normal(0, AXIS_SCATTER, len(nominal))
    return settings.tilt_axis + off + AXIS_DRIFT * nominal + scatter


def _magnifications(settings: SimulateSettings, index: NDArray[np.intp]) -> Array:
    """Drifts over the session, about 1."""
    drift = settings.magnification_drift / 100
    scatter = stream(settings.seed, "magnification").normal(size=len(index))
    scatter *= MAGNIFICATION_SCATTER if drift else 0
    return 1 + drift * (index / max(len(index) - 1, 1) - 0.5) + scatter


def _shifts(settings: SimulateSettings, count: int) -> Array:
    """(n, 2) px. What lies beyond three sigmas is taken as noticed and mended."""
    rng = stream(settings.seed, "shifts")
    field = min(settings.size)
    sigma = settings.shift_error / 100 * field
    shifts = sigma * rng.normal(size=(count, 2)).clip(-3, 3)
    directions = rng.uniform(0, 2 * np.pi, count)
    jumps = field / 3 * np.stack([np.cos(directions), np.sin(directions)], -1)
    jumping = np.isin(np.arange(1, count + 1), numbers_in(settings.jumps))
    return np.where(jumping[:, None], jumps, shifts)


def _ctfs(settings: SimulateSettings, count: int) -> list[Ctf]:
    rng = stream(settings.seed, "defocus")
    mean = settings.defocus + rng.normal(0, settings.defocus_error, count)
    half = settings.astigmatism * rng.normal(1, 0.25, count) / 2
    angle = settings.astigmatism_angle + rng.normal(0, 4, count)
    return [
        Ctf(
            defocus_u=float(mean[i] + half[i]),
            defocus_v=float(mean[i] - half[i]),
            astigmatism_degrees=float(angle[i]),
            voltage_kv=settings.kv,
            spherical_aberration_mm=settings.cs,
            amplitude_contrast=settings.amplitude_contrast,
            phase_shift_degrees=settings.phase_shift,
            b_factor=settings.envelope,
            hand=settings.hand,
        )
        for i in range(count)
    ]


def _fault(settings: SimulateSettings, section: int) -> str:
    if section + 1 in numbers_in(settings.dark):
        return "dark"
    return "blank" if section + 1 in numbers_in(settings.blank) else ""


def true_alignment(tilts: tuple[Exposure, ...], settings: SimulateSettings) -> Alignment:
    """The maps by which the views are projected; the deformation comes before them."""
    size = np.array(settings.size)
    middle = (size - 1) / 2 - size // 2  # px, from the house's centre
    return alignment_from_angles(
        axes_degrees=np.array([tilt.axis for tilt in tilts]),
        tilts_degrees=np.array([tilt.tilt for tilt in tilts]),
        shifts=(np.array([tilt.shift_px for tilt in tilts]) + middle) * settings.pixel_size,
        magnifications=np.array([tilt.magnification for tilt in tilts]),
        image_size=settings.size,
        pixel_size=settings.pixel_size,
        thickness_angstrom=settings.thickness_angstrom,
    )
