"""Tomograms by Fourier inversion, held to RELION's --fourier (oracle R1) and to truth."""

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.formats.alignments import read_alignment
from vitreous.reconstruct.fourier_inversion import (
    fourier_plan,
    reconstruct_fourier,
    signal_to_noise,
)
from vitreous.reconstruct.fourier_settings import FourierSettings
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack, StackFacts

RUNS = {  # settings, the correlation due
    "r5_fourier": ({}, 0.999),
    "r5_fourier_lambda1000": ({"smoothness": 1000.0}, 0.999),
    "r5_fourier_intact": ({"ctf_intact_first_peak": True}, 0.99),
}


@pytest.fixture(scope="module")
def oracle(shared):
    folder = shared / "oracles/R1_relion_tomogram"
    with np.load(folder / "input.npz") as stored:
        inputs = dict(stored)
    alignment = read_alignment(folder / "star/tilt_series.star", StackFacts(17, (112, 96), 5.0))
    with np.load(folder / "output.npz") as stored:
        theirs = {}
        for name in stored.files:
            if not name.endswith("__sc"):
                scale, offset = stored[f"{name}__sc"]
                theirs[name] = stored[name] * scale + offset
    return inputs, alignment, theirs


def made(inputs, alignment, **changes):
    halves = tuple(ArrayStack(inputs[name].astype(np.float32), 5.0) for name in ("even", "odd"))
    ctfs = [Ctf(u, u - 600, 35.0, 300.0, 2.7, 0.1) for u in inputs["dU"]]
    settings = {"voxel_size": 10.0, "width": "104", "height": "88", "thickness": "36"} | changes
    return reconstruct_fourier(halves, alignment, ctfs, FourierSettings(**settings))


@pytest.mark.parametrize("name", RUNS)
def test_the_volume_is_relions(name, oracle):
    inputs, alignment, theirs = oracle
    changes, due = RUNS[name]

    volume = made(inputs, alignment, **changes)

    assert volume.data.shape == theirs[name].shape == (17, 43, 51)
    assert volume.voxel_size == pytest.approx(10.128, abs=1e-3)
    assert np.corrcoef(volume.data.ravel(), theirs[name].ravel())[0, 1] >= due
    apart = {
        other: np.abs(volume.data - peer).std() / peer.std()
        for other, peer in theirs.items()
        if peer.shape == volume.data.shape
    }
    if name == "r5_fourier":  # the program's own fit stops far from its minimum
        del apart["r5_fourier_lambda1000"]
    assert min(apart, key=lambda other: apart[other]) == name


def test_a_mirrored_specimen_is_another(oracle):
    inputs, alignment, theirs = oracle

    volume = made(inputs, alignment, ctf_intact_first_peak=True)

    for flipped in (volume.data[::-1], volume.data[:, ::-1], volume.data[:, :, ::-1]):
        likeness = np.corrcoef(flipped.ravel(), theirs["r5_fourier_intact"].ravel())[0, 1]
        assert likeness < 0.9


def test_the_fit_is_the_minimum_of_its_cost(rng):
    spectra = [np.fft.rfft2(rng.normal(size=(32, 32))).astype(np.complex64) for _ in range(2)]
    signal = 6 * np.fft.rfft2(rng.normal(size=(32, 32)))
    profile = np.sin(0.2 + 0.035 * np.arange(17) ** 2)

    found = signal_to_noise(spectra[0] + signal, spectra[1] + signal, profile, 5.0)
    unsmoothed = signal_to_noise(spectra[0] + signal, spectra[1] + signal, profile, 0.0)

    peak = int(np.argmax((np.maximum.accumulate(profile) > 0.99) & (profile < 0.99)))
    seen, power = unsmoothed * profile**2, profile**2

    def cost(tail):
        whole = np.concatenate([start, tail])
        steps = np.concatenate([[whole[0], whole[1]], np.diff(whole[1:])])
        return ((power * whole - seen) ** 2).sum() + 2.5 * (steps**2).sum()

    start = _free_part(power, seen, 5.0)[:peak]
    best = cost(found[peak:])
    for shell in range(len(found) - peak):
        for step in (-0.01, 0.01):
            moved = found[peak:].copy()
            moved[shell] += step
            assert cost(moved) > best


def _free_part(power, seen, smoothness):
    """The same minimum by plain matrices."""
    D = np.eye(len(power))
    for i in range(1, len(power) - 1):
        D[i + 1, i] = -1
    return np.linalg.solve(np.diag(2 * power**2) + smoothness * D.T @ D, 2 * power * seen)


def test_tilts_without_ctf_and_impossible_sizes_are_refused(oracle):
    inputs, alignment, _ = oracle
    stack = ArrayStack(inputs["even"].astype(np.float32), 5.0)
    settings = FourierSettings(voxel_size=10.0, thickness="36")

    with pytest.raises(UserError, match=r"needs the CTF of every tilt; it lacks \[1, 2"):
        reconstruct_fourier((stack, stack), alignment, [None] * 17, settings)
    with pytest.raises(UserError, match="can't be made of pixels of 5 A"):
        fourier_plan(alignment, FourierSettings(voxel_size=2.0, thickness="36"))
    with pytest.raises(UserError, match="isn't part of the cube"):
        fourier_plan(alignment, FourierSettings(voxel_size=10.0, thickness="400"))
