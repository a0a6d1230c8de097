"""Whole simulated sessions through `vitreous run`, from movies to tomograms, against the truth."""

import json
import sys
import tempfile
from functools import partial
from pathlib import Path
from subprocess import run

import numpy as np
from figures import Figure, Section

from vitreous.formats.alignments import read_alignment
from vitreous.formats.images import open_images
from vitreous.pipeline.against_truth import (
    STEEP,
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
MOST_MOTION, MOST_MISPLACED = 0.3, 1.0  # px
MOST_DEFOCUS = 200.0  # A up to STEEP, in a field of 0.17 um


def session(seed: int) -> Figure:
    """Motion, alignment, defocus and hand of one session."""
    with tempfile.TemporaryDirectory() as folder:
        place, project = Path(folder) / "session", Path(folder) / "project"
        run([VITREOUS, "-q", "simulate", "--output", place, "--seed", str(seed), *SIMULATED],
            check=True)  # fmt: skip
        run([VITREOUS, "-q", "run", place, "--project", project, "--binning", "8"], check=True)
        return compared(project, json.loads((place / "truth.json").read_text()))


def compared(project: Path, truth: dict) -> Figure:
    """What its steps found beside the truth."""
    steps = {
        step: StepFolder(project, NAME, step) for step in ("motion", "newstack", "align", "ctf")
    }
    motion, claims = motion_errors(steps["motion"].read_manifest(), truth)
    stack = open_images(steps["newstack"].product(".st"))
    alignment = read_alignment(steps["align"].product(".xf"), facts_of(stack))
    misplaced = placed(alignment, tilts_of(alignment, truth), truth)
    ctf = steps["ctf"].read_manifest()
    angles, errors, deviations = defocus_errors(ctf, alignment, truth)
    low = float(np.median(np.abs(errors[np.abs(angles) <= STEEP])))
    hand = "not determined" if ctf["hand"] is None else f"{ctf['hand']:+d}"
    is_wrong = ctf["hand"] not in (None, -truth["defocus_hand"]) or misplaced.mirrored
    cells = [
        f"{rms(motion):.3f} px",
        f"{rms(motion) / rms(claims):.2f}",
        f"{misplaced.rms_px:.2f} px",
        f"{low:.0f} A",
        f"{rms(errors / deviations):.2f}",
        f"{hand}{' **wrong**' if is_wrong else ''}",
    ]
    holds = rms(motion) <= MOST_MOTION and misplaced.rms_px <= MOST_MISPLACED
    return Figure(cells, holds and low <= MOST_DEFOCUS and not is_wrong)


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
