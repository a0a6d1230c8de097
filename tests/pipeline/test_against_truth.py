"""What was found of a simulated session beside its truth."""

import pytest

from vitreous.pipeline.against_truth import astigmatism_error


def ctf_of(astigmatism, degrees):
    half = astigmatism / 2
    return {
        "defocus_u": 30000 + half,
        "defocus_v": 30000 - half,
        "astigmatism_degrees": degrees,
    }


def test_the_one_astigmatism_of_a_series_is_held_against_the_mean_of_its_tilts():
    tilts = [
        {**ctf_of(astigmatism, 10.0), "astig_angle": 10.0, "tilt": tilt}
        for tilt, astigmatism in ((-3, 300), (0, 600), (3, 900))
    ]
    views = [{"tilt_degrees": tilt, "ctf": ctf_of(600, 10.0)} for tilt in (-3, 0, 3)]

    exact = astigmatism_error({"views": views}, {"tilts": tilts})
    of_two = astigmatism_error({"views": views[1:]}, {"tilts": tilts})

    assert exact == pytest.approx(0, abs=1e-9)
    assert of_two == pytest.approx(150)
