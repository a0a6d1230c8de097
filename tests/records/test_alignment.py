from dataclasses import replace

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.geometry.motions import RigidMotion
from vitreous.geometry.rotations import view_rotation
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.displacement import Displacement


@pytest.fixture
def alignment(rng) -> Alignment:
    return alignment_from_angles(
        axes_degrees=85.3 + rng.normal(size=9) * 0.3,
        tilts_degrees=np.linspace(-60, 57, 9),
        x_tilts_degrees=1.5,
        magnifications=1 + rng.normal(size=9) * 2e-3,
        shifts=rng.normal(size=(9, 2)) * 80,
        sections=np.array([0, 1, 2, 4, 5, 6, 8, 9, 10]),
        section_count=12,
        image_size=(960, 928),
        pixel_size=5.4,
    )


def test_angles_are_derived_from_the_maps(alignment):
    np.testing.assert_allclose(alignment.tilts_degrees, np.linspace(-60, 57, 9), atol=1e-9)
    np.testing.assert_allclose(alignment.x_tilts_degrees, 1.5, atol=1e-9)
    np.testing.assert_allclose(alignment.axes_degrees, 85.3, atol=1.5)
    assert alignment.left_out == (3, 7, 11)


def test_the_offset_is_kept_apart_from_the_refined_angles(alignment):
    offset = replace(alignment, tilt_offset_degrees=2.5)

    np.testing.assert_allclose(offset.tilts_degrees, alignment.tilts_degrees)
    np.testing.assert_allclose(offset.refined_tilts_degrees, alignment.tilts_degrees - 2.5)


def test_a_point_above_the_plane_moves_along_x_with_the_tilt():
    flat = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.array([30.0]),
        shifts=np.zeros((1, 2)),
        image_size=(100, 101),
        pixel_size=2.0,
    )

    seen = flat.pixels(np.array([[0.0, 0, 40], [40, 0, 0], [0, 40, 0]]))[0]

    np.testing.assert_allclose(seen, [[60, 50], [50 + 20 * np.cos(np.pi / 6), 50], [50, 70]])
    np.testing.assert_allclose(flat.heights(np.array([[40.0, 0, 0]])), [[-20]])


def test_alignments_that_differ_by_a_rigid_motion_are_the_same(alignment):
    motion = RigidMotion(view_rotation(4.0, -7.0, 3.0), np.array([30.0, -200, 55]))

    agreement = alignment.compare(alignment.moved(motion))

    assert agreement.worst_px < 1e-7
    np.testing.assert_allclose(agreement.motion.rotation, motion.rotation, atol=1e-9)
    np.testing.assert_allclose(agreement.motion.translation, motion.translation, atol=1e-6)


def test_a_mirrored_alignment_is_not_the_same(alignment):
    mirrored = replace(alignment, projections=alignment.projections * [1, 1, -1])

    assert alignment.compare(mirrored).rms_px > 10


def test_a_moved_specimen_is_seen_where_it_was(alignment, rng):
    motion = RigidMotion(view_rotation(40.0, -7.0, 3.0), np.array([30.0, -200, 55]))
    points = rng.normal(size=(6, 3)) * 500

    np.testing.assert_allclose(
        alignment.moved(motion).project(motion(points)), alignment.project(points)
    )
    np.testing.assert_allclose(motion.inverse(motion(points)), points)


def test_the_map_is_undone_on_a_plane(alignment, rng):
    points = np.concatenate([rng.normal(size=(6, 2)) * 500, np.full((6, 1), 120.0)], -1)

    back = alignment.back_to_plane(alignment.project(points), z=120.0)

    np.testing.assert_allclose(back, np.broadcast_to(points, back.shape), atol=1e-8)


def test_transformed_images_show_the_transformed_points(alignment, rng):
    maps = rng.normal(size=(9, 2, 3))
    points = rng.normal(size=(4, 3))

    seen = alignment.through(maps).project(points)

    expected = np.einsum("nij,nmj->nmi", maps[..., :2], alignment.project(points))
    np.testing.assert_allclose(seen, expected + maps[:, None, :, 2])


def test_half_sets_share_no_view_and_lose_none(alignment):
    halves = [set(alignment.every_other(first).sections) for first in (0, 1)]

    assert not halves[0] & halves[1]
    assert halves[0] | halves[1] == set(alignment.sections)


def test_a_left_out_view_takes_its_displacement_along(alignment, rng):
    field = Displacement(rng.normal(size=(9, 2, 3, 4)), (5000.0, 5000.0))
    moving = replace(alignment, displacement=field)
    points = rng.normal(size=(4, 3)) * 300

    fewer = moving.without([4])

    assert fewer.left_out == (3, 4, 7, 11)
    np.testing.assert_allclose(fewer.project(points), np.delete(moving.project(points), 3, 0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"sections": np.array([0, 1, 1])},
        {"sections": np.array([0, 1, 7])},
        {"shifts": np.full((3, 2), np.nan)},
        {"shifts": np.zeros((2, 2))},
    ],
)
def test_an_alignment_that_contradicts_itself_is_refused(wrong):
    good = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=np.arange(3.0),
        shifts=np.zeros((3, 2)),
        image_size=(8, 8),
        pixel_size=1.0,
    )

    with pytest.raises(UserError):
        replace(good, **wrong)


def test_alignments_of_different_stacks_are_not_compared(alignment):
    with pytest.raises(UserError, match="different stacks"):
        alignment.compare(replace(alignment, image_size=(928, 960)))
