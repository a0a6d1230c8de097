"""Tilt series of ice and coarse matter whose contrast transfer is exact; no alignment is in them.

A slab of scatterers without order: white phase noise (ice) and smooth lumps (matter), each pixel at
a height of its own in the inclined slab, imaged with the transfer of that height. The views are
independent.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import fft

from vitreous.ctf.model import phase, phase_per_defocus
from vitreous.ctf.optics import Optics
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.images import ArrayStack

INTERACTION = 6.526e-4  # rad / (V A), 300 kV
WATER = 143.0  # V A^3 of a molecule
DENSITY = 0.0314  # molecules / A^3
MEAN_FREE_PATH = 3100.0  # A
LAYER_PHASE = 0.5  # rad of chi at Nyquist between layers


@dataclass(frozen=True)
class Slab:
    """hand as in `Ctf`; astigmatism (U - V) exp(2 i angle); phases: degrees, first to last view.

    ice: structure factor; lumps: power of the matter against that of the ice at 30 A; spread:
    angstrom of defocus between exposures.
    """

    size: int = 768
    pixel_size: float = 2.5
    tilts: tuple[float, ...] = tuple(np.arange(-60.0, 61.0, 6.0))
    axis: float = 84.6
    hand: int = 1
    defocus: float = 30000.0
    spread: float = 600.0
    astigmatism: complex = 300 + 400j
    pitch: float = 3.0
    phases: tuple[float, float] = (0.0, 0.0)
    thickness: float = 1500.0
    ice: float = 0.07
    lumps: float = 3.0
    dose: float = 3.0
    b_factor: float = 80.0
    seed: int = 1


@dataclass(frozen=True)
class Series:
    """images, the alignment that knows neither pitch nor shifts, and what is true."""

    stack: ArrayStack
    alignment: Alignment
    order: np.ndarray
    defocus: np.ndarray
    phases: np.ndarray
    slab: Slab

    @property
    def low(self):
        """(view,) tilts of 30 degrees or less."""
        return np.abs(self.slab.tilts) <= 30


@cache
def ice_series(slab):
    """The series of a slab, dose-symmetric."""
    tilts = np.array(slab.tilts)
    order = np.lexsort((tilts, np.abs(tilts)))
    rng = np.random.default_rng(slab.seed)
    defocus = slab.defocus + rng.normal(0, slab.spread, len(tilts))
    phases = np.empty(len(tilts))
    phases[order] = np.linspace(*slab.phases, len(tilts))
    images = np.stack([seen(slab, *view, rng) for view in zip(tilts, defocus, phases, strict=True)])
    alignment = alignment_from_angles(
        axes_degrees=slab.axis,
        tilts_degrees=tilts,
        shifts=np.zeros((len(tilts), 2)),
        image_size=(slab.size, slab.size),
        pixel_size=slab.pixel_size,
    )
    return Series(ArrayStack(images, slab.pixel_size), alignment, order, defocus, phases, slab)


def seen(slab, tilt, defocus, phase_degrees, rng):
    """One view (y, x) in counts."""
    n, pixel_size = slab.size, slab.pixel_size
    optics = Optics()
    ky, kx = np.meshgrid(fft.fftfreq(n, pixel_size), fft.rfftfreq(n, pixel_size), indexing="ij")
    squared = (kx**2 + ky**2).astype(np.float32)
    inclined = np.deg2rad(tilt + slab.pitch)
    path = slab.thickness / np.cos(inclined)
    y, x = np.mgrid[:n, :n].astype(np.float32) - n // 2
    axis = np.deg2rad(slab.axis)
    across = (x * np.cos(axis) + y * np.sin(axis)) * pixel_size
    height = -across * np.tan(inclined) + (rng.random((n, n), np.float32) - 0.5) * path

    deviation = np.sqrt(slab.ice * DENSITY * path) * WATER * INTERACTION / pixel_size
    lumps = np.sqrt(1 + slab.lumps * np.exp(-(squared - 1 / 900) * 242)).astype(np.float32)
    shifts = fft.rfft2(rng.standard_normal((n, n), np.float32) * np.float32(deviation)) * lumps
    matter = fft.irfft2(shifts, s=(n, n))

    rise = phase_per_defocus(optics.voltage_kv, squared).astype(np.float32)
    at_origin = phase(optics.ctf(defocus, slab.astigmatism, phase_degrees), kx, ky)
    step = LAYER_PHASE * (2 * pixel_size) ** 2 / phase_per_defocus(optics.voltage_kv, 1.0)
    level = (height - height.min()) / step
    total = np.zeros(squared.shape, np.complex64)
    for layer in range(int(level.max()) + 2):
        share = np.maximum(1 - np.abs(level - layer), 0)
        chi = at_origin - slab.hand * (height.min() + layer * step) * rise
        total += fft.rfft2(matter * share) * (-2 * np.sin(chi)).astype(np.float32)
    fall = np.exp(-slab.b_factor * squared / 4) * 0.7 ** (squared * (2 * pixel_size) ** 2)
    contrast = fft.irfft2(total * fall, s=(n, n))
    electrons = slab.dose * pixel_size**2 * 0.85 * np.exp(-path / MEAN_FREE_PATH)
    return rng.poisson(np.maximum(1 + contrast, 0) * electrons).astype(np.uint8)
