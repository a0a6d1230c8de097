"""How far an alignment can be trusted: every view against a tomogram in which it has no part."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.align.bundle import Bundle
from vitreous.align.left_out import Slab
from vitreous.align.match import correlations
from vitreous.align.plane import highest
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

SEARCHED = 150.0  # angstrom: how far a better place is looked for
LEAST_SCORE = 8.0  # standard deviations; noise alone reaches 3 to 4 within SEARCHED
LARGEST_MOVE = 20.0  # angstrom; a view that would rather lie further off contradicts the others
LARGEST_RESIDUAL = 20.0  # angstrom; of patches that are placed at random it is 30
NOWHERE = 6.0  # standard deviations; a view whose best place has less fits nowhere
HALF = 0.5
TRUSTED_SHARE = 0.8  # of the views, for the series to be trusted


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Of n views against the tomogram of all others.

    at_zero: correlation where the alignment puts the view, in standard deviations of the
    correlation elsewhere; at_peak: the same at the best place within SEARCHED; moves_angstrom: how
    far that is; residuals_angstrom: median length of what the bundle adjustment left of the
    displacements of its patches; trusted: whether all of these are good.
    """

    at_zero: Array
    at_peak: Array
    moves_angstrom: Array
    residuals_angstrom: Array

    @property
    def trusted(self) -> NDArray[np.bool_]:
        """(n,) whether a view fits where it lies, and only there."""
        return (
            (self.at_zero >= LEAST_SCORE)
            & (self.moves_angstrom <= LARGEST_MOVE)
            & (self.residuals_angstrom <= LARGEST_RESIDUAL)
        )

    @property
    def nowhere(self) -> NDArray[np.bool_]:
        """(n,) whether a view shows nothing of what the others do; none if most others don't fit.

        Then it is the tomogram that is wrong.
        """
        return (self.at_peak < NOWHERE) & (self.trusted.mean() > HALF)

    def chosen(self, which: NDArray[np.bool_]) -> "Scores":
        """Of some of the views."""
        return Scores(
            self.at_zero[which],
            self.at_peak[which],
            self.moves_angstrom[which],
            self.residuals_angstrom[which],
        )

    @property
    def score(self) -> float:
        """Of the series: the median of the views' correlations where they lie."""
        return float(np.median(self.at_zero))

    @property
    def is_trusted(self) -> bool:
        """Of the series: whether nearly all views fit."""
        return bool(self.trusted.mean() >= TRUSTED_SHARE)


def scores_of(images: Floats, views: Views, slab: Slab, bundle: Bundle, threads: int = 1) -> Scores:
    """Score every view at its final place; images: spline coefficients."""
    pixel_size = slab.plane.pixel_size
    limit = SEARCHED / pixel_size
    at_zero, at_peak, moves = np.zeros((3, len(views)))
    for i, correlation in enumerate(correlations(images, views, slab, threads)):
        move, at_peak[i] = highest(correlation, (limit, limit))
        at_zero[i] = correlation[0, 0] / (correlation.std() or 1.0)
        moves[i] = float(np.hypot(*(views.in_plane[i] @ move))) * pixel_size
    residuals = np.nan_to_num(bundle.per_view_px, nan=np.inf) * views.pixel_size
    return Scores(at_zero, at_peak, moves, residuals)
