"""Scalings that types can hold, and tilts that were taken twice."""

import numpy as np
import pytest

from tests.series import tilts_seen
from vitreous.pipeline.tomogram import Scaling, for_float16, for_integers, same_tilts, scale


@pytest.mark.parametrize("largest", [127, 32767])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 1.0), (-3e-5, 2e-6), (1e6, 5e4)])
def test_integers_hold_eight_standard_deviations(largest, mean, deviation):
    scaling = for_integers(mean, deviation, 0.0, largest)

    ends = (np.array([mean - 8 * deviation, mean + 8 * deviation]) + scaling.add) * scaling.multiply
    assert 0.998 * largest < np.abs(ends).max() <= largest


def test_what_is_to_be_added_stays_as_given():
    scaling = for_integers(mean=5.0, deviation=1.0, add=-4.0, largest=127)

    assert scaling.add == -4
    assert (5 + 8 - 4) * scaling.multiply == pytest.approx(127, rel=2e-3)


def test_a_constant_volume_has_a_scaling_too():
    assert np.isfinite(for_integers(0.0, 0.0, 0.0, 127).multiply)
    assert for_float16(0.0, 0.0, 0.0).multiply == 1


@pytest.mark.parametrize(
    ("mean", "deviation", "add", "multiply"),
    [
        (0.0, 0.5, 0, 1),
        (0.0, 3e-6, 0, 1e6),
        (0.0, 2e5, 0, 1e-5),
        (100.0, 0.5, -100, 1),  # ten bits of 100 would be coarser than the noise
    ],
)
def test_float16_is_scaled_by_powers_of_ten_where_it_must(mean, deviation, add, multiply):
    scaling = for_float16(mean, deviation, 0.0)

    assert (scaling.add, scaling.multiply) == (add, pytest.approx(multiply))


def test_scaling_counts_what_the_type_will_cut():
    slab = np.array([[[-10.0, -1.3, 0.0, 1.2, 1.3, 10.0]]], np.float32)

    assert scale(slab, Scaling(0.0, 100.0, ""), "int8") == 4  # -1000, -130, 130, 1000
    np.testing.assert_allclose(slab[0, 0], [-1000, -130, 0, 120, 130, 1000])


def test_tilts_of_one_angle_are_found_in_any_order():
    alignment = tilts_seen(6, tilts_degrees=np.array([30.0, -5, 10, 30.01, -5, 30.2]))

    assert same_tilts(alignment) == [(0, 3), (1, 4)]
    assert same_tilts(alignment.without([3])) == [(1, 3)]
