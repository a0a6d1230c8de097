import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from vitreous.errors import UserError
from vitreous.motion.defects import Defects, boxes_of, find_defects, mask_of


@settings(max_examples=60, deadline=None)
@given(mask=arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_boxes_and_maps_are_the_same_defects(mask):
    boxes = boxes_of(mask)

    np.testing.assert_array_equal(mask_of(boxes, mask.shape), mask)
    assert boxes[:, 2:].prod(1).sum() == mask.sum()  # none overlap


def test_a_column_is_one_box():
    mask = np.zeros((40, 30), bool)
    mask[:, 7:9] = True
    mask[3, 20] = True

    assert boxes_of(mask).tolist() == [[7, 0, 2, 40], [20, 3, 1, 1]]


def test_a_defect_beyond_the_camera_is_refused():
    with pytest.raises(UserError, match="the defect 28 0 3 1 lies beyond the movies' 30 x 40"):
        mask_of(np.array([[28, 0, 3, 1]]), (40, 30))


def planted(rng, counts):
    """Two halves of movies with hot and dead pixels and a dead column; the maps of both."""
    shape = (80, 90)
    scene = 1 + 0.25 * np.sin(np.arange(90) / 9) * np.cos(np.arange(80) / 5)[:, None]
    scene[30:40, 50:60] *= 0.5  # a gold bead
    halves = rng.poisson(counts * scene, (2, *shape)).astype(np.float32)
    hot, dead = np.zeros(shape, bool), np.zeros(shape, bool)
    hot[rng.integers(80, size=6), rng.integers(40, size=6)] = True
    dead[5, 70] = dead[62, 33] = True
    dead[:, 44:46] = True
    hot &= ~dead
    halves[:, hot] += 8 * counts + 30
    halves[:, dead] = 0
    return halves, hot, dead


@pytest.mark.parametrize("counts", [60, 400, 5000])
def test_planted_hot_and_dead_pixels_are_found_and_no_others(rng, counts):
    halves, hot, dead = planted(rng, counts)

    found = find_defects(halves)

    np.testing.assert_array_equal(found.hot, hot)
    np.testing.assert_array_equal(found.dead, dead)
    np.testing.assert_array_equal(found.mask, hot | dead)


def test_few_electrons_tell_hot_pixels_but_no_dead_ones(rng):
    halves, hot, _ = planted(rng, 3)

    found = find_defects(halves)

    np.testing.assert_array_equal(found.mask, hot)
    assert found.dead is None


def test_what_an_xray_hits_once_is_no_defect(rng):
    halves, _, _ = planted(rng, 100)
    halves[0, 70, 80] = 4000

    assert not find_defects(halves).mask[70, 80]


def test_defects_are_filled_with_the_mean_of_their_neighbours():
    image = np.add.outer(np.arange(40.0), np.arange(30.0)).astype(np.float32)
    whole = image.copy()
    mask = np.zeros(image.shape, bool)
    mask[12, 12] = mask[20:25, 9:13] = True
    mask[:, 20] = True
    image[mask] = 1e6

    Defects(mask).fill(image)

    np.testing.assert_array_equal(image[~mask], whole[~mask])
    assert image[12, 12] == whole[12, 12]  # the middle of its eight neighbours
    assert np.abs(image - whole).max() < 3


def test_without_defects_nothing_is_filled():
    image = np.ones((4, 4), np.float32)

    Defects(np.zeros((4, 4), bool)).fill(image)

    np.testing.assert_array_equal(image, 1)


def test_a_camera_of_defects_only_is_refused():
    with pytest.raises(UserError, match="all pixels are marked"):
        Defects(np.ones((4, 4), bool))
