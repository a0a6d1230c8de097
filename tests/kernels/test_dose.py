"""Damage against other programs' weights and against its own integral."""

import json

import numpy as np
import pytest
from scipy.integrate import quad

from vitreous.kernels.dose import amplitude_of_exposure, critical_dose, remaining_amplitude


def test_the_weights_are_cistems(shared):
    cases = json.loads((shared / "reference/session_vectors.json").read_text())["dose_weight"]
    cistem = [case for case in cases if case["program"] == "cistem"]

    assert {case["kv"] for case in cistem} == {100, 200, 300}
    for case in cistem:
        found = remaining_amplitude(case["k"], case["dose"], case["kv"])
        # cisTEM's constants have three digits
        assert np.log(found) == pytest.approx(np.log(case["w"]), rel=2e-3, abs=1e-12)


@pytest.mark.parametrize(("pre_exposure", "dose"), [(0, 3), (60, 3), (20, 100)])
def test_an_exposure_shows_the_mean_of_what_is_left(pre_exposure, dose):
    for k in (0.01, 0.1, 0.3):
        mean = quad(lambda n, k=k: remaining_amplitude(k, n), pre_exposure, pre_exposure + dose)

        found = amplitude_of_exposure(k, pre_exposure, dose)

        assert found == pytest.approx(mean[0] / dose, rel=1e-10)


def test_the_mean_brightness_is_never_damaged():
    assert critical_dose(0.0) == np.inf
    assert amplitude_of_exposure(np.zeros(2), 50, 3).tolist() == [1, 1]


def test_an_exposure_without_dose_shows_what_its_beginning_had():
    assert amplitude_of_exposure(0.1, 30, 0) == remaining_amplitude(0.1, 30)


def test_slower_electrons_do_more_damage():
    at = [float(critical_dose(0.1, kv)) for kv in (80, 100, 150, 200, 250, 300)]

    assert at[0] == at[1]
    assert np.all(np.diff(at[1:]) > 0)
