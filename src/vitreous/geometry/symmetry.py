"""Point groups of rotations, in the orientations of EMAN2 and of RELION.

Every matrix S of a group maps the object onto itself: a view R shows the same as R S.

| group | on z | and | EMAN2 | RELION |
|---|---|---|---|---|
| Cn | n-fold | | cN | CN |
| Dn | n-fold | 2-fold on x | dN | DN |
| tetrahedral | 3-fold | 2-fold in yz; where z > 0, y < 0 (EMAN2), y > 0 (RELION) | tet | T |
| octahedral | 4-fold | 4-folds on x and y | oct | O |
| icosahedral | 5-fold | another 5-fold in xz, x > 0 where z > 0 | icos, icos5 | I4 |
| | 5-fold | another 5-fold in xz, x < 0 where z > 0 | | I3 |
| | 2-fold | 2-folds on x and y; 5-folds in xz nearer to x | icos2 | I1 |
| | 2-fold | 2-folds on x and y; 5-folds in xz nearer to z | | I, I2 |
"""

import re
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

Family = Literal["eman2", "relion"]

GOLDEN = (1 + 5**0.5) / 2
SHORT, LONG = 1 / np.hypot(1, GOLDEN), GOLDEN / np.hypot(1, GOLDEN)  # a 5-fold from 2-folds' axes
X, Y, Z = np.eye(3)

# Name: the axes that make the group, with their folds.
AXES: dict[Family, dict[str, list[tuple[int, Array]]]] = {
    "eman2": {
        "tet": [(3, Z), (2, np.array([0, -(2**0.5), 1]))],
        "oct": [(4, Z), (4, X)],
        "icos": [(5, Z), (2, np.array([SHORT, 0, LONG]))],
        "icos2": [(2, Z), (5, np.array([LONG, 0, SHORT])), (2, X)],
    },
    "relion": {
        "t": [(3, Z), (2, np.array([0, 2**0.5, 1]))],
        "o": [(4, Z), (4, X)],
        "i1": [(2, Z), (5, np.array([LONG, 0, SHORT])), (2, X)],
        "i2": [(2, Z), (5, np.array([SHORT, 0, LONG])), (2, X)],
        "i3": [(5, Z), (2, np.array([-SHORT, 0, LONG]))],
        "i4": [(5, Z), (2, np.array([SHORT, 0, LONG]))],
    },
}
ALIASES: dict[Family, dict[str, str]] = {
    "eman2": {"i": "icos", "icos5": "icos", "t": "tet", "o": "oct"},
    "relion": {"i": "i2"},
}


def point_group(name: str, family: Family) -> Array:
    """(n, 3, 3) rotations of the group that `family` calls `name`, the identity first.

    Names are taken in either case; an unknown one, or one with mirrors, is a `ValueError`.
    """
    asked = name.strip().lower()
    found = re.fullmatch(r"([cd])([1-9]\d*)", asked)
    if found:
        axes = [(int(found[2]), Z)]
        if found[1] == "d":
            axes.append((2, X))
        return closure(axes)
    known = AXES[family]
    asked = ALIASES[family].get(asked, asked)
    if asked not in known:
        names = ", ".join([*known, *ALIASES[family]])
        raise ValueError(
            f"symmetry {name!r} is not known: it is cN or dN with a number N, or one of {names}"
        )
    return closure(known[asked])


def closure(axes: list[tuple[int, Array]]) -> Array:
    """(n, 3, 3): all products of the rotations about `axes` (fold, direction)."""
    makers = [about(axis, 360 / fold) for fold, axis in axes]
    found = [np.eye(3)]
    for have in found:  # grows while it is gone through
        for maker in makers:
            new = maker @ have
            if not any(np.abs(new - old).max() < 1e-6 for old in found):
                found.append(new)
    return np.array(found)


def about(axis: Array, degrees: float) -> Array:
    """(3, 3): the right-handed rotation about `axis`, of any length; whole numbers stay whole."""
    x, y, z = axis / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = np.deg2rad(degrees)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    whole = np.rint(turn)
    return np.where(np.abs(turn - whole) < 1e-12, whole, turn)


def on_the_grid(group: Array, shape: tuple[int, int, int]) -> tuple[Array, Array]:
    """Split a group into (m, 3, 3) operators that map a grid (z, y, x) onto itself, and the rest.

    Returns (subgroup, representatives): every operator is one product of a representative with
    a subgroup's operator on its right. So slices need only be turned by the representatives,
    the sums are then symmetrised by the subgroup without interpolation.
    """
    sizes = np.array(shape[::-1])
    permutes = [
        np.abs(S - np.rint(S)).max() < 1e-9 and (np.abs(np.rint(S)) @ sizes == sizes).all()
        for S in group
    ]
    subgroup = np.rint(group[permutes])
    representatives: list[Array] = []
    for S in group:
        if not any(_contains(subgroup, R.T @ S) for R in representatives):
            representatives.append(S)
    return subgroup, np.array(representatives)


def _contains(group: Array, matrix: Array) -> bool:
    return bool((np.abs(group - matrix).max((1, 2)) < 1e-6).any())
