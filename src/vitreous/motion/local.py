"""Motion that differs across the field: one smooth model for all patches and frames.

A displacement is a sum of (u, v, u^2 - 1/3, u v, v^2 - 1/3) x (two polynomials of time), 20
numbers in all. No peak is picked in any patch: at 0.4 e/A^2 a frame they are mostly noise. The
gradients and curvatures of the patches' likelihoods are added up into one for the 20 numbers,
which is maximised.

Coefficients are taken as drawn from N(0, p^2). For every p the evidence says how much likelier the
movie is than without local motion, averaged over all coefficients; the best p shrinks them, and
where the best evidence is small, none of it is believed.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.fourier import inverse
from vitreous.motion.band import Band, Floats, band_for, counted, edge_window, grid_for
from vitreous.motion.settings import MotionSettings
from vitreous.motion.weights import finest_of_use, rings, signal_and_noise, worth
from vitreous.motion.whole import WholeMotion, aligned_sum
from vitreous.records.motion import LocalMotion, across, space_terms

Array = NDArray[np.float64]

TIMES = 2  # polynomials of time
PRIORS = (0.125, 0.25, 0.5, 1.0, 2.0, 4.0)  # angstrom
ROUNDS, LAST_STEP = 8, 0.02  # Gauss-Newton's at most; angstrom of a coefficient in the last
LARGEST = 1 / 3  # of the field: a patch's side
APART, EDGE = 0.85, 0.3  # of a patch's side: from one to the next; the tapers at its ends
RING = 1.5  # coefficients of a patch in a ring's width
SMOOTHING = 1.0  # rings, sigma


@dataclass(frozen=True, slots=True, eq=False)
class Patches:
    """spectra (patches, frames, 2, coefficients) in a band of their own; terms (patches, 5)."""

    spectra: Floats
    band: Band
    terms: Array


@dataclass(frozen=True, slots=True, eq=False)
class LocalFit:
    """The likeliest local motion, None where its log evidence is not enough."""

    motion: LocalMotion | None
    log_evidence: float


def align_patches(
    spectra: Floats,
    band: Band,
    whole: WholeMotion,
    shape: tuple[int, int],
    settings: MotionSettings,
    threads: int = 1,
) -> LocalFit:
    """Local motion in frames whose whole motion is known.

    spectra (frames, 2, n) is used up, for memory. shape: (y, x) of a frame.
    """
    finest = finest_of_use(band, whole.weights)
    side = min(settings.patch, LARGEST * min(shape) * band.pixel_size)
    patches = cut_patches(spectra, band, whole.displacements, shape, side, finest, threads)
    times = time_terms(len(whole.displacements))
    curvature, slope, fitted = _fit(patches, times, settings.coarsest)
    prior, evidence = best_prior(curvature, slope)
    if evidence < settings.proof:
        return LocalFit(None, evidence)
    covariance = np.asarray(np.linalg.inv(with_prior(curvature, prior)), np.float64)
    coefficients = np.einsum("ctk,kf->fct", fitted, times)
    return LocalFit(LocalMotion(coefficients, field_error(covariance, times)), evidence)


# -- patches --------------------------------------------------------------------------------------


def cut_patches(
    spectra: Floats,
    band: Band,
    moves: Array,
    shape: tuple[int, int],
    patch: float,
    finest: float,
    threads: int = 1,
) -> Patches:
    """Windowed, overlapping patches of the aligned frames, as coefficients.

    The memory of `spectra` is given back, frame by frame, as the patches take it.
    """
    from scipy import fft

    small = grid_for(band, finest)
    grains = np.array(band.padded) * band.pixel_size / small
    extents = [round(n * band.pixel_size / g) for n, g in zip(shape, grains, strict=True)]
    sides = [min(2 * round(patch / g / 2), n) for g, n in zip(grains, extents, strict=True)]
    tops, lefts = (places(n, side) for n, side in zip(extents, sides, strict=True))
    window = np.outer(*(edge_window(side, EDGE) for side in sides)).astype(np.float32)
    own = band_for((sides[0], sides[1]), float(grains.mean()), finest)
    corners = [(top, left) for top in tops for left in lefts]

    found = np.empty((len(corners), len(moves), 2, len(own)), np.float32)
    cuts = np.empty((len(lefts), *sides), np.float32)
    for f in reversed(range(len(moves))):
        still = aligned_sum(spectra[f : f + 1], band, moves[f : f + 1])
        spectra.resize((f, *spectra.shape[1:]), refcheck=False)
        image = inverse(band.unpacked(still, small), small, threads)
        for row, top in enumerate(tops):
            for cut, left in zip(cuts, lefts, strict=True):
                part = image[top : top + sides[0], left : left + sides[1]]
                np.multiply(part, window, out=cut)
            transformed = fft.rfft2(cuts, s=own.padded, workers=threads)
            for column, spectrum in enumerate(transformed):
                own.packed(spectrum, found[row * len(lefts) + column, f])

    middles = np.array(corners)[:, ::-1] + (np.array(sides[::-1]) - 1) / 2
    pixels = middles * grains[::-1] / band.pixel_size
    terms = space_terms(across(pixels, (shape[1], shape[0])))
    return Patches(found, own, terms)


def places(n: int, side: int) -> list[int]:
    """Where patches begin that cover n pixels, about APART of a side from one to the next."""
    count = max(2, round((n - side) / max(1.0, APART * side)) + 1)
    return sorted({round(start) for start in np.linspace(0, n - side, count)})


# -- the fit --------------------------------------------------------------------------------------


def _fit(patches: Patches, times: Array, coarsest: float) -> tuple[Array, Array, Array]:
    """Curvature (m, m) and slope (m,) at 0 of the log likelihood, and coefficients (2, 5, times).

    slope: such that curvature @ (the maximum) = slope.
    """
    weights = pooled_weights(patches, coarsest)
    frames = patches.spectra.shape[1]
    shape = 2, patches.terms.shape[1], len(times)
    coefficients = np.zeros(shape)
    for _ in range(ROUNDS):
        moves = np.einsum("pt,ctk,kf->pfc", patches.terms, coefficients, times)
        gradients, powers = slopes_at(patches, weights, moves)
        curvatures = positive(powers[:, [[1, 2], [2, 3]]])
        # a likelihood's gradient has its curvature as variance: what windows and noisy weights
        # make of that is measured and put right
        expected = np.trace(curvatures, axis1=1, axis2=2).sum() / 2
        seen = (gradients**2).sum() / (2 * frames) / expected
        sure = 1 / max(1.0, seen)
        slope = sure * np.einsum("pt,kf,pfc->ctk", patches.terms, times, gradients).reshape(-1)
        curvature = sure * np.einsum(
            "pt,pu,pcd,kf,lf->ctkdul", patches.terms, patches.terms, curvatures, times, times,
            optimize=True,
        ).reshape(slope.size, slope.size)  # fmt: skip
        slope = slope + curvature @ coefficients.reshape(-1)
        prior, _ = best_prior(curvature, slope)
        step: Array = shrunk(curvature, slope, prior).reshape(shape) - coefficients
        coefficients += step
        if np.abs(step).max() < LAST_STEP:
            break
    return curvature, slope, coefficients


def slopes_at(patches: Patches, weights: Floats, moves: Array) -> tuple[Array, Array]:
    """Gradients (patches, frames, 2) and powers (patches, 4), see `kernels.cpu.motion.slopes`."""
    from vitreous.kernels.cpu.motion import slopes_of_patches

    gradients, powers = np.empty(moves.shape), np.empty((len(moves), 4))
    own = patches.band
    slopes_of_patches(
        patches.spectra, own.starts, own.ky, own.kx_step, moves, weights, gradients, powers
    )
    return gradients, powers


def pooled_weights(patches: Patches, coarsest: float) -> Floats:
    """w of `motion.weights`, from all patches: a single one is too noisy to tell."""
    own, spectra = patches.band, patches.spectra
    count, frames = spectra.shape[:2]
    alone, whole = np.zeros(len(own), np.float32), np.zeros(len(own), np.float32)
    for patch in spectra:
        alone += np.einsum("fcn,fcn->n", patch, patch)
        whole += (patch.sum(0) ** 2).sum(0)
    ring, counts = rings(own, RING), counted(own)
    noise, mean = signal_and_noise(ring, counts, alone / count, whole / count, frames, SMOOTHING)
    weight = worth(noise, mean, frames)[ring] * (own.k > 1 / coarsest) * (own.k > 2 * own.ky[1])
    return (weight * counts).astype(np.float32)


def positive(curvatures: Array) -> Array:
    """(n, 2, 2) without what would turn a maximum into a saddle: negative eigenvalues are 0."""
    values, vectors = np.linalg.eigh(curvatures)
    found: Array = (vectors * np.maximum(values, 0)[:, None]) @ vectors.swapaxes(1, 2)
    return found


def time_terms(frames: int) -> Array:
    """(TIMES, frames): orthogonal polynomials of mean 0 and mean square 1."""
    t = np.linspace(-1, 1, frames)
    basis, _ = np.linalg.qr(np.vander(t, TIMES + 1, increasing=True))
    return basis[:, 1:].T * np.sqrt(frames)


# -- evidence -------------------------------------------------------------------------------------


def best_prior(curvature: Array, slope: Array) -> tuple[float, float]:
    """(p, log evidence) of the likeliest prior N(0, p^2) against no local motion at all."""
    evidences = [log_evidence(curvature, slope, prior) for prior in PRIORS]
    best = int(np.argmax(evidences))
    return PRIORS[best], evidences[best]


def log_evidence(curvature: Array, slope: Array, prior: float) -> float:
    """log of (mean likelihood over N(0, p^2)) / (likelihood of 0), for a quadratic one."""
    widened = np.eye(len(slope)) + prior**2 * curvature
    gain = 0.5 * prior**2 * slope @ np.linalg.solve(widened, slope)
    return float(gain - 0.5 * np.linalg.slogdet(widened)[1])


def shrunk(curvature: Array, slope: Array, prior: float) -> Array:
    """The likeliest coefficients under N(0, p^2)."""
    return np.asarray(np.linalg.solve(with_prior(curvature, prior), slope), np.float64)


def with_prior(curvature: Array, prior: float) -> Array:
    """The curvature of log likelihood + log prior."""
    found: Array = curvature.copy()
    found[np.diag_indices_from(found)] += prior**-2
    return found


def field_error(covariance: Array, times: Array) -> float:
    """Length of a displacement's error, RMS over the field and the frames."""
    axis = (np.arange(16) + 0.5) / 8 - 1
    terms = space_terms(np.stack(np.meshgrid(axis, axis), -1).reshape(-1, 2))
    spread = covariance.reshape(2, terms.shape[1], len(times), 2, terms.shape[1], len(times))
    each = np.einsum("ctkcul->tkul", spread)
    places_, frames = terms.T @ terms / len(terms), times @ times.T / times.shape[1]
    return float(np.sqrt(np.einsum("tkul,tu,kl->", each, places_, frames)))
