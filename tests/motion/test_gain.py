import json

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.motion.gain import (
    ORIENTATIONS,
    SURE,
    check_orientation,
    flatness,
    in_words,
    inverted,
    orientation_of,
    require_gain,
    sized,
    turned,
)


def random_gain(rng, shape=(96, 96), spread=0.05):
    return (1 + spread * rng.normal(size=shape)).clip(0.3, 2).astype(np.float32)


def test_rotation_is_first_then_the_flip_as_in_the_reference_vectors(shared):
    vectors = json.loads((shared / "reference" / "session_vectors.json").read_text())["gain"]
    stored = np.array(vectors["input"], np.float32)

    for case in vectors["cases"]:
        found = turned(stored, case["rot"], case["flip"])
        np.testing.assert_array_equal(found, case["output"], err_msg=str(case))


def test_the_transposition_is_last():
    image = np.arange(6, dtype=np.float32).reshape(2, 3)

    np.testing.assert_array_equal(turned(image, 1, 1, transpose=True), turned(image, 1, 1).T)


def test_all_ways_to_turn_are_among_the_eight():
    image = np.arange(12, dtype=np.float32).reshape(3, 4)

    assert len({str(turned(image, *orientation)) for orientation in ORIENTATIONS}) == 8
    for rotate in range(4):
        for flip in range(3):
            for transpose in (False, True):
                same = turned(image, *orientation_of(rotate, flip, transpose))
                np.testing.assert_array_equal(same, turned(image, rotate, flip, transpose))


def test_inverting_gives_the_mean_over_the_reference_and_keeps_zeros():
    flat_field = np.array([[50, 100], [0, 150]], np.float32)

    np.testing.assert_allclose(inverted(flat_field), [[2, 1], [0, 2 / 3]], rtol=1e-6)


def test_a_super_resolution_gain_is_averaged_and_a_coarse_one_repeated(rng):
    fine = random_gain(rng, (8, 12))
    fine[3, 5] = 0

    physical = sized(fine, (4, 6), "g")
    again = sized(physical, (16, 24), "g")

    assert physical[0, 0] == pytest.approx(fine[:2, :2].mean())
    assert physical[1, 2] == 0  # a quarter of it doesn't count
    np.testing.assert_array_equal(again[::4, ::4], physical)
    np.testing.assert_array_equal(again[3::4, 3::4], physical)


def test_a_gain_of_another_size_is_refused_and_a_quarter_turn_proposed(rng):
    gain = random_gain(rng, (8, 12))

    with pytest.raises(UserError, match=r"g.mrc: the gain has 12 x 8 pixels, the movies 10 x 8"):
        sized(gain, (8, 10), "g.mrc")
    with pytest.raises(UserError, match=r"A quarter turn .* may help"):
        sized(gain, (12, 8), "g.mrc")


@pytest.mark.parametrize(
    ("gain", "message"),
    [
        (np.zeros((4, 4)), "all values of the gain are 0"),
        (np.eye(4), "75 % of the values of the gain are 0"),
        (-np.ones((4, 4)), "16 values of the gain are negative"),
    ],
)
def test_what_can_be_no_gain_is_refused(gain, message):
    with pytest.raises(UserError, match=f"g.mrc: {message}"):
        require_gain(gain.astype(np.float32), "g.mrc")


@pytest.mark.parametrize("planted", ORIENTATIONS, ids=in_words)
def test_the_planted_orientation_is_found(rng, planted):
    stored = random_gain(rng)
    specimen = 1 + 0.3 * np.sin(np.arange(96) / 7) * np.ones((96, 1))
    mean = rng.poisson(60 * specimen / turned(stored, *planted)).astype(np.float32)

    check = check_orientation(stored, mean)

    assert check.best == planted
    assert check.is_sure
    assert not check.divides
    before, after = flatness(mean, turned(stored, *planted))
    assert after < before


def test_a_reference_to_divide_by_is_told(rng):
    stored = random_gain(rng)
    mean = rng.poisson(60 * stored).astype(np.float32)

    check = check_orientation(stored, mean)

    assert (check.best, check.divides, check.is_sure) == ((0, 0), True, True)


def test_a_gain_of_another_camera_is_never_sure(rng):
    leads = []
    for _ in range(12):
        mean = rng.poisson(60 / random_gain(rng)).astype(np.float32)
        leads.append(check_orientation(random_gain(rng), mean).lead)

    assert max(leads) < SURE / 2


def test_columns_that_a_flip_shares_make_no_certainty(rng):
    columns = np.repeat(random_gain(rng, (1, 96)), 96, axis=0)
    mean = rng.poisson(60 / columns).astype(np.float32)

    check = check_orientation(columns, mean)

    assert check.best in ((0, 0), (2, 1))  # as it is or upside down, nobody can tell
    assert not check.is_sure


def test_of_a_rectangle_only_what_fits_is_tried(rng):
    stored = random_gain(rng, (96, 64))
    mean = rng.poisson(60 / turned(stored, 3, 1)).astype(np.float32)

    check = check_orientation(stored, mean)

    assert set(check.correlations) == {(1, 0), (3, 0), (1, 1), (3, 1)}
    assert check.best == (3, 1)


def test_hot_pixels_and_xrays_dont_hide_the_orientation(rng):
    stored = random_gain(rng)
    mean = rng.poisson(60 / turned(stored, 2, 0)).astype(np.float32)
    mean[rng.integers(96, size=40), rng.integers(96, size=40)] = 5000
    mean[:, 17] = 0

    assert check_orientation(stored, mean).best == (2, 0)
