"""Sums of slices made symmetric: cheaper than inserting every slice once per operator."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.kernels.insertion import Sums

Doubles = NDArray[np.float64]


def symmetrised(sums: Sums, rotations: Doubles, lifts: ArrayLike = 0.0) -> Sums:
    """The mean of the sums over rotations (n, 3, 3), the identity among them.

    Point k reads the sums at R k, linear between grid points: exact for operators that map the
    grid onto itself. lifts (n,): fractions of the box by which an operator also moves along z (a
    helix): its data are multiplied by exp(2 pi i k_z lift).
    """
    from vitreous.kernels.cpu.symmetrise import turned_means

    n = np.array(sums.shape[::-1], np.float64)
    turns = np.asarray(rotations) * n[:, None] / n  # from cycles per pixel to grid steps
    made = Sums.empty(sums.shape)
    turned_means(
        sums.data,
        sums.weight,
        np.ascontiguousarray(turns),
        np.broadcast_to(np.asarray(lifts, np.float64), len(turns)).copy(),
        made.data,
        made.weight,
    )
    return made
