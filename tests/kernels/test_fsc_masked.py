"""What a mask does to the FSC of half maps, and that random phases take it off again."""

import numpy as np
import pytest

from vitreous.kernels.fsc import masked_correlation, with_random_phases

SIDE = 64
CUT = 0.12  # cycles a voxel: the signal's last


def frequencies(shape):
    return np.sqrt(sum(np.meshgrid(*(np.fft.fftfreq(n) ** 2 for n in shape), indexing="ij")))


@pytest.fixture(scope="module")
def planted():
    """Half maps of white noise with a signal that ends at CUT: (one, other, z, y, x)."""
    rng = np.random.default_rng(4)
    shape = (SIDE,) * 3
    kept = np.where(frequencies(shape) < CUT, 6.0, 0.0)
    signal = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * kept).real
    one, other = (signal + rng.normal(size=shape) for _ in range(2))
    return one.astype(np.float32), other.astype(np.float32), *(np.indices(shape) - SIDE // 2)


@pytest.fixture(scope="module")
def tight(planted):
    """A hard mask with a shape of its own."""
    z, y, x = planted[2:]
    shaped = np.sin(x / 3) + np.sin(y / 3) > -0.5
    return ((x**2 + y**2 + z**2 < 21**2) & shaped).astype(np.float32)


def test_what_a_tight_mask_adds_is_taken_off(planted, tight):
    found = masked_correlation(*planted[:2], 1.0, tight)

    beyond = found.unmasked.frequency > CUT + 2.5 / SIDE
    near = beyond & (found.unmasked.frequency < 0.2)
    assert found.masked.correlation[near].max() > 0.4  # where there is nothing but noise
    assert np.abs(found.corrected.correlation[beyond]).max() < 0.15
    assert found.corrected.correlation[beyond].mean() < 0.03
    below = found.unmasked.frequency < CUT - 1 / SIDE
    assert found.corrected.correlation[below].min() > 0.9
    assert found.random_from == pytest.approx(CUT, abs=1.01 / SIDE)


def test_a_wide_soft_mask_leaves_the_known_curve(planted):
    """Signal of SNR(k): FSC = SNR / (1 + SNR), in a mask that is smooth over many voxels."""
    rng = np.random.default_rng(9)
    shape = (SIDE,) * 3
    gain = 5 * np.exp(-((frequencies(shape) / CUT) ** 2))
    signal = np.fft.ifftn(np.fft.fftn(rng.normal(size=shape)) * gain).real
    halves = [(signal + rng.normal(size=shape)).astype(np.float32) for _ in range(2)]
    z, y, x = planted[2:]
    mask = np.clip((30 - np.sqrt(x**2 + y**2 + z**2)) / 12, 0, 1)

    found = masked_correlation(*halves, 2.0, mask)

    power = (5 * np.exp(-((found.corrected.frequency * 2 / CUT) ** 2))) ** 2
    known = power / (1 + power)
    independent = found.corrected.count[6:] / 2 * mask.mean()  # what a mask and a pair leave
    apart = found.corrected.correlation[6:] - known[6:]
    assert (np.abs(apart) < 4 / np.sqrt(independent) + 0.02).all()
    assert found.corrected.resolution(0.5) == pytest.approx(2 / CUT / np.sqrt(np.log(5)), rel=0.1)


def test_the_formula_is_that_of_chen(planted, tight):
    found = masked_correlation(*planted[:2], 1.0, tight)

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
        masked_correlation(*planted[:2], 1.0, tight, seed=seed).randomised.correlation
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
