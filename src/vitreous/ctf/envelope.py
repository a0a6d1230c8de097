"""How high the rings stand at each frequency, and where they end."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.fit import Fit, Question
from vitreous.ctf.optics import Optics
from vitreous.ctf.spectra import Projector, Spectra

Array = NDArray[np.float64]

BANDS = 14
SEEN = 2.0  # standard errors above which a band's rings count
STEEPNESS = 35.0  # A^2: rings fall about as exp(-STEEPNESS k^2)
SMOOTHING = np.array([0.25, 0.5, 0.25])  # over neighbouring bands


@dataclass(frozen=True, slots=True, eq=False)
class RingHeights:
    """edges (band + 1,): rings at which bands begin; k (band,): their middles, 1/A.

    height, error (..., band): of the rings in the logarithm of the power, and its standard error.
    """

    edges: NDArray[np.intp]
    k: Array
    height: Array
    error: Array

    @property
    def last(self) -> NDArray[np.intp]:
        """(...) the band after the last in which rings are seen: two missing bands end them."""
        seen = self.height > SEEN * self.error
        pair = seen | np.concatenate([seen[..., 1:], np.zeros_like(seen[..., :1])], -1)
        unbroken = np.logical_and.accumulate(pair, -1)
        index = np.arange(1, len(self.k) + 1)
        return np.max(np.where(unbroken & seen, index, 0), -1)

    def envelope(self, k: Array) -> Array:
        """(ring,) the height, smoothed, at every frequency; 0 beyond the last band."""
        end = max(int(self.last), 2)
        height = np.maximum(self.height[:end], 0)
        padded = np.concatenate([height[:1], height, height[-1:]])
        smooth = np.convolve(padded, SMOOTHING, "valid")
        at = np.interp(k, self.k[:end], smooth)
        at[self.edges[end] :] = 0
        return at


def first_envelope(k: Array, end: float) -> Array:
    """A guess of the rings' height, up to the period `end`, angstrom."""
    return np.exp(-STEEPNESS * k**2) * (k <= 1 / end)


def ring_heights(
    spectra: Spectra, optics: Optics, question: Question, fit: Fit, phases: Array
) -> RingHeights:
    """The rings' height in bands of frequency, (view, band); phases (view,): radians."""
    k, pixels = spectra.grid.k, spectra.grid.pixels
    offsets = question.offsets(spectra, fit.hand, fit.pitch, fit.astigmatism)
    rings = Projector(spectra.grid)(fitted_rings(spectra, optics, fit, offsets, phases))
    weights = pixels * spectra.tiles[:, None, None]
    score = spectra.by_view((weights * rings * spectra.flat).sum(1))
    norm = spectra.by_view((weights * rings**2).sum(1))
    edges = np.linspace(0, len(k), BANDS + 1).round().astype(np.intp)
    score, norm = (np.add.reduceat(values, edges[:-1], axis=-1) for values in (score, norm))
    middles = np.array([k[a:b].mean() for a, b in pairwise(edges.tolist())])
    return RingHeights(edges, middles, score / norm, np.sqrt(spectra.noise / norm))


def fitted_rings(
    spectra: Spectra, optics: Optics, fit: Fit, offsets: Array, phases: Array
) -> Array:
    """(row, sector, ring): -cos 2 chi of every spectrum as fitted; phases (view,): radians."""
    local = fit.defocus[spectra.view][:, None] + offsets
    phase = phases[spectra.view][:, None, None]
    return -np.cos(2 * (optics.chi(spectra.grid.k, local) + phase))


def pooled(heights: RingHeights) -> RingHeights:
    """Of all views together, each by its weight."""
    weight = heights.error**-2
    height = (heights.height * weight).sum(0) / weight.sum(0)
    return RingHeights(heights.edges, heights.k, height, weight.sum(0) ** -0.5)
