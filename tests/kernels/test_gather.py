"""Gathering of slices, held to a few lines of float64 that visit every grid point and slice."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from vitreous.kernels.gather import empty_points, gather, gathered, radial_roll_off


def gathered_slowly(slices, weights, matrices, radii):
    """(data, weight) in float64; slices as a full transform would repeat."""
    size, half = slices.shape[1], slices.shape[2]
    steps = np.fft.fftfreq(size, 1 / size)
    points = np.stack(np.meshgrid(steps, steps, np.arange(half), indexing="ij")[::-1])
    data = np.zeros((size, size, half), complex)
    weight = np.zeros(data.shape)
    for one, own, matrix, radius in zip(slices, weights, matrices, radii, strict=True):
        u, v, distance = np.tensordot(np.linalg.inv(matrix).T, points, 1)
        used = (np.abs(distance) < 1) & ((points**2).sum(0) <= radius**2)
        sign = np.where(u < 0, -1, 1)
        u, v = sign * u, sign * v
        left, below = np.floor(u).astype(int), np.floor(v).astype(int)
        used &= left < half - 1
        for i in (0, 1):
            for j in (0, 1):
                share = (1 - abs(u - left - i)) * (1 - abs(v - below - j)) * (1 - abs(distance))
                at = (below + j) % size, np.clip(left + i, 0, half - 1)
                value = one[at].astype(complex)
                data += np.where(used, share * np.where(sign < 0, value.conj(), value), 0)
                weight += np.where(used, share * own[at], 0)
    return data, weight


@pytest.mark.parametrize("size", [12, 13])
def test_the_kernel_agrees_with_its_twin(rng, size):
    count, half = 7, size // 2 + 1
    slices = rng.normal(size=(count, size, half, 2)).astype(np.float32).view(np.complex64)[..., 0]
    weights = rng.uniform(size=slices.shape).astype(np.float32)
    matrices = Rotation.random(count, random_state=3).as_matrix()
    matrices[0] = np.eye(3)
    matrices[1] = Rotation.from_euler("z", 90, degrees=True).as_matrix()
    radii = np.array([5, 4, 3, 5, 5, 2, 5])
    points = empty_points(size)

    gather(points, slices, weights, matrices, radii)

    sums = gathered(points)
    data, weight = gathered_slowly(slices, weights, matrices, radii)
    np.testing.assert_allclose(sums.weight, weight, atol=2e-6)
    np.testing.assert_allclose(sums.data, data, atol=5e-6)


def test_sums_of_parts_are_the_sum_of_all(rng):
    slices = rng.normal(size=(6, 10, 6, 2)).astype(np.float32).view(np.complex64)[..., 0]
    weights = np.ones(slices.shape, np.float32)
    matrices = Rotation.random(6, random_state=1).as_matrix()
    whole, parts = empty_points(10), [empty_points(10) for _ in range(2)]

    gather(whole, slices, weights, matrices, 5)
    for part, chosen in zip(parts, (slice(0, 2), slice(2, 6)), strict=True):
        gather(part, slices[chosen], weights[chosen], matrices[chosen], 5)

    np.testing.assert_allclose(parts[0] + parts[1], whole, atol=1e-5)


def test_a_map_gathered_from_its_own_slices_has_the_roll_off(rng):
    """Point charges at known places come out at the roll-off's share of their height."""
    size = 24
    views = Rotation.random(1500, random_state=5).as_matrix()
    steps = np.fft.fftfreq(size)
    kx, ky = np.meshgrid(np.arange(size // 2 + 1) / size, steps)
    place = np.array([6.0, -3.0, 4.0])
    seen = views @ place
    phase = seen[:, 0, None, None] * kx + seen[:, 1, None, None] * ky
    slices = np.exp(-2j * np.pi * phase).astype(np.complex64)
    points = empty_points(size)

    gather(points, slices, np.ones(slices.shape, np.float32), views, size // 2)

    sums = gathered(points)
    transform = np.where(sums.weight > 0, sums.data / np.where(sums.weight > 0, sums.weight, 1), 0)
    volume = np.fft.irfftn(transform, s=(size,) * 3, axes=(0, 1, 2))
    centre = np.fft.irfftn((sums.weight > 0).astype(complex), s=(size,) * 3, axes=(0, 1, 2))[
        0, 0, 0
    ]
    x, y, z = place.astype(int)
    share = volume[z, y, x] / centre
    wanted = radial_roll_off(size)[z + size // 2, y + size // 2, x + size // 2]
    assert share == pytest.approx(wanted, abs=0.03)
