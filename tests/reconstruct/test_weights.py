import numpy as np
import pytest
from pydantic import ValidationError

from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.weights import (
    Line,
    angular_density,
    exact_filter,
    frequency_weights,
    view_factors,
)
from vitreous.records.typed import angstrom, checked_length

LINE = Line(pixels=960, padded=1024)
EVEN = np.linspace(-60, 60, 41)


def weights(**settings):
    return frequency_weights(LINE, EVEN, ReconstructSettings(**settings))[0]


def test_the_ramp_counts_fourier_pixels_and_keeps_a_fifth_of_the_mean():
    ramp = weights()

    np.testing.assert_allclose(ramp[:513], [0.2, *range(1, 513)])
    assert not ramp[513:].any()  # what no volume of this sampling can hold


def test_a_hamming_window_leaves_a_tenth_at_nyquist():
    np.testing.assert_allclose(weights(window="hamming")[512], 51.2)


def test_a_gaussian_can_multiply_the_ramp_instead_of_replacing_it():
    fall, multiplied = (
        weights(radial_cutoff=0.3),
        weights(radial_cutoff=0.3, multiply_by_gaussian=True),
    )

    beyond = np.arange(307, 512)
    np.testing.assert_allclose(fall[:306], multiplied[:306])
    np.testing.assert_allclose(multiplied[beyond] / fall[beyond], beyond / 306)


def test_views_seen_twice_count_half_in_the_exact_filter():
    doubled = np.sort(np.concatenate([EVEN, EVEN[10:11]]))

    exact = exact_filter(LINE, doubled, 300)

    high = 300  # where only views at the very same angle overlap
    np.testing.assert_allclose(exact[10, high] / exact[30, high], 0.5, rtol=1e-6)
    np.testing.assert_allclose(exact[10], exact[11])


def test_for_even_views_the_exact_filter_is_the_ramp_below_the_crowther_limit():
    exact = exact_filter(LINE, EVEN, 100)[20]

    k = np.arange(20, 90)  # 100 px at 3 degrees: at least two neighbours overlap up to k = 98
    np.testing.assert_allclose(exact[k], k, rtol=0.06)


def test_a_view_beside_a_gap_stands_for_more():
    tilts = np.array([-60.0, -30, -27, -24, 0, 3, 60])

    density = angular_density(tilts, ReconstructSettings(density_neighbours=1))

    np.testing.assert_allclose(density, np.array([30, 16.5, 3, 13.5, 13.5, 30, 57]) / 20)
    flat = angular_density(tilts, ReconstructSettings(density_neighbours=0))
    np.testing.assert_array_equal(flat, 1)


def test_density_weights_make_the_filtered_backprojection_integral():
    factors = view_factors(EVEN, LINE, 10.0, ReconstructSettings())

    np.testing.assert_allclose(factors, np.deg2rad(3) / (1024 * 10))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("300", 3000),
        ("300px", 3000),
        ("120nm", 1200),
        ("1200A", 1200),
        ("0.12 um", 1200),
        ("-5", -50),
    ],
)
def test_lengths_are_unbinned_pixels_or_have_a_unit(text, expected):
    np.testing.assert_allclose(angstrom(checked_length(text), 10.0), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"thickness": "12 parsecs"},
        {"thickness": "nm"},
        {"exclude_tilts": "3;4"},
        {"radial_cutoff": 0.3, "hamming_start": 0.2},
        {"fake_sirt_iterations": 5, "flat_fraction": 0.5},
        {"weighting": "exact", "flat_fraction": 0.5},
        {"density_weights": (1.0, 0.5), "density_neighbours": 3},
        {"relaxation": 2.0},
        {"binning": 0},
        {"no_such_setting": 1},
    ],
)
def test_settings_that_contradict_one_another_are_refused(wrong):
    with pytest.raises(ValidationError):
        ReconstructSettings(**wrong)
