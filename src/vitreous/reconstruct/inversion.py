"""Inversion by the point spread: each frequency divided by what all tilts together tell of it.

Least squares with a Wiener constant, for a specimen of thickness D: the spectrum of back-projected
images c_t g_t is divided by

    Q(k) + R / SNR,    Q(k) = sum over tilts g of v_g c_g(k)^2 slab(D k . n_g),    R = sum v_g s_g^2

slab(x) = max(0, 1 - |x|): tilt g tells of the frequencies within 1 / D of the plane through the
origin with normal n_g, its beam. c is the transfer (CTF, dose), s its scale, v the tilt's weight.
So SNR is that of a frequency which every tilt sees, with full transfer: it means the same for any
volume, grey scale and number of tilts that share a dose.

An image tells of its own plane only, so the division is done there, before back-projection: nothing
wraps round, and no voxel depends on how large the volume is.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.dose import remaining_amplitude
from vitreous.reconstruct.grid import thickness_angstrom
from vitreous.reconstruct.sampling import Sampling
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.transfer import applied_transfer, correction
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.typed import angstrom

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

POINTS = 1_000_000  # of a spectrum that are worked on together
BYTES_A_POINT = 200  # at most: indices, frequencies, transfer and its parts


@dataclass(frozen=True, slots=True, eq=False)
class Inversion:
    """The divisors of all views.

    rotations (n, 3, 3); weights (n,); thickness in angstrom; ctfs, doses (n,) where they count;
    kx (1, x // 2 + 1), ky (y, 1): frequencies of the images' spectra, 1/A.
    """

    rotations: Array
    weights: Array
    thickness: float
    settings: ReconstructSettings
    ctfs: tuple[Ctf, ...] | None
    doses: Array | None
    voltage_kv: float
    kx: Array
    ky: Array

    @property
    def full(self) -> float:
        """R: what all tilts would tell with full transfer."""
        if self.ctfs is None:
            return float(self.weights.sum())
        power = 1 if self.settings.ctf == "flip" else 2
        return float(np.dot(self.weights, [ctf.scale**power for ctf in self.ctfs]))

    @property
    def grey_scale(self) -> float:
        """Factor of all images: density per angstrom, or what the mean of the tilts would show."""
        if self.settings.combine == "density":
            return 1 / self.thickness
        return self.full / (len(self.rotations) if self.settings.combine == "imod" else 1)

    def divisor(self, view: int) -> Floats:
        """(y, x // 2 + 1) for the spectrum of a view."""
        count, half = len(self.ky), self.kx.shape[1]
        found = np.full((count, half), self.full / self.settings.snr, np.float32)
        together = max(1, POINTS // half)
        for first in range(0, count, together):
            ky = self.ky[first : first + together]
            for other in range(len(self.rotations)):
                apart = self.thickness * (self.rotations[other, 2] @ self.rotations[view, :2].T)
                rows, columns = self._near(apart, ky)
                x, y = self.kx[0, columns], ky[rows, 0]
                slab = 1 - np.abs(apart[0] * x + apart[1] * y)
                told = slab * self._power(other, view, x, y)
                found[first + rows, columns] += told.astype(np.float32)
        return found

    def mean_divisor(self, view: int) -> float:
        """The divisor at frequency 0."""
        nought = np.zeros(1)
        told = [self._power(other, view, nought, nought)[0] for other in range(len(self.rotations))]
        return float(sum(told)) + self.full / self.settings.snr

    def _near(self, apart: Array, ky: Array) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Rows (of ky) and columns of the frequencies for which |apart . (kx, ky)| < 1."""
        half = self.kx.shape[1]
        offset = apart[1] * ky[:, 0]
        step = apart[0] * self.kx[0, 1] if half > 1 else 0.0
        if abs(step) * half < 1e-9:
            rows = np.flatnonzero(np.abs(offset) < 1)
            return np.repeat(rows, half), np.tile(np.arange(half), len(rows))
        ends = np.sort([(-1 - offset) / step, (1 - offset) / step], axis=0)
        begin = np.clip(np.floor(ends[0]) + 1, 0, half).astype(int)
        end = np.clip(np.ceil(ends[1]), begin, half).astype(int)
        count = end - begin
        before = np.cumsum(count) - count
        columns = np.arange(count.sum()) - np.repeat(before - begin, count)
        return np.repeat(np.arange(len(count)), count), columns

    def _power(self, other: int, view: int, x: Array, y: Array) -> Array:
        """(n,) weight times squared transfer of view `other` at frequencies (x, y) of `view`."""
        power = np.full(len(x), self.weights[other])
        if self.ctfs is None and self.doses is None:
            return power
        turn = self.rotations[other, :2] @ self.rotations[view, :2].T
        x, y = turn[0, 0] * x + turn[0, 1] * y, turn[1, 0] * x + turn[1, 1] * y
        if self.ctfs is not None:
            ctf = self.ctfs[other]
            power *= applied_transfer(ctf, self.settings, x, y)
            power *= correction(ctf, self.settings, x, y)
        if self.doses is not None:
            dose, voltage = self.doses[other], self.voltage_kv
            power *= remaining_amplitude(np.hypot(x, y), dose, voltage) ** 2
        return power


def work_bytes(sampling: Sampling, settings: ReconstructSettings) -> int:
    """Memory that the divisor of a view takes."""
    if settings.weighting != "wiener" or settings.wiener_formula != "house":
        return 0
    rows, columns = sampling.periodic
    points = rows * (columns // 2 + 1)
    return 4 * points + BYTES_A_POINT * min(points, POINTS)


def inversion_of(
    alignment: Alignment,
    settings: ReconstructSettings,
    weights: Array,
    ctfs: tuple[Ctf, ...] | None,
    doses: Array | None,
    voltage_kv: float,
    sampling: Sampling,
) -> Inversion | None:
    """The inversion that the settings ask for; weights, ctfs, doses by view."""
    if settings.method != "wbp" or settings.weighting != "wiener":
        return None
    if settings.wiener_formula == "relion":
        return None
    thickness = thickness_angstrom(alignment, settings)
    if settings.specimen_thickness is not None:
        thickness = angstrom(settings.specimen_thickness, alignment.pixel_size)
        if thickness <= 0:
            raise UserError(
                f"specimen_thickness must be above 0, not {settings.specimen_thickness}"
            )
    kx, ky = sampling.frequencies(alignment.pixel_size)
    return Inversion(
        rotations=alignment.rotations,
        weights=weights,
        thickness=thickness,
        settings=settings,
        ctfs=ctfs,
        doses=doses,
        voltage_kv=voltage_kv,
        kx=kx,
        ky=ky,
    )
