import numpy as np
import pytest

from vitreous.records.volume import Grid
from vitreous.simulate.phantom import densities, gaussian
from vitreous.simulate.scores import correlation_in, dark_centre, tilt_wedge


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


@pytest.mark.parametrize("shape", [(12, 10, 16), (11, 9, 15)])
def test_the_wedge_is_what_tilts_up_to_the_steepest_reach(shape):
    wedge = tilt_wedge(shape, 60, finest_px=4)

    kz, ky, kx = np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")
    columns = shape[2] // 2 + 1
    k = np.sqrt(kx**2 + ky**2 + kz**2)
    angle = np.rad2deg(np.arctan2(np.abs(kz), np.abs(kx)))
    expected = ((angle <= 60 + 1e-9) | (kz == 0)) & (k <= 0.25) & (k > 0)
    np.testing.assert_array_equal(wedge, expected[..., :columns])


def test_the_correlation_is_that_of_the_filtered_volumes(rng):
    one, other = rng.normal(size=(2, 8, 10, 12)).astype(np.float32)
    wedge = tilt_wedge(one.shape, 60, finest_px=2)

    def filtered(volume):
        return np.fft.irfftn(np.fft.rfftn(volume) * wedge, one.shape, axes=(0, 1, 2))

    found = correlation_in(wedge, one, other)

    expected = np.corrcoef(filtered(one).ravel(), filtered(other).ravel())[0, 1]
    assert found == pytest.approx(expected, abs=1e-5)
    assert correlation_in(wedge, one, -one) == pytest.approx(-1, abs=1e-6)
