"""Which of many maxima: the likeliest path through the exposures in their order."""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

JUMP_COSTS = 12.0  # nats at most, that a value may change at all
NEAR = 3  # columns round a maximum through which a parabola is laid


def likeliest_path(likelihood: Array, values: Array, order: Indices, jump: float) -> Indices:
    """(view,) columns of the likelihood (view, j), for views taken in `order`.

    From one exposure to the next the values (j,) change by about `jump` (one sigma).
    """
    change = (values[:, None] - values[None, :]) / jump
    cost = np.minimum(change**2 / 2, JUMP_COSTS)
    best, came_from = likelihood[order[0]], []
    for view in order[1:]:
        reached = best[None, :] - cost
        came_from.append(reached.argmax(1))
        best = likelihood[view] + reached.max(1)
    path = [int(best.argmax())]
    for column in reversed(came_from):
        path.append(int(column[path[-1]]))
    found = np.empty(len(order), np.intp)
    found[order] = path[::-1]
    return found


def maxima_near(likelihood: Array, columns: Indices, reach: int) -> Indices:
    """(view,) columns of the maxima within `reach` columns of those given."""
    return np.array(
        [
            max(0, column - reach) + curve[max(0, column - reach) : column + reach + 1].argmax()
            for curve, column in zip(likelihood, columns, strict=True)
        ],
        np.intp,
    )


def refined_maxima(likelihood: Array, columns: Indices, values: Array) -> tuple[Array, Array]:
    """(values at the maxima between the columns, their standard deviations), each (view,)."""
    found = [
        vertex(values[near], curve[near])
        for curve, near in (
            (curve, slice(max(0, column - NEAR), column + NEAR + 1))
            for curve, column in zip(likelihood, columns, strict=True)
        )
    ]
    at, deviation = np.array(found).T
    return at, deviation


def vertex(x: Array, likelihood: Array) -> tuple[float, float]:
    """Maximum of a parabola through points, within them, and its SD; no maximum: an infinite SD."""
    middle = x[np.argmax(likelihood)]
    scale = np.ptp(x)
    bent, sloped, _ = np.polyfit((x - middle) / scale, likelihood, 2)
    if bent >= 0:
        return float(middle), np.inf
    at = middle - sloped / (2 * bent) * scale
    return float(np.clip(at, x[0], x[-1])), float(scale / np.sqrt(-2 * bent))


def chance_elsewhere(
    likelihood: Array, values: Array, order: Indices, jump: float, found: Array, apart: float
) -> Array:
    """(view,) mean square distance to what is likely too, farther than `apart` from `found`.

    By the chances of all values of a view given all the others: forward and backward along the
    order of the exposures.
    """
    change = (values[:, None] - values[None, :]) / jump
    step = np.exp(-np.minimum(change**2 / 2, JUMP_COSTS))
    alone = np.exp(likelihood - likelihood.max(1, keepdims=True))
    before, after = np.ones_like(alone), np.ones_like(alone)
    for first, second in pairwise(order):
        reached = step @ (before[first] * alone[first])
        before[second] = reached / reached.max()
    for first, second in pairwise(order[::-1]):
        reached = step @ (after[first] * alone[first])
        after[second] = reached / reached.max()
    chance = alone * before * after
    chance /= chance.sum(1, keepdims=True)
    distance = values[None, :] - found[:, None]
    return np.asarray((chance * distance**2 * (np.abs(distance) > apart)).sum(1), np.float64)
