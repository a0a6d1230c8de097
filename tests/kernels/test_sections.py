import numpy as np
import pytest

from vitreous.kernels.cpu.cubic import resample
from vitreous.kernels.sections import FILTERS, binned, binned_size, placed, shrunk, tapered


def cubic_weight(x):
    """Keys' cubic convolution with a = -1."""
    x = abs(x)
    if x < 1:
        return x**3 - 2 * x**2 + 1
    return -(x**3) + 5 * x**2 - 8 * x + 4 if x < 2 else 0.0


def cubic_slowly(image, u, v):
    rows, columns = image.shape
    return sum(
        cubic_weight(u - i) * cubic_weight(v - j) * image[j, i]
        for j in range(max(int(v) - 1, 0), min(int(v) + 3, rows))
        for i in range(max(int(u) - 1, 0), min(int(u) + 3, columns))
    )


@pytest.mark.parametrize(("shape", "angle"), [((24, 31), 17.0), ((31, 24), -60.0), ((9, 9), 90.0)])
def test_cubic_interpolation_agrees_with_its_twin_where_all_pixels_exist(rng, shape, angle):
    image = rng.normal(size=shape).astype(np.float32)
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    middle = (np.array(shape[::-1]) - 1) / 2
    turn = np.array([[c, -s], [s, c]])
    source = np.column_stack([turn, middle - turn @ middle + [0.3, -0.2]])
    out = np.empty(shape, np.float32)

    resample(image, source, False, out)

    compared = 0
    for y, x in np.ndindex(shape):
        u, v = source @ [x, y, 1]
        if 1.02 < u < shape[1] - 2.02 and 1.02 < v < shape[0] - 2.02:
            assert out[y, x] == pytest.approx(cubic_slowly(image, u, v), abs=2e-5)
            compared += 1
    assert compared > 20
    assert np.isnan(out).any() or angle == 90


def test_linear_interpolation_of_a_plane_is_exact(rng):
    image = np.add.outer(2.0 * np.arange(20), 3.0 * np.arange(25)).astype(np.float32)
    source = np.array([[0.9, 0.1, 0.5], [-0.1, 0.8, 3.0]])
    out = np.empty((20, 25), np.float32)

    resample(image, source, True, out)

    y, x = np.nonzero(~np.isnan(out))
    u, v = source @ np.array([x, y, np.ones(len(x))])
    np.testing.assert_allclose(out[y, x], 2 * v + 3 * u, atol=1e-4)
    assert len(x) > 200


@pytest.mark.parametrize("n", range(5, 30))
@pytest.mark.parametrize("binning", [2, 3, 4, 5])
def test_binning_keeps_the_parity_and_the_middle(n, binning):
    size, start = binned_size(n, binning)

    assert size % 2 == n % 2
    middle = start + (size / 2) * binning  # in pixels from the left edge
    assert abs(middle - n / 2) <= 0.5
    assert size * binning + start >= n - 1  # at most one row is lost


@pytest.mark.parametrize(
    ("shape", "binning"), [((81, 94), 2), ((80, 64), 2), ((27, 35), 3), ((7, 9), 4)]
)
def test_a_bin_is_the_mean_of_the_pixels_it_has(rng, shape, binning):
    image = rng.normal(size=shape).astype(np.float32)
    (rows, top), (columns, left) = (binned_size(n, binning) for n in shape)

    found = binned(image, binning)

    assert found.shape == (rows, columns)
    for y, x in np.ndindex(rows, columns):
        y0, x0 = top + y * binning, left + x * binning
        part = image[max(y0, 0) : y0 + binning, max(x0, 0) : x0 + binning]
        assert found[y, x] == pytest.approx(part.astype(float).mean(), abs=1e-6)


@pytest.mark.parametrize("antialias", FILTERS)
@pytest.mark.parametrize("factor", [1.0, 1.7, 2.0, 3.3])
def test_shrinking_agrees_with_its_twin_and_keeps_a_constant(rng, antialias, factor):
    image = rng.normal(size=(17, 22)).astype(np.float32)
    weight, reach = FILTERS[antialias]

    def along(values, size):
        start = (len(values) - size * factor) / 2
        scale = 1 / float(np.float32(1 / factor))  # as IMOD keeps it
        out = []
        for k in range(size):
            centre = start + (k + 0.5) * scale
            first, end = (int(centre + far * scale + 0.5 + 10) - 10 for far in (-reach, reach))
            near = [i for i in range(len(values)) if first <= i < end]
            weights = [float(weight(np.float64((i + 0.5 - centre) / factor))) for i in near]
            out.append(
                sum(w * values[i] for w, i in zip(weights, near, strict=True)) / sum(weights)
            )
        return np.array(out)

    found = shrunk(image, factor, antialias)

    rows, columns = (int(n / factor) for n in image.shape)
    slow = np.array([along(row.astype(float), columns) for row in image])
    slow = np.array([along(column, rows) for column in slow.T]).T
    np.testing.assert_allclose(found, slow, atol=1e-5)
    np.testing.assert_allclose(shrunk(np.full_like(image, 7), factor, antialias), 7, rtol=1e-6)


def test_an_image_is_cut_and_padded_round_its_middle():
    image = np.arange(20, dtype=np.float32).reshape(4, 5)

    smaller, larger = placed(image, (2, 3)), placed(image, (6, 7), (1, 0))

    np.testing.assert_array_equal(smaller, image[1:3, 1:4])
    np.testing.assert_array_equal(larger[1:5, :5], image)
    assert np.isnan(larger).sum() == 6 * 7 - 20


def test_an_image_moved_out_of_sight_is_all_outside():
    assert np.isnan(placed(np.ones((4, 5), np.float32), (4, 5), (9, 0))).all()


def test_a_taper_falls_evenly_to_the_fill_on_the_side_asked_for():
    image = np.full((11, 30), 10.0, np.float32)
    outside = np.zeros(image.shape, bool)
    outside[:, :10] = True
    image[outside] = 0
    within, beyond = image.copy(), image.copy()

    tapered(within, outside, 0.0, 4, True)
    tapered(beyond, outside, 0.0, 4, False)

    np.testing.assert_allclose(within[5, 9:15], [0, 2, 4, 6, 8, 10])
    np.testing.assert_allclose(beyond[5, 5:11], [0, 2, 4, 6, 8, 10])
