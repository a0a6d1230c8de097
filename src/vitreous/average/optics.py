"""What the microscope does to the particles of one tilt: transfer, dose, and the noise's colour."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.average.tilted import BoxSettings, TiltedParticles
from vitreous.ctf.model import phase, phase_per_defocus
from vitreous.kernels.cpu.boxes import transfer_boxes
from vitreous.kernels.division import shell_means
from vitreous.kernels.dose import remaining_amplitude

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

USUAL_KV = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class Optics:
    """What one tilt does to all its particles, on (size, size // 2 + 1) frequencies.

    phase (radians) at the origin's height, per_defocus (radians/A), amplitude of the transfer;
    inside: frequencies that aren't left out;
    whitening: a factor of data and weights, None without.
    """

    phase: Floats
    per_defocus: Floats
    amplitude: Floats
    inside: NDArray[np.bool_]
    radius: int
    hand: int
    whitening: Floats | None = None

    @classmethod
    def of(cls, tilted: TiltedParticles, section: int, settings: BoxSettings) -> "Optics":
        size = settings.padded
        steps_y = np.fft.fftfreq(size, 1 / size)[:, None]
        steps_x = np.arange(size // 2 + 1)[None]
        distance = np.hypot(steps_x, steps_y)
        step = 1 / (size * settings.binning * tilted.alignment.pixel_size)
        known = tilted.ctfs[section]
        voltage_kv = USUAL_KV if known is None else known.voltage_kv
        left = _left_by_dose(tilted, section, distance * step, voltage_kv)
        inside = np.ones(left.shape, bool)
        if settings.cutoff is not None:
            inside = (left > settings.cutoff) & (distance <= size / 2)
        radius = 1 + int(np.flatnonzero(inside[0]).max(initial=0))
        if not settings.ctf or known is None:
            flat = np.zeros(distance.shape, np.float32)
            return cls(np.full_like(flat, np.pi / 2), flat, np.ones_like(flat), inside, radius, 1)
        damping = known.scale * np.exp(-known.b_factor / 4 * (distance * step) ** 2)
        return cls(
            phase(known, steps_x * step, steps_y * step).astype(np.float32),
            phase_per_defocus(known.voltage_kv, (distance * step) ** 2).astype(np.float32),
            np.where(inside, left * damping, 0).astype(np.float32),
            inside,
            radius,
            known.hand,
        )

    def applied(
        self, spectra: Spectra, turns: Array, defocus: Array, settings: BoxSettings
    ) -> tuple[Spectra, Floats]:
        """(data, weights) of boxes whose defocus differs from the origin's by `defocus` (n,)."""
        shape = len(spectra), *self.amplitude.shape
        data, weights = np.empty(shape, np.complex64), np.empty(shape, np.float32)
        unitary = 1 / (settings.padding * settings.unbinned * settings.binning)
        transfer_boxes(
            _pairs(spectra),
            turns,
            -unitary if settings.invert else unitary,
            self.phase,
            self.per_defocus,
            defocus,
            self.amplitude,
            _pairs(data),
            weights,
        )
        if self.whitening is not None:
            data *= self.whitening
            weights *= self.whitening
        return data, weights

    def bare(self) -> "Optics":
        """The same frequencies, as they are."""
        flat = np.zeros_like(self.amplitude)
        as_they_are = self.inside.astype(np.float32)
        right_angle = np.full_like(flat, np.pi / 2)
        return replace(self, phase=right_angle, per_defocus=flat, amplitude=as_they_are)

    def whitened(self, image: Floats, settings: BoxSettings) -> "Optics":
        """The same with the whitening of the image's noise, found from its power spectrum."""
        size = settings.padded
        radius = np.hypot(np.arange(size // 2 + 1)[None], np.fft.fftfreq(size, 1 / size)[:, None])
        profile = whitening_profile(image, settings.unbinned)
        factor = np.interp(radius / settings.padding, np.arange(len(profile)), profile).astype(
            np.float32
        )
        return replace(self, whitening=factor)


def _pairs(values: Spectra) -> Floats:
    """Complex numbers as pairs of float32, the same memory."""
    return values.view(np.float32).reshape(*values.shape, 2)


def _left_by_dose(
    tilted: TiltedParticles, section: int, frequency: Array, voltage_kv: float
) -> Array:
    dose = None if tilted.doses is None else tilted.doses[section]
    if dose is None:
        return np.ones_like(frequency)
    if tilted.b_factor_per_dose > 0:
        return np.asarray(np.exp(-tilted.b_factor_per_dose * dose / 4 * frequency**2))
    return remaining_amplitude(frequency, dose, voltage_kv)


def whitening_profile(image: Floats, size: int) -> Array:
    """1 / sqrt of the mean power per shell of blocks of size^2, overlapping by half; 0 for none."""
    from scipy import fft

    step = size // 2
    rows, columns = image.shape
    power = np.zeros((size, size // 2 + 1))
    blocks = 0
    for y in range(0, rows - size + 1, step):
        for x in range(0, columns - size + 1, step):
            spectrum = fft.rfft2(image[y : y + size, x : x + size].astype(np.float64)) / size
            power += np.abs(spectrum) ** 2
            blocks += 1
    radius = np.hypot(np.arange(size // 2 + 1)[None], np.fft.fftfreq(size, 1 / size)[:, None])
    mean = shell_means([power / max(blocks, 1)], [radius], size // 2 + 1)
    with np.errstate(divide="ignore"):
        return np.where(mean > 0, 1 / np.sqrt(mean), 0)
