"""Heights of an inclined plane in a view, against the maps themselves."""

import numpy as np
import pytest

from tests.series import tilts_seen
from vitreous.ctf.heights import across_axis, height_gradients, heights


@pytest.mark.parametrize("pitch", [0.0, 5.0])
def test_heights_are_those_of_points_in_the_plane(pitch, rng):
    alignment = tilts_seen(axis=85.0, x_tilts_degrees=2.0, magnifications=1.01)
    points = rng.uniform(-300, 300, (6, 3))
    points[:, 2] = -np.tan(np.deg2rad(pitch)) * points[:, 0]
    view = np.repeat(np.arange(len(alignment)), len(points))

    found = heights(alignment, view, alignment.project(points).reshape(-1, 2), pitch)

    np.testing.assert_allclose(found, alignment.heights(points).ravel(), atol=1e-9)


def test_a_flat_specimen_falls_across_the_axis_by_the_tangent_of_the_tilt():
    alignment = tilts_seen(axis=30.0)

    gradients = height_gradients(alignment)

    slope = -np.tan(np.deg2rad(alignment.tilts_degrees))
    np.testing.assert_allclose(gradients, across_axis(alignment) * slope[:, None], atol=1e-12)
