"""The part of the contrast transfer that a microscope has in all its images."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.ctf.model import phase, phase_per_defocus
from vitreous.records.ctf import Ctf

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Optics:
    """Voltage, spherical aberration and amplitude contrast."""

    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.07

    def ctf(
        self, defocus: float, astigmatism: complex = 0, phase_degrees: float = 0.0, hand: int = 1
    ) -> Ctf:
        """The record of an image; astigmatism: (U - V) exp(2 i angle), angstrom."""
        half = abs(astigmatism) / 2
        return Ctf(
            defocus_u=defocus + half,
            defocus_v=defocus - half,
            astigmatism_degrees=float(np.rad2deg(np.angle(astigmatism)) / 2),
            voltage_kv=self.voltage_kv,
            spherical_aberration_mm=self.spherical_aberration_mm,
            amplitude_contrast=self.amplitude_contrast,
            phase_shift_degrees=phase_degrees,
            hand=hand,
        )

    def chi(self, k: Array, defocus: ArrayLike) -> Array:
        """(..., r) radians at k (r,), 1/A, for each defocus (...), angstrom."""
        rise = phase_per_defocus(self.voltage_kv, k**2)
        return phase(self.ctf(0.0), k, 0.0) + np.asarray(defocus, np.float64)[..., None] * rise


def astigmatism_of(ctf: Ctf) -> complex:
    """(U - V) exp(2 i angle), angstrom."""
    return complex(ctf.astigmatism * np.exp(2j * np.deg2rad(ctf.astigmatism_degrees)))


def along(astigmatism: complex, azimuth: Array) -> Array:
    """What astigmatism adds to the defocus in the mean over sectors round `azimuth`, radians."""
    meaned = np.sinc((azimuth[1] - azimuth[0]) / np.pi)
    return np.asarray((astigmatism * np.exp(-2j * azimuth)).real * meaned / 2, np.float64)
