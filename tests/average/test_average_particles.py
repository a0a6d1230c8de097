"""Averages in memory, as a notebook makes them."""

from dataclasses import replace

import numpy as np
import pytest

import vitreous
from tests.average.relion_particles import run, tilted


@pytest.fixture
def parts(shared):
    return tilted(shared / "oracles" / "R2_relion_particle")


def test_half_maps_and_their_correlation_in_a_few_lines(parts, shared):
    settings = vitreous.AverageSettings(box=36)

    averages = vitreous.average_particles(parts, settings)
    one, two = (half.volume for half in averages.halves)
    curve = vitreous.fourier_shell_correlation(one, two, averages.voxel_size)

    assert averages.voxel_size == 4.0
    theirs = run(shared / "oracles" / "R2_relion_particle", "base/merged")
    assert np.corrcoef(averages.merged.volume.ravel(), theirs.ravel())[0, 1] > 0.99
    assert 8 < curve.resolution(0.5) < 20


def test_without_half_sets_there_are_no_half_maps(parts):
    none = [
        replace(part, particles=replace(part.particles, half_sets=0 * part.particles.half_sets))
        for part in parts
    ]

    averages = vitreous.average_particles(none, vitreous.AverageSettings(box=20, binning=2))

    assert averages.halves is None
    assert averages.voxel_size == 8.0
    assert averages.merged.volume.shape == (20, 20, 20)
