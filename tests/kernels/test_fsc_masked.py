"""What a mask does to the FSC of half maps, and that random phases take it off again."""

import numpy as np
import pytest

from vitreous.kernels.fsc import masked_correlation, with_random_phases

SIDE = 64
CUT = 0.12  # cycles a voxel: the signal's last


def frequencies(shape):
    return np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in shape), indexing="ij")))


def halves_with(gain, seed):
    """Two half maps of white noise of unit power, and a signal of amplitude gain(k) in both."""
    rng = np.random.default_rng(seed)
    shape = (SIDE,) * 3
    spectrum = np.fft.fftn(rng.normal(size=shape)) * gain(frequencies(shape))
    signal = np.fft.ifftn(spectrum).real
    return [(signal + rng.normal(size=shape)).astype(np.float32) for _ in range(2)]


def grid():
    """(z, y, x) from the centre."""
    return np.indices((SIDE,) * 3) - SIDE // 2


def fading(k):
    """The amplitude of a signal that fades as maps do."""
    return 5 * np.exp(-((k / CUT) ** 2))


def tight_mask():
    """A hard mask with a shape of its own."""
    z, y, x = grid()
    shaped = np.sin(x / 3) + np.sin(y / 3) > -0.5
    return ((x**2 + y**2 + z**2 < 21**2) & shaped).astype(np.float32)


def noise_in_a_tight_mask():
    """(worst masked, mean corrected) correlation where there is nothing but noise."""
    halves = halves_with(lambda k: np.where(k < CUT, 6.0, 0.0), seed=4)
    found = masked_correlation(*halves, 1.0, tight_mask())
    beyond = found.unmasked.frequency > CUT + 2.5 / SIDE
    return found.masked.correlation[beyond].max(), found.corrected.correlation[beyond].mean()


def departures_of_known_halves():
    """(shells,) how far the corrected curve lies from SNR / (1 + SNR), in standard errors.

    In a mask that is smooth over many voxels; and how far its 0.5 lies from the known one.
    """
    z, y, x = grid()
    mask = np.clip((30 - np.sqrt(x**2 + y**2 + z**2)) / 12, 0, 1)
    found = masked_correlation(*halves_with(fading, seed=9), 2.0, mask).corrected
    power = fading(found.frequency * 2) ** 2
    independent = found.count / 2 * mask.mean()  # what a mask and pairs of points leave
    apart = (found.correlation - power / (1 + power)) * np.sqrt(independent)
    known = 2 / CUT / np.sqrt(np.log(5))
    return apart[6:], found.resolution(0.5) / known - 1


@pytest.fixture(scope="module")
def planted():
    """Half maps with a signal that ends at CUT."""
    return halves_with(lambda k: np.where(k < CUT, 6.0, 0.0), seed=4)


@pytest.fixture(scope="module")
def tight():
    return tight_mask()


def test_what_a_tight_mask_adds_is_taken_off():
    masked, corrected = noise_in_a_tight_mask()

    assert masked > 0.4
    assert abs(corrected) < 0.03


def test_what_is_known_stays_as_it_is(planted, tight):
    found = masked_correlation(*planted, 1.0, tight)

    below = found.unmasked.frequency < CUT - 1 / SIDE
    assert found.corrected.correlation[below].min() > 0.9
    assert found.random_from == pytest.approx(CUT, abs=1.01 / SIDE)


def test_a_wide_soft_mask_leaves_the_known_curve():
    apart, resolution = departures_of_known_halves()

    assert np.abs(apart).max() < 4.5
    assert abs(resolution) < 0.05


def test_the_formula_is_that_of_chen(planted, tight):
    found = masked_correlation(*planted, 1.0, tight)

    masked, by_mask = found.masked.correlation, found.randomised.correlation
    first = int(np.flatnonzero(found.unmasked.correlation < 0.8)[0]) + 2
    np.testing.assert_array_equal(found.corrected.correlation[:first], masked[:first])
    formula = (masked - by_mask)[first:] / (1 - by_mask[first:])
    np.testing.assert_allclose(found.corrected.correlation[first:], np.maximum(formula, 0))


def test_maps_without_noise_need_no_random_phases(planted, tight):
    found = masked_correlation(planted[0], planted[0], 1.0, tight)

    assert found.random_from is None
    np.testing.assert_allclose(found.corrected.correlation[1:], 1, atol=1e-5)


def test_the_same_seed_gives_the_same_curve(planted, tight):
    one, again, other = (
        masked_correlation(*planted, 1.0, tight, seed=seed).randomised.correlation
        for seed in (3, 3, 4)
    )

    np.testing.assert_array_equal(one, again)
    assert (one != other).any()


@pytest.mark.parametrize("shape", [(12, 12, 12), (9, 14, 11), (1, 8, 8)])
def test_random_phases_keep_every_amplitude_and_all_below_the_cut(shape, rng):
    volume = rng.normal(size=shape).astype(np.float32)

    found = with_random_phases(volume, 0.25, np.random.default_rng(1))

    was, now = np.fft.fftn(volume), np.fft.fftn(found)
    np.testing.assert_allclose(np.abs(now), np.abs(was), atol=2e-4)
    low = frequencies(shape) < 0.25
    np.testing.assert_allclose(now[low], was[low], atol=2e-4)
    apart = np.angle(now[~low] / was[~low])
    assert np.abs(np.exp(1j * apart).mean()) < 4 / np.sqrt(apart.size / 2)
