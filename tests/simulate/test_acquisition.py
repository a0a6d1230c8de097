import numpy as np
import pytest

from tests.simulate.shared_series import NAMES, exposures_of, read_reference, settings_like
from vitreous.simulate.acquisition import acquisition_order, exposures, true_alignment
from vitreous.simulate.sample import slab_of
from vitreous.simulate.settings import SimulateSettings
from vitreous.simulate.truth import true_tilt


def test_orders_are_those_of_the_schemes():
    angles = np.arange(-12, 13, 3)

    def order(scheme, group=1):
        return angles[acquisition_order(9, scheme, group)].tolist()

    assert order("dose-symmetric") == [0, 3, -3, 6, -6, 9, -9, 12, -12]
    assert order("dose-symmetric", 2) == [0, 3, 6, -3, -6, 9, 12, -9, -12]
    assert order("dose-symmetric", 3) == [0, 3, 6, 9, -3, -6, -9, 12, -12]
    assert order("bidirectional") == [0, 3, 6, 9, 12, -3, -6, -9, -12]
    assert order("unidirectional") == angles.tolist()


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_series_are_taken_in_our_order(shared, name):
    truth = read_reference(shared, name).truth

    ours = exposures(settings_like(truth))

    assert [t.exposure_index for t in ours] == [t["acquired"] for t in truth["tilts"]]
    assert [t.nominal_tilt for t in ours] == [t["nominal_angle"] for t in truth["tilts"]]
    found, expected = [t.pre_exposure for t in ours], [t["dose_before"] for t in truth["tilts"]]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_maps_heights_and_defocus_are_those_of_the_reference(shared, name):
    truth = read_reference(shared, name).truth
    tilts, settings = exposures_of(truth), settings_like(truth)
    alignment, slab = true_alignment(tilts, settings), slab_of(settings)

    for tilt, theirs in zip(tilts, truth["tilts"], strict=True):
        ours = true_tilt(tilt, alignment, slab)
        np.testing.assert_allclose(ours["P"], theirs["P"], atol=2e-7)
        assert ours["deformation_f"] == pytest.approx(theirs["deformation_f"], rel=1e-12)
        assert ours["defocus_image_centre"] == pytest.approx(
            theirs["defocus_image_centre"], abs=0.02
        )
        # theirs is of the slab without its bend
        assert ours["transmission"] == pytest.approx(theirs["transmission"], abs=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_alignment_projects_as_the_references_matrices_do(shared, name, rng):
    truth = read_reference(shared, name).truth
    alignment = true_alignment(exposures_of(truth), settings_like(truth))
    points = rng.uniform(-180, 180, (20, 3))  # px
    matrices = np.array([tilt["P"] for tilt in truth["tilts"]])
    seen = np.einsum("nij,mj->nmi", matrices[..., :3], points) + matrices[:, None, :, 3]

    np.testing.assert_allclose(alignment.pixels(points * truth["pixel"]), seen[..., :2], atol=2e-4)
    heights = alignment.heights(points * truth["pixel"]) / truth["pixel"]
    np.testing.assert_allclose(heights, seen[..., 2], rtol=2e-3)


def test_the_stage_errs_as_much_as_asked_for():
    settings = SimulateSettings(size=(500, 400), tilt_step=0.5, jumps="7,100-101", axis_error=0)
    tilts = exposures(settings)

    errors = np.array([tilt.tilt - tilt.nominal_tilt for tilt in tilts])
    shifts = np.array([tilt.shift_px for tilt in tilts])
    jumped = np.flatnonzero(np.linalg.norm(shifts, axis=1) > 100) + 1
    calm = np.delete(shifts, jumped - 1, 0)
    sizes = np.array([tilt.magnification for tilt in tilts])
    order = np.array([tilt.exposure_index for tilt in tilts])

    assert errors.std() == pytest.approx(0.07, rel=0.15)
    assert calm.std() == pytest.approx(8, rel=0.15)
    assert jumped.tolist() == [7, 100, 101]
    assert np.linalg.norm(shifts[6]) == pytest.approx(400 / 3)
    assert np.polyfit(order, sizes, 1)[0] * 240 == pytest.approx(1e-3, rel=0.1)
    assert np.mean([tilt.axis for tilt in tilts]) == pytest.approx(-4.3, abs=0.01)
