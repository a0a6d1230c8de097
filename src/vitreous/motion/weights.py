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
    ring, count = rings(band, RINGS), counted(band)
    whole = (total**2).sum(0)
    noise, mean = signal_and_noise(ring, count, alone, whole, frames, SMOOTHING)
    weight = worth(noise, mean, frames)[ring] * (band.k > 1 / coarsest)
    return (weight * count).astype(np.float32)


def finest_of_use(band: Band, weights: Floats) -> float:
    """The detail, angstrom, up to which nearly all information on displacements lies.

    Where noise prevails, a coefficient's information goes with w^2 k^2.
    """
    step = max(band.kx_step, band.ky[1])
    ring = (band.k / step).astype(np.intp)
    information = np.cumsum(np.bincount(ring, weights.astype(np.float64) ** 2 * band.k**2))
    last = int(np.searchsorted(information, USEFUL * information[-1])) + 1
    return float(1 / min(last * step, band.k.max()))


def rings(band: Band, width: float) -> NDArray[np.intp]:
    """The ring of each coefficient; width: of a ring, in coefficients of the shorter side."""
    return (band.k / (max(band.kx_step, band.ky[1]) * width)).astype(np.intp)


def signal_and_noise(
    ring: NDArray[np.intp],
    count: Floats,
    alone: Floats,
    whole: Floats,
    frames: int,
    smoothing: float,
) -> tuple[Array, Array]:
    """(noise, frames x signal + noise) of a frame's coefficient in each ring.

    alone, whole (coefficients,): summed powers of the frames, power of their sum. Means go over
    neighbouring rings by a Gaussian of sigma `smoothing`; a ring of few coefficients, as the last
    one is, counts for little.
    """
    number, single, together = (
        smoothed(np.asarray(np.bincount(ring, count * power), np.float64), smoothing)
        for power in (np.ones_like(alone), alone, whole / frames)
    )
    return (single - together) / (frames - 1) / number, together / number


def worth(noise: Array, mean: Array, frames: int) -> Array:
    """w of noise N and mean = N + n S; 0 where there is no signal."""
    known = (noise > 0) & (mean > noise)
    safe_noise, safe_mean = np.where(known, noise, 1), np.where(known, mean, 1)
    return np.where(known, (mean - noise) / (frames * safe_noise * safe_mean), 0)


def smoothed(radial: Array, sigma: float) -> Array:
    """A radial function after a Gaussian; beyond its ends there is nothing."""
    reach = int(4 * sigma + 0.5)
    bell = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    return np.convolve(np.pad(radial, reach), bell / bell.sum(), "valid")
