import numpy as np
import pytest
from scipy import ndimage

from vitreous.kernels import fourier
from vitreous.kernels.cpu.spectrum import weigh_spectrum


def wave(shape, period, centre):
    y, x = np.indices(shape) - np.reshape(centre, (2, 1, 1))
    return np.cos(2 * np.pi * (x / period + y / (1.7 * period)))


@pytest.mark.parametrize("n", [1, 2, 17, 96, 97, 1023, 3838])
@pytest.mark.parametrize("multiple", [1, 2, 3, 8])
def test_good_sizes_hold_what_they_must(n, multiple):
    size = fourier.good_size(n, multiple)

    assert size >= n
    assert size % multiple == 0
    assert size // multiple % 2 == 0
    rest = size // multiple
    for prime in (2, 3, 5, 7, 11):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1


@pytest.mark.parametrize("shape", [(160, 144), (161, 145), (97, 160)])
@pytest.mark.parametrize("binning", [2, 3, 4])
def test_binning_keeps_the_centre_pixel_at_the_centre(shape, binning):
    big = wave(shape, 41.0, [n // 2 for n in shape]).astype(np.float32)
    small_shape = [n // binning for n in shape]

    small = fourier.binned(big, binning)

    expected = wave(small_shape, 41.0 / binning, [n // 2 for n in small_shape])
    inside = (slice(6, -6), slice(6, -6))
    assert small.shape == tuple(small_shape)
    assert np.abs(small[inside] - expected[inside]).max() < 0.02


def test_binning_lets_no_high_frequency_alias():
    x = np.indices((128, 128))[1]
    fine = np.cos(np.pi * 0.9 * x).astype(np.float32)

    assert np.abs(fourier.binned(fine, 2)[8:-8, 8:-8]).max() < 0.02


def test_a_frame_goes_round_without_a_step(rng):
    ramp = np.add.outer(np.arange(60.0), 3 * np.arange(50.0)).astype(np.float32)
    frame = fourier.frame_for(ramp.shape)

    whole = fourier.framed(ramp, frame)

    around = np.concatenate([whole, whole[:1]])
    assert np.abs(np.diff(around, axis=0)).max() < 60 / 15 * 1.5
    top, left = frame.start
    np.testing.assert_array_equal(whole[top : top + 60, left : left + 50], ramp)


@pytest.mark.parametrize("degrees", [0.0, 30.0, 90.0, 175.0])
def test_filtering_is_multiplication_with_the_table_along_one_direction(degrees, rng):
    image = rng.normal(size=(72, 80)).astype(np.float32)
    frame = fourier.frame_for(image.shape)
    across = (np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees)))
    table = np.linspace(0.2, 8, 200).astype(np.float32) ** 2

    weighed = fourier.forward(fourier.framed(image, frame))
    weigh_spectrum(weighed, frame.padded[1], np.array(across), table, 0.004, True)
    coefficients = fourier.cut_out(fourier.inverse(weighed, frame.padded), frame, 2)

    spectrum = np.fft.rfft2(fourier.framed(image, frame).astype(float))
    fy = np.fft.fftfreq(frame.padded[0])
    fy[frame.padded[0] // 2] = 0.5  # the Nyquist row counts as positive
    along = np.add.outer(fy * across[1], np.fft.rfftfreq(frame.padded[1]) * across[0])
    spectrum *= np.interp(np.abs(along), np.arange(200) * 0.004, table, right=0)
    whole = np.fft.irfft2(spectrum, frame.padded)
    expected = ndimage.spline_filter(whole, order=3, mode="grid-wrap")
    expected = fourier.cut_out(expected, frame, 2)
    assert np.linalg.norm(coefficients - expected) < 1e-5 * np.linalg.norm(expected)


@pytest.mark.parametrize(("small", "large"), [((12, 16), (20, 30)), ((11, 15), (22, 45))])
def test_padding_a_spectrum_interpolates_and_cropping_undoes_it(small, large, rng):
    image = ndimage.gaussian_filter(rng.normal(size=small), 1.5, mode="wrap").astype(np.float32)
    spectrum = fourier.forward(image)

    fine_spectrum = fourier.padded(spectrum, small[1], large)
    fine = fourier.inverse(fine_spectrum.copy(), large)
    again = fourier.inverse(fourier.cropped(fine_spectrum, large[1], small), small)

    step = [b // np.gcd(a, b) for a, b in zip(small, large, strict=True)]
    every = [a // np.gcd(a, b) for a, b in zip(small, large, strict=True)]
    common = fine[:: step[0], :: step[1]], image[:: every[0], :: every[1]]
    np.testing.assert_allclose(*common, atol=2e-5)
    np.testing.assert_allclose(again, image, atol=3e-4)


@pytest.mark.parametrize("shape", [(40, 33), (33, 40), (3, 50), (2, 2), (1, 7), (5, 1)])
def test_spline_coefficients_agree_with_scipys(shape, rng):
    image = rng.normal(100, 5, shape).astype(np.float32)

    found = fourier.coefficients(image, 2)

    expected = ndimage.spline_filter(image.astype(np.float64), 3, mode="mirror")
    for axis, n in enumerate(shape):
        index = np.abs(np.arange(-2, n + 2)) % max(2 * n - 2, 1)
        expected = expected.take(np.minimum(index, max(2 * n - 2, 0) - index), axis)
    np.testing.assert_allclose(found, expected, rtol=3e-6)
