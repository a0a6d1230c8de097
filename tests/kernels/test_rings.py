"""Sums of shifted curves against their twin."""

import numpy as np
import pytest

from vitreous.kernels.cpu.rings import sum_shifted


def sum_shifted_slowly(curves, of, weights, shifts, starts):
    columns = np.arange(curves.shape[2])
    views = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    out = np.zeros((len(starts) - 1, len(columns)))
    for row, view in enumerate(views):
        for sector, shift in enumerate(shifts[row]):
            curve = curves[of[row], sector].astype(float)
            out[view] += weights[row] * np.interp(columns + shift, columns, curve)
    return out


@pytest.mark.parametrize("columns", [2, 7, 40])
@pytest.mark.parametrize("largest", [0.4, 5.0, 200.0])
def test_shifted_sums_agree_with_their_twin(columns, largest, rng):
    starts = np.array([0, 3, 3, 4, 9])
    curves = rng.normal(size=(5, 3, columns)).astype(np.float32)
    of, weights = rng.integers(0, 5, 9), rng.uniform(0.5, 4, 9)
    shifts = rng.uniform(-largest, largest, (9, 3))
    shifts[0] = 0, 1, -1
    out = np.zeros((4, columns))

    sum_shifted(curves, of, weights, shifts, starts, out)

    expected = sum_shifted_slowly(curves, of, weights, shifts, starts)
    np.testing.assert_allclose(out, expected, atol=1e-5)
