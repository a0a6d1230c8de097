import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, SIZE, blob_series
from tests.align.test_plane import views_of
from vitreous.align.left_out import references, slab_for
from vitreous.align.match import correlations, matched, scores_at_rest
from vitreous.align.plane import highest
from vitreous.align.prepare import coefficients, whitened
from vitreous.align.views import Views

SHAPE = (SIZE, SIZE)


@pytest.fixture(scope="module")
def series():
    return blob_series(tilts=np.arange(-60, 61, 5.0))


@pytest.fixture(scope="module")
def images(series):
    return np.stack([coefficients(whitened(image, PIXEL_SIZE)) for image in series.images])


@pytest.fixture(scope="module")
def views(series) -> Views:
    return views_of(series.truth)


@pytest.fixture(scope="module")
def slab(views):
    return slab_for(SHAPE, views, 1800.0, 1.5)


def test_a_view_has_no_part_in_its_own_reference(images, views, slab):
    other = images.copy()
    other[4] = images[4][::-1]

    _, before = references(images, views, slab)
    _, after = references(other, views, slab)

    # the level at which all are cut comes of all views, so it is nearly, not quite, the same
    assert np.corrcoef(before[4].ravel(), after[4].ravel())[0, 1] > 0.999
    assert np.corrcoef(before[5].ravel(), after[5].ravel())[0, 1] < 0.99


def test_references_foretell_their_views(images, views, slab):
    planes, found = references(images, views, slab)

    elsewhere = [
        np.corrcoef(plane.ravel(), np.roll(reference, (7, 9), (0, 1)).ravel())[0, 1]
        for plane, reference in zip(planes, found, strict=True)
    ]
    here = [
        np.corrcoef(plane.ravel(), reference.ravel())[0, 1]
        for plane, reference in zip(planes, found, strict=True)
    ]
    assert min(here) > 0.06
    assert min(here) > 3 * np.abs(elsewhere).max()


def test_moved_views_are_brought_back(images, views, slab, rng):
    moves = rng.normal(0, 1.5, (len(views), 2))
    moves[6] = [4.5, -5.0]

    found = views.moved_on_plane(moves)
    for _ in range(4):
        found, heights = matched(images, found, slab, 100.0, 500.0)

    apart = np.linalg.solve(views.in_plane, (found.shifts - views.shifts)[..., None])[..., 0]
    # a shift of the specimen is no error: (x, y, z) moves views by x + z slope and y
    shape = np.column_stack([np.ones(len(views)), views.slopes])
    across = apart[:, 0] - shape @ np.linalg.lstsq(shape, apart[:, 0], rcond=None)[0]
    along = apart[:, 1] - apart[:, 1].mean()
    assert np.sqrt((across**2).mean()) < 0.6
    assert np.sqrt((along**2).mean()) < 0.4
    assert heights.min() > 8


def test_a_view_far_off_is_found_again(images, views, slab):
    lost = np.zeros((len(views), 2))
    lost[3] = [30.0, -20.0]

    found, _ = matched(images, views.moved_on_plane(lost), slab, 100.0, 0.4 * SIZE * PIXEL_SIZE)

    np.testing.assert_allclose(found.shifts[3], views.shifts[3], atol=2)


def test_a_view_of_noise_stays_where_it_is(images, views, slab, rng):
    noisy = images.copy()
    noisy[2] = rng.normal(size=images[2].shape)

    found, heights = matched(noisy, views, slab, 100.0, 400.0)

    assert heights[2] < 5
    np.testing.assert_array_equal(found.shifts[2], views.shifts[2])


def test_scores_at_rest_are_the_correlations_at_zero_shift(images, views, slab):
    planes, found = references(images, views, slab)

    quick = scores_at_rest(planes, found, views, slab.plane)

    slow = [each[0, 0] / each.std() for each in correlations(images, views, slab)]
    np.testing.assert_allclose(quick, slow, rtol=2e-4, atol=1e-3)
    peaks = [highest(each, (5, 5))[1] for each in correlations(images, views, slab)]
    assert np.median(quick) > 0.9 * np.median(peaks)
