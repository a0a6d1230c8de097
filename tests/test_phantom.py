import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.phantom import densities, ellipsoid, gaussian, mirrored, projections
from vitreous.errors import UserError
from vitreous.geometry.rotations import view_rotation
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.displacement import Displacement
from vitreous.records.volume import Grid

SHAPES = {"ellipsoid": ellipsoid, "gaussian": gaussian}
VOLUMES = {"ellipsoid": 4 / 3 * np.pi, "gaussian": (2 * np.pi) ** 1.5}


def any_alignment(rng, image_size=(40, 36), pixel_size=3.0):
    """Three views whose maps are no rotations: stretch and skew of some percent."""
    tilts = np.array([-50.0, 3.0, 37.0])
    rotations = view_rotation(rng.uniform(-180, 180), tilts, rng.uniform(-10, 10))
    return Alignment(
        projections=rotations[:, :2] + rng.normal(0, 0.03, (3, 2, 3)),
        shifts=rng.normal(0, 6, (3, 2)),
        sections=np.arange(3),
        section_count=3,
        image_size=image_size,
        pixel_size=pixel_size,
    )


def value_at(bodies, points):
    """The density of the definition at points (..., 3)."""
    found = np.zeros(points.shape[:-1])
    for body in bodies:
        squared = ((np.linalg.inv(body.axes) @ (points - body.centre)[..., None]) ** 2).sum(
            (-1, -2)
        )
        found += body.density * (
            squared <= 1 if body.shape == "ellipsoid" else np.exp(-squared / 2)
        )
    return found


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shape=st.sampled_from(sorted(SHAPES)))
def test_a_pixel_is_the_integral_along_its_ray(seed, shape):
    rng = np.random.default_rng(seed)
    alignment = any_alignment(rng)
    turned = view_rotation(*rng.uniform(-180, 180, 3))
    bodies = [SHAPES[shape](rng.normal(0, 8, 3), rng.uniform(4, 12, 3), 1.7, turned)]

    images = projections(bodies, alignment)

    step = 0.02
    along = np.arange(-80, 80, step)
    for view, (projection, shift) in enumerate(
        zip(alignment.projections, alignment.shifts, strict=True)
    ):
        direction = np.linalg.svd(projection)[2][2]  # the null space, by another road
        row, column = np.unravel_index(images[view].argmax(), images[view].shape)
        for y, x in [(row, column), (row + 1, column - 2), (row - 2, column)]:
            if not (0 <= y < 36 and 0 <= x < 40):
                continue
            u = (np.array([x, y]) - [20, 18]) * alignment.pixel_size
            foot = np.linalg.lstsq(projection, u - shift, rcond=None)[0]
            ray = foot + along[:, None] * direction
            assert images[view, y, x] == pytest.approx(value_at(bodies, ray).sum() * step, abs=0.04)


@pytest.mark.parametrize("shape", SHAPES)
def test_densities_are_those_of_the_definition(shape, rng):
    bodies = [
        SHAPES[shape]((3, -4, 5), (9, 6, 7), 2.0, view_rotation(20, 40, 60)),
        SHAPES[shape]((-9, 8, -30), 5.0, -1.0),  # partly outside
    ]
    grid = Grid((21, 20, 19), 2.0, (10, 10, 9.5))

    volume = densities(bodies, grid)

    z, y, x = np.indices(grid.shape)
    expected = value_at(bodies, grid.specimen(np.stack([x, y, z], -1).astype(float)))
    np.testing.assert_allclose(volume, expected, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_whole_of_a_body_is_in_every_view(shape):
    alignment = alignment_from_angles(
        axes_degrees=33.0,
        tilts_degrees=np.array([-60.0, 0, 45]),
        shifts=np.zeros((3, 2)),
        magnifications=1.1,
        image_size=(150, 150),
        pixel_size=1.0,
    )

    images = projections([SHAPES[shape]((4, 5, 6), (12, 13, 14), 3.0)], alignment)

    mass = 3.0 * VOLUMES[shape] * 12 * 13 * 14
    np.testing.assert_allclose(images.sum((1, 2), dtype=float), 1.1**2 * mass, rtol=2e-3)


def test_a_body_beside_the_image_leaves_it_empty():
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.array([0.0]),
        shifts=np.zeros((1, 2)),
        image_size=(16, 16),
        pixel_size=1.0,
    )

    assert not projections([ellipsoid((40, 0, 0), 5)], alignment).any()


def test_local_motion_is_refused(rng):
    alignment = any_alignment(rng)
    moving = Alignment(
        **{
            **{name: getattr(alignment, name) for name in alignment.__slots__},
            "displacement": Displacement(np.ones((3, 2, 1, 1)), (1.0, 1.0)),
        }
    )

    with pytest.raises(UserError, match="local motion"):
        projections([ellipsoid((0, 0, 0), 5)], moving)


def test_the_mirror_image_in_z_is_seen_under_the_opposite_tilt():
    bodies = [gaussian((5, -6, 7), (3, 4, 5), 1.0, view_rotation(10, 20, 30))]

    def seen(bodies, tilt):
        return projections(
            bodies,
            alignment_from_angles(
                axes_degrees=12.0,
                tilts_degrees=np.array([tilt]),
                shifts=np.zeros((1, 2)),
                image_size=(32, 32),
                pixel_size=1.0,
            ),
        )

    here, there = seen(bodies, 30.0), seen(mirrored(bodies, (1, 1, -1)), -30.0)

    np.testing.assert_allclose(here, there, atol=1e-5)
    assert np.abs(here - seen(bodies, -30.0)).max() > 0.1
