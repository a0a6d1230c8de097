import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.align.blobs import PIXEL_SIZE, blob_series
from tests.align.test_plane import views_of
from vitreous.align.left_out import slab_for
from vitreous.align.level import levelled
from vitreous.align.prepare import coefficients, whitened
from vitreous.align.slab import best_interval, find_extent


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=20))
def test_the_best_interval_is_the_best_of_all(values):
    profile = np.array(values, float)

    first, last = best_interval(profile)

    sums = [profile[a:b].sum() for a in range(len(profile)) for b in range(a + 1, len(profile) + 1)]
    assert first < last
    assert profile[first:last].sum() == max(sums)


def extent_of(series):
    views = views_of(series.truth)
    images = np.stack([coefficients(whitened(image, PIXEL_SIZE)) for image in series.images])
    return find_extent(images, views, slab_for(series.images.shape[1:], views, 4500.0, 0.0))


@pytest.mark.parametrize(("thickness", "centre"), [(600.0, 0.0), (1200.0, 300.0), (2000.0, -150.0)])
def test_thickness_and_centre_are_found(thickness, centre):
    extent = extent_of(blob_series(thickness=thickness, centre=centre, count=600))

    assert extent.thickness == pytest.approx(thickness, abs=0.12 * thickness + 60)
    assert extent.centre == pytest.approx(centre, abs=80)
    assert extent.low < centre < extent.high


@pytest.mark.parametrize(("along_x", "along_y"), [(0.0, 0.0), (9.0, -6.0)])
def test_the_slabs_tilt_is_found(along_x, along_y):
    series = blob_series(along_x=along_x, along_y=along_y, thickness=700.0, count=1000, size=256)

    extent = extent_of(series)

    # a plane through the few hundred blobs of the field is itself off by up to 1.3 degrees
    assert extent.along_x == pytest.approx(along_x, abs=1.3)
    assert extent.along_y == pytest.approx(along_y, abs=1.3)
    assert extent.height > extent.thickness - 60


def test_a_levelled_alignment_sees_the_slabs_plane_as_z_0():
    series = blob_series(along_x=9.0, along_y=-6.0, centre=200.0)
    extent = extent_of(series)
    x, y = np.array([[-500.0, 300, 800], [200.0, -700, 400]])
    rise = np.tan(np.deg2rad([extent.along_x, extent.along_y]))
    plane = np.column_stack([x, y, extent.centre + rise[0] * x + rise[1] * y])

    flat = levelled(series.truth, extent)

    normal = np.array([-rise[0], -rise[1], 1]) / np.linalg.norm([*rise, 1])
    above = plane + 100 * normal
    # found back from two views in which x and y are seen with z
    system, seen = flat.projections.reshape(-1, 3), series.truth.project(np.vstack([plane, above]))
    rest = (seen - flat.shifts[:, None]).transpose(0, 2, 1).reshape(len(system), -1)
    z = np.linalg.lstsq(system, rest, rcond=None)[0][2]
    np.testing.assert_allclose(z, [0, 0, 0, 100, 100, 100], atol=1e-6)
    assert np.ptp(flat.x_tilts_degrees) < 1e-9
    assert np.ptp(flat.tilts_degrees - series.truth.tilts_degrees) < 1e-9
