"""Defocus of every view and the astigmatism of all, for a hand and a pitch that are given."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from vitreous.ctf.heights import heights
from vitreous.ctf.optics import along
from vitreous.ctf.path import likeliest_path, maxima_near, refined_maxima, vertex
from vitreous.ctf.spectra import Spectra
from vitreous.ctf.table import Table
from vitreous.records.alignment import Alignment

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

COARSE = 4  # columns of the table are one step of the path
ROUNDS = 3
TRIALS = 13  # of each component of the astigmatism
FIRST_STEP, PRECISION = 120.0, 2.0  # angstrom of astigmatism


@dataclass(frozen=True, slots=True, eq=False)
class Question:
    """What stays the same while a series is fitted.

    order (view,): views in the order of their exposure; jump, largest: angstrom of defocus from one
    to the next (one sigma) and of astigmatism.
    """

    alignment: Alignment
    order: Indices
    jump: float
    largest: float

    def offsets(self, spectra: Spectra, hand: float, pitch: float, astigmatism: complex) -> Array:
        """(row, sector) what is to be added to a view's defocus, angstrom."""
        height = heights(self.alignment, spectra.view, spectra.seen, pitch)
        return -hand * height[:, None] + along(astigmatism, spectra.grid.azimuth)


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """defocus, deviation, gain (view,): angstrom, its SD, log likelihood above that of no rings.

    astigmatism: (U - V) exp(2 i angle), of all views.
    """

    defocus: Array
    deviation: Array
    gain: Array
    astigmatism: complex
    hand: int
    pitch: float

    @property
    def total(self) -> float:
        """Log likelihood of the series."""
        return float(self.gain.sum())


def fitted(
    table: Table,
    question: Question,
    hand: int,
    pitch: float = 0.0,
    astigmatism: complex | None = None,
) -> Fit:
    """Defocus and astigmatism in turn; without a first astigmatism all of them are tried."""
    spectra = table.spectra
    vector = astigmatism or 0j
    is_tried = astigmatism is not None
    offsets = question.offsets(spectra, hand, pitch, vector)
    defocus, deviation = best_defocus(table, question, offsets)
    for _ in range(ROUNDS - 1 if question.largest else 0):
        plain = question.offsets(spectra, hand, pitch, 0j)
        start = vector if is_tried else _tried(table, plain, defocus, question.largest)
        vector, is_tried = _refined(table, plain, defocus, start, question.largest), True
        offsets = question.offsets(spectra, hand, pitch, vector)
        defocus, deviation = best_defocus(table, question, offsets)
    return Fit(defocus, deviation, table.at(offsets, defocus), vector, hand, pitch)


def best_defocus(table: Table, question: Question, offsets: Array) -> tuple[Array, Array]:
    """(view,) defocus and its SD: the path chooses the ring, the likelihood alone the value."""
    curves = table.curves(offsets)
    path = likeliest_path(
        curves[:, ::COARSE], table.defocus[::COARSE], question.order, question.jump
    )
    columns = maxima_near(curves, path * COARSE, COARSE)
    return refined_maxima(curves, columns, table.defocus)


def _tried(table: Table, plain: Array, defocus: Array, largest: float) -> complex:
    """The likeliest of a grid of astigmatisms."""
    side = np.linspace(-largest, largest, TRIALS)
    vectors = [complex(x, y) for x in side for y in side if x * x + y * y <= largest**2]
    return max(vectors, key=lambda vector: _likelihood(table, plain, defocus, vector))


def _refined(table: Table, plain: Array, defocus: Array, start: complex, largest: float) -> complex:
    """The likeliest astigmatism near one, no larger than `largest`."""

    def allowed(at: Array) -> complex:
        return complex(*at) * min(1.0, largest / max(abs(complex(*at)), 1e-9))

    simplex = np.array([start.real, start.imag]) + FIRST_STEP * np.array([[0, 0], [1, 0], [0, 1]])
    found = minimize(
        lambda at: -_likelihood(table, plain, defocus, allowed(at)),
        simplex[0],
        method="Nelder-Mead",
        options={"initial_simplex": simplex, "xatol": PRECISION, "fatol": 0.01},
    )
    return allowed(found.x)


def _likelihood(table: Table, plain: Array, defocus: Array, astigmatism: complex) -> float:
    return float(table.at(plain + along(astigmatism, table.spectra.grid.azimuth), defocus).sum())


def astigmatism_deviation(table: Table, question: Question, fit: Fit) -> float:
    """SD of each component of the astigmatism, angstrom, the defocus of the views kept."""
    plain = question.offsets(table.spectra, fit.hand, fit.pitch, 0j)
    steps = FIRST_STEP * np.array([-1.0, 0.0, 1.0])
    variances = [
        vertex(
            steps,
            np.array(
                [
                    _likelihood(table, plain, fit.defocus, fit.astigmatism + step * direction)
                    for step in steps
                ]
            ),
        )[1]
        ** 2
        for direction in (1, 1j)
    ]
    return float(np.sqrt(np.mean(variances)))
