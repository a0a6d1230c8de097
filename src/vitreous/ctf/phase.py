"""A phase plate: the phase shift is one number for a series, or drifts slowly through it.

Rings at a phase are a mixture of those at 0 and of those in quadrature, and so is their table.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.fit import Fit, Question, best_defocus
from vitreous.ctf.hand import REACH
from vitreous.ctf.optics import Optics
from vitreous.ctf.path import vertex
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.ctf.table import STEP, Table, tabulated

Array = NDArray[np.float64]

TRIALS = np.deg2rad(np.arange(0.0, 180.0, 15.0))
FINE = np.deg2rad(np.arange(-30.0, 31.0, 7.5))  # round the series' phase
DRIFT = 2  # degree of the polynomial over the exposures


@dataclass(frozen=True, slots=True, eq=False)
class Rings:
    """Tables of the rings at phase 0 and, for a phase plate, in quadrature.

    crossed (sector, defocus): sum n of their product.
    """

    plain: Table
    quadrature: Table | None = None
    crossed: Array | None = None

    def at(self, phases: Array) -> Table:
        """The table at the phases (view,), radians."""
        if self.quadrature is None or self.crossed is None:
            return self.plain
        cos, sin = (f(2 * phases).astype(np.float32) for f in (np.cos, np.sin))
        view = self.plain.spectra.view
        score = self.plain.score * cos[view][:, None, None]
        score += self.quadrature.score * sin[view][:, None, None]
        cos, sin = cos[:, None, None], sin[:, None, None]
        norm = cos**2 * self.plain.norm + sin**2 * self.quadrature.norm
        norm += 2 * cos * sin * self.crossed.astype(np.float32)
        return replace(self.plain, score=score, norm=norm)


def rings_of(
    spectra: Spectra, optics: Optics, envelope: Array, defocus: Array, *, phase_plate: bool
) -> Rings:
    """Both tables, or the one that is needed."""
    plain = tabulated(spectra, optics, envelope, defocus)
    if not phase_plate:
        return Rings(plain)
    grid = spectra.grid
    twice = 2 * optics.chi(grid.k, defocus)
    project = Projector(grid)
    crossed = (
        grid.pixels @ (project(-np.cos(twice) * envelope) * project(np.sin(twice) * envelope)).T
    )
    return Rings(plain, tabulated(spectra, optics, envelope, defocus, quadrature=True), crossed)


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """values, deviations (view,): radians. coupling (view,): angstrom of defocus for a radian."""

    values: Array
    deviations: Array
    coupling: Array


def no_phases(views: int) -> Phases:
    """Without a phase plate."""
    return Phases(np.zeros(views), np.zeros(views), np.zeros(views))


def common_phase(rings: Rings, question: Question, hand: int) -> Phases:
    """The likeliest phase of a whole series, coarsely; without astigmatism."""
    spectra = rings.plain.spectra
    offsets = question.offsets(spectra, hand, 0.0, 0j)

    def likelihood(phase: float) -> float:
        table = rings.at(np.full(spectra.views, phase))
        return float(table.at(offsets, best_defocus(table, question, offsets)[0]).sum())

    return replace(
        no_phases(spectra.views), values=np.full(spectra.views, max(TRIALS, key=likelihood))
    )


def drifting_phases(rings: Rings, question: Question, fit: Fit, phases: Array) -> Phases:
    """A parabola over the exposures through what every view says near its phase (view,).

    The defocus of each view is free meanwhile.
    """
    spectra = rings.plain.spectra
    offsets = question.offsets(spectra, fit.hand, fit.pitch, fit.astigmatism)
    reach = int(REACH / STEP)
    near = np.searchsorted(rings.plain.defocus, fit.defocus)
    best, at = np.empty((2, len(FINE), spectra.views))
    for trial, change in enumerate(FINE):
        curves = rings.at(phases + change).curves(offsets)
        for view, column in enumerate(near):
            start = max(0, column - reach)
            some = curves[view, start : column + reach + 1]
            best[trial, view] = some.max()
            at[trial, view] = rings.plain.defocus[start + some.argmax()]
    found, deviations = np.array([vertex(FINE, best[:, v]) for v in range(spectra.views)]).T
    coupling = np.array([np.polyfit(FINE, at[:, v], 1)[0] for v in range(spectra.views)])
    smooth, errors = _parabola(found, deviations, question.order)
    return Phases(phases + smooth, errors, coupling)


def _parabola(values: Array, deviations: Array, order: NDArray[np.intp]) -> tuple[Array, Array]:
    """(values smoothed over the exposures, their standard deviations), each (view,)."""
    count = len(values)
    place = np.empty(count)
    place[order] = np.linspace(-1, 1, count)
    terms = np.polynomial.chebyshev.chebvander(place, min(DRIFT, (count - 1) // 4))
    weights = np.where(np.isfinite(deviations), deviations, 1e3) ** -2.0
    spread = np.linalg.inv((terms.T * weights) @ terms)
    smooth = terms @ (spread @ (terms.T @ (weights * values)))
    return smooth, np.sqrt(np.einsum("vi,ij,vj->v", terms, spread, terms))
