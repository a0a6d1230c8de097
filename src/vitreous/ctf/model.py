"""The contrast transfer function: the one formula of the house.

    CTF(k) = scale sin(chi(k)) exp(-B |k|^2 / 4)
    chi(k) = pi lambda |k|^2 (df(azimuth) - lambda^2 |k|^2 Cs / 2) + phase shift + asin(A)
    df(azimuth) = (U + V) / 2 + (U - V) / 2 cos 2 (azimuth - astigmatism angle)

k in 1/A, azimuth from +x towards +y. Underfocus is positive, and so is the function at low k, as
RELION and Warp have it (CTFFIND and IMOD give its negative): dark matter's image is minus this.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.records.ctf import Ctf

Array = NDArray[np.float64]

MM = 1e7  # angstrom


def wavelength(voltage_kv: float) -> float:
    """The electron's wavelength, angstrom (relativistic)."""
    volts = voltage_kv * 1000
    return float(12.2643247 / np.sqrt(volts * (1 + volts * 0.978466e-6)))


def phase_per_defocus(voltage_kv: float, squared: Array) -> Array:
    """Radians by which chi grows with each angstrom of defocus; squared: |k|^2 in 1/A^2."""
    return np.pi * wavelength(voltage_kv) * squared


def phase(ctf: Ctf, kx: ArrayLike, ky: ArrayLike) -> Array:
    """chi in radians at frequencies (kx, ky) in 1/A, which broadcast."""
    x, y = np.asarray(kx, np.float64), np.asarray(ky, np.float64)
    squared = x**2 + y**2
    # |k|^2 cos 2 (azimuth - angle) without an arc tangent
    angle = np.deg2rad(2 * ctf.astigmatism_degrees)
    stretched = (x**2 - y**2) * np.cos(angle) + 2 * x * y * np.sin(angle)
    length = wavelength(ctf.voltage_kv)
    aberration = ctf.spherical_aberration_mm * MM
    defocused = ctf.defocus * squared + ctf.astigmatism / 2 * stretched
    constant = np.deg2rad(ctf.phase_shift_degrees) + np.arcsin(ctf.amplitude_contrast)
    return np.pi * length * (defocused - length**2 * aberration / 2 * squared**2) + constant


def transfer(ctf: Ctf, kx: ArrayLike, ky: ArrayLike) -> Array:
    """The CTF at frequencies (kx, ky) in 1/A, which broadcast."""
    squared = np.square(np.asarray(kx, np.float64)) + np.square(np.asarray(ky, np.float64))
    return ctf.scale * np.sin(phase(ctf, kx, ky)) * np.exp(-ctf.b_factor / 4 * squared)
