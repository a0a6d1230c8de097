import numpy as np
import pytest

from vitreous.align.images import binning_for, read_images
from vitreous.align.prepare import coarser, coefficients
from vitreous.records.images import ArrayStack

SHAPE = (48, 60)
TILTS = np.arange(-30, 31, 10.0)


@pytest.fixture
def images(rng):
    return rng.normal(100, 5, (len(TILTS), *SHAPE)).astype(np.float32)


def read(images, binning=1, excluded=None, **more):
    return read_images(ArrayStack(images, 5.0), TILTS, excluded or {}, binning, **more)


@pytest.mark.parametrize(
    ("pixel_size", "binning"), [(1.35, 11), (5.4, 3), (7.0, 2), (10.0, 2), (15.0, 1), (60.0, 1)]
)
def test_the_binning_comes_nearest_to_the_pixel_wanted(pixel_size, binning):
    assert binning_for(pixel_size, 15.0) == binning


def test_good_images_are_read_as_they_are(images):
    found = read(images)

    np.testing.assert_allclose(found.data, images)
    assert found.sections.tolist() == list(range(len(TILTS)))
    assert found.pixel_size == 5.0
    assert not found.reasons


def test_binned_images_keep_grey_values_and_the_centre(rng):
    y, x = np.mgrid[:48, :60]
    bump = np.exp(-((x - 30) ** 2 + (y - 24) ** 2) / 50)
    images = (100 + 40 * bump + rng.normal(0, 1, (len(TILTS), *SHAPE))).astype(np.float32)

    found = read(images, binning=2)

    assert found.data.shape == (len(TILTS), 24, 30)
    assert found.pixel_size == 10.0
    assert found.data.mean() == pytest.approx(images.mean(), rel=1e-3)
    mean = found.data.mean(0)
    assert np.unravel_index(mean.argmax(), mean.shape) == (12, 15)


def test_what_shows_nothing_is_left_out_with_its_reason(images):
    images[1] *= 0.05
    images[2] = 3
    images[2, 10, 10] = 500  # a hot pixel shows nothing either
    images[3] = np.nan
    images[5, :40] = np.inf

    found = read(images, excluded={0: "not wanted"})

    assert found.sections.tolist() == [4, 6]
    assert found.reasons[0] == "not wanted"
    assert found.reasons[1].startswith("dark")
    assert found.reasons[2].startswith("blank")
    assert found.reasons[3] == "holds NaN only"
    assert found.reasons[5] == "83 % of its pixels are NaN or infinite"
    assert len(found.data) == 2


def test_dark_ones_are_kept_if_asked_for(images):
    images[1] *= 0.05
    images[2] = 3

    found = read(images, keep_all=True)

    assert list(found.reasons) == [2]
    assert found.sections.tolist() == [0, 1, 3, 4, 5, 6]


def test_nothing_is_left_of_blank_images_only():
    found = read(np.zeros((len(TILTS), *SHAPE), np.float32))

    assert len(found.sections) == 0
    assert len(found.reasons) == len(TILTS)


def test_every_image_counts_as_a_step(images):
    steps = []

    read(images, excluded={2: "no"}, progress=lambda done, of: steps.append((done, of)))

    assert steps == [(i, 6) for i in range(1, 7)]


def test_coefficients_give_back_the_image_at_its_pixels(rng):
    image = rng.normal(size=(9, 12)).astype(np.float32)
    spline = coefficients(image).astype(float)

    along = (spline[:-2] + 4 * spline[1:-1] + spline[2:]) / 6
    values = (along[:, :-2] + 4 * along[:, 1:-1] + along[:, 2:]) / 6

    assert spline.shape == (13, 16)
    np.testing.assert_allclose(values[1:-1, 1:-1], image, atol=1e-5)


def test_coarser_images_keep_what_is_coarse():
    y, x = np.mgrid[:96, :120]
    wave = np.cos(2 * np.pi * (x - 60) / 40) * np.cos(2 * np.pi * (y - 48) / 48)

    small = coarser(wave[None].astype(np.float32), 4)

    y, x = np.mgrid[:24, :30]
    due = np.cos(2 * np.pi * (x - 15) / 10) * np.cos(2 * np.pi * (y - 12) / 12)
    np.testing.assert_allclose(small[0][4:-4, 4:-4], due[4:-4, 4:-4], atol=0.05)
