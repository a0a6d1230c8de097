"""The likeliest path through the exposures, and what else is likely."""

from itertools import product

import numpy as np
import pytest

from vitreous.ctf.path import chance_elsewhere, likeliest_path, maxima_near, refined_maxima, vertex

VALUES = np.array([0.0, 100, 200, 300])
ORDER = np.array([1, 0, 3, 2])
JUMP = 90.0


def by_trying_all(likelihood):
    """(paths (m, view), their log likelihoods with the cost of changes)."""
    paths = np.array(list(product(range(len(VALUES)), repeat=len(likelihood))))
    change = np.diff(VALUES[paths[:, ORDER]], axis=1) / JUMP
    total = likelihood[np.arange(4), paths].sum(1) - np.minimum(change**2 / 2, 12).sum(1)
    return paths, total


def test_the_path_is_the_best_of_all_that_there_are(rng):
    for _ in range(20):
        likelihood = rng.normal(0, 2, (4, len(VALUES)))
        paths, total = by_trying_all(likelihood)

        path = likeliest_path(likelihood, VALUES, ORDER, JUMP)

        np.testing.assert_array_equal(path, paths[total.argmax()])


def test_the_chance_of_other_values_is_that_of_all_paths_through_them(rng):
    likelihood = rng.normal(0, 2, (4, len(VALUES)))
    paths, total = by_trying_all(likelihood)
    chance = np.exp(total - total.max())
    chance /= chance.sum()
    found = np.array([0.0, 100, 300, 200])

    square = chance_elsewhere(likelihood, VALUES, ORDER, JUMP, found, 150.0)

    distance = VALUES[paths] - found
    far = np.abs(distance) > 150
    np.testing.assert_allclose(square, (chance[:, None] * distance**2 * far).sum(0), rtol=1e-9)


def test_a_ring_that_only_one_exposure_prefers_is_not_taken():
    values = np.arange(0.0, 20000, 160)
    likelihood = -((values - 8000) ** 2) / (2 * 300**2) + np.zeros((9, 1))
    likelihood[4] += 5 * np.exp(-((values - 16000) ** 2) / (2 * 300**2)) + 400
    likelihood[4, np.abs(values - 16000) < 200] = likelihood[4].max() + 3

    path = likeliest_path(likelihood, values, np.arange(9), 1500.0)

    assert values[path] == pytest.approx(8000, abs=160)


def test_maxima_are_found_between_the_columns_with_their_width():
    values = np.arange(0.0, 8000, 40)
    true, width = np.array([3011.0, 5333.0]), np.array([70.0, 110.0])
    likelihood = -((values - true[:, None]) ** 2) / (2 * width[:, None] ** 2)

    columns = maxima_near(likelihood, np.array([73, 135]), 4)
    at, deviation = refined_maxima(likelihood, columns, values)

    np.testing.assert_allclose(at, true, atol=1e-6)
    np.testing.assert_allclose(deviation, width, rtol=1e-6)


def test_where_there_is_no_maximum_the_deviation_is_infinite():
    at, deviation = vertex(np.array([1.0, 2, 3]), np.array([1.0, 0, 1.5]))

    assert at == 3
    assert np.isinf(deviation)
