import numba
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tests.kernels.fourier_twins import extract_slowly, insert_slowly
from vitreous.kernels.insertion import (
    WIDTHS,
    SliceGrid,
    extract,
    folded,
    grid_bytes,
    insert,
    sums_bytes,
)

SIZES = [((8, 8, 8), (8, 8)), ((9, 9, 9), (9, 9)), ((6, 8, 10), (7, 12)), ((10, 9, 8), (8, 6))]


def slices_of(rng, n, shape):
    return np.fft.rfft2(rng.normal(size=(n, *shape))).astype(np.complex64)


def turns(rng, n):
    return Rotation.random(n, rng=rng).as_matrix()


@pytest.mark.parametrize("kernel", WIDTHS)
@pytest.mark.parametrize(("size", "shape"), SIZES)
def test_insertion_agrees_with_its_twin(kernel, size, shape, rng):
    slices, orientations = slices_of(rng, 2, shape), turns(rng, 2)
    weights = rng.uniform(0, 2, slices.shape).astype(np.float32)
    weights[weights < 0.3] = 0
    factors = [1.5, 0.5]

    grid = SliceGrid.empty(size)
    insert(grid, slices, orientations, kernel, columns=shape[1], weights=weights, factors=factors)
    sums = folded(grid)

    data, weight = insert_slowly(size, slices, orientations, kernel, shape[1], weights, factors)
    half = size[2] // 2 + 1
    np.testing.assert_allclose(sums.data, data[..., :half], atol=4e-3 * np.abs(data).max())
    np.testing.assert_allclose(sums.weight, weight[..., :half], atol=4e-3 * weight.max())


@pytest.mark.parametrize("reach", [0.3, 0.6])
@pytest.mark.parametrize("twice", [False, True])
def test_the_reach_and_the_first_column_are_those_of_the_twin(reach, twice, rng):
    slices, orientations = slices_of(rng, 3, (8, 8)), turns(rng, 3)

    grid = SliceGrid.empty((8, 8, 8))
    insert(grid, slices, orientations, columns=8, reach=reach, axis_twice=twice)
    sums = folded(grid)

    data, weight = insert_slowly(
        (8, 8, 8), slices, orientations, "trilinear", 8, np.ones(slices.shape), np.ones(3),
        reach=reach, twice=twice,
    )  # fmt: skip
    np.testing.assert_allclose(sums.data, data[..., :5], atol=1e-4)
    np.testing.assert_allclose(sums.weight, weight[..., :5], atol=1e-5)


@pytest.mark.parametrize("size", [(8, 8, 8), (9, 9, 9)])
def test_sums_of_slices_along_the_axes_are_hermitian(size, rng):
    n = size[0]
    slices = slices_of(rng, 3, (n, n))
    orientations = np.array([np.eye(3), np.roll(np.eye(3), 1, 0), np.roll(np.eye(3), 2, 0)])

    grid = SliceGrid.empty(size)
    insert(grid, slices, orientations, columns=n, reach=1)
    sums = folded(grid)

    plane, back = sums.data[..., 0], -np.arange(n) % n
    np.testing.assert_allclose(plane, np.conj(plane[back][:, back]), atol=1e-4)
    np.testing.assert_array_equal(sums.weight[..., 0], sums.weight[..., 0][back][:, back])


@pytest.mark.parametrize("kernel", ["nearest", "trilinear", "gauss_3", "gauss_var", "kaiser_7"])
def test_extraction_agrees_with_its_twin(kernel, rng):
    volume = np.fft.fftn(rng.normal(size=(8, 9, 10)))
    orientations = turns(rng, 2)

    found = extract(
        volume[..., :6].astype(np.complex64), orientations, (7, 8), kernel, columns=10, reach=0.6
    )

    slowly = extract_slowly(volume, orientations, kernel, (7, 8), reach=0.6)
    np.testing.assert_allclose(found, slowly, atol=4e-3 * np.abs(slowly).max())


@pytest.mark.parametrize("kernel", WIDTHS)
@pytest.mark.parametrize(("size", "shape"), SIZES)
def test_extraction_is_the_transpose_of_insertion(kernel, size, shape, rng):
    volume = np.fft.fftn(rng.normal(size=size))
    half = volume[..., : size[2] // 2 + 1].astype(np.complex64)
    orientations = turns(rng, 3)
    slices = slices_of(rng, 3, shape)

    grid = SliceGrid.empty(size)
    insert(grid, slices, orientations, kernel, columns=shape[1], axis_twice=True)
    sums = folded(grid)
    out = extract(half, orientations, shape, kernel, columns=size[2])

    sides = np.full(size[2] // 2 + 1, 2.0)  # a whole volume holds the columns x > 0 twice
    sides[0] = 1
    if size[2] % 2 == 0:
        sides[-1] = 1
    whole = (sides * (np.conj(half) * sums.data).real).sum()
    assert whole == pytest.approx(2 * (np.conj(out) * slices).real.sum(), rel=2e-4)


def test_the_same_bits_come_from_any_number_of_threads(rng):
    slices, orientations = slices_of(rng, 9, (24, 24)), turns(rng, 9)
    found = []
    for threads in (1, 2):
        before = numba.get_num_threads()
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        grid = SliceGrid.empty((24, 24, 24))
        insert(grid, slices, orientations, "gauss_var", columns=24)
        found.append(folded(grid))
        numba.set_num_threads(before)

    np.testing.assert_array_equal(found[0].data, found[1].data)
    np.testing.assert_array_equal(found[0].weight, found[1].weight)


def test_memory_is_what_is_said():
    grid = SliceGrid.empty((20, 21, 22))
    sums = folded(grid)

    assert grid.points.nbytes == grid_bytes((20, 21, 22))
    assert sums.data.nbytes + sums.weight.nbytes == sums_bytes((20, 21, 22))
