"""Binned images: pixels where they are said to be, at any binning, of any size."""

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.reconstruct.sampling import sampling_of
from vitreous.reconstruct.settings import ReconstructSettings


def wave(x, y):
    """Smooth at every binning: periods of 60 and 75 px."""
    return np.cos(2 * np.pi * x / 60) + np.sin(2 * np.pi * y / 75)


@pytest.mark.parametrize("size", [(128, 112), (129, 111), (130, 113)])
@pytest.mark.parametrize("binning", [1, 1.3, 2, 2.5, 3.37])
@pytest.mark.parametrize("way", ["crop", "relion", "relion-crop"])
def test_a_binned_pixel_shows_the_image_where_it_is_said_to_lie(way, binning, size):
    sampling = sampling_of(size, ReconstructSettings(binning=binning, downsample=way))
    y, x = np.indices(size[::-1])
    image = wave(x, y).astype(np.float32)

    binned = sampling.image(sampling.spectrum(image))

    j, i = np.indices(sampling.size[::-1])
    expected = wave(
        (i - sampling.centre[0]) * sampling.spacing[0] + size[0] // 2,
        (j - sampling.centre[1]) * sampling.spacing[1] + size[1] // 2,
    )
    edge = int(12 / binning) + 1
    inside = (slice(edge, -edge), slice(edge, -edge))
    assert binned.shape == sampling.size[::-1]
    # an image that is cropped without padding rings from edge to edge
    tolerance = {"crop": 0.02, "relion": 0.02, "relion-crop": 0.15}[way]
    assert np.abs(binned - expected)[inside].max() < tolerance


@pytest.mark.parametrize("binning", [1, 2, 2.5, 7.3])
def test_our_binning_keeps_as_many_pixels_as_fit_and_the_spacing_near_it(binning):
    sampling = sampling_of((413, 380), ReconstructSettings(binning=binning))

    assert sampling.size == (int(413 / binning), int(380 / binning))
    assert np.allclose(sampling.spacing, binning, rtol=0.02)
    assert np.allclose(sampling.centre, np.array(sampling.size) // 2, atol=1)


def test_whole_binnings_keep_the_centre_on_a_pixel():
    sampling = sampling_of((413, 380), ReconstructSettings(binning=4))

    assert sampling.centre == (413 // 4 // 2, 380 // 4 // 2)
    assert sampling.spacing == (4, 4)


def test_relions_sizes_are_even_and_pixel_0_stays():
    sampling = sampling_of((113, 95), ReconstructSettings(binning=2.5, downsample="relion"))

    assert sampling.size == (44, 38)
    assert sampling.centre == (56 / 2.5, 47 / 2.5)


def test_no_frequency_aliases_in_relions_binning(rng):
    settings = ReconstructSettings(binning=3, downsample="relion")
    sampling = sampling_of((150, 150), settings)
    x = np.indices((150, 150))[1]
    fine = np.cos(2 * np.pi * 0.31 * x).astype(np.float32)

    binned = sampling.image(sampling.spectrum(fine))

    assert np.abs(binned[6:-6, 6:-6]).max() < 0.02


def test_a_taper_that_leaves_nothing_is_refused():
    with pytest.raises(UserError, match="leaves nothing of the binned images of 50 x 40 px"):
        sampling_of((100, 80), ReconstructSettings(binning=2, taper_distance=20))
