import json

import numpy as np
import pytest

from tests.simulate.shared_series import read_reference
from vitreous.simulate.scores import places_seen, points_in_ice
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings
from vitreous.simulate.truth import truth

SETTINGS = SimulateSettings(
    size=(160, 120), pixel_size=10.0, tilt_step=10.0, beads=400.0, vesicles=60.0
)


@pytest.fixture(scope="module")
def series():
    return simulate_series(SETTINGS)


@pytest.fixture(scope="module")
def told(series):
    return json.loads(json.dumps(truth(series, "TS_7")))


def keys(part):
    if isinstance(part, dict):
        return {key: keys(value) for key, value in part.items()}
    if isinstance(part, list) and part and isinstance(part[0], dict):
        return [keys(part[0])]
    return None


def test_the_keys_are_those_of_the_reference(shared, told):
    reference = keys(read_reference(shared, "sim_beads").truth)

    ours = keys(told)
    ours.pop("seed")
    ours.pop("phase_shift_deg")

    assert ours == reference


def test_the_truth_tells_where_the_series_shows_beads(series, told):
    positions = np.array([bead["pos"] for bead in told["beads"]]) * told["pixel"]

    seen = places_seen(told, told["tilts"], positions)

    assert len(positions) == round(400 * 1600 * 1200 / 1e8)
    np.testing.assert_allclose(seen, series.pixels(positions), atol=1e-3)


def test_points_in_the_ice_lie_in_the_ice(series, told):
    points = points_in_ice(told)

    above = points[:, 2] - series.sample.slab.middle(points[:, 0], points[:, 1])
    assert np.abs(above).max() < SETTINGS.thickness_angstrom / 2 + SETTINGS.bend_angstrom
    assert np.ptp(above) > 0.9 * SETTINGS.thickness_angstrom
    assert np.ptp(points[:, :2], axis=0) == pytest.approx([0.88 * 1600, 0.88 * 1200])


def test_what_is_listed_lies_in_the_field(told):
    for kind, key in (("beads", "pos"), ("particles", "pos"), ("vesicles", "centre")):
        places = np.array([body[key] for body in told[kind]])
        assert len(places) > 0
        assert (np.abs(places[:, :2]) <= [80, 60]).all()


def test_movies_have_their_motion():
    series = simulate_series(SETTINGS.model_copy(update={"frames": 5, "max_tilt": 0.0}))

    motion = np.array(truth(series, "x")["tilts"][0]["motion_px"])

    assert motion.shape == (5, 2)
    np.testing.assert_allclose(motion.mean(0), 0, atol=1e-4)
