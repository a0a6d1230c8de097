import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from vitreous.report.slices import grey, slices_through, smoothed, write_slices


@pytest.fixture
def volume(rng):
    """30 x 50 x 80 voxels of 20 A: noise, and a dark ball at (60, 35, 18)."""
    z, y, x = np.indices((30, 50, 80))
    ball = (x - 60) ** 2 + (y - 35) ** 2 + (z - 18) ** 2 < 25
    return (rng.normal(size=ball.shape) - 8 * ball).astype(np.float32)


def test_slabs_are_means_round_the_voxel(volume):
    found = slices_through(volume, 20.0, at=(60, 35, 18), slab_angstrom=100)

    np.testing.assert_allclose(found.xy, volume[16:21].mean(0), rtol=1e-5)
    np.testing.assert_allclose(found.xz, volume[:, 33:38].mean(1), rtol=1e-5)
    np.testing.assert_allclose(found.zy, volume[:, :, 58:63].mean(2).T, rtol=1e-5)


def test_a_slab_thicker_than_the_volume_is_the_volume(volume):
    found = slices_through(volume, 20.0, slab_angstrom=10_000)

    np.testing.assert_allclose(found.xy, volume.mean(0), rtol=1e-4, atol=1e-6)


def test_the_low_pass_halves_its_period():
    wave = np.sin(2 * np.pi * np.arange(200) / 6) * np.ones((200, 1))

    found = smoothed(wave.astype(np.float32), voxel_size=10.0, finest_angstrom=60)

    assert np.abs(found[50:150, 50:150]).max() == pytest.approx(
        0.5 * np.abs(wave[50:150, 50:150]).max(), rel=0.02
    )


def test_a_few_hot_voxels_do_not_decide_the_contrast(rng):
    image = rng.normal(size=(100, 100)).astype(np.float32)
    plain = grey(image)
    image[50, 50:54] = 1e6

    hot = grey(image)

    apart = np.abs(plain.astype(int) - hot)[::-1]
    apart[50, 50:54] = 0
    assert apart.max() < 12


def test_a_volume_without_contrast_still_makes_a_picture(tmp_path):
    write_slices(np.full((4, 5, 6), 3, np.int8), tmp_path / "even.png", 10.0)

    with Image.open(tmp_path / "even.png") as picture:
        assert len(np.unique(np.asarray(picture)[300:400, 300:400])) == 1


def test_the_ball_is_dark_where_the_axes_say(volume, tmp_path):
    write_slices(volume, tmp_path / "ball.png", 20.0, at=(60, 35, 18))

    with Image.open(tmp_path / "ball.png") as picture:
        page = np.asarray(picture).astype(float)
    scale = (1400 - 8) / (80 + 30)
    assert page.shape == (round((50 + 30) * scale) + 8, 1400)

    def darkest(corner, size):
        """(right, up) in voxels from the lower left corner of a panel."""
        left, top = (round(n) for n in corner)
        width, height = (round(n * scale) for n in size)
        panel = page[top : top + height, left : left + width]
        y, x = ndimage.center_of_mass(ndimage.gaussian_filter(panel, 20) < 80)
        return x / scale, (height - y) / scale

    assert darkest((0, 0), (80, 50)) == pytest.approx((60.5, 35.5), abs=1)
    assert darkest((80 * scale + 8, 0), (30, 50)) == pytest.approx((18.5, 35.5), abs=1)
    assert darkest((0, 50 * scale + 8), (80, 30)) == pytest.approx((60.5, 18.5), abs=1)
