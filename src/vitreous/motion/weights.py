"""What a frequency is worth for alignment, measured from the movie itself.

With an unknown image of signal power S a frame and noise N, both functions of |k|, the log
likelihood of displacements is sum over k of w |sum of the aligned frames|^2 with

    w = S / (N (N + n S))        n frames

for S and N as power of a coefficient. Its curvature is the information on the displacements: the
standard error comes with it.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.motion.band import Band, Floats, counted

Array = NDArray[np.float64]

RINGS = 2.0  # coefficients of the shorter side in a ring's width
USEFUL = 0.99  # of the information on displacements
SMOOTHING = 2.0  # rings, sigma


def b_factor_weights(band: Band, b_factor: float, coarsest: float) -> Floats:
    """exp(-B k^2 / 2): two frames' amplitudes, damped by exp(-B k^2 / 4) each."""
    weight = np.exp(-b_factor * band.k**2 / 2) * (band.k > 1 / coarsest)
    return (weight * counted(band)).astype(np.float32)


def likely_weights(
    band: Band, alone: Floats, total: Floats, frames: int, coarsest: float
) -> Floats:
    """w from aligned frames; alone: their summed powers, total (2, coefficients): their sum."""
    ring = rings(band)
    noise, mean = signal_and_noise(ring, counted(band), alone, total, frames)
    noise, mean = smoothed(noise, SMOOTHING), smoothed(mean, SMOOTHING)
    weight = worth(noise, mean, frames)[ring] * (band.k > 1 / coarsest)
    return (weight * counted(band)).astype(np.float32)


def finest_of_use(band: Band, weights: Floats) -> float:
    """The detail, angstrom, up to which nearly all information on displacements lies.

    Where noise prevails, a coefficient's information goes with w^2 k^2.
    """
    step = max(band.kx_step, band.ky[1])
    ring = (band.k / step).astype(np.intp)
    information = np.cumsum(np.bincount(ring, weights.astype(np.float64) ** 2 * band.k**2))
    last = int(np.searchsorted(information, USEFUL * information[-1])) + 1
    return float(1 / min(last * step, band.k.max()))


def rings(band: Band) -> NDArray[np.intp]:
    """The ring of each coefficient."""
    step = max(band.kx_step, band.ky[1]) * RINGS
    return (band.k / step).astype(np.intp)


def signal_and_noise(
    ring: NDArray[np.intp], count: Floats, alone: Floats, total: Floats, frames: int
) -> tuple[Array, Array]:
    """(noise, frames x signal + noise) of a frame's coefficient in each ring.

    alone (coefficients,) powers of the frames, summed; total (2, coefficients) the frames' sum.
    """
    whole = (total**2).sum(0) / frames
    summed = [np.bincount(ring, count * power) for power in (np.ones_like(alone), alone, whole)]
    in_ring = np.maximum(summed[0], 1e-9)
    noise = (summed[1] - summed[2]) / (frames - 1) / in_ring
    return noise, summed[2] / in_ring


def worth(noise: Array, mean: Array, frames: int) -> Array:
    """w of noise N and mean = N + n S; 0 where there is no signal."""
    known = (noise > 0) & (mean > noise)
    safe_noise, safe_mean = np.where(known, noise, 1), np.where(known, mean, 1)
    return np.where(known, (mean - noise) / (frames * safe_noise * safe_mean), 0)


def smoothed(radial: Array, rings: float) -> Array:
    """A radial function after a Gaussian of sigma `rings`; its ends go on."""
    reach = int(4 * rings + 0.5)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / rings) ** 2)
    return np.convolve(np.pad(radial, reach, "edge"), bell / bell.sum(), "valid")
