"""The rings of a view as one curve, and how well the fit agrees with it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.fit import Fit, Question
from vitreous.ctf.optics import Optics, along
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.ctf.table import NONE

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Profiles:
    """k (ring,) in 1/A; measured, fitted (view, ring): log power without background.

    Meaned along the rings as if all of the specimen lay at the origin's height, without
    astigmatism; sectors (view, sector, ring): the same with it, in directions of `azimuth`
    (sector,), radians. score (view,): the correlation of measured and fitted.
    """

    k: Array
    measured: Array
    fitted: Array
    sectors: Array
    azimuth: Array
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
    grid = spectra.grid
    height = question.offsets(spectra, fit.hand, fit.pitch, 0j)[:, 0]
    weights = grid.pixels * spectra.tiles[:, None, None]
    stretched = along(fit.astigmatism, grid.azimuth)
    at_origin = optics.chi(grid.k, fit.defocus)
    sectors = np.empty((spectra.views, len(grid.azimuth), len(grid.k)))
    measured = np.empty((spectra.views, len(grid.k)))
    for view in range(spectra.views):
        rows = slice(spectra.starts[view], spectra.starts[view + 1])
        to = optics.chi(grid.k, fit.defocus[view] + stretched)
        for sector, chi in enumerate(to):
            local = fit.defocus[view] + height[rows] + stretched[sector]
            own = optics.chi(grid.k, local)
            sectors[view, sector] = _moved(
                own, chi, spectra.flat[rows, sector], weights[rows, sector]
            )
        measured[view] = _moved(to, at_origin[view], sectors[view], grid.pixels)
    project = Projector(grid)
    measured = project(measured)
    curve = project(-np.cos(2 * (at_origin + phases[:, None])) * envelope)
    pixels = grid.pixels.sum(0) * (envelope > 0)
    size = (pixels * measured * curve).sum(1) / np.maximum((pixels * curve**2).sum(1), NONE)
    lengths = np.sqrt((pixels * measured**2).sum(1) * (pixels * curve**2).sum(1))
    score = (pixels * measured * curve).sum(1) / np.maximum(lengths, NONE)
    return Profiles(
        k=grid.k,
        measured=measured,
        fitted=np.maximum(size, 0)[:, None] * curve,
        sectors=sectors,
        azimuth=grid.azimuth,
        score=np.maximum(score, 0),
    )


def _moved(own: Array, to: Array, values: Array, weights: Array) -> Array:
    """(ring,) weighted mean of curves (n, ring), each put where its chi (n, ring) is that of `to`.

    Rings that nothing falls on have 0.
    """
    rings = len(to)
    place = np.interp(own.ravel(), to, np.arange(rings))
    ring = place.astype(np.intp)
    total, norm = np.zeros((2, rings + 1))
    for near, share in ((ring, 1 - (place - ring)), (ring + 1, place - ring)):
        norm += np.bincount(near, weights.ravel() * share, rings + 1)
        total += np.bincount(near, (weights * values).ravel() * share, rings + 1)
    return (total / np.maximum(norm, NONE))[:rings]
