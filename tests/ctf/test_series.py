"""The contrast transfer of simulated series against what is true of them."""

from dataclasses import replace

import numpy as np
import pytest

from tests.ctf.ice import Slab, ice_series
from vitreous.ctf.optics import Optics, astigmatism_of
from vitreous.ctf.series import estimate_series
from vitreous.ctf.settings import CtfSettings
from vitreous.errors import UserError
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.images import ArrayStack

SETTINGS = CtfSettings()


def estimated(series, settings=SETTINGS):
    return estimate_series(series.stack, series.alignment, Optics(), settings, order=series.order)


def defoci(found):
    """(defocus, its standard deviation) of every view."""
    return np.array([(fit.ctf.defocus, fit.deviation) for fit in found.fits]).T


@pytest.fixture(scope="module")
def series():
    return ice_series(Slab())


@pytest.fixture(scope="module")
def found(series):
    return estimated(series)


def test_defocus_comes_back_within_its_claimed_error(series, found):
    defocus, deviation = defoci(found)

    error = defocus - series.defocus
    assert np.median(np.abs(error[series.low])) < 100
    assert np.median(np.abs(error[~series.low])) < 150
    assert np.abs(error).max() < 400
    assert 0.6 < np.sqrt(np.mean((error / deviation) ** 2)) < 1.5


def test_astigmatism_comes_back_as_a_vector(series, found):
    error = abs(astigmatism_of(found.fits[0].ctf) - series.slab.astigmatism)

    assert error < 100
    assert error < 4 * found.astigmatism_deviation


def test_hand_and_pitch_come_back(series, found):
    assert found.hand.hand == 1
    assert found.hand.is_determined
    assert all(fit.ctf.hand == 1 for fit in found.fits)
    assert found.pitch_degrees == pytest.approx(series.slab.pitch, abs=4 * found.pitch_deviation)


def test_every_view_says_how_far_its_rings_are_seen(found):
    assert all(fit.has_rings for fit in found.fits)
    assert all(5.5 < fit.resolution < 16 for fit in found.fits)
    assert 5.5 < found.resolution < 9
    assert all(0.7 < fit.score <= 1 for fit in found.fits)


def test_tilts_of_the_other_sign_have_the_other_hand(series):
    slab = series.slab
    turned = alignment_from_angles(
        axes_degrees=slab.axis,
        tilts_degrees=-np.array(slab.tilts),
        shifts=np.zeros((len(slab.tilts), 2)),
        image_size=(slab.size, slab.size),
        pixel_size=slab.pixel_size,
    )

    hand = estimated(replace(series, alignment=turned)).hand

    assert hand.hand == -1
    assert hand.is_determined


def test_a_hand_that_is_given_is_kept_though_the_images_tell_another(series):
    hand = estimated(series, CtfSettings(hand=-1)).hand

    assert hand.hand == -1
    assert hand.margin < -20
    assert not hand.is_determined


def test_a_series_no_wider_than_a_tile_has_no_hand(series):
    size = 400
    images = series.stack.data[:, :size, :size]
    narrow = replace(
        series,
        stack=ArrayStack(images, series.slab.pixel_size),
        alignment=replace(series.alignment, image_size=(size, size)),
    )

    hand = estimated(narrow).hand

    assert not hand.is_determined


def test_a_series_without_rings_has_no_hand_and_says_so(series, rng):
    images = rng.poisson(16, series.stack.shape).astype(np.uint8)

    found = estimated(replace(series, stack=ArrayStack(images, series.slab.pixel_size)))

    assert not found.hand.is_determined
    assert not found.has_rings


def test_a_view_that_shows_nothing_gets_its_neighbours_defocus(series):
    images = series.stack.data.astype(np.float32)
    images[7] = 3
    images[12] = np.nan

    found = estimated(replace(series, stack=ArrayStack(images, series.slab.pixel_size)))

    defocus, deviation = defoci(found)
    seen = np.array([fit.has_rings for fit in found.fits])
    assert np.flatnonzero(~seen).tolist() == [7, 12]
    assert np.abs(defocus - series.defocus).max() < 2500
    assert np.abs(defocus - series.defocus)[seen].max() < 400
    assert (deviation[~seen] > 300).all()


def test_grey_values_may_be_scaled_and_have_an_offset(series, found):
    images = series.stack.data.astype(np.float32) * -40 + 100

    other = estimated(
        replace(series, stack=ArrayStack(images, series.slab.pixel_size)),
        CtfSettings(keep_beads=True),
    )

    assert defoci(other)[0] == pytest.approx(defoci(found)[0], abs=1)


def test_one_untilted_image_has_a_defocus_but_no_hand(series):
    view = 10
    single = replace(
        series,
        stack=ArrayStack(series.stack.data[view : view + 1], series.slab.pixel_size),
        alignment=alignment_from_angles(
            axes_degrees=0.0,
            tilts_degrees=np.zeros(1),
            shifts=np.zeros((1, 2)),
            image_size=series.alignment.image_size,
            pixel_size=series.slab.pixel_size,
        ),
        order=None,
    )

    found = estimated(single)

    (fit,) = found.fits
    assert abs(fit.ctf.defocus - series.defocus[view]) < 4 * fit.deviation
    assert fit.deviation < 200
    assert not found.hand.is_determined


def test_a_phase_plates_shift_is_found_as_it_drifts():
    series = ice_series(Slab(defocus=15000.0, phases=(60.0, 90.0), hand=-1, seed=2))

    found = estimated(series, CtfSettings(phase_plate=True))

    phases = np.array([fit.ctf.phase_shift_degrees for fit in found.fits])
    claimed = np.array([fit.phase_deviation for fit in found.fits])
    defocus, deviation = defoci(found)
    error = defocus - series.defocus
    assert np.abs(phases - series.phases).max() < max(6, 4 * claimed.max())
    # what the phase is off moves the defocus of all views together
    assert np.abs(error / deviation).max() < 4
    assert np.abs(error - error.mean()).max() < 400
    assert found.hand.hand == -1
    assert found.hand.is_determined


def test_a_stack_of_another_length_than_the_alignments_is_refused(series):
    with pytest.raises(UserError, match="of 21 images, the stack has 20"):
        estimated(replace(series, stack=ArrayStack(series.stack.data[:20], 2.5)))


def test_settings_that_exclude_each_other_are_refused():
    with pytest.raises(ValueError, match="least first"):
        CtfSettings(defocus=(5000, 4000))
    with pytest.raises(ValueError, match="shorter period"):
        CtfSettings(high=40)


@pytest.mark.parametrize("pixel_size", [15.0, 17.0, 40.0])
def test_pixels_too_coarse_for_any_ring_are_refused(pixel_size):
    tilts = np.array([-10.0, 0, 10])
    images = np.random.default_rng(1).normal(size=(3, 96, 96)).astype(np.float32)
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=tilts,
        shifts=np.zeros((3, 2)),
        image_size=(96, 96),
        pixel_size=pixel_size,
    )

    with pytest.raises(UserError, match="too coarse for the contrast transfer"):
        estimate_series(ArrayStack(images, pixel_size), alignment, Optics(), CtfSettings())
