"""Pixels that count far more or far less than what surrounds them."""

import math

from numba import njit

SPACING, POINTS = 3, 5  # the surroundings: a lattice that columns up to 3 px wide don't outvote
MAJORITY = (POINTS * POINTS + 1) // 2


@njit(cache=True, nogil=True, error_model="numpy")
def mark_outliers(counts, hot_share, errors, dead_share, hot, dead):  # type: ignore[no-untyped-def]
    """Unmark in `hot` and in `dead` (y, x) the pixels that are not so in these counts.

    With m the median of a lattice of pixels round one: it is hot above hot_share m and above
    m + errors sqrt(m) + errors (m at least 1), dead below dead_share m. A median lies below a limit
    where most of the lattice does, so it needn't be known: counting ends when that is decided.
    """
    rows, columns = counts.shape
    reach = (POINTS // 2) * SPACING
    for y in range(rows):
        for x in range(columns):
            if not (hot[y, x] or dead[y, x]):
                continue
            here = counts[y, x]
            lower = higher = 0  # of the lattice: for which the pixel is hot, dead
            left = POINTS * POINTS
            for j in range(POINTS):
                v = min(max(y - reach + j * SPACING, 0), rows - 1)
                for i in range(POINTS):
                    u = min(max(x - reach + i * SPACING, 0), columns - 1)
                    near = counts[v, u]
                    least = max(near, 1.0)
                    if here > hot_share * near and here > near + errors * math.sqrt(least) + errors:
                        lower += 1
                    if here < dead_share * near:
                        higher += 1
                    left -= 1
                if lower + left < MAJORITY and higher + left < MAJORITY:
                    break
            hot[y, x] = hot[y, x] and lower >= MAJORITY
            dead[y, x] = dead[y, x] and higher >= MAJORITY
