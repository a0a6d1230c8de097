"""Images made coarser, and the spectra of their tiles."""

import numpy as np
import pytest

from vitreous.ctf.beads import without_beads
from vitreous.ctf.optics import Optics
from vitreous.ctf.tiles import coarser, polar_grid, prepared, tile_power, tile_side, windows


@pytest.mark.parametrize("eighths", [3, 4, 5, 7])
@pytest.mark.parametrize("shape", [(256, 256), (300, 431)])
def test_a_coarser_image_keeps_what_lies_in_the_middle_there(shape, eighths):
    y, x = (np.arange(n) - n // 2 for n in shape)
    image = np.exp(-((x - 16) ** 2 + (y[:, None] + 24) ** 2) / (2 * 9.0**2)).astype(np.float32)

    small = coarser(image, eighths)

    rows, columns = (n // 2 for n in small.shape)
    peak = np.unravel_index(small.argmax(), small.shape)
    expected = rows - 24 * eighths / 8, columns + 16 * eighths / 8
    assert peak == pytest.approx(expected, abs=0.51)
    assert small.max() == pytest.approx(1, abs=0.02)


def test_pixels_are_made_as_coarse_as_the_rings_allow_and_outliers_are_clipped(rng):
    image = rng.normal(100, 5, (320, 400)).astype(np.float32)
    image[10, 10], image[20, 20] = 1e6, np.nan

    small, pixel_size = prepared(image, 1.2)

    assert pixel_size == pytest.approx(2.4)
    assert small.shape == (160, 200)
    assert np.isfinite(small).all()
    assert small.mean() == pytest.approx(100, abs=40)


def test_rings_of_white_noise_have_the_power_of_its_tiles(rng):
    grid = polar_grid(128, 2.5, 35, 5.5)
    image = rng.normal(7, 3, (512, 512)).astype(np.float32)

    power = tile_power(image, grid, np.array([1.0, 0]))

    hann = np.hanning(130)[1:-1]
    assert power.mean.mean() == pytest.approx((hann**2).sum() ** 2, rel=0.01)
    assert power.mean.mean((1, 2)) == pytest.approx(power.mean.mean(), rel=0.03)
    assert grid.pixels.sum() == grid.used.sum()


def test_the_rim_of_a_field_counts_as_much_as_its_middle():
    n, side, fade = 1024, 400, 20
    seen, shares = np.zeros(n), 0.0

    for window in windows(n, side, fade):
        seen[window.first : window.last] += window.values**2
        shares += window.share

    inside = seen[fade:-fade]
    assert inside == pytest.approx(np.full_like(inside, inside.mean()), rel=0.05)
    assert shares * 0.375 * side == pytest.approx(seen.sum(), rel=0.01)  # 3/8: mean of Hann squared


@pytest.mark.parametrize("n", [400, 401, 450, 900, 4000])
def test_tiles_show_what_lies_in_the_field(n):
    side = 400

    found = windows(n, side, fade=20)

    middles = np.array([window.middle for window in found])
    assert (np.diff(middles) > 0).all()
    assert middles + middles[::-1] == pytest.approx(np.full(len(found), n - 1.0), abs=1)
    assert all(0 <= window.first < window.last <= n for window in found)
    assert all(len(window.values) == window.last - window.first for window in found)
    assert (len(found) == 1) == (n < 1.3 * side)


def test_tiles_lie_across_the_axis_where_they_are_grouped(rng):
    grid = polar_grid(128, 2.5, 35, 5.5)
    image = rng.normal(size=(512, 512)).astype(np.float32)
    axis = np.array([np.cos(0.3), np.sin(0.3)])

    power = tile_power(image, grid, axis)

    across = power.seen @ axis
    assert (np.diff(across) > 0).all()
    assert np.diff(across) == pytest.approx(32 * 2.5, rel=0.8)
    middle = -0.5 * 2.5 * axis.sum()  # of the field, from pixel n // 2
    assert across.max() - middle == pytest.approx(middle - across.min(), abs=2.5)


def test_an_image_of_one_value_has_a_flat_spectrum():
    grid = polar_grid(128, 2.5, 35, 5.5)

    power = tile_power(np.ones((300, 300), np.float32), grid, np.array([1.0, 0]))

    assert np.ptp(power.mean) == 0


def test_a_tile_is_even_and_no_larger_than_the_image():
    assert tile_side((1024, 1024), 2.5, 1000) == 400
    assert tile_side((301, 500), 2.5, 1000) == 300


def test_beads_are_masked_and_nothing_else_is(rng):
    pixel_size = 2.5
    y, x = np.mgrid[:600, :600]
    plain = rng.poisson(16, (600, 600)).astype(np.float32)
    beads = [(100, 130), (333, 480), (520, 60)]
    image = plain.copy()
    for row, column in beads:
        image[(y - row) ** 2 + (x - column) ** 2 < (50 / pixel_size) ** 2] -= 5

    masked, share = without_beads(image, pixel_size)
    untouched, none = without_beads(plain, pixel_size)

    for row, column in beads:
        near = (y - row) ** 2 + (x - column) ** 2 < (60 / pixel_size) ** 2
        assert masked[near].mean() == pytest.approx(16, abs=0.5)
        assert masked[near].std() < 1
    assert 0.02 < share < 0.1  # circles of twice their radius: 0.06
    assert (np.abs(masked - image) < 0.1).mean() > 0.85
    assert none == 0
    assert untouched is plain


def test_the_optics_make_the_record_of_an_image():
    ctf = Optics(200.0, 2.0, 0.1).ctf(20000.0, 500 * np.exp(2j * np.deg2rad(-30)), 80.0, -1)

    assert (ctf.defocus_u, ctf.defocus_v) == pytest.approx((20250, 19750))
    assert ctf.astigmatism_degrees == pytest.approx(-30)
    assert (ctf.voltage_kv, ctf.phase_shift_degrees, ctf.hand) == (200, 80, -1)
