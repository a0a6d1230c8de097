"""Alignment without markers: simulated series with their truth, and gold in the real one."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from figures import Figure, Section

from tests.align.scores import simulated_score, track_residual, without_beads
from tests.conftest import SHARED
from tests.simulate.shared_series import read_reference, settings_like
from vitreous.align.series import Aligned, align_series
from vitreous.align.settings import AlignSettings
from vitreous.formats.mrc import open_stack
from vitreous.records.images import ArrayStack
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings
from vitreous.simulate.truth import truth

SOURCES = (
    "bench/accuracy_align.py",
    "tests/align/scores.py",
    "tests/simulate/shared_series.py",
    *(
        f"src/vitreous/{room}/**/*.py"
        for room in ("align", "geometry", "kernels", "records", "simulate")
    ),
)
"""What the figures depend on: nothing else measures them again."""

MOST_MEDIAN, MOST, MOST_AXIS = 0.6, 1.2, 0.2  # px, px, degrees; of planted alignments
HINTS = {"as given": 0.0, "10 deg off": 10.0, "none": None}
"""The nominal tilt axis: how many degrees it is off, or that it is not given."""


@dataclass(frozen=True)
class Problem:
    """A series to be aligned, and what its alignment is compared with: truth, or tracks."""

    stack: ArrayStack
    tilts: np.ndarray
    axis: float
    known: Any

    def aligned(self, off: float | None) -> Aligned:
        """With a nominal axis that is `off` degrees off, or with none."""
        axis = None if off is None else self.axis + off
        return align_series(
            self.stack, self.tilts, AlignSettings(), nominal_axis_degrees=axis, threads=2
        )


# -- simulated series ------------------------------------------------------------------------------


def like_the_reference(seed: int, **different: Any) -> SimulateSettings:
    """The parameters of sim_nobeads, for 41 tilts of 720 x 720 px at 3 e/A^2 and 5.4 A/px."""
    same = settings_like(read_reference(SHARED, "sim_nobeads").truth, seed)
    usual = {"size": (720, 720), "pixel_size": 5.4, "dose_per_tilt": 3.0}
    return same.model_copy(update=usual | different)


@cache
def reference(name: str) -> Problem:
    """A series of another simulator."""
    read = read_reference(SHARED, name)
    tilts = np.loadtxt(SHARED / "data" / name / f"{name}.rawtlt")
    stack = ArrayStack(read.stack, read.truth["pixel"])
    return Problem(stack, tilts, read.truth["nominal_axis"], read.truth)


def simulated(settings: SimulateSettings) -> Problem:
    """A series of our own simulator."""
    series = simulate_series(settings)
    tilts = np.array([tilt.nominal_tilt for tilt in series.tilts])
    return Problem(series.rendered(2), tilts, settings.tilt_axis, truth(series, "simulated"))


def planted(problem: Problem, most: float) -> Figure:
    """Errors with each hint, and of the tilt axis the largest."""
    scores = [
        simulated_score(problem.known, problem.aligned(off).alignment) for off in HINTS.values()
    ]
    axis = max((score.axis_degrees for score in scores), key=abs)
    cells = [*(f"{score.rms_px:.2f} px" for score in scores), f"{axis:+.2f} deg"]
    holds = all(score.rms_px <= most for score in scores) and abs(axis) <= MOST_AXIS
    return Figure(cells, holds)


def of_seed(seed: int) -> Figure:
    """A series that was planted."""
    return planted(simulated(like_the_reference(seed)), MOST)


def over_all(figures: Sequence[Figure]) -> Figure:
    """Medians of the seeds' errors and the worst axis."""
    values = np.array([[float(cell.split()[0]) for cell in figure.cells] for figure in figures])
    medians, axis = np.median(values[:, :-1], axis=0), np.abs(values[:, -1]).max()
    cells = [*(f"{median:.2f} px" for median in medians), f"{axis:.2f} deg"]
    return Figure(cells, bool((medians <= MOST_MEDIAN).all() and axis <= MOST_AXIS))


PLANTED = Section(
    key="align-planted",
    title="Planted alignments",
    text="Ten series of our simulator without beads (41 tilts at 3 e/Å², 5.4 Å/px, 720 x 720 px, "
    "the rest as in the reference series `sim_nobeads`: 1600 Å of ice, motion with the dose up to "
    "6 Å), aligned with the nominal tilt axis as given, 10° off, and with none: error over a grid "
    "of points in the slab, gauge removed, rms over all views. The specimen's motion, which a "
    "rigid specimen can't follow, is part of the error. Due are 0.6 px in the median, 1.2 px at "
    "worst, the tilt axis (the worst of the three) to 0.2°.",
    columns=(*HINTS, "axis"),
    rows={f"seed {seed}": partial(of_seed, seed) for seed in range(1, 11)},
    summary=("median, worst axis", over_all),
    held_by="tests/align/test_reference.py",
    made_from=SOURCES,
)


# -- the reference series --------------------------------------------------------------------------

REFERENCE = Section(
    key="align-reference",
    title="Reference series",
    text="The same for the series of another simulator (41 x 400 x 400 px, 6.8 Å/px). The beads of "
    "`sim_beads` are not tracked. Due are 0.5 px without beads, 0.4 px with them.",
    columns=(*HINTS, "axis"),
    rows={
        name: partial(lambda name, most: planted(reference(name), most), name, most)
        for name, most in (("sim_nobeads", 0.5), ("sim_beads", 0.4))
    },
    held_by="tests/align/test_reference.py",
    made_from=SOURCES,
)


# -- the real series -------------------------------------------------------------------------------

REAL_AXIS, LAST_VIEWS = -4.3, (39, 40)  # degrees; 0-based, at 57 and 60 degrees


@cache
def real(erased: bool) -> Problem:
    """The stack alone with its angles, and the tracks of its gold; or with the gold erased."""
    folder = SHARED / "data" / "empiar10499_ts254"
    with open_stack(folder / "TS_00254_10A_int8.mrc") as stack:
        images = np.stack([stack.read(i) for i in range(stack.shape[0])]).astype(np.float32)
    tracks = np.loadtxt(folder / "beads_tracks.tsv", skiprows=1)
    tilts = np.loadtxt(folder / "imod" / "TS_00254.tlt")
    images = without_beads(images, tracks) if erased else images
    return Problem(ArrayStack(images, 10.0), tilts, REAL_AXIS, tracks)


def gold(erased: bool, most: float) -> Figure:
    """What is left of the tracks, with and without a nominal axis; the last views must be used."""
    problem = real(erased)
    cells, holds = [], True
    for off in (0.0, None):
        alignment = problem.aligned(off).alignment
        rms, views = track_residual(problem.known, alignment)
        of = dict(zip(alignment.sections.tolist(), views, strict=True))
        last = [f"{of[view]:.2f}" if view in of else "left out" for view in LAST_VIEWS]
        cells += [f"{rms:.2f} px", ", ".join(last), f"{len(views)} of {len(problem.tilts)}"]
        holds &= rms <= most and of.keys() >= set(LAST_VIEWS)
    return Figure([*cells, f"{most:g} px"], holds)


GOLD = Section(
    key="align-real",
    title="EMPIAR-10499, TS_00254, aligned",
    text="The stack alone with its angles: what is left of the measured positions of 21 gold beads "
    "(10 Å pixels, rms) after the best places in 3D, and in the two last views (57° and 60°), "
    "which other alignments miss by 4 and 12 px. For scale: the IMOD alignment that comes with the "
    "data 2.89 px, Warp's refined one 2.12, a fit to these very beads 0.73. *Erased*: each bead "
    "covered in each view with noise like its surroundings.",
    columns=("axis -4.3", "57°, 60°", "views", "no axis", "57°, 60°", "views", "due"),
    rows={
        "gold and cell": partial(gold, False, 1.0),
        "gold erased": partial(gold, True, 1.2),
    },
    held_by="tests/align/test_reference.py",
    made_from=SOURCES,
)


# -- weak points -----------------------------------------------------------------------------------

WEAK_SIZE = (480, 480)  # px: smaller fields are harder, and cheaper
GOOD = 3.0  # px of 5.4 A: beyond it an alignment has failed, and must not be trusted
WEAK: dict[str, tuple[float | None, dict[str, Any]]] = {
    "as it is": (None, {}),
    "3500 Å of ice": (None, {"thickness": "3500A"}),
    "4000 Å of ice": (None, {"thickness": "4000A"}),
    "three jumps of a third of the field": (None, {"jumps": "8,15,30"}),
    "bidirectional": (None, {"scheme": "bidirectional"}),
    "slab tilted by 10° about x": (None, {"pitch_x": 10.0}),
    "slab tilted by 10° about y": (None, {"pitch_y": 10.0}),
    "nominal axis 20° off": (20.0, {}),
    "1 e/Å² for each tilt": (None, {"dose_per_tilt": 1.0}),
    "0.4 e/Å² for each tilt": (None, {"dose_per_tilt": 0.4}),
    "360 x 360 px": (None, {"size": (360, 360)}),
    "200 x 200 px": (None, {"size": (200, 200)}),
    "few molecules": (None, {"molecules": (0.5, 1.0, 1.0, 1.0), "vesicles": 5.0}),
    "no specimen at all": (None, {"molecules": (0.0, 0.0, 0.0, 0.0), "vesicles": 0.0}),
    "10° between tilts": (None, {"tilt_step": 10.0}),
    "20° between tilts": (None, {"tilt_step": 20.0}),
}


def weak(off: float | None, different: dict[str, Any]) -> Figure:
    """An alignment's score beside its error. It holds where trust and error agree."""
    problem = simulated(like_the_reference(1, **{"size": WEAK_SIZE} | different))
    found = problem.aligned(off)
    score = simulated_score(problem.known, found.alignment)
    trusted, count = found.scores.trusted, len(problem.tilts)
    cells = [
        f"{found.scores.score:.1f}",
        f"{trusted.sum()} of {count}",
        "yes" if found.scores.is_trusted else "no",
        f"{score.rms_px:.2f} px",
        f"{score.axis_degrees:+.2f} deg",
    ]
    return Figure(cells, found.scores.is_trusted == (score.rms_px <= GOOD))


def rows_of(
    cases: dict[str, tuple[float | None, dict[str, Any]]],
) -> dict[str, Callable[[], Figure]]:
    """A row for each case."""
    return {name: partial(weak, off, different) for name, (off, different) in cases.items()}


HONEST = Section(
    key="align-weak",
    title="Weak points of alignment, and whether it knows",
    text=f"Seed 1 of the planted series at {WEAK_SIZE[0]} x {WEAK_SIZE[1]} px, changed as each row "
    "says; no nominal axis is given where none is named. *Score*: correlation of a view with the "
    "tomogram of the others where it lies, in standard deviations, median over the views. A row "
    f"holds where trust and truth agree: an error up to {GOOD:g} px trusted, a larger one not.",
    columns=("score", "views that fit", "trusted", "error", "axis"),
    rows=rows_of(WEAK),
    held_by="tests/align/test_reference.py",
    made_from=SOURCES,
)

ALIGNMENT = (PLANTED, REFERENCE, GOLD, HONEST)
