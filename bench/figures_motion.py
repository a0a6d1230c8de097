"""Motion correction: movies whose motion is known, and RELION's own run."""

from functools import partial

import numpy as np
from figures import Figure, Section

from tests.conftest import SHARED
from tests.motion.movies import TWENTY, found_and_errors, measured, scene_of
from tests.motion.relion_run import both_correlations

BOUND = 0.09  # px: of the whole motion's error, from the electrons in the field


def movie(seed: int) -> Figure:
    """One movie's errors, px."""
    whole, by_whole, field, ratio = measured(seed)
    found, _ = found_and_errors(seed)
    claimed = found.standard_error / scene_of(seed).pixel_size
    local = "corrected" if found.local else "refused"
    cells = [whole, claimed, ratio, by_whole, field]
    holds = field <= 0.3 and field <= by_whole + 0.02
    return Figure(
        [*(f"{value:.3f}" for value in cells), f"{found.log_evidence:.1f}", local], bool(holds)
    )


def all_movies() -> Figure:
    """RMS over the twenty."""
    values = np.sqrt((np.array([measured(seed) for seed in TWENTY]) ** 2).mean(0))
    whole, by_whole, field, ratio = values
    cells = [f"{whole:.3f}", "", f"{ratio:.2f}", f"{by_whole:.3f}", f"{field:.3f}", "", ""]
    return Figure(cells, bool(whole <= 0.15 and 0.8 <= ratio <= 1.5))


MOTION = Section(
    key="motion",
    title="Motion of movies",
    text="Simulated movies of 1024 x 1024 px at 2.5 A, 3 e/A^2 in 8 frames, molecules in ice, "
    "drift of 8 px and steps of 0.35 px; RMS errors in px over frames, or frames and field. Whole "
    f"motion: the bound by the electrons in the field is {BOUND} px, 0.15 is asked for in RMS, and "
    "0.8 to 1.5 for error over claimed error. Field: 0.3 is asked for, and at most 0.02 more than "
    "by the whole motion alone. Local motion is corrected where its log evidence is above 5.",
    columns=(
        "whole motion", "claimed", "ratio", "field, whole only", "field", "log evidence", "local",
    ),
    rows={
        **{
            f"seed {seed}, local motion {scene_of(seed).local:g}": partial(movie, seed)
            for seed in TWENTY
        },
        "RMS of all": all_movies,
    },
    held_by="tests/motion/test_motion.py",
    needs_shared=False,
)  # fmt: skip


def beside_relion(run: str) -> Figure:
    """Our correlations with the still specimen in eight bands, and their lead on RELION's."""
    ours, relions = both_correlations(SHARED / "oracles" / "R3_relion_motioncorr", run)
    cells = [f"{a:.3f} ({a - b:+.3f})" for a, b in zip(ours, relions, strict=True)]
    return Figure(cells, bool((ours > relions - 0.01).all()))


MOTION_RELION = Section(
    key="motion-relion",
    title="Motion correction beside RELION's own",
    text="Fourier ring correlation of the corrected sum with the still specimen in eight bands of "
    "frequency up to Nyquist, and in brackets the difference from RELION's own output on the same "
    "movie (-0.01 is allowed; chance alone makes 0.02 in the last bands, where there is no "
    "signal). RELION's image is held against the specimen where its first frame shows it.",
    columns=tuple(f"band {band}" for band in range(1, 9)),
    rows={run: partial(beside_relion, run) for run in ("local4x4/movie", "dw/movie")},
    held_by="tests/motion/test_relion_oracle.py",
)
