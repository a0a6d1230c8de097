"""Extraction, held to what RELION's tomo_subtomo cut out."""

from dataclasses import replace

import numpy as np
import pytest

from tests.average.relion_particles import outputs, run, tilted
from tests.average.test_relion_oracle import apart, correlation
from vitreous.average.extract import extracted
from vitreous.average.extract_settings import ExtractSettings

RUNS = {
    "sub2d": {},
    "sub2d_bin2": {"box": 24, "crop": 16, "binning": 2},
    "sub2d_noic_noctf": {"dark": False, "ctf": False},
    "sub3d": {"form": "volumes"},
    "sub3d_bin2": {"form": "volumes", "box": 24, "crop": 16, "binning": 2},
}
CHOSEN = {"TS_1/1": (0, 0), "TS_1/30": (0, 29), "TS_2/6": (1, 5)}


@pytest.fixture
def oracle(shared):
    return shared / "oracles" / "R2_relion_particle"


def without_nyquist(weights):
    """Both blocks less the planes of the highest frequency, which the program parts otherwise."""
    side = weights.shape[1]
    inside = np.arange(side) != side // 2
    blocks = weights.reshape(2, side, side, -1)[..., : side // 2]
    return blocks[:, inside][:, :, inside]


def particle(oracle, name, settings):
    tomogram, index = CHOSEN[name]
    whole = tilted(oracle)[tomogram]
    alone = replace(whole, particles=whole.particles.chosen(np.array([index])))
    (found,) = extracted(alone, settings)
    return found


@pytest.mark.parametrize("name", RUNS)
def test_what_is_cut_out_agrees_with_the_programs(oracle, name):
    settings = ExtractSettings.model_validate({"box": 40, "crop": 32} | RUNS[name])
    for chosen in CHOSEN:
        found = particle(oracle, chosen, settings)

        if settings.form == "stacks":
            ours = {"stack2d": found.images}
        else:
            ours = {"data": found.volume, "weights": found.weights}
        for kind, array in ours.items():
            theirs = run(oracle, f"{name}/{chosen}_{kind}")
            assert array.shape == theirs.shape
            if kind == "weights":
                array, theirs = without_nyquist(array), without_nyquist(theirs)
            assert correlation(array, theirs) > (0.999 if kind == "weights" else 0.9999)
            # at the edge of the sphere some points count here and not there
            most = {"stack2d": 1e-3, "data": 0.015, "weights": 0.05}[kind]
            assert apart(array, theirs) < most, (chosen, kind)
            for rival in CHOSEN:
                other = run(oracle, f"{name}/{rival}_{kind}")
                if kind == "weights":
                    other = without_nyquist(other)
                if rival != chosen and other.shape == theirs.shape:
                    assert apart(array, other) > 0.5


def test_every_stored_output_is_held(oracle):
    stored = {name.split("/")[0] for name in outputs(oracle) if name.startswith("sub")}
    assert stored == {*RUNS, "sub2d_orient_maxdose"}  # that one is held through the command
