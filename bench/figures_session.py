"""Whole simulated sessions through `vitreous run`, from movies to tomograms, against the truth."""

import json
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from subprocess import run

import numpy as np
from figures import Figure, Section

from vitreous.formats.alignments import read_alignment
from vitreous.formats.images import open_images
from vitreous.pipeline.against_truth import (
    STEEP,
    astigmatism_error,
    defocus_errors,
    motion_errors,
    placed,
    rms,
    tilts_of,
)
from vitreous.pipeline.project import StepFolder
from vitreous.records.images import facts_of

VITREOUS = Path(sys.executable).with_name("vitreous")
NAME = "TS_01"
SIMULATED = (
    "--size 640 640 --pixel 2.7 --frames 8 --frame-motion 4 --defocus 35000 --name " + NAME
).split()
WIDE = (
    "--size 1024 1024 --pixel 2.5 --frames 8 --frame-motion 4 --defocus 35000 --name " + NAME
).split()
MOST_MOTION, MOST_MISPLACED = 0.3, 1.0  # px
MOST_DEFOCUS = 200.0  # A up to STEEP, in a field of 0.17 um


@dataclass(frozen=True, slots=True)
class Against:
    """What a session's steps found beside the truth.

    motion, claims (movie,): px; angles, errors, deviations (view,): of the defocus.
    """

    motion: np.ndarray
    claims: np.ndarray
    misplaced: float
    angles: np.ndarray
    errors: np.ndarray
    deviations: np.ndarray
    astigmatism: float
    hand: str
    hand_holds: bool

    @property
    def low(self) -> float:
        """Median error of the defocus up to STEEP."""
        return float(np.median(np.abs(self.errors[np.abs(self.angles) <= STEEP])))

    @property
    def high(self) -> float:
        """... and beyond."""
        return float(np.median(np.abs(self.errors[np.abs(self.angles) > STEEP])))

    @property
    def largest(self) -> float:
        """Of all views."""
        return float(np.abs(self.errors).max())

    @property
    def first_cells(self) -> list[str]:
        """Motion, its error over the claim, alignment."""
        of_motion = rms(self.motion)
        return [
            f"{of_motion:.3f} px",
            f"{of_motion / rms(self.claims):.2f}",
            f"{self.misplaced:.2f} px",
        ]

    @property
    def ratio(self) -> float:
        """RMS of error / claimed of the defocus."""
        return rms(self.errors / self.deviations)


def found_in(seed: int, simulated: list[str]) -> Against:
    """A session simulated and run."""
    with tempfile.TemporaryDirectory() as folder:
        place, project = Path(folder) / "session", Path(folder) / "project"
        run([VITREOUS, "-q", "simulate", "--output", place, "--seed", str(seed), *simulated],
            check=True)  # fmt: skip
        run([VITREOUS, "-q", "run", place, "--project", project, "--binning", "8"], check=True)
        return compared(project, json.loads((place / "truth.json").read_text()))


def compared(project: Path, truth: dict) -> Against:
    """What the steps of a project found beside the truth."""
    steps = {
        step: StepFolder(project, NAME, step) for step in ("motion", "newstack", "align", "ctf")
    }
    motion, claims = motion_errors(steps["motion"].read_manifest(), truth)
    stack = open_images(steps["newstack"].product(".st"))
    alignment = read_alignment(steps["align"].product(".xf"), facts_of(stack))
    misplaced = placed(alignment, tilts_of(alignment, truth), truth)
    ctf = steps["ctf"].read_manifest()
    angles, errors, deviations = defocus_errors(ctf, alignment, truth)
    is_wrong = ctf["hand"] not in (None, -truth["defocus_hand"]) or misplaced.mirrored
    hand = "not determined" if ctf["hand"] is None else f"{ctf['hand']:+d}"
    return Against(
        motion=motion,
        claims=claims,
        misplaced=misplaced.rms_px,
        angles=angles,
        errors=errors,
        deviations=deviations,
        astigmatism=astigmatism_error(ctf, truth),
        hand=f"{hand}{' **wrong**' if is_wrong else ''}",
        hand_holds=not is_wrong,
    )


def session(seed: int) -> Figure:
    """Motion, alignment, defocus and hand of one session."""
    found = found_in(seed, SIMULATED)
    cells = [*found.first_cells, f"{found.low:.0f} A", f"{found.ratio:.2f}", found.hand]
    holds = rms(found.motion) <= MOST_MOTION and found.misplaced <= MOST_MISPLACED
    return Figure(cells, holds and found.low <= MOST_DEFOCUS and found.hand_holds)


def wide_session(seed: int) -> Figure:
    """The same of a field of 1024 px, by what is asked of motion and CTF alone."""
    return wide_figure(found_in(seed, WIDE))


def wide_figure(found: Against) -> Figure:
    """Its row."""
    lengths = found.low, found.high, found.largest, found.astigmatism
    cells = [*found.first_cells, *(f"{length:.0f} A" for length in lengths)]
    holds = rms(found.motion) <= 0.15 and found.misplaced <= MOST_MISPLACED
    holds &= all(a <= due for a, due in zip(lengths, (100, 150, 400, 100), strict=True))
    return Figure(
        [*cells, f"{found.ratio:.2f}", found.hand],
        holds and 0.8 <= found.ratio <= 1.5 and found.hand_holds,
    )


SESSION = Section(
    key="session",
    title="Simulated sessions, from movies to tomograms",
    text="41 tilts of 3 e/A^2 in 8 frames of 640 x 640 px of 2.7 A, simulated with "
    f"`vitreous simulate {' '.join(SIMULATED)}`, through all steps of `vitreous run`: RMS error "
    "of the frames' displacements and its ratio to the one claimed; RMS over the ice of where "
    "points are seen, the motion by the dose included; median error of the defocus up to "
    f"{STEEP:g} degrees and RMS of error / claimed, of all; hand of the defocus (true: +1). Asked "
    "for: motion to "
    f"{MOST_MOTION:g} px, alignment to {MOST_MISPLACED:g} px, defocus to {MOST_DEFOCUS:g} A in "
    "this small field, no wrong hand.",
    columns=("motion", "error / claimed", "alignment", "defocus", "error / claimed", "hand"),
    rows={f"seed {seed}": partial(session, seed) for seed in (11, 12, 13)},
    held_by="tests/pipeline/test_session_chain.py",
    needs_shared=False,
)

SESSION_WIDE = Section(
    key="session-1024",
    title="A simulated session of 1024 px",
    text="The same with what is asked of motion and CTF in a field of 0.26 um, "
    f"`vitreous simulate {' '.join(WIDE)}`: motion to 0.15 px, medians of the defocus's error to "
    f"100 A up to {STEEP:g} degrees and 150 beyond, 400 at most, astigmatism as a vector to 100 A "
    "(true is the mean of the tilts, which differ by a quarter), error / claimed 0.8 to 1.5, no "
    "wrong hand. The test holds a smaller field.",
    columns=(
        "motion", "error / claimed", "alignment", "defocus", "beyond", "largest", "astigmatism",
        "error / claimed", "hand",
    ),
    rows={f"seed {seed}": partial(wide_session, seed) for seed in (11,)},
    held_by="tests/pipeline/test_session_chain.py",
    needs_shared=False,
)  # fmt: skip
