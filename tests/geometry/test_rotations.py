import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.geometry import affine
from vitreous.geometry.rotations import (
    polar,
    rotation_x,
    rotation_y,
    rotation_z,
    view_angles,
    view_rotation,
    wrapped,
)

angles = st.floats(-179.9, 180, allow_nan=False)
tilts = st.floats(-89.9, 89.9, allow_nan=False)


@pytest.mark.parametrize(
    ("turn", "start", "end"),
    [(rotation_x, 1, 2), (rotation_y, 2, 0), (rotation_z, 0, 1)],
)
def test_a_quarter_turn_takes_one_axis_to_the_next(turn, start, end):
    axes = np.eye(3)

    np.testing.assert_allclose(turn(90) @ axes[start], axes[end], atol=1e-15)


@given(angles, tilts, angles)
def test_angles_come_back_from_the_rotation(axis, tilt, x_tilt):
    found = view_angles(view_rotation(axis, tilt, x_tilt))

    np.testing.assert_allclose(wrapped(found[0] - axis), 0, atol=1e-6)
    np.testing.assert_allclose(found[1], tilt, atol=1e-6)
    np.testing.assert_allclose(wrapped(found[2] - x_tilt), 0, atol=1e-6)


def test_a_tilt_of_90_degrees_keeps_its_rotation():
    rotation = view_rotation(30.0, 90.0, 0.0)

    np.testing.assert_allclose(view_rotation(*view_angles(rotation)), rotation, atol=1e-12)


@given(angles, tilts, st.floats(0.5, 2))
def test_the_polar_factor_of_a_magnified_rotation_is_that_rotation(axis, tilt, magnification):
    rotation = view_rotation(axis, tilt, 3.0)

    found, turned = polar(magnification * rotation[:2])

    np.testing.assert_allclose(found, magnification)
    np.testing.assert_allclose(turned, rotation, atol=1e-12)


def test_a_stretched_view_keeps_a_right_handed_rotation():
    stretch = np.array([[1.05, 0.02], [-0.01, 0.97]])

    _, rotation = polar(stretch @ view_rotation(85.0, 40.0)[:2])

    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) > 0


def test_products_and_inverses_of_image_maps_act_like_the_maps(rng):
    first, then = rng.normal(size=(2, 5, 2, 3))
    points = rng.normal(size=(5, 2))

    together = affine.apply(affine.product(first, then), points)

    np.testing.assert_allclose(together, affine.apply(then, affine.apply(first, points)))
    np.testing.assert_allclose(
        affine.apply(affine.inverse(first), affine.apply(first, points)), points, atol=1e-9
    )


def test_a_map_about_another_centre_moves_the_same_points(rng):
    maps = rng.normal(size=(2, 3))
    here, there, point = rng.normal(size=(3, 2))

    moved = affine.apply(affine.about(maps, here, there), point - here) + there

    np.testing.assert_allclose(moved, affine.apply(maps, point))
