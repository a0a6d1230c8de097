"""From sums of slices to maps: division, symmetry, density compensation, roll-off."""

import time

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.kernels.fourier_twins import shell_means_slowly, symmetrised_slowly
from vitreous.geometry.rotations import rotation_z
from vitreous.geometry.symmetry import on_the_grid, point_group
from vitreous.kernels.division import (
    compensation,
    corrected,
    divided,
    eman2_roll_off,
    map_of,
    roll_off,
    shell_floor,
    transform_of,
    wiener_divided,
)
from vitreous.kernels.insertion import WIDTHS, SliceGrid, Sums, extract, folded, insert
from vitreous.kernels.symmetrise import symmetrised


def sums_of(rng, size):
    """Sums of a real map, and weights like those of a real map."""
    whole = np.fft.fftn(rng.normal(size=(size,) * 3))
    weight = np.abs(whole)
    half = size // 2 + 1
    sums = Sums(
        (size,) * 3, whole[..., :half].astype(np.complex64), weight[..., :half].astype(np.float32)
    )
    return whole, sums


def test_division_leaves_out_what_has_no_weight(rng):
    _, sums = sums_of(rng, 8)
    sums.weight[2, 3, 1] = 0
    sums.weight[4, 3, 1] = 1e-39

    found = divided(sums)

    assert found[2, 3, 1] == found[4, 3, 1] == 0
    assert found[1, 1, 1] == pytest.approx(sums.data[1, 1, 1] / sums.weight[1, 1, 1])
    wiener = wiener_divided(sums, snr=4)
    np.testing.assert_allclose(wiener, sums.data / (sums.weight + 0.25), rtol=1e-5)


def test_the_floor_is_a_share_of_the_shells_mean_and_shuts_the_corners(rng):
    _, sums = sums_of(rng, 8)

    floor = shell_floor(sums, 0.5)

    mean = shell_means_slowly(sums.weight)
    assert floor[0, 0, 0] == pytest.approx(0.5 * mean[0], rel=1e-5)
    assert floor[0, 2, 0] == pytest.approx(0.5 * mean[2], rel=1e-5)
    share = np.sqrt(5) - 2
    between = (1 - share) * mean[2] + share * mean[3]
    assert floor[0, 7, 2] == pytest.approx(0.5 * between, rel=1e-5)
    assert np.isinf(floor[4, 0, 0])
    assert (divided(sums, floor)[3, 3, 3:] == 0).all()


@pytest.mark.parametrize("size", [8, 9])
def test_symmetrising_agrees_with_its_twin(size, rng):
    whole, sums = sums_of(rng, size)
    turns = np.concatenate([np.eye(3)[None], Rotation.random(3, rng=rng).as_matrix()])
    lifts = rng.uniform(-0.5, 0.5, 4)

    found = symmetrised(sums, turns, lifts)

    slowly = symmetrised_slowly(whole, turns, lifts)
    k = np.fft.fftfreq(size, 1 / size)
    radius2 = k[:, None, None] ** 2 + k[:, None] ** 2 + np.arange(size // 2 + 1) ** 2
    inside = radius2 < (size // 2 - 1) ** 2  # RELION reads other neighbours at Nyquist
    np.testing.assert_allclose(
        found.data[inside], slowly[..., : size // 2 + 1][inside], atol=1e-4 * np.abs(whole).max()
    )


@pytest.mark.parametrize("name", ["c4", "d2", "oct", "icos2"])
def test_symmetrised_sums_are_those_of_slices_inserted_in_every_direction(name, rng):
    size = (24, 24, 24)
    group = point_group(name, "eman2")
    slices = np.fft.rfft2(rng.normal(size=(2, 24, 24))).astype(np.complex64)
    orientations = Rotation.random(2, rng=rng).as_matrix()

    every = SliceGrid.empty(size)
    for S in group:
        insert(every, slices, orientations @ S, columns=24, reach=0.45)
    few = SliceGrid.empty(size)
    subgroup, rest = on_the_grid(group, size)
    for S in rest:
        insert(few, slices, orientations @ S, columns=24, reach=0.45)
    mean = symmetrised(folded(few), subgroup)

    expected = folded(every)
    scale = len(subgroup)
    np.testing.assert_allclose(
        mean.data * scale, expected.data, atol=2e-5 * np.abs(expected.data).max()
    )
    np.testing.assert_allclose(
        mean.weight * scale, expected.weight, atol=2e-5 * expected.weight.max()
    )


def test_imposing_symmetry_costs_less_than_inserting_for_every_operator(rng):
    size = (96, 96, 96)
    group = point_group("oct", "eman2")
    slices = np.fft.rfft2(rng.normal(size=(400, 96, 96))).astype(np.complex64)
    orientations = Rotation.random(400, rng=rng).as_matrix()
    grid = SliceGrid.empty(size)
    insert(grid, slices[:1], orientations[:1], columns=96)  # compiled
    symmetrised(folded(grid), group[:2])

    start = time.process_time()
    insert(grid, slices, orientations, columns=96)
    once = time.process_time() - start
    symmetrised(folded(grid), group)
    whole = time.process_time() - start

    assert whole < 0.6 * len(group) * once


def test_a_rise_along_the_axis_is_a_phase(rng):
    volume = rng.normal(size=(16, 16, 16)).astype(np.float32)
    sums = Sums((16, 16, 16), transform_of(volume), np.ones((16, 16, 9), np.float32))

    moved = symmetrised(sums, rotation_z(0)[None], [-3 / 16])

    expected = np.roll(volume, 3, axis=0)
    found = map_of(moved.data, 16)
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.97  # Nyquist apart


def test_compensated_slices_make_an_even_density(rng):
    size = (32, 32, 32)
    orientations = Rotation.random(60, rng=rng).as_matrix()

    weights = compensation(orientations, (32, 32), size, "kaiser_5", reach=0.4)

    grid = SliceGrid.empty(size)
    insert(
        grid, weights.astype(np.complex64), orientations, "kaiser_5",
        columns=32, weights=weights, reach=0.4,
    )  # fmt: skip
    density = folded(grid).weight.astype(np.complex64)
    seen = extract(density, orientations, (32, 32), "kaiser_5", columns=32, reach=0.4).real
    used = weights > 0
    assert np.abs(seen[used] - 1).mean() < 0.1
    assert weights[:, 1, 1].mean() < 0.2 * weights[:, 12, 1].mean()


@pytest.mark.parametrize("kernel", WIDTHS)
def test_the_roll_off_is_the_kernels_transform(kernel, rng):
    n = 64
    spread = SliceGrid.empty((n, n, n))
    offsets = rng.uniform(0, 1, (40, 2))
    measured = np.zeros(n)
    for dx, dy in offsets:  # one point of a slice, anywhere between grid points
        spread.points[:] = 0
        slice_ = np.zeros((1, n, n // 2 + 1), np.complex64)
        slice_[0, 8, 8] = 1
        turn = np.eye(3)[None].copy()
        turn[0, 0, 0] = 1 + dx / 8
        turn[0, 1, 1] = 1 + dy / 8
        insert(spread, slice_, turn, kernel, columns=n, weights=(slice_.real > 0) * np.float32(1))
        line = folded(spread).data.sum((0, 1))
        x = np.arange(n) - n // 2
        at = 8 + dx
        back = np.exp(-2j * np.pi * x * at / n)
        measured += (np.exp(2j * np.pi * np.outer(x, np.arange(n // 2 + 1)) / n) @ line * back).real

    found = roll_off(kernel, (n, n, n))[2]

    measured /= measured[n // 2]
    tolerance = 0.25 if kernel in ("gauss_3", "gauss_var") else 0.06  # their width varies
    middle = slice(n // 4, 3 * n // 4)  # a grid padded twice
    assert np.abs(measured - found)[middle].max() < tolerance


def test_maps_go_to_transforms_and_back(rng):
    for size in ((8, 9, 10), (9, 8, 7)):
        volume = rng.normal(size=size).astype(np.float32)

        transform = transform_of(volume)

        assert transform[0, 0, 0] == pytest.approx(volume.sum(), abs=1e-3)
        np.testing.assert_allclose(map_of(transform, size[2]), volume, atol=1e-5)


def test_eman2_corrects_its_gaussians_by_the_distance_over_the_height():
    z, y, x = eman2_roll_off("gauss_2", (8, 10, 12))

    assert x[0] == pytest.approx(np.exp(-4.0 * 36 / 100))
    assert (eman2_roll_off("trilinear", (8, 8, 8))[0] == 1).all()
    flat = corrected(np.ones((8, 10, 12), np.float32), (z, y, x))
    assert flat[4, 5, 0] == pytest.approx(1 / x[0], rel=1e-5)
