"""Alignment of the reference series as a user has them: the stack, its angles, nothing else."""

import numpy as np
import pytest

from tests.align.scores import simulated_score, track_residual
from tests.simulate.shared_series import read_reference
from vitreous.align.series import align_series
from vitreous.align.settings import AlignSettings
from vitreous.formats.mrc import open_stack
from vitreous.records.images import ArrayStack


@pytest.mark.parametrize(("name", "due"), [("sim_nobeads", 0.5), ("sim_beads", 0.4)])
def test_a_series_of_another_simulator_is_aligned_without_any_hint(shared, name, due):
    reference = read_reference(shared, name)
    tilts = np.loadtxt(shared / "data" / name / f"{name}.rawtlt")
    stack = ArrayStack(reference.stack, reference.truth["pixel"])

    found = align_series(stack, tilts, AlignSettings(), threads=2)

    score = simulated_score(reference.truth, found.alignment)
    assert score.rms_px <= due
    assert abs(score.axis_degrees) <= 0.2
    assert found.scores.is_trusted


def test_gold_lies_where_the_alignment_of_the_real_series_shows_it(shared):
    folder = shared / "data" / "empiar10499_ts254"
    tilts = np.loadtxt(folder / "imod" / "TS_00254.tlt")
    tracks = np.loadtxt(folder / "beads_tracks.tsv", skiprows=1)

    with open_stack(folder / "TS_00254_10A_int8.mrc") as stack:
        found = align_series(stack, tilts, AlignSettings(), nominal_axis_degrees=-4.3, threads=2)

    rms, views = track_residual(tracks, found.alignment)
    assert rms <= 1.0
    assert views[-2:].max() <= 1.5  # at 57 and 60 degrees, 4 and 12 px off in the data's own
    assert found.scores.is_trusted
