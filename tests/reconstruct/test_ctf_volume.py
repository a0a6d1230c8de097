"""Volumes of images that were corrected for their CTF, against what was simulated."""

import pytest

from tests.reconstruct.simulated_slab import Slab

SIDE = (200, 120)


@pytest.fixture(scope="module")
def slab():
    return Slab((288, 144), "60nm", snr=0.3, tilt_step=4.0, molecules=(9.0, 12.0, 12.0, 8.0))


@pytest.fixture(scope="module")
def uncorrected(slab):
    volume = slab.box(0, SIDE)
    truth = slab.truth(volume.grid)
    return truth, slab.shells(volume, truth)


@pytest.mark.parametrize(
    "correction",
    [
        {"ctf": "flip"},
        {"ctf": "multiply", "ctf_intact_first_peak": True},
        {"ctf": "wiener", "ctf_intact_first_peak": True},
        {"ctf": "multiply", "ctf_intact_first_peak": True, "weighting": "wiener"},
    ],
    ids=["flip", "multiply", "wiener", "3D wiener"],
)
def test_correction_gains_beyond_the_first_zero_and_loses_nothing(slab, uncorrected, correction):
    truth, plain = uncorrected

    found = slab.shells(slab.box(0, SIDE, **correction), truth)

    beyond = (plain.frequency > slab.first_zero) & (plain.frequency < 1 / 9)
    gain = found.correlation - plain.correlation
    assert gain[1:].min() > -0.02  # shell 0 is little more than the mean
    assert gain[beyond].mean() > 0.08
