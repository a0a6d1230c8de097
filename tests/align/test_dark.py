import numpy as np
import pytest

from vitreous.align.dark import below_tolerance, blank_reason, dark_reasons

TILTS = np.arange(-60, 61, 3.0)
PATH = 1 / np.cos(np.deg2rad(TILTS))


def seen_through(ice, dose=100.0):
    """Means and standard deviations of counts behind `ice` mean free paths."""
    means = dose * np.exp(-ice * PATH)
    return means, np.sqrt(means)


@pytest.mark.parametrize("ice", [0.2, 1.0, 1.6])
def test_thick_ice_at_steep_tilts_is_not_dark(ice):
    assert dark_reasons(TILTS, *seen_through(ice)) == {}


def test_dark_tilts_are_told_with_their_share():
    means, _ = seen_through(0.5)
    means[[0, 25]] *= [0.05, 0.2]

    reasons = dark_reasons(TILTS, means, np.sqrt(means))

    assert sorted(reasons) == [0, 25]
    assert "5 % of the brightness" in reasons[0]
    assert "20 %" in reasons[25]


def test_dark_tilts_are_found_where_the_grey_scale_has_an_offset():
    means, deviations = seen_through(0.5)
    deviations[7] *= 0.3

    reasons = dark_reasons(TILTS, means - 128, deviations)

    assert list(reasons) == [7]
    assert "variance" in reasons[7]


def test_one_bright_tilt_does_not_make_the_others_dark():
    means, deviations = seen_through(0.5)
    means[20] *= 30

    assert dark_reasons(TILTS, means, deviations) == {}


def test_half_the_tilts_dark_are_found():
    means, deviations = seen_through(0.3)
    means[:20] *= 0.1

    assert sorted(dark_reasons(TILTS, means, deviations)) == list(range(20))


def test_all_tilts_at_one_angle_are_judged_by_their_mean():
    means = np.array([100.0, 100, 10, 100, 100])

    assert list(dark_reasons(np.zeros(5), means, np.sqrt(means))) == [2]


@pytest.mark.parametrize(
    ("image", "missing", "said"),
    [
        (np.full((8, 8), 7.0), 0, "one grey value"),
        (np.full((8, 8), 0.0), 64, "NaN only"),
        (np.arange(64.0).reshape(8, 8), 40, "62 %"),
    ],
)
def test_images_without_content_are_blank(image, missing, said):
    assert said in blank_reason(image, missing)


def test_an_image_with_content_is_not_blank():
    assert blank_reason(np.arange(64.0).reshape(8, 8), 3) is None


def test_aretomos_tolerance_takes_mean_over_deviation_beside_that_of_the_untilted():
    tilts = np.arange(-60, 61, 10.0)
    means, deviations = np.full(13, 50.0), np.full(13, 10.0)
    means[[0, 6, 12]] = 20.0, 1.0, 34.0

    # the seven nearest to 0 but one of the largest: five at 5 and the dark one at 0.1, mean 4.18
    assert below_tolerance(tilts, means, deviations, 0.7) == [0]
    assert below_tolerance(tilts, means, deviations, 0.9) == [0, 12]
    assert below_tolerance(tilts, means, deviations, 0.0) == []
