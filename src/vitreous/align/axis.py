"""The tilt axis and the thickness from the images alone: where neighbours agree best.

Stretched across the wrong axis, or through a slab of the wrong thickness, a view is foretold worse
by its neighbours. Both curves have one maximum, and all directions are tried: a nominal axis that
is wrong, or none, costs nothing.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.align.coarse import CoarseShifts, coarse_shifts
from vitreous.align.plane import Plane, parabola
from vitreous.align.views import Views
from vitreous.records.progress import Progress, ignore_progress

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

STEP = 10.0  # degrees between the directions tried first
FINE_STEPS = (5.0, 2.5, 1.25)
USUAL_THICKNESS = 2000.0  # angstrom, for the directions tried first
THINNEST, THICKEST = 400.0, 10000.0
THICKER = 1.35  # from one thickness tried to the next
EVALUATIONS = 45  # coarse alignments at most, for the progress
FLAT = 0.1  # of the best agreement: where the worst is not this much less, no axis is seen


@dataclass(frozen=True, slots=True, eq=False)
class Search:
    """The coarse alignment at the best axis and thickness (angstrom).

    tried (m, 2): axis in degrees, mean correlation of the views with what their neighbours
    foresee. is_seen: whether the agreement tells an axis from others at all.
    """

    best: CoarseShifts
    thickness: float
    tried: Array
    is_seen: bool


class Agreement:
    """How well views are foretold by their neighbours, for a turn of the axis and a thickness."""

    def __init__(
        self, images: Floats, views: Views, plane: Plane, largest_shift: float, progress: Progress
    ) -> None:
        self.images, self.views, self.plane = images, views, plane
        self.largest_shift, self.progress = largest_shift, progress
        self.of: dict[tuple[float, float], float] = {}

    def shifts(self, turn: float, thickness: float) -> CoarseShifts:
        """The coarse alignment at the views' axis + turn (degrees), thickness in angstrom."""
        return coarse_shifts(
            self.images,
            self.views.turned(turn),
            self.plane,
            thickness / self.plane.pixel_size,
            self.largest_shift,
        )

    def __call__(self, turn: float, thickness: float) -> float:
        """Its mean correlation coefficient."""
        if (turn, thickness) not in self.of:
            self.of[turn, thickness] = float(self.shifts(turn, thickness).agreement.mean())
            self.progress(min(len(self.of), EVALUATIONS), EVALUATIONS)
        return self.of[turn, thickness]


def search(
    images: Floats,
    views: Views,
    plane: Plane,
    *,
    largest_shift: float,
    reach: float = 90.0,
    progress: Progress = ignore_progress,
) -> Search:
    """Find axis, thickness and coarse shifts. images (n, y + 4, x + 4): spline coefficients.

    largest_shift: px between neighbours; reach: degrees from the views' own axis that are tried.
    An axis and its opposite can't be told apart: the one nearer to the views' own is taken.
    """
    agreement = Agreement(images, views, plane, largest_shift, progress)
    turns = np.arange(-np.floor(reach / STEP), np.floor(reach / STEP) + 1) * STEP
    turns = turns[np.abs(turns) < 90].tolist() + ([90.0] if reach >= 90 else [])
    turn = max(turns, key=lambda t: agreement(t, USUAL_THICKNESS))
    thickness = best_thickness(agreement, turn)
    if reach > 0:
        turn = best_turn(agreement, turn, thickness)
    turn = float(np.clip((turn + 90) % 180 - 90, -reach, reach))
    start = float(views.axes.mean())
    tried = np.array(sorted((start + t, value) for (t, _), value in agreement.of.items()))
    first = np.array([agreement(t, USUAL_THICKNESS) for t in turns])
    return Search(
        best=agreement.shifts(turn, thickness),
        thickness=thickness,
        tried=tried,
        is_seen=bool(len(first) < 3 or first.min() < (1 - FLAT) * first.max()),
    )


def best_thickness(agreement: Agreement, turn: float) -> float:
    """Angstrom: the best of a geometric row, and then between its neighbours."""
    count = int(np.log(THICKEST / THINNEST) / np.log(THICKER)) + 1
    row = (THINNEST * THICKER ** np.arange(count)).tolist()
    at = int(np.argmax([agreement(turn, thickness) for thickness in row]))
    at = min(max(at, 1), count - 2)
    offset = parabola(*(agreement(turn, row[at + d]) for d in (-1, 0, 1)))
    return float(row[at] * THICKER**offset)


def best_turn(agreement: Agreement, turn: float, thickness: float) -> float:
    """Degrees: ever closer steps round the best, then a parabola."""
    for step in FINE_STEPS:
        turn = max((turn - step, turn, turn + step), key=lambda t: agreement(t, thickness))
    around = (agreement(turn + d, thickness) for d in (-step, 0.0, step))
    return turn + step * parabola(*around)
