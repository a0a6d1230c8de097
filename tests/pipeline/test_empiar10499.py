"""The main job on a real series, with three alignments of it."""

import numpy as np
import pytest

from tests.pipeline.empiar10499 import CASES, PIXEL_SIZE, measure, normalised_stack
from vitreous.formats.alignments import read_alignment
from vitreous.formats.facts import PartialFacts
from vitreous.geometry.motions import box_points

README = {  # max SD, kurtosis, as the data's README has them
    "imod": (0.1131, 190),
    "warp_refined": (0.1219, 238),
    "beads_fit": (0.1246, 253),
}


@pytest.fixture(scope="module")
def series(shared):
    return shared / "data" / "empiar10499_ts254"


@pytest.fixture(scope="module")
def measured(series, tmp_path_factory):
    """{alignment: what its tomogram shows}."""
    folder = tmp_path_factory.mktemp("empiar10499")
    stack = normalised_stack(series, folder / "TS_00254.mrc")
    found = {name: measure(series, name, stack, folder / name) for name in CASES}
    stack.unlink()
    return found


def test_better_alignments_make_sharper_slices(measured):
    imod, refined, fitted = (measured[name] for name in ("imod", "warp_refined", "beads_fit"))

    assert 1.05 * imod.max_sd < refined.max_sd < 0.98 * fitted.max_sd
    assert 1.2 * imod.kurtosis < refined.kurtosis < 0.97 * fitted.kurtosis


@pytest.mark.parametrize("name", CASES)
def test_sharpness_is_near_to_what_the_readme_has(name, measured):
    max_sd, kurtosis = README[name]

    assert measured[name].max_sd == pytest.approx(max_sd, rel=0.03)
    assert measured[name].kurtosis == pytest.approx(kurtosis, rel=0.06)


def test_gold_lies_where_the_fit_to_it_says(measured):
    fitted = measured["beads_fit"]

    assert len(fitted.beads) == 21
    assert np.median(fitted.distances) < 0.2
    assert fitted.distances.max() < 0.6
    assert np.abs(fitted.beads.mean(0)).max() < 0.1


def test_gold_lies_where_the_refined_alignment_puts_it(measured):
    refined = measured["warp_refined"]

    assert np.median(refined.distances) < 0.35
    assert refined.distances.max() < 0.8
    assert np.abs(refined.beads.mean(0)).max() < 0.15


def test_the_first_alignment_is_off_by_most_of_a_pixel(measured):
    first = measured["imod"]

    assert 0.5 < np.sqrt((first.distances**2).mean()) < 1.1
    assert first.distances.max() < 1.7


def test_warps_tomogram_is_the_mirror_image_in_z_of_imods(series):
    told = PartialFacts(41, (652, 630), PIXEL_SIZE)
    imod = read_alignment(series / "imod" / "TS_00254.xf", told)
    warp = read_alignment(series / "warp_from_xf" / "00254.xml", told)  # Warp's import of the .xf
    points = box_points(np.array([6000.0, 6000, 1500]))

    mirrored = warp.project(points * [1, 1, -1])

    # Warp copies the shift: its image centre lies half a pixel beside IMOD's
    np.testing.assert_allclose(mirrored - imod.project(points), 0.5 * PIXEL_SIZE, atol=0.02)
    assert np.abs(warp.project(points) - imod.project(points)).max() > 1000
