import numpy as np
import pytest

from vitreous.geometry.rotations import view_rotation
from vitreous.simulate.slab import Slab


@pytest.mark.parametrize("tilt", [-70, -30, 0, 45, 60])
def test_the_middle_is_seen_where_the_rays_cross_it(tilt, rng):
    slab = Slab(1500, pitch_x_degrees=2, pitch_y_degrees=-3, bend=90, half_field=2000)
    rotation = view_rotation(84.0, tilt)
    across = rng.uniform(-1800, 1800, (50, 2))

    height, _ = slab.seen(rotation, across)

    x, y, z = np.moveaxis(across @ rotation[:2] + height[:, None] * rotation[2], -1, 0)
    np.testing.assert_allclose(z, slab.middle(x, y), atol=1e-6)


def test_the_path_through_a_flat_slab_is_that_of_the_books():
    flat = Slab(1400, pitch_x_degrees=0, pitch_y_degrees=0, bend=0, half_field=2000)
    pitched = Slab(1400, pitch_x_degrees=0, pitch_y_degrees=-2, bend=0, half_field=2000)

    for tilt in (-60, 0, 40):
        _, path = flat.seen(view_rotation(0, tilt), np.zeros((1, 2)))
        assert path[0] == pytest.approx(1400 / np.cos(np.deg2rad(tilt)))

        _, path = pitched.seen(view_rotation(0, tilt), np.zeros((1, 2)))
        along_z = 1400 * np.cos(np.deg2rad(2))  # the same slab, its thickness across itself
        assert path[0] == pytest.approx(along_z / np.cos(np.deg2rad(tilt - 2)))


def test_slopes_are_the_middles_own(rng):
    slab = Slab(1500, pitch_x_degrees=2, pitch_y_degrees=-3, bend=90, half_field=2000)
    x, y = rng.uniform(-3000, 3000, (2, 20))

    along_x, along_y = slab.slopes(x, y)

    step = 0.1
    by_x = (slab.middle(x + step, y) - slab.middle(x - step, y)) / (2 * step)
    by_y = (slab.middle(x, y + step) - slab.middle(x, y - step)) / (2 * step)
    np.testing.assert_allclose(along_x, by_x, atol=1e-8)
    np.testing.assert_allclose(along_y, by_y, atol=1e-8)
