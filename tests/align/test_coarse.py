"""Coarse shifts, axis and thickness."""

import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, SIZE, blob_series
from tests.align.test_plane import views_of
from vitreous.align.axis import EVALUATIONS, search
from vitreous.align.coarse import NEIGHBOURS, coarse_plane, coarse_shifts
from vitreous.align.plane import highest
from vitreous.align.prepare import coefficients, whitened
from vitreous.align.views import nominal_views

TILTS = np.arange(-60, 61, 5.0)
SHAPE = (SIZE, SIZE)
LARGEST = 0.4 * SIZE


@pytest.fixture(scope="module")
def series():
    return blob_series(tilts=TILTS, jumps={18: (SIZE / 3, 0), 4: (0, -SIZE / 3)})


@pytest.fixture(scope="module")
def images(series):
    return np.stack([coefficients(whitened(image, PIXEL_SIZE)) for image in series.images])


def coarse_shifts_slowly(images, views, plane, thickness):
    """Shift of one view after the other in float64, the reference summed point by point."""
    shifts, done, spectra = views.shifts.copy(), [], {}
    for i in np.argsort(np.abs(views.tilts), kind="stable"):
        near = sorted(done, key=lambda j: abs(views.tilts[j] - views.tilts[i]))[:NEIGHBOURS]
        one = views.chosen(np.array([i]))
        if near:
            shifts[i] = np.median(shifts[near], axis=0)
            kx = np.fft.fftfreq(plane.width)
            foreseen = sum(
                np.sinc(kx * thickness * (views.slopes[i] - views.slopes[j])) * spectra[j]
                for j in near
            )
            seen = np.fft.fft2(plane.resampled(images[[i]], moved(one, shifts[i]))[0].astype(float))
            correlation = np.fft.ifft2(foreseen * seen.conj()).real
            limit = LARGEST / np.cos(np.deg2rad(views.tilts[i])), LARGEST
            shifts[i] -= views.in_plane[i] @ highest(correlation, limit)[0]
        spectra[i] = np.fft.fft2(
            plane.resampled(images[[i]], moved(one, shifts[i]))[0].astype(float)
        )
        done.append(i)
    return shifts


def moved(view, shift):
    return view.moved_on_plane(np.linalg.solve(view.in_plane[0], shift)[None])


def test_coarse_shifts_agree_with_their_twin(images):
    views, plane = nominal_views(TILTS, -4.3, PIXEL_SIZE), coarse_plane(SHAPE, PIXEL_SIZE)

    found = coarse_shifts(images, views, plane, 80.0, LARGEST)

    slow = coarse_shifts_slowly(images, views, plane, 80.0)
    np.testing.assert_allclose(found.views.shifts, slow, atol=0.01)
    assert found.agreement[12] == 0  # the view that the others are aligned to
    assert np.delete(found.agreement, 12).min() > 0.1


def test_jumps_of_a_third_of_the_field_are_followed(images, series):
    views, plane = nominal_views(TILTS, -4.3, PIXEL_SIZE), coarse_plane(SHAPE, PIXEL_SIZE)

    found = coarse_shifts(images, views, plane, 80.0, LARGEST).views

    apart = found.shifts - views_of(series.truth).shifts
    # a shift of the specimen in x, y, z is no error
    system = views.maps.reshape(-1, 3)
    rest = apart.ravel() - system @ np.linalg.lstsq(system, apart.ravel(), rcond=None)[0]
    assert np.abs(rest).max() < 5
    assert np.sqrt((rest**2).mean()) < 1.5


def test_a_view_that_shows_nothing_agrees_with_nothing(images):
    empty = images.copy()
    empty[5] = 0
    views, plane = nominal_views(TILTS, -4.3, PIXEL_SIZE), coarse_plane(SHAPE, PIXEL_SIZE)

    found = coarse_shifts(empty, views, plane, 80.0, LARGEST)

    assert found.agreement[5] == 0
    assert found.heights[5] == 0
    assert np.isfinite(found.views.shifts).all()


@pytest.mark.parametrize(
    ("nominal", "reach"), [(5.7, 90.0), (0.0, 90.0), (83.0, 90.0), (3.0, 15.0)]
)
def test_the_axis_is_found_from_anywhere(images, nominal, reach):
    views, steps = nominal_views(TILTS, nominal, PIXEL_SIZE), []

    found = search(
        images,
        views,
        coarse_plane(SHAPE, PIXEL_SIZE),
        largest_shift=LARGEST,
        reach=reach,
        progress=lambda done, of: steps.append((done, of)),
    )

    axis = found.best.views.axes.mean()
    assert abs((axis + 4.3 + 90) % 180 - 90) < 2
    assert abs(axis - nominal) <= 90
    assert found.is_seen
    assert found.thickness == pytest.approx(1200, rel=0.25)
    assert np.all(np.diff(found.tried[:, 0]) >= 0)
    assert max(step[0] for step in steps) <= EVALUATIONS


def test_an_axis_that_is_told_is_kept(images):
    views = nominal_views(TILTS, -3.0, PIXEL_SIZE)

    found = search(images, views, coarse_plane(SHAPE, PIXEL_SIZE), largest_shift=LARGEST, reach=0.0)

    np.testing.assert_array_equal(found.best.views.axes, views.axes)
    assert found.thickness == pytest.approx(1200, rel=0.3)


def test_noise_tells_no_axis(rng):
    noise = rng.normal(size=(9, 68, 68)).astype(np.float32)
    views = nominal_views(np.linspace(-60, 60, 9), 0.0, 30.0)

    found = search(noise, views, coarse_plane((64, 64), 30.0), largest_shift=20.0)

    assert found.best.heights.max() < 8
    assert found.best.agreement.mean() < 0.1
