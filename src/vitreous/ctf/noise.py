"""How much of a likelihood is chance: what the rings of wrong defoci get, once the right are out.

The theory of overlapping Hann windows is a lower bound; what a real specimen scatters isn't white.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.envelope import fitted_rings
from vitreous.ctf.fit import Fit, Question
from vitreous.ctf.optics import Optics
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.ctf.table import NONE, defocus_grid, tabulated

Array = NDArray[np.float64]


def with_measured_noise(
    spectra: Spectra,
    optics: Optics,
    question: Question,
    fit: Fit,
    envelope: Array,
    range_of_defocus: tuple[float, float],
    phases: Array,
) -> Spectra:
    """The same spectra with their noise as it is, pooled over the series, if that is larger."""
    offsets = question.offsets(spectra, fit.hand, fit.pitch, fit.astigmatism)
    rings = fitted_rings(spectra, optics, fit, offsets, phases) * envelope
    rings = Projector(spectra.grid)(rings)
    weights = spectra.grid.pixels * spectra.tiles[:, None, None]
    score = spectra.by_view((weights * rings * spectra.flat).sum((1, 2)))
    norm = spectra.by_view((weights * rings**2).sum((1, 2)))
    height = score / np.maximum(norm, NONE)
    left = replace(spectra, flat=spectra.flat - height[spectra.view][:, None, None] * rings)
    scores, norms = tabulated(left, optics, envelope, defocus_grid(*range_of_defocus)).sums(offsets)
    excess = np.mean(scores**2 / np.maximum(norms, NONE)) / spectra.noise
    return replace(spectra, noise=spectra.noise * max(1.0, float(excess)))
