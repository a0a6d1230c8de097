import numpy as np
import pytest

from vitreous.align.refine import as_moves, from_moves
from vitreous.align.views import Views, nominal_views
from vitreous.geometry.rotations import view_rotation

TILTS = np.array([-60.0, -31.0, 0.0, 12.0, 58.0])


@pytest.fixture
def views(rng) -> Views:
    return Views(
        tilts=TILTS,
        axes=84.0 + rng.normal(0, 0.1, 5),
        magnifications=1 + rng.normal(0, 1e-3, 5),
        shifts=rng.normal(0, 5, (5, 2)),
        pixel_size=12.0,
        x_tilt=3.0,
    )


def seen(views, point):
    """(n, 2) where a specimen point (px) is seen, one view at a time."""
    rotations = [view_rotation(a, t, views.x_tilt) for a, t in zip(views.axes, TILTS, strict=True)]
    turned = np.array([np.squeeze(r) @ point for r in rotations])[:, :2]
    return views.shifts + views.magnifications[:, None] * turned


def test_a_point_is_seen_where_the_convention_puts_it(views):
    point = np.array([30.0, -20.0, 11.0])

    np.testing.assert_allclose(views.shifts + views.maps @ point, seen(views, point))


def test_height_moves_a_point_along_x_of_the_plane_by_the_slope(views):
    high, at = seen(views, np.array([0, 0, 10.0])), seen(views, np.zeros(3))

    on_plane = np.linalg.solve(views.in_plane, (high - at)[..., None])[..., 0]

    np.testing.assert_allclose(on_plane[:, 0], 10 * views.slopes, atol=1e-12)
    np.testing.assert_allclose(on_plane[:, 1], on_plane[0, 1])  # a shear that all share


def test_without_an_x_tilt_the_slope_is_the_tangent():
    np.testing.assert_allclose(nominal_views(TILTS, 85.0, 10.0).slopes, np.tan(np.deg2rad(TILTS)))


def test_what_is_moved_on_the_plane_is_seen_where_it_was(views):
    moves = np.arange(10.0).reshape(5, 2)

    moved = views.moved_on_plane(moves)

    for view in range(5):
        point = np.array([*moves[view], 0.0])
        np.testing.assert_allclose(moved.shifts[view], seen(views, point)[view])


def test_a_raised_origin_leaves_images_as_they_are(views):
    point = np.array([30.0, -20.0, 11.0])

    np.testing.assert_allclose(
        seen(views.raised(4.0), point - [0, 0, 4.0]), seen(views, point), atol=1e-9
    )


def test_views_in_pixels_of_another_size_are_the_same_in_angstrom(views):
    finer = views.at(3.0)

    np.testing.assert_allclose(finer.shifts * 3.0, views.shifts * 12.0)
    np.testing.assert_allclose(finer.maps, views.maps)


def test_some_of_the_views_are_those(views):
    some = views.chosen(np.array([3, 0]))

    np.testing.assert_array_equal(some.tilts, TILTS[[3, 0]])
    np.testing.assert_allclose(some.maps, views.maps[[3, 0]])
    assert len(some) == 2


def test_views_become_a_vector_of_moves_and_come_back(views):
    again = from_moves(as_moves(views, 150.0), nominal_views(TILTS * 0, 0.0, 12.0), 150.0)

    for name in ("tilts", "axes", "magnifications", "shifts"):
        np.testing.assert_allclose(getattr(again, name), getattr(views, name))


def test_a_degree_moves_the_rim_by_its_arc(views):
    moves = as_moves(views.turned(1.0), 100.0) - as_moves(views, 100.0)

    np.testing.assert_allclose(moves[10:15], 100 * np.deg2rad(1))
    np.testing.assert_allclose(np.delete(moves, np.s_[10:15]), 0)
