import numpy as np
import pytest

from vitreous.kernels.dose import critical_dose
from vitreous.pipeline.dose_weighted import DoseWeighted
from vitreous.records.images import ArrayStack

PIXEL_SIZE = 4.0
DOSES = (3.0, 30.0, 90.0)


def waves(periods, size=64):
    """Images (1, y, x) with one wave along x of so many px."""
    x = np.arange(size)
    wave = 10 + sum(np.cos(2 * np.pi * x / period) for period in periods)
    return np.tile(wave, (len(DOSES), size, 1)).astype(np.float32)


def amplitude(image, period):
    spectrum = np.fft.fft(image.mean(0)) / (image.shape[1] / 2)
    return abs(spectrum[round(image.shape[1] / period)])


@pytest.mark.parametrize(("voltage", "relative"), [(300.0, 1.0), (200.0, 0.8)])
def test_a_wave_is_left_what_its_dose_leaves_over_the_rms_of_all_tilts(voltage, relative):
    stack = DoseWeighted(ArrayStack(waves([8, 4]), PIXEL_SIZE), DOSES, voltage)

    for period in (8, 4):
        critical = critical_dose(1 / (period * PIXEL_SIZE)) * relative
        left = np.exp(-np.array(DOSES) / (2 * critical))
        found = [amplitude(stack.read(k), period) for k in range(3)]
        assert found == pytest.approx(left / np.sqrt((left**2).mean()), rel=2e-3)


def test_the_mean_stays_and_nan_pixels_become_it():
    images = waves([8])
    images[1, 5, 7] = np.nan
    stack = DoseWeighted(ArrayStack(images, PIXEL_SIZE), DOSES, 300.0)

    read = stack.read(1)

    assert read.mean() == pytest.approx(10, rel=1e-3)
    assert (stack.shape, stack.dtype, stack.pixel_size) == ((3, 64, 64), np.float32, PIXEL_SIZE)
