"""Faster convergence of an iteration that repeats one step: Anderson's mixing."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

REMEMBERED = 4
LEAST_SINGULAR = 1e-2  # of the largest: directions in which the steps hardly differ are noise


class Mixing:
    """Proposes the next x from the last few pairs of x and g(x), where g(x) = x is sought.

    What all views share (the axis, a drift) converges slowly, since every reference moves along
    with it: a step goes only part of the way. From how the steps shrink the whole way is known.
    (D. G. Anderson, J. ACM 12, 547, 1965.)
    """

    def __init__(self, longest: float) -> None:
        """longest: the most by which a component may depart from g(x)."""
        self.longest = longest
        self.at: list[Array] = []
        self.found: list[Array] = []

    def next(self, at: Array, found: Array) -> Array:
        """What to try after `found` = g(`at`)."""
        self.at = [*self.at, at][-REMEMBERED:]
        self.found = [*self.found, found][-REMEMBERED:]
        if len(self.at) == 1:
            return found
        steps = np.array(self.found) - np.array(self.at)
        by_step, by_found = np.diff(steps, axis=0).T, np.diff(np.array(self.found), axis=0).T
        share = np.linalg.lstsq(by_step, steps[-1], rcond=LEAST_SINGULAR)[0]
        ahead = -by_found @ share
        largest = float(np.abs(ahead).max())
        if largest > self.longest:
            ahead *= self.longest / largest
        mixed: Array = found + ahead
        return mixed
