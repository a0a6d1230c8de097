"""To which side a tilted specimen is farther from focus, and by how much it is tilted besides."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.fit import Fit, Question
from vitreous.ctf.path import vertex
from vitreous.ctf.table import STEP, Table

Array = NDArray[np.float64]

MARGIN = 20.0  # nats by which one hand has to be likelier than the other
SLOPE_OFF = 4.0  # standard deviations that the slope may be from +-1
PITCHES = np.arange(-12.0, 13.0, 3.0)  # degrees
SLOPES = np.arange(0.5, 1.51, 0.25)  # of the gradient that the tilt angles foretell
REACH = 1000.0  # angstrom within which the defocus of each view is free meanwhile


@dataclass(frozen=True, slots=True)
class Hand:
    """hand: the likelier sign of the defocus gradient, +1 or -1, see `Ctf.hand`.

    margin: how much likelier than the other, nats. slope: the gradient measured, in parts of what
    the tilt angles foretell; it should be 1.
    """

    hand: int
    margin: float
    slope: float
    slope_deviation: float

    @property
    def is_determined(self) -> bool:
        """Whether the images tell it beyond doubt."""
        fits = abs(self.slope - 1) < SLOPE_OFF * self.slope_deviation
        return self.margin > MARGIN and fits and self.slope_deviation < 1 / SLOPE_OFF


def free_likelihood(
    table: Table, question: Question, fit: Fit, *, pitch: float, slope: float = 1.0
) -> float:
    """Log likelihood of a gradient with the defocus of each view free near that of the fit."""
    offsets = question.offsets(table.spectra, fit.hand * slope, pitch, fit.astigmatism)
    reach = int(REACH / STEP)
    near = np.searchsorted(table.defocus, fit.defocus)
    return sum(
        float(curve[max(0, column - reach) : column + reach + 1].max())
        for curve, column in zip(table.curves(offsets), near, strict=True)
    )


def found_pitch(table: Table, question: Question, fit: Fit) -> tuple[float, float]:
    """(degrees that fit the gradients best when added to the tilt angles, SD)."""
    totals = [free_likelihood(table, question, fit, pitch=pitch) for pitch in PITCHES]
    return around_maximum(PITCHES, np.array(totals))


def found_slope(table: Table, question: Question, fit: Fit) -> tuple[float, float]:
    """(gradient in parts of what the tilt angles foretell, SD)."""
    totals = [
        free_likelihood(table, question, fit, pitch=fit.pitch, slope=slope) for slope in SLOPES
    ]
    return around_maximum(SLOPES, np.array(totals))


def around_maximum(x: Array, likelihood: Array) -> tuple[float, float]:
    """Maximum of the parabola through the best point and its neighbours, and its SD."""
    middle = int(np.clip(np.argmax(likelihood), 1, len(x) - 2))
    return vertex(x[middle - 1 : middle + 2], likelihood[middle - 1 : middle + 2])
