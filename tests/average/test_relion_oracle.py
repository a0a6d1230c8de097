"""Our way of RELION's Reconstruct particle, held to the program's own maps."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.average.relion_particles import PIXEL, outputs, run, tilted, truth
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import divided, summed
from vitreous.kernels.fsc import fourier_shell_correlation

RUNS = {
    "base": ({}, {}),
    "C6": ({"symmetry": "C6"}, {}),
    "D2": ({"symmetry": "D2"}, {}),
    "SNR1e-1": ({"snr": 0.1}, {}),
    "SNR100": ({"snr": 100}, {}),
    "crop24": ({"crop": 24, "taper": 4}, {}),
    "bin2": ({"box": 20, "binning": 2}, {}),
    "bin1p5": ({"box": 24, "binning": 1.5}, {}),
    "noctf": ({"ctf": False}, {}),
    "nocircle": ({"circle_crop": False}, {}),
    "whiten": ({"whiten": True}, {}),
    "taper3": ({"taper": 3}, {}),
    "cutoff0p3": ({"dose_cutoff": 0.3}, {}),
    "helix": ({"helical_units": 3, "helical_rise": 12, "helical_twist": 40}, {}),
    "motion": ({}, {"moving": True}),
    "handplus": ({}, {"hand": 1}),
    "slope15": ({}, {"slope": 15}),
    "slope15_handplus": ({}, {"hand": 1, "slope": 15}),
}
HALVES = {"merged": None, "half1": 0, "half2": 1}
SAME = {"r4", "threads", "mpi2", "mpi2_noctf", "nohalf"}  # as base, or not to be reproduced


@pytest.fixture
def oracle(shared):
    return shared / "oracles" / "R2_relion_particle"


def settings_of(name):
    """The settings of a run of the program."""
    return AverageSettings.model_validate(
        {"box": 36, "kernel": "gather", "taper": 10} | RUNS[name][0]
    )


@cache
def sums_of(oracle, name):
    return summed(tilted(oracle, **RUNS[name][1]), settings_of(name))


def map_of(oracle, name, half):
    """Our map of a run: of both half sets, or of one."""
    sums, index = sums_of(oracle, name), HALVES[half]
    return divided(
        sums.both if index is None else sums.halves[index],
        settings_of(name),
        PIXEL * settings_of(name).binning,
    )


def correlation(a, b):
    return np.corrcoef(np.ravel(a), np.ravel(b))[0, 1]


def apart(ours, theirs):
    """Root mean square of the difference over the standard deviation."""
    return np.sqrt(((ours - theirs) ** 2).mean()) / theirs.std()


def least_fsc(a, b, to=0.7):
    """The smallest Fourier shell correlation up to a share of Nyquist, inside the sphere."""
    size = len(a)
    axis = np.arange(size) - size // 2
    inside = sum(np.meshgrid(axis**2, axis**2, axis**2)) < (size // 2 - 1) ** 2
    one, two = np.fft.fftn(a * inside), np.fft.fftn(b * inside)
    steps = np.fft.fftfreq(size, 1 / size)
    shell = np.sqrt(sum(np.meshgrid(steps**2, steps**2, steps**2))).round().astype(int).ravel()
    cross = np.bincount(shell, (one * two.conj()).real.ravel())
    power = np.bincount(shell, np.abs(one).ravel() ** 2) * np.bincount(
        shell, np.abs(two).ravel() ** 2
    )
    last = int(to * size / 2)
    return (cross / np.sqrt(power))[1 : last + 1].min()


def stored(oracle, name):
    """The halves of a run that are kept, 'merged' among them."""
    return [half for half in HALVES if f"{name}/{half}" in outputs(oracle)]


@pytest.mark.parametrize("name", RUNS)
def test_maps_agree_with_the_programs(oracle, name):
    for half in stored(oracle, name):
        ours, theirs = map_of(oracle, name, half).volume, run(oracle, f"{name}/{half}")

        assert correlation(ours, theirs) > 0.999, half
        assert least_fsc(ours, theirs) > 0.995, half
        assert (ours * theirs).sum() / (theirs**2).sum() == pytest.approx(1, abs=0.005)


@pytest.mark.parametrize("name", RUNS)
def test_a_map_is_nearer_to_its_own_run_than_to_any_other(oracle, name):
    for half in stored(oracle, name):
        ours, theirs = map_of(oracle, name, half).volume, run(oracle, f"{name}/{half}")
        own = apart(ours, theirs)

        for other in outputs(oracle):
            rival, _, kind = other.partition("/")
            if kind == half and rival not in {name, *SAME}:
                if rival == "r4" or run(oracle, other).shape != ours.shape:
                    continue
                assert own < apart(ours, run(oracle, other)), other


def test_data_and_weights_agree_with_the_programs(oracle):
    for half in HALVES:
        ours = map_of(oracle, "base", half)
        assert correlation(ours.data, run(oracle, f"base/data_{half}")) > 0.999
        # the plane of the highest frequency has two readings
        if half != "merged":
            theirs = run(oracle, f"base/weight_{half}")
            assert correlation(ours.weights[..., 1:], theirs[..., 1:]) > 0.999


def test_the_weights_of_all_are_the_sum_of_the_halves(oracle):
    """RELION writes those of half 1 as weight_merged."""
    one, two, both = (map_of(oracle, "base", half).weights for half in ("half1", "half2", "merged"))

    np.testing.assert_allclose(both, one + two, rtol=1e-5)
    assert correlation(run(oracle, "base/weight_merged"), one) > 0.999


def truth_of(oracle):
    """The specimen's own map, (z, y, x)."""
    made_of = truth(oracle)
    z, y, x = np.mgrid[:36, :36, :36] - 18.0
    parts = zip(made_of["G"], made_of["ga"], made_of["gs"], strict=True)
    return sum(
        height * np.exp(-((x - u) ** 2 + (y - v) ** 2 + (z - w) ** 2) / (2 * sigma**2))
        for (u, v, w), height, sigma in parts
    )


def test_points_spread_over_a_padded_grid_are_as_near_to_the_truth_in_every_shell(oracle):
    """Points spread over a grid padded twice, against the program's unpadded gathering."""
    settings = AverageSettings(box=36, taper=10, kernel="spread")
    ours = divided(summed(tilted(oracle), settings).both, settings, PIXEL).volume
    axis = np.arange(36) - 18
    radius = np.sqrt(sum(np.meshgrid(axis**2, axis**2, axis**2)))
    mask = 0.5 - 0.5 * np.cos(np.pi * np.clip((16 - radius) / 4, 0, 1))

    def curve(volume):
        return fourier_shell_correlation(volume, truth_of(oracle), PIXEL, mask=mask).correlation

    better = curve(ours) - curve(run(oracle, "base/merged"))
    assert better[: int(0.7 * 18) + 1].min() > -0.01


def test_the_sums_do_not_depend_on_how_particles_are_divided(oracle):
    settings = settings_of("base")
    first, second = tilted(oracle)
    parts = []
    for one in (first, second):
        for start in (0, 1):
            some = one.particles.chosen(np.arange(start, len(one.particles), 2))
            parts.append(summed([replace(one, particles=some)], settings))

    apart_made = (parts[0] + parts[1]) + (parts[2] + parts[3])

    whole = sums_of(oracle, "base")
    assert apart_made.boxes == whole.boxes
    for ours, theirs in zip(apart_made.halves, whole.halves, strict=True):
        assert np.abs(ours.data - theirs.data).max() < 1e-6 * np.abs(theirs.data).max()
        np.testing.assert_allclose(ours.weight, theirs.weight, atol=2e-5)
