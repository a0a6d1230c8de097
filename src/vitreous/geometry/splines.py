"""Natural cubic splines on a regular grid of nodes: the rule of Warp's movement grids."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def natural_spline(nodes: Array, *coordinates: Array) -> Array:
    """Values at `coordinates` of the tensor-product natural cubic spline through `nodes`.

    nodes: any number of axes; one array of coordinates an axis, in the order of the axes, the
    first node at 0 and the last at 1, clipped to that range. An axis of one node is constant.
    """
    bases = [_basis(n, np.clip(x, 0, 1)) for n, x in zip(nodes.shape, coordinates, strict=True)]
    found = np.tensordot(bases[0], nodes, 1)
    for basis in bases[1:]:
        found = (found * basis.reshape(*basis.shape, *[1] * (found.ndim - 2))).sum(1)
    return found


def _basis(count: int, x: Array) -> Array:
    """(m, count): what each node contributes at each of the points x (m,)."""
    from scipy.interpolate import CubicSpline

    x = np.asarray(x, np.float64).reshape(-1)
    if count == 1:
        return np.ones((x.size, 1))
    if count == 2:
        return np.stack([1 - x, x], -1)
    weights: Array = CubicSpline(np.linspace(0, 1, count), np.eye(count), bc_type="natural")(x)
    return weights
