"""Fourier shell correlation against its twin, and what is known of it in closed form."""

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.kernels.fsc import ShellCorrelation, correlation_of_boxes, fourier_shell_correlation


def correlate_slowly(one, other, shells):
    """Whole complex spectra in float64."""
    first, second = np.fft.fftn(one.astype(float)), np.fft.fftn(other.astype(float))
    grids = np.meshgrid(*(np.fft.fftfreq(n) for n in one.shape), indexing="ij")
    shell = np.floor(np.sqrt(sum(g**2 for g in grids)) / (0.5 / (shells - 1)) + 0.5).astype(int)
    found, counts = [], []
    for index in range(shells):
        a, b = first[shell == index], second[shell == index]
        found.append((a * b.conj()).real.sum() / np.sqrt((abs(a) ** 2).sum() * (abs(b) ** 2).sum()))
        counts.append(len(a))
    return np.array(found), np.array(counts)


@pytest.mark.parametrize("shape", [(12, 12, 12), (9, 16, 13), (7, 11, 20), (1, 8, 8)])
def test_the_curve_agrees_with_its_twin(shape, rng):
    one = rng.normal(size=shape).astype(np.float32)
    other = one + rng.normal(size=shape).astype(np.float32)

    curve = fourier_shell_correlation(one, other, 3.0)

    correlation, counts = correlate_slowly(one, other, len(curve.correlation))
    np.testing.assert_allclose(curve.correlation, correlation, atol=2e-5)
    np.testing.assert_array_equal(curve.count, counts)
    assert curve.frequency[-1] == pytest.approx(1 / 6)


def test_signal_and_noise_of_equal_power_correlate_by_a_half(rng):
    signal, noise = rng.normal(size=(2, 32, 32, 32))
    other = rng.normal(size=(32, 32, 32))

    curve = fourier_shell_correlation(signal + noise, signal + other, 1.0)

    few = 1 / np.sqrt(curve.count)
    assert (np.abs(curve.correlation - 0.5) < 4 * few + 1e-9).all()


def test_a_mask_is_what_both_volumes_are_multiplied_by(rng):
    one, other, mask = rng.normal(size=(3, 10, 12, 14)).astype(np.float32)

    masked = fourier_shell_correlation(one, other, 2.0, mask=mask, shells=5)

    plain = fourier_shell_correlation(one * mask, other * mask, 2.0, shells=5)
    np.testing.assert_array_equal(masked.correlation, plain.correlation)
    assert len(masked.correlation) == 5


def test_volumes_of_unlike_sizes_are_refused():
    with pytest.raises(UserError, match="4 x 3 x 2, 4 x 4 x 2"):
        fourier_shell_correlation(np.zeros((2, 3, 4)), np.zeros((2, 4, 4)), 1.0)


@pytest.mark.parametrize(
    ("curve", "threshold", "resolution"),
    [
        ([1, 0.9, 0.5, 0.1, 0.4], 0.3, 1 / 0.25),  # half way between 0.2 and 0.3, once
        ([1, 0.9, 0.8, 0.7, 0.6], 0.143, None),
        ([1, 0.1, 0.8, 0.7, 0.6], 0.143, np.inf),
    ],
)
def test_the_resolution_is_where_the_curve_first_falls_below(curve, threshold, resolution):
    found = ShellCorrelation(np.arange(5) / 10, np.array(curve, float), np.ones(5))

    if resolution is None:
        assert found.resolution(threshold) is None
    else:
        assert found.resolution(threshold) == pytest.approx(resolution)


def test_boxes_tell_what_the_volume_tells(rng):
    white = np.fft.rfftn(rng.normal(size=(32, 64, 64)))
    kz, ky, kx = np.meshgrid(
        np.fft.fftfreq(32), np.fft.fftfreq(64), np.fft.rfftfreq(64), indexing="ij"
    )
    signal = np.fft.irfftn(
        white * np.exp(-((kx**2 + ky**2 + kz**2) / 0.02)), s=(32, 64, 64), axes=(0, 1, 2)
    )
    one, other = (signal / signal.std() + rng.normal(size=signal.shape) for _ in range(2))
    parts = [(slice(None), slice(y, y + 32), slice(x, x + 32)) for y in (0, 32) for x in (0, 32)]

    whole = fourier_shell_correlation(one, other, 2.0, shells=17)
    boxes = correlation_of_boxes(((one[part], other[part] + 5) for part in parts), 2.0)

    np.testing.assert_array_equal(boxes.frequency, whole.frequency)
    beside = np.stack([np.roll(whole.correlation, by) for by in (-1, 0, 1)])[:, 2:-1]
    found = boxes.correlation[2:-1]  # fading edges blur by a shell
    assert (found > beside.min(0) - 0.05).all()
    assert (found < beside.max(0) + 0.05).all()
    assert boxes.resolution(0.3) == pytest.approx(whole.resolution(0.3), rel=0.1)


def test_no_boxes_are_refused():
    with pytest.raises(UserError, match="no boxes"):
        correlation_of_boxes([], 2.0)
