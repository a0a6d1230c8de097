"""The whole chain on small planted series: what goes wrong in practice, and what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, SIZE, blob_series
from vitreous.align.quality import Scores
from vitreous.align.series import align_series, axis_warnings
from vitreous.align.settings import AlignSettings
from vitreous.errors import UserError
from vitreous.records.images import ArrayStack

AXIS = -4.3
TILTS = np.arange(-60, 61, 4.0)
DARK, BLANK, ELSEWHERE, JUMPED = 3, 7, 24, 20
HOT = ([5, 60, 90], [100, 33, 77])
X_RAYS = 4  # an image


def aligned(series, axis=AXIS, **settings):
    return align_series(
        series.stack,
        np.round(series.truth.tilts_degrees, 6),
        AlignSettings(**settings),
        nominal_axis_degrees=axis,
        threads=2,
    )


def apart_px(found, series):
    """RMS distance to the truth, whose gauge is a rotation: a mirrored specimen is far off."""
    return found.alignment.compare(series.truth, thickness_angstrom=1200.0).rms_px


@pytest.fixture(scope="module")
def spoilt():
    """A series with all that goes wrong at once, but for the nominal axis."""
    series = blob_series(tilts=TILTS, jumps={JUMPED: (SIZE / 3, 0)}, count=300)
    images, rng = series.images.copy(), np.random.default_rng(3)
    images[DARK] *= 0.1
    images[BLANK] = 55
    images[ELSEWHERE] = blob_series(tilts=TILTS, seed=99).images[ELSEWHERE]
    images[:, HOT[0], HOT[1]] += 40
    y, x = rng.integers(0, SIZE, (2, len(TILTS), X_RAYS))
    images[np.arange(len(TILTS))[:, None], y, x] += 80
    images[BLANK] = 55
    images[0, 64, 60:63] = np.nan
    return replace(series, images=images)


@pytest.fixture(scope="module")
def found(spoilt):
    return aligned(spoilt, AXIS + 10)


def test_a_series_is_found_in_spite_of_all_that_went_wrong(found, spoilt):
    assert found.axis_degrees == pytest.approx(AXIS, abs=2)
    assert found.axis_difference_degrees == pytest.approx(-10, abs=2)
    assert apart_px(found, spoilt) < 1.0
    assert found.scores.is_trusted


def test_a_jump_of_a_third_of_the_field_is_found(found, spoilt):
    apart = found.alignment.compare(spoilt.truth, thickness_angstrom=1200.0)

    view = apart.sections.tolist().index(JUMPED)

    assert np.sqrt((apart.distances_px[view] ** 2).mean()) < 1.5


def test_tilts_that_show_nothing_are_left_out_with_the_reason(found):
    assert list(found.left_out) == [DARK, BLANK, ELSEWHERE]
    assert found.left_out[DARK].startswith("dark: 10 % of the brightness")
    assert found.left_out[BLANK] == "blank: one grey value (55) all over"
    assert found.left_out[ELSEWHERE].startswith("shows nothing of what the other tilts do")
    assert found.alignment.left_out == (DARK, BLANK, ELSEWHERE)
    assert len(found.scores.at_zero) == len(found.alignment) == len(TILTS) - 3


def test_bad_pixels_are_replaced_and_counted(found):
    repaired = list(found.repaired.values())

    assert BLANK not in found.repaired
    assert all(each.hot >= len(HOT[0]) for each in repaired)
    assert np.mean([each.outliers for each in repaired]) > 0.7 * X_RAYS
    assert found.repaired[0].missing == 3


def test_an_axis_far_from_the_nominal_one_is_a_warning(found):
    (said,) = [warning for warning in found.warnings if "axis" in warning]

    assert "degrees from the nominal one (5.70)" in said


def test_without_a_nominal_axis_one_of_the_two_is_found_and_the_other_named():
    series = blob_series()

    found = aligned(series, None)

    assert found.axis_difference_degrees is None
    assert found.axis_degrees == pytest.approx(AXIS, abs=2)
    assert apart_px(found, series) < 1.0
    (said,) = [warning for warning in found.warnings if "no nominal tilt axis" in warning]
    assert f"{found.axis_degrees:.2f} degrees was found" in said
    assert f"{found.axis_degrees + 180:.2f} would fit the images as well" in said


def test_a_fixed_axis_stays_where_it_is_even_where_it_is_wrong():
    series = blob_series()

    right = aligned(series, AXIS, tilt_axis_fixed=True)
    wrong = aligned(series, AXIS + 3, tilt_axis_fixed=True)

    assert right.alignment.axes_degrees == pytest.approx(np.full(25, AXIS), abs=1e-6)
    assert apart_px(right, series) < 1.0
    assert wrong.alignment.axes_degrees == pytest.approx(np.full(25, AXIS + 3), abs=1e-6)
    assert apart_px(wrong, series) > 2 * apart_px(right, series)


def test_an_axis_that_nobody_says_cannot_stay_fixed():
    with pytest.raises(UserError, match="nothing says where it is: --tilt-axis"):
        aligned(blob_series(), None, tilt_axis_fixed=True)


@pytest.fixture(scope="module")
def usual():
    series = blob_series(along_x=10.0, along_y=-7.0, thickness=800.0, count=700, seed=2)
    return series, aligned(series)


def test_the_specimen_has_the_hand_that_the_sense_of_the_tilts_says(usual):
    series, found = usual
    mirrored = aligned(replace(series, truth=mirror_of(series.truth)))

    assert apart_px(found, series) < 1.0
    # tilts counted the other way: the mirror image, which no motion brings onto the specimen
    assert apart_px(mirrored, replace(series, truth=mirror_of(series.truth))) < 1.0
    assert apart_px(mirrored, series) > 5.0


def mirror_of(truth):
    """The alignment in which z and all tilts have the other sign: the same projections' twin."""
    flip = np.array([1.0, 1.0, -1.0])
    return replace(truth, projections=truth.projections * flip)


def test_a_tilted_slab_is_levelled_on_request(usual):
    series, found = usual

    flat = aligned(series, level=True)

    assert apart_px(flat, series) == pytest.approx(apart_px(found, series), abs=0.01)
    assert flat.extent.along_x == pytest.approx(10, abs=3)
    turned = flat.alignment.tilts_degrees - found.alignment.tilts_degrees
    np.testing.assert_allclose(turned, turned[0], atol=0.5)
    assert abs(turned[0]) == pytest.approx(abs(flat.extent.along_x), abs=1)
    assert flat.alignment.thickness_angstrom < found.alignment.thickness_angstrom


def test_a_thick_series_needs_no_hint():
    series = blob_series(thickness=3600.0, count=700, seed=2)

    found = aligned(series)

    assert found.alignment.compare(series.truth, thickness_angstrom=3600.0).rms_px < 1.2
    assert found.extent.thickness == pytest.approx(3600, rel=0.25)
    assert found.alignment.thickness_angstrom > 3600


def test_excluded_tilts_count_from_1_and_all_others_can_be_kept():
    series = blob_series(count=300, tilts=TILTS[::3])
    images = series.images.copy()
    images[2] *= 0.1
    images[5] = 7

    found = aligned(replace(series, images=images), exclude_tilts="1,10-11", keep_all=True)

    assert found.left_out == {
        0: "excluded by the settings",
        5: "blank: one grey value (7) all over",
        9: "excluded by the settings",
        10: "excluded by the settings",
    }
    assert found.alignment.sections.tolist() == [1, 2, 3, 4, 6, 7, 8]


def test_the_steps_of_progress_rise_to_their_end():
    series, steps = blob_series(count=150, tilts=TILTS[::5]), []

    align_series(
        series.stack,
        TILTS[::5],
        AlignSettings(rounds=1),
        nominal_axis_degrees=AXIS,
        progress=lambda done, of: steps.append((done, of)),
    )

    done = [step for step, _ in steps]
    assert done == sorted(done)
    assert len({of for _, of in steps}) == 1
    assert steps[-1][0] == steps[-1][1]


@pytest.mark.parametrize(
    ("tilts", "settings", "said"),
    [
        (np.arange(4) * 10, {}, "4 usable tilts are too few"),
        (np.arange(6) * 10, {"exclude_tilts": "2-3"}, r"4 usable tilts \(2 left out\)"),
        (np.full(6, 30.0), {}, "run from 30 to 30 degrees only"),
        (np.arange(5) * 10, {"exclude_tilts": "6"}, "tilt 6"),
    ],
)
def test_a_series_that_can_not_be_aligned_is_refused(tilts, settings, said, rng):
    stack = ArrayStack(rng.normal(100, 5, (len(tilts), 64, 64)).astype(np.float32), PIXEL_SIZE)

    with pytest.raises(UserError, match=said):
        align_series(stack, tilts, AlignSettings(**settings))


def test_another_number_of_angles_is_refused(rng):
    stack = ArrayStack(rng.normal(size=(6, 64, 64)).astype(np.float32), PIXEL_SIZE)

    with pytest.raises(UserError, match="5 tilt angles for 6 images"):
        align_series(stack, np.arange(5), AlignSettings())


@pytest.mark.parametrize(
    ("axis", "nominal", "said"),
    [
        (85.0, 85.9, None),
        (-94.5, 85.3, None),  # the same line
        (88.4, 85.3, "+3.1 degrees from the nominal one"),
        (80.0, 85.3, "-5.3 degrees from the nominal one"),
        (-4.0, 85.3, "nearly square to the nominal one (85.30): x and y seem to be exchanged"),
        (12.0, None, "-168.00 would fit the images as well"),
    ],
)
def test_what_is_said_of_the_axis(axis, nominal, said):
    warnings = axis_warnings(axis, nominal)

    assert len(warnings) == (said is not None)
    assert all(said in warning for warning in warnings)


def test_a_series_is_trusted_while_few_of_its_tilts_do_not_fit():
    good = Scores(np.full(20, 30.0), np.full(20, 31.0), np.full(20, 3.0), np.full(20, 4.0))
    scores = replace(good, at_zero=np.array([7.0, 5.0, *good.at_zero[2:]]))

    assert good.is_trusted
    assert scores.trusted.sum() == 18
    assert scores.is_trusted
    assert not replace(good, moves_angstrom=np.repeat([50.0, 0], [8, 12])).is_trusted
    assert not replace(good, residuals_angstrom=np.repeat([np.inf, 0], [8, 12])).is_trusted


def test_a_view_fits_nowhere_only_where_the_others_agree():
    heights = np.array([5.0, *np.full(9, 30.0)])
    one = Scores(heights, heights, np.zeros(10), np.zeros(10))
    none = Scores(np.full(10, 4.0), np.full(10, 5.0), np.zeros(10), np.zeros(10))

    assert np.flatnonzero(one.nowhere).tolist() == [0]
    assert not none.nowhere.any()
    assert one.chosen(~one.nowhere).score == 30
    assert len(one.chosen(~one.nowhere).residuals_angstrom) == 9
