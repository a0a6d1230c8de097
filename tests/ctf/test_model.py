"""The CTF against other programs' numbers."""

import json

import numpy as np
import pytest

from vitreous.ctf.model import transfer, wavelength
from vitreous.formats.mrc import open_stack
from vitreous.records.ctf import Ctf

# gen_ctf.txt beside Warp's reference: its units are um, halves of pi and exp(+B k^2 / 4)
WARP = {
    "with everything": (1.1, 0.9, Ctf(16500, 13500, 25, 300, 2.7, 0.1, 0.4 * 180, 40)),
    "plain": (1.5, 1.0, Ctf(25000, 25000, 0, 200, 2.7, 0.07, 0, 40)),
}


@pytest.mark.parametrize(("section", "name"), list(enumerate(WARP)))
def test_the_ctf_is_warps(shared, section, name):
    pixel_size, scale, ctf = WARP[name]
    reference = open_stack(shared / "data/warp_geometry_refs/ctf_reference.mrc.gz", pixel_size)
    fy = np.fft.fftfreq(256)[:, None]
    fy[128] = 0.5  # Warp counts the Nyquist row so
    fx = np.fft.rfftfreq(256)

    found = scale * transfer(ctf, fx / pixel_size, fy / pixel_size)

    np.testing.assert_allclose(found, reference.read(section), rtol=0, atol=2e-5)


def test_the_ctf_is_relions_and_minus_ctffinds(shared):
    cases = json.loads((shared / "reference/session_vectors.json").read_text())["ctf"]

    for case in cases:
        ctf = Ctf(
            case["defocus_u"],
            case["defocus_v"],
            case["angle"],
            case["kv"],
            case["cs_mm"],
            case["amplitude"],
            case["phase_deg"],
        )
        azimuth = np.deg2rad(case["alpha"])
        value = transfer(ctf, case["k"] * np.cos(azimuth), case["k"] * np.sin(azimuth))
        assert value == pytest.approx(case["relion"], abs=1e-6)
        assert value == pytest.approx(-case["ctffind"], abs=1e-6)


@pytest.mark.parametrize(("voltage", "length"), [(300, 0.019687), (200, 0.025079), (100, 0.037014)])
def test_the_wavelength_is_the_textbooks(voltage, length):
    assert wavelength(voltage) == pytest.approx(length, abs=1e-6)


def test_the_wavelength_is_the_reference_one(shared):
    for case in json.loads((shared / "reference/session_vectors.json").read_text())["wavelength"]:
        assert wavelength(case["kv"]) == pytest.approx(case["angstrom"], rel=1e-9)


def test_what_lies_higher_is_less_underfocused_with_hand_plus_one():
    ctf = Ctf(31000, 29000, hand=1)

    assert ctf.at_height(500).defocus_u == 30500
    assert ctf.at_height(500).defocus == 29500
    assert Ctf(31000, 29000, hand=-1).at_height(500).defocus == 30500
    assert ctf.at_height(500).astigmatism == 2000
