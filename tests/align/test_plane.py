import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, SIZE, blob_series
from vitreous.align.plane import Plane, field_on_plane, highest, parabola
from vitreous.align.prepare import coefficients, edge_taper, whitened
from vitreous.align.views import nominal_views


def views_of(truth):
    """The truth of a series of blobs, in the alignment's own terms."""
    views = nominal_views(truth.tilts_degrees, truth.axes_degrees[0], PIXEL_SIZE)
    return views.moved_on_plane(np.linalg.solve(views.in_plane, truth.shifts_px[..., None])[..., 0])


def test_views_and_record_are_the_same_geometry():
    truth = blob_series().truth

    again = views_of(truth).as_alignment(
        truth.sections, truth.section_count, truth.image_size, PIXEL_SIZE
    )

    np.testing.assert_allclose(again.projections, truth.projections, atol=1e-12)
    np.testing.assert_allclose(again.shifts, truth.shifts, atol=1e-9)


def test_a_point_moves_along_x_on_the_plane_by_its_height_times_the_slope():
    series = blob_series(count=1, noise=0.0, axis=30.0, thickness=900.0)
    views = views_of(series.truth)
    blob = series.blobs[np.linalg.norm(series.blobs[:, :2], axis=1).argmin()] / PIXEL_SIZE
    plane = Plane(160, 200, PIXEL_SIZE)
    images = np.stack([coefficients(image - 100) for image in series.images])

    resampled = plane.resampled(images, views)

    for image, slope in zip(resampled, views.slopes, strict=True):
        due = np.array([plane.width // 2, plane.height // 2]) + blob[:2] + [blob[2] * slope, 0]
        x, y = np.round(due).astype(int)
        if not (8 < x < plane.width - 8 and 8 < y < plane.height - 8):
            continue
        window = image[y - 6 : y + 7, x - 6 : x + 7]
        if window.min() > -0.3:
            continue  # the blob lies beside this view
        j, i = np.unravel_index(window.argmin(), window.shape)
        assert np.abs([i + x - 6 - due[0], j + y - 6 - due[1]]).max() < 1.5


def test_the_highest_point_is_found_between_pixels(rng):
    y, x = np.mgrid[:60, :80]
    noise = rng.normal(0, 1e-3, (60, 80))
    for due in ([3.3, -7.6], [-11.2, 0.4], [0.0, 0.0]):
        away = [
            (axis - d + n / 2) % n - n / 2 for axis, d, n in zip((x, y), due, (80, 60), strict=True)
        ]
        bump = np.exp(-(away[0] ** 2 + away[1] ** 2) / (2 * 2.5**2)) + noise

        found, height = highest(bump.astype(np.float32), (15, 15))

        np.testing.assert_allclose(found, due, atol=0.03)
        assert height == pytest.approx(bump.max() / bump.std(), rel=0.01)


def test_the_highest_point_is_sought_within_the_limit():
    image = np.zeros((40, 40), np.float32)
    image[0, 15], image[2, 3] = 9, 1

    found, _ = highest(image, (10, 10))

    np.testing.assert_allclose(found, [3, 2])


def test_a_parabola_is_met_exactly():
    at = np.array([-1.0, 0.0, 1.0])

    assert parabola(*(5 - (at - 0.3) ** 2)) == pytest.approx(0.3)
    assert parabola(1, 1, 1) == 0


@pytest.mark.parametrize(
    ("axis", "field"), [(0, (200, 100)), (90, (100, 200)), (180, (200, 100)), (45, (210, 210))]
)
def test_the_field_on_the_plane_is_turned_with_the_axis(axis, field):
    np.testing.assert_allclose(field_on_plane((100, 200), axis), field, atol=1)


def test_a_whitened_image_has_an_even_spectrum_and_faded_borders(rng):
    noise = rng.normal(size=(256, 256))
    k = np.hypot(np.fft.fftfreq(256)[:, None], np.fft.rfftfreq(256)) + 1e-3
    red = np.fft.irfft2(np.fft.rfft2(noise) / k).astype(np.float32)

    white = whitened(red, PIXEL_SIZE)

    assert white.mean() == pytest.approx(0, abs=0.02)
    assert np.abs(white[0]).max() < 0.1 * white.std()
    power = np.abs(np.fft.rfft2(white)) ** 2
    ring = [power[(k > a) & (k < a + 0.03)].mean() for a in (0.1, 0.2, 0.3)]
    assert max(ring) < 1.3 * min(ring)


def test_a_taper_rises_from_nothing_to_one():
    taper = edge_taper(SIZE)

    assert taper[0] < 0.05
    assert taper[SIZE // 2] == 1
    np.testing.assert_array_equal(taper, taper[::-1])
