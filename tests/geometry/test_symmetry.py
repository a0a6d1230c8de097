import json

import numpy as np
import pytest

from vitreous.geometry.euler import eman2_angles, eman2_matrix, relion_matrix
from vitreous.geometry.rotations import view_rotation
from vitreous.geometry.symmetry import on_the_grid, point_group

ORDERS = {"C1": 1, "C7": 7, "D1": 2, "D5": 10, "T": 12, "O": 24} | dict.fromkeys(
    ("I", "I1", "I2", "I3", "I4"), 60
)


@pytest.fixture(scope="module")
def vectors(shared):
    return json.loads((shared / "oracles/E1_eman2_make3dpar/transform_vectors.json").read_text())


def same_set(one, other, tolerance):
    apart = np.abs(one[:, None] - other[None]).max((2, 3))
    return (apart.min(0) < tolerance).all() and (apart.min(1) < tolerance).all()


@pytest.mark.parametrize(
    "name", ["c1", "c3", "c4", "d1", "d2", "d3", "d5", "tet", "oct", "icos", "icos2"]
)
def test_groups_are_those_of_eman2(name, vectors):
    theirs = np.array(vectors["symmetries"][name]).reshape(-1, 3, 3)

    ours = point_group(name, "eman2")

    assert len(ours) == len(theirs)
    assert same_set(ours, theirs, 3e-5)  # icos2 is rounded to five digits there


@pytest.mark.parametrize("name", ORDERS)
def test_groups_of_relion_have_their_order_and_are_closed(name):
    group = point_group(name, "relion")

    assert len(group) == ORDERS[name]
    np.testing.assert_array_equal(group[0], np.eye(3))
    np.testing.assert_allclose(np.linalg.det(group), 1)
    products = (group[:, None] @ group[None]).reshape(-1, 3, 3)
    assert same_set(products, group, 1e-6)


@pytest.mark.parametrize(
    ("name", "fold", "axis"),
    [
        ("T", 2, (0, 0.816496, 0.577350)),
        ("O", 3, (0.5773502, 0.5773502, 0.5773502)),
        ("I", 5, (0.525731114, 0, 0.850650807)),
        ("I", 3, (0, 0.356822076, 0.934172364)),
        ("I1", 5, (0.85065080702670, 0, -0.5257311142635)),
        ("I1", 3, (0.9341723640, 0.3568220765, 0)),
        ("I3", 2, (-0.5257311143, 0, 0.8506508070)),
        ("I3", 3, (-0.4911234778630044, 0.3568220764705179, 0.7946544753759428)),
        ("I4", 5, (0.8944271932547096, 0, 0.4472135909903704)),
        ("I4", 3, (0.4911234778630044, 0.3568220764705179, 0.7946544753759428)),
    ],
)
def test_axes_lie_where_relion_has_them(name, fold, axis):
    group = point_group(name, "relion")

    still = group[np.abs(group @ np.array(axis) - axis).max(1) < 1e-5]

    assert len(still) == fold


@pytest.mark.parametrize(("name", "family"), [("q5", "eman2"), ("c0", "eman2"), ("IH", "relion")])
def test_an_unknown_group_is_refused_with_the_known_ones(name, family):
    with pytest.raises(ValueError, match="not known: it is cN or dN"):
        point_group(name, family)


@pytest.mark.parametrize(
    ("name", "shape", "order"),
    [
        ("c4", (8, 8, 8), 4),
        ("c4", (8, 6, 8), 2),
        ("c3", (8, 8, 8), 1),
        ("d7", (8, 8, 8), 2),
        ("oct", (9, 9, 9), 24),
        ("oct", (8, 9, 9), 8),
        ("icos2", (8, 8, 8), 12),
        ("icos", (8, 8, 8), 2),
    ],
)
def test_operators_that_keep_the_grid_and_the_rest_make_the_group(name, shape, order):
    group = point_group(name, "eman2")

    subgroup, rest = on_the_grid(group, shape)

    assert len(subgroup) == order
    assert len(subgroup) * len(rest) == len(group)
    products = (rest[:, None] @ subgroup[None]).reshape(-1, 3, 3)
    assert same_set(products, group, 1e-6)


def test_eman2_matrices_and_angles_are_its_own(vectors):
    for vector in vectors["transforms"]:
        matrix = np.array(vector["matrix"]).reshape(3, 4)[:, :3]
        theirs = vector["get_eman"]
        if theirs["mirror"]:
            matrix = matrix * [[-1], [1], [1]]
        rotation = matrix / theirs["scale"]

        ours = eman2_matrix(theirs["az"], theirs["alt"], theirs["phi"])

        np.testing.assert_allclose(ours, rotation, atol=2e-5)
        np.testing.assert_allclose(eman2_matrix(*eman2_angles(ours)), ours, atol=1e-6)
        spider, xyz = vector["get_spider"], vector["get_xyz"]
        np.testing.assert_allclose(
            relion_matrix(spider["phi"], spider["theta"], spider["psi"]), rotation, atol=2e-5
        )
        if theirs["alt"] in (0, 180):  # there EMAN2's own xyz angles don't give its matrix back
            continue
        np.testing.assert_allclose(
            view_rotation(-xyz["ztilt"], -xyz["ytilt"], -xyz["xtilt"]), rotation, atol=2e-5
        )
