from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.phantom import densities, gaussian
from vitreous.geometry.motions import box_points
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.volume import Grid
from vitreous.simulate.scores import alignment_error, dark_centre


@pytest.mark.parametrize("at", [(20.3, 17.8, 9.6), (15.0, 22.5, 10.25)])
def test_a_dark_spot_is_found_to_two_hundredths_of_a_voxel(at):
    grid = Grid((40, 38, 20), 1.0, (0, 0, 0))
    volume = 5 + densities([gaussian(at, (2, 2, 3), -4.0)], grid)

    found = dark_centre(volume, np.round(at) + np.array([1, -1, 1]), radius=6)

    np.testing.assert_allclose(found, at, atol=0.02)


def test_a_spot_at_the_rim_is_found_in_what_is_there():
    grid = Grid((12, 12, 12), 1.0, (0, 0, 0))
    volume = densities([gaussian((1, 2, 6), 1.0, -1.0)], grid)

    np.testing.assert_allclose(dark_centre(volume, (2, 2, 6), 4), (1, 2, 6), atol=0.3)


# -- alignments -----------------------------------------------------------------------------------


def truth_and_alignment(rng, mirror=1):
    """True points with where they are seen, and the same alignment in another gauge."""
    true = alignment_from_angles(
        axes_degrees=12.0,
        tilts_degrees=np.linspace(-50, 50, 9),
        shifts=rng.normal(0, 30, (9, 2)),
        image_size=(200, 160),
        pixel_size=4.0,
    )
    points = box_points((600, 500, 240), 5)
    rotation = Rotation.from_euler("xyz", (2, -3, 4), degrees=True).as_matrix() * [1, 1, mirror]
    shift = np.array([25.0, -40.0, 60.0])
    found = replace(
        true,
        projections=true.projections @ rotation.T,
        shifts=true.shifts - true.projections @ rotation.T @ shift,
    )
    return points, true.pixels(points), found, points @ rotation.T + shift


@pytest.mark.parametrize("mirror", [1, -1])
def test_another_gauge_is_no_error(rng, mirror):
    points, seen, found, places = truth_and_alignment(rng, mirror)

    error = alignment_error(found, points, seen)

    assert error.rms_px < 1e-4
    assert error.mirrored == (mirror == -1)
    np.testing.assert_allclose(error.places(points), places, atol=1e-2)


def test_a_view_that_is_off_shows_by_how_much(rng):
    points, seen, found, _ = truth_and_alignment(rng)
    off = found.shifts.copy()
    off[0] += np.array([3.0, -4.0]) * found.pixel_size

    error = alignment_error(replace(found, shifts=off), points, seen)

    assert 4 < error.per_view_px[0] < 5  # the gauge takes up some of it
    assert error.per_view_px[4] < 1


def test_what_is_seen_outside_the_image_is_not_counted(rng):
    points, seen, found, _ = truth_and_alignment(rng)
    seen[3, :5] = (-50, 20)

    assert alignment_error(found, points, seen).rms_px < 1e-4
