"""The contrast transfer as other programs write it."""

import numpy as np
import pytest

from vitreous.errors import FormatError
from vitreous.formats import relion
from vitreous.formats.ctf_tables import (
    ordered,
    read_defocus,
    with_relion_columns,
    write_aretomo,
    write_ctffind,
    write_defocus,
)
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.relion_sets import read_tomogram
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.ctf import Ctf, CtfFit
from vitreous.records.tilt_series import Tilt, TiltSeries


def fit(section, tilt, defocus_u, defocus_v, angle, **more):
    ctf = Ctf(defocus_u, defocus_v, angle, 200.0, 2.0, 0.1, **more)
    return CtfFit(section, tilt, ctf, 60.0, 0.0, 0.9, 7.25, True)


FITS = [fit(0, -3.0, 30400, 30000, 15), fit(2, 3.0, 31400, 31000, -80)]


def numbers_of(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return np.array([[float(word) for word in line.split()] for line in lines])


@pytest.mark.parametrize(
    ("u", "v", "angle", "expected"),
    [
        (2, 1, 10, (2, 1, 10)),
        (1, 2, 10, (2, 1, -80)),
        (2, 1, 90, (2, 1, 90)),
        (2, 1, -90, (2, 1, 90)),
        (2, 1, 170, (2, 1, -10)),
    ],
)
def test_the_larger_defocus_comes_first_with_its_direction(u, v, angle, expected):
    assert ordered(Ctf(u, v, angle)) == pytest.approx(expected)


def test_ctffinds_text_has_its_columns(tmp_path):
    path = tmp_path / "a_ctffind.txt"

    write_ctffind(path, FITS, 2.5, "a.mrc")

    expected = [[1, 30400, 30000, 15, 0, 0.9, 7.25], [3, 31400, 31000, -80, 0, 0.9, 7.25]]
    np.testing.assert_allclose(numbers_of(path), expected)
    assert "acceleration voltage: 200.0 keV" in path.read_text()
    assert kind_of(path) is Kind.CTF_TABLE


def test_aretomos_text_has_the_hand_in_its_own_sign(tmp_path):
    path = tmp_path / "a_CTF.txt"

    write_aretomo(path, [fit(4, 0.0, 30400, 30000, 15, hand=-1, phase_shift_degrees=90)])

    expected = [[5, 30400, 30000, 15, 1.5708, 0.9, 7.25, 1]]
    np.testing.assert_allclose(numbers_of(path), expected, atol=1e-4)
    assert kind_of(path) is Kind.CTF_TABLE


@pytest.mark.parametrize("phase", [0.0, 65.0])
@pytest.mark.parametrize("hand", [1, -1])
def test_imods_file_comes_back(tmp_path, phase, hand):
    path = tmp_path / "a.defocus"
    fits = [
        fit(0, -3.0, 30400, 30000, 15, phase_shift_degrees=phase, hand=hand),
        fit(2, 3.0, 31400, 31000, -80, phase_shift_degrees=phase, hand=hand),
    ]

    write_defocus(path, fits)

    optics = Ctf(0, 0, voltage_kv=200, spherical_aberration_mm=2.0, amplitude_contrast=0.1)
    assert read_defocus(path, optics) == [(one.section, one.ctf) for one in fits]
    assert kind_of(path) is Kind.DEFOCUS
    first = path.read_text().split()[0]
    assert int(first) == 1 + 4 * (phase > 0) + 16 * (hand == -1)


def test_imods_second_version_has_one_defocus_a_line(shared):
    found = read_defocus(shared / "oracles/I4_imod_ctfphaseflip/v2.defocus", Ctf(0, 0))

    assert len(found) > 1
    assert all(ctf.astigmatism == 0 and 10000 < ctf.defocus < 100000 for _, ctf in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nothing\n", "no line"),
        ("1 0 0. 0. 0 3\n1 1 0 0 3000 2900\n", "a.defocus:2: expected numbers"),
        ("1 1 0 0 3000 2\n2 2 3 3 many\n", "a.defocus:2: expected numbers"),
    ],
)
def test_a_broken_file_of_imod_is_refused(tmp_path, text, message):
    path = tmp_path / "a.defocus"
    path.write_text(text)

    with pytest.raises(FormatError, match=message):
        read_defocus(path, Ctf(0, 0))


def test_relion_is_told_the_transfer_of_each_tilt(tmp_path):
    tilts = tuple(Tilt(section, 3.0 * section - 3, pre_exposure=0.0) for section in range(3))
    series = TiltSeries("a", tilts, 2.5, (64, 64), nominal_axis_degrees=85.0)
    alignment = alignment_from_angles(
        axes_degrees=85.0,
        tilts_degrees=np.array([-3.0, 3.0]),
        shifts=np.zeros((2, 2)),
        sections=np.array([0, 2]),
        section_count=3,
        image_size=(64, 64),
        pixel_size=2.5,
    )

    told = with_relion_columns(series, [*FITS])
    relion.write(alignment, tmp_path / "a.star", series=told)

    found = read_tomogram(tmp_path / "a.star")
    np.testing.assert_allclose(found.tilts.numbers("rlnDefocusU"), [30400, 31400])
    np.testing.assert_allclose(found.tilts.numbers("rlnDefocusV"), [30000, 31000])
    np.testing.assert_allclose(found.tilts.numbers("rlnDefocusAngle"), [15, -80])
    np.testing.assert_allclose(found.tilts.numbers("rlnCtfMaxResolution"), 7.25)
    assert found.number("rlnTomoHand") == -1
    assert found.number("rlnVoltage") == 200
