"""The kernels of motion correction against their formulas, in double precision."""

import numpy as np
import pytest

from vitreous.kernels.cpu import motion as kernels
from vitreous.motion.band import band_for, counted


def phases(band, moves):
    ky = np.repeat(band.ky, np.diff(band.starts))
    kx = band.columns * band.kx_step
    return np.exp(2j * np.pi * (np.outer(moves[:, 0], kx) + np.outer(moves[:, 1], ky)))


def likelihood(spectra, band, moves, weight):
    moved = (spectra[:, 0] + 1j * spectra[:, 1]) * phases(band, moves)
    return (weight * np.abs(moved.sum(0)) ** 2).sum()


@pytest.fixture(params=[(24, 30, 6.0), (200, 240, 4.5)])
def problem(request, rng):
    """Frames that show something in common at almost the same place, in double precision."""
    rows, columns, finest = request.param
    band = band_for((rows, columns), 2.0, finest)
    common = rng.normal(size=(2, len(band)))
    spectra = common + rng.normal(size=(5, 2, len(band))) * 0.5
    weight = rng.uniform(size=len(band)) * counted(band)
    moves = rng.normal(size=(5, 2)) * 0.3
    return band, spectra.astype(np.float32), weight.astype(np.float32), moves


def slopes(band, spectra, weight, moves):
    gradient, power = np.empty(moves.shape), np.empty(4)
    kernels.slopes(spectra, band.starts, band.ky, band.kx_step, moves, weight, gradient, power)
    return gradient, power


def test_likelihood_and_gradient_are_those_of_the_formula(problem):
    band, spectra, weight, moves = problem

    gradient, power = slopes(band, spectra, weight, moves)

    exact = likelihood(spectra.astype(float), band, moves, weight)
    assert power[0] == pytest.approx(exact, rel=1e-5)
    step = 1e-4
    for frame, axis in np.ndindex(moves.shape):
        ends = []
        for sign in (-1, 1):
            shifted = moves.copy()
            shifted[frame, axis] += sign * step
            ends.append(likelihood(spectra.astype(float), band, shifted, weight))
        slope = (ends[1] - ends[0]) / (2 * step)
        assert gradient[frame, axis] == pytest.approx(slope, rel=1e-3, abs=1e-5 * exact)


def test_the_curvature_is_that_of_all_pairs_of_frames(problem):
    band, spectra, weight, moves = problem

    _, power = slopes(band, spectra, weight, moves)

    moved = (spectra[:, 0] + 1j * spectra[:, 1]).astype(complex) * phases(band, moves)
    pairs = np.abs(moved.sum(0)) ** 2 - (np.abs(moved) ** 2).sum(0)
    k = 2 * np.pi * np.stack([band.columns * band.kx_step, band.rows * band.ky[1]])
    expected = 2 * np.einsum("n,an,bn->ab", weight * pairs, k, k) / 4
    np.testing.assert_allclose(
        power[[[1, 2], [2, 3]]], expected, rtol=1e-4, atol=1e-5 * expected[0, 0]
    )


def test_patches_have_the_slopes_of_each_alone(problem, rng):
    band, spectra, weight, moves = problem
    both = np.stack([spectra, spectra[::-1] * 2])
    all_moves = np.stack([moves, rng.normal(size=moves.shape)])
    gradients, powers = np.empty(all_moves.shape), np.empty((2, 4))

    kernels.slopes_of_patches(
        both, band.starts, band.ky, band.kx_step, all_moves, weight, gradients, powers
    )

    for patch in range(2):
        gradient, power = slopes(band, both[patch].copy(), weight, all_moves[patch])
        np.testing.assert_allclose(gradients[patch], gradient, rtol=1e-6, atol=1e-6 * power[0])
        np.testing.assert_allclose(powers[patch], power, rtol=1e-6)


def test_the_sum_of_moved_frames_is_that_of_the_formula(problem):
    band, spectra, _, moves = problem
    found = np.empty((2, len(band)), np.float32)

    kernels.moved_sum(spectra, band.starts, band.ky, band.kx_step, moves, found)

    expected = ((spectra[:, 0] + 1j * spectra[:, 1]) * phases(band, moves)).sum(0)
    np.testing.assert_allclose(found[0] + 1j * found[1], expected, atol=2e-5)


def cubic(distance):
    """The cubic B-spline."""
    a = np.abs(distance)
    return np.where(a < 1, (4 - 6 * a**2 + 3 * a**3) / 6, np.clip(2 - a, 0, None) ** 3 / 6)


def moved_slowly(frame, dx, dy):
    """The spline at (x + dx(x, y), y + dy); a column that it takes part of has its own dy."""
    y, x = np.indices(frame.shape)
    wide = np.pad(frame.astype(float), 12, mode="edge")
    total = np.zeros(frame.shape)
    for i in range(-6, 7):
        for j in range(-6, 7):
            shift = i - np.floor(dx(x, y))  # of the point where the column stands
            weight = cubic(dx(x, y) - i) * cubic(dy(x + shift, y) - j)
            total += weight * wide[12 + j : 12 + j + len(y), 12 + i : 12 + i + x.shape[1]]
    return total


@pytest.mark.parametrize("shape", [(7, 12), (64, 96), (33, 75)])
def test_moved_frames_are_splines_at_the_moved_places(shape, rng):
    rows, columns = shape
    frame = rng.normal(size=shape).astype(np.float32)
    block = kernels.BLOCK

    def dx(x, y):
        return 1.3 + 4e-4 * x - 3e-4 * y

    def dy(x, y):
        return -2.6 + 5e-4 * x + 2e-4 * y

    v, u = np.meshgrid(
        np.arange(0, rows + 2 * block, block), np.arange(0, columns + 2 * block, block),
        indexing="ij",
    )  # fmt: skip
    out = np.zeros((2, *shape), np.float32)

    field = np.stack([dx(u, v), dy(u, v)])
    kernels.add_moved(frame, field, np.array([1, -0.5], np.float32), out)

    np.testing.assert_allclose(out[0], moved_slowly(frame, dx, dy), atol=2e-5)
    np.testing.assert_allclose(out[1], -0.5 * out[0], atol=1e-6)


@pytest.mark.parametrize("shape", [(16, 20), (24, 18)])
def test_a_shifted_spectrum_is_that_of_the_image_moved_the_other_way(shape, rng):
    image = rng.normal(size=shape)
    spectrum = np.fft.rfft2(image).astype(np.complex64)
    out = np.zeros((1, *spectrum.shape), np.complex64)

    kernels.add_shifted(spectrum, shape[1], 3.0, -2.0, np.array([2], np.float32), out)

    moved = np.fft.irfft2(out[0], s=shape)
    np.testing.assert_allclose(moved, 2 * np.roll(image, (2, -3), (0, 1)), atol=1e-5)


def test_weighed_spectra_are_weighed_by_the_length_of_their_frequency(rng):
    shape = 18, 26
    images = rng.normal(size=(2, *shape))
    spectra = np.fft.rfft2(images).astype(np.complex64)
    tables = np.stack([np.linspace(0, 1, 257), np.linspace(1, 0.5, 257)]).astype(np.float32)
    out = np.empty(spectra.shape[1:], np.complex64)

    kernels.weighed_sum(spectra, shape[1], tables, True, out)

    ky, kx = np.fft.fftfreq(18)[:, None], np.fft.rfftfreq(26)
    share = np.hypot(ky, kx) / np.sqrt(0.5)
    blur = (2 + np.cos(2 * np.pi * ky)) * (2 + np.cos(2 * np.pi * kx)) / 9
    expected = (spectra[0] * share + spectra[1] * (1 - share / 2)) / blur
    np.testing.assert_allclose(out, expected, atol=1e-4)
