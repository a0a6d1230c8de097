"""Gaussians in images against their formula, in double precision."""

import numpy as np
import pytest

from vitreous.kernels.cpu.splat import add_gaussians


def add_gaussians_slowly(shape, x, y, depths, weights, sigma):
    planes = np.zeros(shape)
    z, v, u = np.indices(shape)
    for point in zip(x, y, np.clip(depths, 0, shape[0] - 1), weights, strict=True):
        at_x, at_y, depth, weight = point
        squared = (u - at_x) ** 2 + (v - at_y) ** 2
        share = np.maximum(1 - np.abs(z - depth), 0)
        planes += weight * share * np.exp(-squared / (2 * sigma**2)) / (2 * np.pi * sigma**2)
    return planes


@pytest.mark.parametrize("shape", [(1, 20, 31), (2, 33, 16), (5, 24, 24), (3, 1, 2)])
@pytest.mark.parametrize("sigma", [0.6, 1.1, 2.7])
def test_gaussians_agree_with_their_twin(shape, sigma, rng):
    n, rows, columns = shape
    x, y = rng.uniform(-6, columns + 6, 300), rng.uniform(-6, rows + 6, 300)
    depths, weights = rng.uniform(-1, n + 1, 300), rng.uniform(-1, 3, 300)
    planes = np.zeros(shape, np.float32)

    add_gaussians(planes, x, y, depths, weights, sigma)

    expected = add_gaussians_slowly(shape, x, y, depths, weights, sigma)
    height = 3 / (2 * np.pi * sigma**2)
    np.testing.assert_allclose(planes, expected, rtol=0, atol=2e-4 * height)


def test_a_gaussian_keeps_its_sum_and_its_place():
    planes = np.zeros((3, 32, 32), np.float32)

    add_gaussians(
        planes, np.array([14.3]), np.array([17.8]), np.array([1.25]), np.array([7.0]), 1.5
    )

    image = planes.sum(0, dtype=float)
    assert image.sum() == pytest.approx(7, rel=1e-4)
    assert (image.sum(0) @ np.arange(32)) / image.sum() == pytest.approx(14.3, abs=1e-4)
    assert (image.sum(1) @ np.arange(32)) / image.sum() == pytest.approx(17.8, abs=1e-4)
    assert planes.sum((1, 2), dtype=float) == pytest.approx([0, 5.25, 1.75], rel=1e-4)
