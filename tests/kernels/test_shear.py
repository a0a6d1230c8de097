import numpy as np
import pytest
from scipy import ndimage

from tests.kernels.twins import (
    backproject_cubic_slowly,
    backproject_linear_slowly,
    backproject_uneven_slowly,
    lagrange_six,
    sheared_line_slowly,
)
from vitreous.errors import UserError
from vitreous.kernels import cpu
from vitreous.kernels.shear import coverage, shear_of
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.volume import Grid

SIZES = [((9, 5, 16), 3), ((8, 4, 15), 9), ((1, 1, 2), 1), ((12, 3, 70), 13)]


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


def columns_of(nz, n, margin):
    slope = np.tan(np.deg2rad(np.linspace(-60, 57, n)))
    return margin + (np.arange(nz) - (nz - 1) / 2)[:, None] * slope


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_backprojection_agrees_with_its_twin(shape, n, rng):
    planes = rng.normal(size=(n, shape[1], shape[2] + 60)).astype(np.float32)
    sixteenths = np.rint(columns_of(shape[0], n, 30) * 16).astype(np.int64)
    first = np.zeros(shape[0], np.int64)
    volume = np.zeros(shape, np.float32)

    cpu.backproject_cubic(planes, sixteenths, first, volume)

    expected = backproject_cubic_slowly(planes, sixteenths, first, shape)
    assert relative(volume, expected) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
@pytest.mark.parametrize(("lines_a_plane", "a_line"), [(0, 8), (0.03, 8), (-0.4, 8), (0.03, 32)])
def test_backprojection_takes_uneven_tilts_between_lines(shape, n, lines_a_plane, a_line, rng):
    planes = rng.normal(size=(n, shape[1] + 24, shape[2] + 60)).astype(np.float32)
    steps, tilts = np.arange(shape[0])[:, None], np.linspace(-1, 1, n)
    columns = columns_of(shape[0], n, 30)
    higher = np.rint(steps * tilts * lines_a_plane * a_line).astype(np.int64)
    first = 10 + np.arange(shape[0]) // 3
    volume = np.zeros(shape, np.float32)

    cpu.backproject_uneven(planes, columns, higher, first, volume, a_line)

    expected = backproject_uneven_slowly(planes, columns, higher, first, shape, a_line)
    assert relative(volume, expected) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_linear_backprojection_agrees_with_its_twin(shape, n, rng):
    planes = rng.normal(size=(n, shape[1], shape[2] + 60)).astype(np.float32)
    positions = columns_of(shape[0], n, 30)
    volume = np.zeros(shape, np.float32)

    cpu.backproject_linear(planes, positions, volume)

    assert relative(volume, backproject_linear_slowly(planes, positions, shape)) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_a_correction_is_a_weighted_backprojection_with_a_floor(shape, n, rng):
    planes = rng.normal(size=(n, shape[1], shape[2] + 60)).astype(np.float32)
    positions = columns_of(shape[0], n, 30)
    volume, weight = rng.normal(size=(2, *shape)).astype(np.float32)
    expected = volume + weight * backproject_linear_slowly(planes, positions, shape)

    cpu.correct_linear(planes, positions, weight, np.float32(-0.5), volume)

    assert relative(volume, np.maximum(expected, -0.5)) < 1e-6


@pytest.mark.parametrize(("shape", "n"), SIZES)
def test_projection_is_the_transpose_of_linear_backprojection(shape, n, rng):
    planes = rng.normal(size=(n, shape[1], shape[2] + 60)).astype(np.float32)
    positions = columns_of(shape[0], n, 30)
    other = rng.normal(size=shape).astype(np.float32)
    volume, projected = np.zeros(shape, np.float32), np.zeros_like(planes)

    cpu.backproject_linear(planes, positions, volume)
    cpu.project_linear(other, positions, projected)

    left, right = np.vdot(volume, other.astype(float)), np.vdot(planes, projected.astype(float))
    assert abs(left - right) < 1e-6 * np.linalg.norm(volume) * np.linalg.norm(other)


def test_the_number_of_threads_changes_nothing(rng):
    import numba

    planes = rng.normal(size=(9, 6, 120)).astype(np.float32)
    positions = columns_of(7, 9, 30)
    sixteenths = np.rint(positions * 16).astype(np.int64)
    volumes = []
    for threads in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(threads)
        volume = np.zeros((7, 6, 50), np.float32)
        cpu.backproject_cubic(planes, sixteenths, np.zeros(7, np.int64), volume)
        cpu.backproject_uneven(
            planes, positions, np.zeros_like(sixteenths), np.zeros(7, np.int64), volume
        )
        cpu.backproject_linear(planes, positions, volume)
        volumes.append(volume)

    assert np.array_equal(*volumes)


def test_lines_are_levelled_by_six_point_interpolation(rng):
    lines = rng.normal(size=(3, 20, 11)).astype(np.float32)
    first, fraction = np.array([2, 3, 5]), np.array([0, 0.25, 0.8], np.float32)
    out = np.empty((3, 8, 11), np.float32)

    cpu.level_lines(lines, first, fraction, out)

    expected = [
        [lagrange_six(lines[z], first[z] + r + float(fraction[z])) for r in range(8)]
        for z in range(3)
    ]
    assert relative(out, np.array(expected)) < 1e-6


def spline_images(images):
    """Coefficients with a border of 2, of images that go on mirrored."""
    padded = np.pad(images, ((0, 0), (14, 14), (14, 14)), mode="reflect")
    found = [ndimage.spline_filter(image, order=3, mode="mirror") for image in padded]
    return np.array(found)[:, 12:-12, 12:-12].astype(np.float32)


@pytest.mark.parametrize("axis", [0.0, 30.0, 85.3, -170.0])
def test_sheared_lines_agree_with_their_twin(axis, rng):
    images = ndimage.gaussian_filter(rng.normal(size=(3, 41, 52)), (0, 1, 1))
    alignment = alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=np.array([-50.0, 2, 60]),
        shifts=rng.normal(size=(3, 2)) * 4,
        magnifications=1.01,
        image_size=(52, 41),
        pixel_size=2.0,
    )
    shear = shear_of(alignment, Grid((48, 40, 9), 2.0, (24, 20, 4)), (52, 41), 2.0)
    values = np.empty((3, 6, shear.width), np.float32)
    coefficients = np.empty_like(values)
    empty = np.zeros((3, 2, 0, 0), np.float32)
    call = shear.linear, shear.middle_origin, float(-shear.margin), 17.0, empty, 1.0

    cpu.sheared_lines(spline_images(images), *call, False, values)
    cpu.sheared_lines(spline_images(images), *call, True, coefficients)

    columns = np.arange(shear.width) - shear.margin
    expected = np.array(
        [
            [
                sheared_line_slowly(images[t], shear.linear[t], shear.middle_origin[t], columns, y)
                for y in range(17, 23)
            ]
            for t in range(3)
        ]
    )
    assert relative(values, expected) < 1e-5
    # the coefficients give the values back at the pixels, and 0 beyond the image
    again = (coefficients[..., 1:-1] * 4 + coefficients[..., :-2] + coefficients[..., 2:]) / 6
    assert relative(again, expected[..., 1:-1]) < 1e-5


def test_a_displacement_moves_the_point_that_is_read(rng):
    image = ndimage.gaussian_filter(rng.normal(size=(60, 64)), 1.5)
    linear, origin = np.eye(2)[None], np.zeros((1, 2))
    field = np.zeros((1, 2, 16, 17), np.float32)
    field[0, 0], field[0, 1] = 0.75, -0.5 + 0.02 * np.arange(17)
    out = np.empty((1, 5, 64), np.float32)

    cpu.sheared_lines(spline_images(image[None]), linear, origin, 0.0, 20.0, field, 4.0, False, out)

    columns, rows = np.meshgrid(np.arange(64.0), np.arange(20.0, 25))
    expected = ndimage.map_coordinates(
        image, [rows - 0.5 + 0.02 * columns / 4, columns + 0.75], order=3, mode="mirror"
    )
    assert relative(out[0, :, 4:-4], expected[:, 4:-4]) < 1e-5


def test_coverage_counts_the_images_that_show_a_voxel(rng):
    alignment = alignment_from_angles(
        axes_degrees=np.array([20.0, 0, 88]),
        tilts_degrees=np.array([-60.0, 0, 40]),
        x_tilts_degrees=2.0,
        shifts=rng.normal(size=(3, 2)) * 4,
        image_size=(30, 24),
        pixel_size=1.0,
    )
    grid = Grid((40, 36, 7), 1.0, (20, 18, 3))
    weight = np.array([1.0, 2, 4])
    out = np.empty(grid.shape, np.float32)

    coverage(shear_of(alignment, grid, (30, 24), 1.0), weight, 0, out)

    z, y, x = np.indices(grid.shape)
    seen = alignment.pixels(grid.specimen(np.stack([x, y, z], -1).reshape(-1, 3).astype(float)))
    inside = np.all((seen >= 0) & (seen <= [29, 23]), -1)
    np.testing.assert_allclose(out, (weight @ inside).reshape(grid.shape))


def test_a_view_edge_on_is_refused():
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.array([0.0, 89.5]),
        shifts=np.zeros((2, 2)),
        image_size=(8, 8),
        pixel_size=1.0,
    )

    with pytest.raises(UserError, match="tilt 2"):
        shear_of(alignment, Grid((8, 8, 4), 1.0, (4, 4, 2)), (8, 8), 1.0)


def test_dividing_by_the_coverage_is_that(rng):
    linear = np.array(
        [[[0.9, 0.1], [-0.1, 1.0]], [[1.2, 0.0], [0.0, 1.0]], [[-0.8, 0.3], [0.2, 1]]]
    )
    slope, origin = rng.normal(0, 0.5, (3, 2)), np.array([[2.0, 3], [-40, 1], [30, -2]])
    size = np.array([25, 17])
    volume = rng.normal(size=(7, 12, 33)).astype(np.float32)
    seen = np.empty_like(volume)

    cpu.coverage(linear, slope, origin, size, np.ones(3), 2.0, seen)
    divided = volume.copy()
    cpu.divide_by_coverage(linear, slope, origin, size, 2.0, divided)

    assert len(np.unique(seen)) > 2
    np.testing.assert_allclose(divided, volume / np.maximum(seen, 1), rtol=1e-6)
