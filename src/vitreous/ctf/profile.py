"""The rings of a view as one curve, and how well the fit agrees with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.fit import Fit, Question
from vitreous.ctf.optics import Optics
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.ctf.table import NONE

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """k (ring,) in 1/A; measured, fitted (view, ring): log power without background.

    Meaned along the rings as if all of the specimen lay at the origin's height; score (view,): the
    correlation of both.
    """

    k: Array
    measured: Array
    fitted: Array
    score: Array


def profiles(
    spectra: Spectra,
    optics: Optics,
    question: Question,
    fit: Fit,
    phases: Array,
    envelope: Array,
) -> Profiles:
    """Of every view; envelope (ring,): height of the rings, 0 where they have ended."""
    k, rings = spectra.grid.k, len(spectra.grid.k)
    local = question.offsets(spectra, fit.hand, fit.pitch, fit.astigmatism)
    local += fit.defocus[spectra.view][:, None]
    at_origin = optics.chi(k, fit.defocus)
    weights = spectra.grid.pixels * spectra.tiles[:, None, None]
    sums, norms = np.zeros((2, spectra.views, rings + 1))
    for view in range(spectra.views):
        rows = slice(spectra.starts[view], spectra.starts[view + 1])
        place = np.interp(optics.chi(k, local[rows]).ravel(), at_origin[view], np.arange(rings))
        ring = place.astype(np.intp)
        weight = weights[rows].ravel()
        for near, share in ((ring, 1 - (place - ring)), (ring + 1, place - ring)):
            norms[view] += np.bincount(near, weight * share, rings + 1)
            sums[view] += np.bincount(near, weight * share * spectra.flat[rows].ravel(), rings + 1)
    project = Projector(spectra.grid)
    measured = project((sums / np.maximum(norms, NONE))[:, :rings])
    curve = project(-np.cos(2 * (at_origin + phases[:, None])) * envelope)
    pixels = spectra.grid.pixels.sum(0) * (envelope > 0)
    height = (pixels * measured * curve).sum(1) / np.maximum((pixels * curve**2).sum(1), NONE)
    lengths = np.sqrt((pixels * measured**2).sum(1) * (pixels * curve**2).sum(1))
    score = (pixels * measured * curve).sum(1) / np.maximum(lengths, NONE)
    return Profiles(k, measured, np.maximum(height, 0)[:, None] * curve, np.maximum(score, 0))
