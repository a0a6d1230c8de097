import numpy as np
import pytest

from tests.reconstruct.correlation import correlation_in, tilt_wedge


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
