import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE
from vitreous.align.clean import cleaned, hot_pixels
from vitreous.records.images import ArrayStack

HOT = ([10, 40, 41], [20, 7, 7])  # y, x; two of them side by side
NOBODY = np.zeros((64, 60), bool)


@pytest.fixture
def counts(rng):
    """Electron counts of a bead that moves along x from image to image."""
    y, x = np.mgrid[:64, :60]
    dark = [np.hypot(x - 10 - 3 * view, y - 32) < 3.5 for view in range(12)]
    return rng.poisson(np.where(dark, 20, 100)).astype(np.float32)


def test_hot_and_dead_pixels_are_found_by_what_stays_throughout(counts):
    counts[:, *HOT] += [80, 80, -90]

    found = hot_pixels(ArrayStack(counts, PIXEL_SIZE), np.arange(12))

    assert np.argwhere(found).tolist() == np.transpose(HOT).tolist()


def test_an_x_ray_is_replaced_by_what_surrounds_it_and_counted(counts):
    image = counts[0]
    image[50, 50:52] = 4000

    repaired, said = cleaned(image, NOBODY)

    assert said.outliers == 2
    assert (said.hot, said.missing) == (0, 0)
    assert 80 < repaired[50, 50] < 120
    untouched = np.ones_like(image, bool)
    untouched[50, 50:52] = False
    np.testing.assert_array_equal(repaired[untouched], image[untouched])


def test_hot_pixels_are_replaced_in_every_image_and_counted_once(counts):
    hot = NOBODY.copy()
    hot[HOT] = True
    image = counts[0]
    image[HOT] = 30000

    repaired, said = cleaned(image, hot)

    assert (said.hot, said.outliers) == (3, 0)
    assert (np.abs(repaired[HOT] - 100) < 25).all()


def test_a_bead_is_no_outlier_however_strong(rng):
    y, x = np.mgrid[:64, :60]
    image = np.where(np.hypot(x - 30, y - 30) < 4, 0.0, 1000.0)
    image = (image + rng.normal(0, 10, image.shape)).astype(np.float32)

    repaired, said = cleaned(image, NOBODY)

    assert said.outliers == 0
    np.testing.assert_array_equal(repaired, image)


def test_what_is_missing_becomes_the_mean(counts):
    image = counts[0].astype(np.float64)
    image[5:9, 5:9] = np.nan
    image[60, 3] = np.inf

    repaired, said = cleaned(image, NOBODY)

    assert said.missing == 17
    assert np.isfinite(repaired).all()
    assert repaired[6, 6] == pytest.approx(np.nanmean(counts[0]), rel=0.05)
    assert image[60, 3] == np.inf
