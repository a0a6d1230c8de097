"""Motion correction beside RELION's own, on the movie that it was run on."""

import numpy as np
import pytest

from tests.motion.movies import rms
from tests.motion.relion_run import PIXEL, both_correlations, corrected, planted


@pytest.fixture(scope="module")
def folder(shared):
    return shared / "oracles" / "R3_relion_motioncorr"


@pytest.mark.parametrize("run", ["local4x4/movie", "dw/movie"])
def test_the_average_shows_the_specimen_as_well_as_relions_in_every_band(folder, run):
    ours, relions = both_correlations(folder, run)

    assert (ours > relions - 0.01).all()
    assert (ours[:4] > relions[:4]).all()  # where there is signal


def test_local_motion_of_a_small_field_is_found(folder):
    motion = corrected(folder).motion

    x, y = np.meshgrid(np.linspace(20, 235, 9), np.linspace(20, 203, 9))
    points = np.stack([x, y], -1).reshape(-1, 2)
    true = planted(folder, points)
    true -= true.mean(0)
    found = motion.at(points) / PIXEL
    whole = motion.displacements[:, None] / PIXEL
    assert rms(found - true) < 0.5 * rms(whole - true)
    assert rms(found - true) < 0.15
