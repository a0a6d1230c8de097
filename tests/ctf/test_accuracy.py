"""What is asked of the CTF of whole series, at length: pytest -m accuracy tests/ctf."""

import numpy as np
import pytest

from tests.ctf.truth import (
    SPECIMENS,
    TWENTY,
    one_tile_wide,
    slab_measured,
    slab_of,
    specimen_measured,
    without_rings,
)

pytestmark = pytest.mark.accuracy


@pytest.mark.parametrize("seed", TWENTY)
def test_defocus_is_as_exact_as_asked_for(seed):
    errors, _ = slab_measured(seed)

    assert errors.low <= 100
    assert errors.high <= 150
    assert errors.largest <= 400
    assert 0.7 <= errors.ratio <= 1.6


def test_errors_are_as_large_as_claimed():
    ratios = np.array([slab_measured(seed)[0].ratio for seed in TWENTY])

    assert 0.8 <= np.sqrt(np.mean(ratios**2)) <= 1.5


def test_astigmatism_is_found_to_100_angstrom():
    errors = np.array([slab_measured(seed)[0].astigmatism for seed in TWENTY])

    assert np.median(errors) <= 60
    assert (errors <= 100).sum() >= 19


def test_the_hand_is_right_and_determined():
    hands = [(seed, slab_measured(seed)[1].hand) for seed in TWENTY]

    determined = [(seed, hand) for seed, hand in hands if hand.is_determined]
    assert len(determined) >= 18
    assert all(hand.hand == slab_of(seed).hand for seed, hand in hands)


@pytest.mark.parametrize("seed", range(1, 4))
def test_where_there_are_no_rings_or_no_lever_the_hand_isnt_determined(seed):
    assert not without_rings(seed).hand.is_determined
    assert not one_tile_wide(seed).hand.is_determined


@pytest.mark.parametrize("name", SPECIMENS)
def test_a_specimen_of_molecules_and_beads_is_as_exact(name):
    errors, found = specimen_measured(name)

    assert errors.low <= 100
    assert errors.high <= 150
    assert errors.largest <= 400
    assert abs(errors.bias) <= 100
    assert found.hand.hand == SPECIMENS[name].hand
    assert found.hand.is_determined
