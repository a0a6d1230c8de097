"""The sampled region against what geometry says."""

import numpy as np

from vitreous.records.alignment import alignment_from_angles
from vitreous.records.volume import Grid
from vitreous.report.frames import Frames
from vitreous.report.sampled import POWER_PX, relative_power, share_of_tilts


def seen_at(tilts, size=(65, 41), pixel_size=10.0):
    return alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.array(tilts),
        shifts=np.zeros((len(tilts), 2)),
        image_size=size,
        pixel_size=pixel_size,
    )


def test_an_untilted_view_sees_what_lies_under_its_image():
    grid = Grid((101, 61, 31), 10.0, (50, 30, 15))

    seen = share_of_tilts(seen_at([0.0]), grid)

    x, y = np.abs(np.arange(101) - 50), np.abs(np.arange(61) - 30)
    inside = (x <= 32) & (y <= 20)[:, None]
    np.testing.assert_array_equal(seen.xy, inside)
    np.testing.assert_array_equal(seen.xz, np.tile(x <= 32, (31, 1)))
    np.testing.assert_array_equal(seen.zy, np.tile((y <= 20)[:, None], (1, 31)))


def test_a_tilted_view_sees_a_strip_that_leans():
    grid = Grid((101, 61, 31), 10.0, (50, 30, 15))

    seen = share_of_tilts(seen_at([0.0, 60.0]), grid)

    z, x = np.indices((31, 101)) - np.array([15, 50]).reshape(2, 1, 1)
    tilted = np.abs(x * 0.5 + z * np.sqrt(0.75)) <= 32
    upright = np.abs(x) <= 32
    np.testing.assert_array_equal(seen.xz, np.mean([tilted, upright], axis=0))


def test_a_large_volume_is_looked_at_on_every_nth_voxel():
    grid = Grid((1000, 900, 300), 10.0, (500, 450, 150))

    seen = share_of_tilts(seen_at([0.0, 30.0], (1000, 900)), grid)

    assert seen.xy.shape == (225, 250)
    assert seen.xz.shape == (75, 250)
    assert seen.zy.shape == (225, 75)


def test_the_missing_wedge_is_dark_and_the_rest_is_as_bright_as_its_ring(rng):
    """White noise of which no tilt beyond 60 degrees is left."""
    kz, kx = np.fft.fftfreq(64)[:, None], np.fft.fftfreq(96)[None]
    kept = np.abs(kz) <= np.abs(kx) * np.tan(np.deg2rad(60))
    noise = np.fft.fft2(rng.normal(size=(40, 64, 96)))
    planes = np.fft.ifft2(noise * kept).real.astype(np.float32)

    power = relative_power(Frames(planes, ((0, 1),) * 40))

    k = np.fft.fftshift(np.fft.fftfreq(POWER_PX))
    tilt = np.rad2deg(np.arctan2(np.abs(k)[:, None], np.abs(k)[None]))
    ring = np.hypot(k[:, None], k[None])
    looked_at = (ring > 0.1) & (ring < 0.5)
    assert power[looked_at & (tilt > 70)].mean() < 0.05
    np.testing.assert_allclose(power[looked_at & (tilt < 50)].mean(), 90 / 60, rtol=0.1)
