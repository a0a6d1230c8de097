"""Motion of whole frames: all of them at once, by the likelihood of their displacements.

First peaks of correlations at low resolution, each frame against the sum of the others; then
Newton's steps on L(d) = sum over k of w |sum over f of F_f exp(2 pi i k d_f)|^2, which knows no
pixels; then weights measured from the frames as they are aligned, twice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.fourier import inverse
from vitreous.motion.band import Band, Floats, counted, grid_for
from vitreous.motion.settings import MotionSettings
from vitreous.motion.weights import (
    RINGS,
    SMOOTHING,
    b_factor_weights,
    likely_weights,
    rings,
    signal_and_noise,
)

Array = NDArray[np.float64]

FIRST_B = 1500.0  # A^2, where the movie has not told its weights yet
COARSE_B = 6000.0  # of the first peaks
COARSE_FINEST = 20.0  # angstrom
ROUNDS, CLOSE = 8, 2.0  # of correlations at most; angstrom a frame may still move in the last
STEPS, LAST_STEP = 15, 0.01  # Newton's at most; angstrom of the last
LONGEST_STEP = 3.0  # angstrom


@dataclass(frozen=True, slots=True, eq=False)
class WholeMotion:
    """displacements (frames, 2), angstrom, of mean 0; curvature (2, 2) of the log likelihood."""

    displacements: Array
    curvature: Array
    weights: Floats

    @property
    def standard_error(self) -> float:
        """Expected length of a displacement's error, angstrom."""
        count = len(self.displacements)
        variance = np.trace(np.linalg.inv(self.curvature)) * (1 - 1 / count)
        return float(np.sqrt(variance))


def align_frames(spectra: Floats, band: Band, settings: MotionSettings) -> WholeMotion:
    """The displacements of two or more frames from their coefficients (frames, 2, n)."""
    moves = peaks(spectra, band, settings)
    if settings.b_factor is None:
        weights = b_factor_weights(band, FIRST_B, settings.coarsest)
        moves, _ = newton(spectra, band, weights, moves)
    return refined(spectra, band, settings, moves)


def refined(spectra: Floats, band: Band, settings: MotionSettings, moves: Array) -> WholeMotion:
    """The same from displacements that are nearly right."""
    if settings.b_factor is not None:
        weights = b_factor_weights(band, settings.b_factor, settings.coarsest)
        moves, curvature = newton(spectra, band, weights, moves)
        curvature = curvature * as_likelihood(spectra, band, weights, moves)
        return WholeMotion(moves, curvature, weights)
    alone = powers(spectra)
    for _ in range(2):
        total = aligned_sum(spectra, band, moves)
        weights = likely_weights(band, alone, total, len(spectra), settings.coarsest)
        moves, curvature = newton(spectra, band, weights, moves)
    return WholeMotion(moves, curvature, weights)


def powers(spectra: Floats) -> Floats:
    """(coefficients,) of all frames together."""
    found = np.zeros(spectra.shape[2], np.float32)
    for re, im in spectra:
        found += re * re + im * im
    return found


def aligned_sum(spectra: Floats, band: Band, moves: Array) -> Floats:
    """(2, coefficients) of the frames' sum with the specimen at rest."""
    from vitreous.kernels.cpu.motion import moved_sum

    total = np.empty(spectra.shape[1:], np.float32)
    moved_sum(spectra, band.starts, band.ky, band.kx_step, moves, total)
    return total


# -- peaks ----------------------------------------------------------------------------------------


def peaks(spectra: Floats, band: Band, settings: MotionSettings) -> Array:
    """(frames, 2) rough displacements.

    The frames join a sum one after the other, so that a long way blurs nothing; then each is
    matched against all others.
    """
    shape = grid_for(band, COARSE_FINEST)
    weight = band.unpacked(b_factor_weights(band, COARSE_B, settings.coarsest), shape)
    grids = np.empty((len(spectra), *weight.shape), np.complex64)
    for grid, frame in zip(grids, spectra, strict=True):
        grid[:] = band.unpacked(frame, shape)
    step = np.array(band.padded[::-1]) * band.pixel_size / shape[::-1]
    phases, far = _Phases(shape, step), beyond(shape, step, settings.largest)

    moves = np.zeros((len(grids), 2))
    total = grids[0].copy()
    for f in range(1, len(grids)):
        moves[f] = moves[f - 1] + _peak(
            weight * np.conj(total) * grids[f] * phases(moves[f - 1]),
            shape,
            step,
            far,
        )
        total += grids[f] * phases(moves[f])
    for _ in range(ROUNDS):
        moves -= moves.mean(0)
        total = np.zeros_like(grids[0])
        for grid, move in zip(grids, moves, strict=True):
            total += grid * phases(move)
        steps = np.empty_like(moves)
        for f, (grid, move) in enumerate(zip(grids, moves, strict=True)):
            own = grid * phases(move)
            steps[f] = _peak(weight * np.conj(total - own) * own, shape, step, far)
        moves += steps
        if np.abs(steps).max() < CLOSE:
            break
    return moves - moves.mean(0)


class _Phases:
    """exp(2 pi i k d) on the grid of a half spectrum."""

    def __init__(self, shape: tuple[int, int], step: Array) -> None:
        self.ky = np.fft.fftfreq(shape[0], step[1])
        self.kx = np.fft.rfftfreq(shape[1], step[0])

    def __call__(self, move: Array) -> NDArray[np.complex64]:
        return np.outer(
            np.exp(2j * np.pi * self.ky * move[1]), np.exp(2j * np.pi * self.kx * move[0])
        ).astype(np.complex64)


def beyond(shape: tuple[int, int], step: Array, largest: float) -> NDArray[np.bool_]:
    """Where in a correlation (y, x) the shift is longer than `largest`, angstrom."""
    rows, columns = (np.fft.fftfreq(n, 1 / n) for n in shape)
    far: NDArray[np.bool_] = np.hypot(rows[:, None] * step[1], columns * step[0]) > largest
    return far


def _peak(
    product: NDArray[np.complex64], shape: tuple[int, int], step: Array, far: NDArray[np.bool_]
) -> Array:
    """Where (x, y), angstrom, a correlation is highest, but not `far` from 0: by parabolas."""
    correlation = inverse(product, shape)
    correlation[far] = -np.inf
    y, x = np.unravel_index(int(correlation.argmax()), shape)
    found = []
    for position, size, line in (
        (x, shape[1], correlation[y]),
        (y, shape[0], correlation[:, x]),
    ):
        before, here, after = line[position - 1], line[position], line[(position + 1) % size]
        bend = before - 2 * here + after
        rest = 0.5 * (before - after) / bend if np.isfinite(bend) and bend < 0 else 0.0
        found.append((position + size // 2) % size - size // 2 + rest)
    return np.array(found) * step


# -- likelihood -----------------------------------------------------------------------------------


def newton(spectra: Floats, band: Band, weights: Floats, moves: Array) -> tuple[Array, Array]:
    """The nearest maximum of L, displacements of mean 0, and its curvature (2, 2)."""
    from vitreous.kernels.cpu.motion import slopes

    gradient, power = np.empty(moves.shape), np.empty(4)
    for _ in range(STEPS):
        slopes(spectra, band.starts, band.ky, band.kx_step, moves, weights, gradient, power)
        curvature = power[[[1, 2], [2, 3]]]
        steps = np.linalg.solve(curvature, gradient.T).T
        steps -= steps.mean(0)
        longest = np.abs(steps).max()
        moves = moves + steps * min(1.0, LONGEST_STEP / max(longest, 1e-9))
        if longest < LAST_STEP:
            break
    return moves, curvature


def as_likelihood(spectra: Floats, band: Band, weights: Floats, moves: Array) -> float:
    """The factor that makes a log likelihood of L with weights that were chosen, not measured.

    With it the curvature is the inverse of the displacements' variance, as for `likely_weights`.
    """
    frames, count, ring = len(spectra), counted(band), rings(band, RINGS)
    whole = (aligned_sum(spectra, band, moves) ** 2).sum(0)
    found = signal_and_noise(ring, count, powers(spectra), whole, frames, SMOOTHING)
    noise, mean = (radial[ring] for radial in found)
    curvature = (weights * band.k**2 * (mean - noise)).sum()
    scatter = (weights**2 / count * band.k**2 * noise * mean).sum() * frames
    return float(curvature / scatter)
