"""CTFs of a stack's sections, from whichever program's file."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from vitreous.errors import FormatError, UserError
from vitreous.formats import relion
from vitreous.formats.ctf_files import read_ctfs
from vitreous.formats.ctf_tables import (
    with_relion_columns,
    write_aretomo,
    write_ctffind,
    write_defocus,
)
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.ctf import Ctf, CtfFit
from vitreous.records.tilt_series import Tilt, TiltSeries

OPTICS = Ctf(0, 0, voltage_kv=200.0, spherical_aberration_mm=2.0, amplitude_contrast=0.1)


def fit(section, u, v, angle, **more):
    ctf = replace(OPTICS, defocus_u=u, defocus_v=v, astigmatism_degrees=angle, **more)
    return CtfFit(section, 3.0 * section, ctf, 60.0, 0.0, 0.9, 7.25, True)


FITS = [fit(0, 30400, 30000, 15), fit(2, 31400, 31000, -80)]


def same(found, expected):
    if expected is None:
        return found is None
    return asdict(found) == pytest.approx(asdict(expected), abs=0.02)


def write_star(path, fits):
    tilts = tuple(Tilt(section, 3.0 * section, pre_exposure=0.0) for section in range(3))
    series = TiltSeries("a", tilts, 2.5, (64, 64), nominal_axis_degrees=85.0)
    sections = np.array([each.section for each in fits])
    alignment = alignment_from_angles(
        axes_degrees=85.0,
        tilts_degrees=3.0 * sections,
        shifts=np.zeros((len(fits), 2)),
        sections=sections,
        section_count=3,
        image_size=(64, 64),
        pixel_size=2.5,
    )
    relion.write(alignment, path, series=with_relion_columns(series, fits))


def write_json(path, fits):
    path.write_text(json.dumps({"hand": 1, "views": [asdict(each) for each in fits]}))


@pytest.mark.parametrize("hand", [1, -1])
@pytest.mark.parametrize(
    ("name", "write"),
    [("a_CTF.txt", write_aretomo), ("a.star", write_star), ("a_ctf.json", write_json)],
)
def test_what_a_table_says_comes_to_its_section(name, write, hand, tmp_path):
    fits = [replace(each, ctf=replace(each.ctf, hand=hand)) for each in FITS]
    write(tmp_path / name, fits)

    found = read_ctfs(tmp_path / name, 3, OPTICS)

    expected = [fits[0].ctf, None, fits[1].ctf]
    assert all(same(one, other) for one, other in zip(found, expected, strict=True))


def test_ctffind_tells_the_optics_too(tmp_path):
    write_ctffind(tmp_path / "a_ctffind.txt", FITS, 2.5, "a.mrc")

    found = read_ctfs(tmp_path / "a_ctffind.txt", 3, Ctf(0, 0, hand=-1))

    assert same(found[2], replace(FITS[1].ctf, hand=-1))
    assert found[1] is None


def test_imods_views_between_lines_are_interpolated(tmp_path):
    write_defocus(tmp_path / "a.defocus", FITS)

    found = read_ctfs(tmp_path / "a.defocus", 5, OPTICS)

    assert [ctf.defocus for ctf in found] == pytest.approx([30200, 30700, 31200, 31200, 31200])
    assert same(found[0], FITS[0].ctf)


def test_real_tables_of_ctffind_and_aretomo(shared):
    folder = shared / "data" / "parsers" / "ctf_txt"

    of_ctffind = read_ctfs(folder / "cryoCAT__018_ctffind4.txt", 60, OPTICS)
    of_aretomo = read_ctfs(folder / "cryoet-alignment__test_CTF.txt", 200, OPTICS)

    first = of_ctffind[0]
    assert (first.defocus_u, first.voltage_kv) == (14477.870117, 300)
    assert (first.spherical_aberration_mm, first.amplitude_contrast) == (2.7, 0.07)
    assert (of_aretomo[0].defocus_u, of_aretomo[0].voltage_kv) == (25951.41, 200)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a_CTF.txt", "# Columns: #1 micrograph number\n1 2 3\n", "a_CTF.txt:2: expected image"),
        ("a_CTF.txt", "# Columns: #1 micrograph number\n1 2 x 3 4 5 6\n", ":2: CTF: expected a"),
        ("a_CTF.txt", "# Columns: #1 micrograph number\n", "no line of an image"),
        ("a.json", '{"views": [{"section": 1}]}', "no 'views' with a 'section' and a 'ctf'"),
        ("a.tlt", "-3.0\n0.0\n3.0\n", "no table of CTFs"),
    ],
)
def test_a_file_without_ctfs_is_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)

    with pytest.raises(FormatError, match=message):
        read_ctfs(tmp_path / name, 3, OPTICS)


def test_a_series_without_defocus_says_what_it_lacks(tmp_path):
    tilts = tuple(Tilt(section, 3.0 * section) for section in range(2))
    series = TiltSeries("a", tilts, 2.5, (64, 64), nominal_axis_degrees=85.0)
    alignment = alignment_from_angles(
        axes_degrees=85.0,
        tilts_degrees=np.array([0.0, 3.0]),
        shifts=np.zeros((2, 2)),
        image_size=(64, 64),
        pixel_size=2.5,
    )
    relion.write(alignment, tmp_path / "a.star", series=series)

    with pytest.raises(FormatError, match="has no rlnDefocusU, rlnDefocusV, rlnDefocusAngle"):
        read_ctfs(tmp_path / "a.star", 2, OPTICS)


def test_a_table_of_another_stack_is_refused(tmp_path):
    write_aretomo(tmp_path / "a_CTF.txt", FITS)

    with pytest.raises(UserError, match="tells of image 3, the stack has 2"):
        read_ctfs(tmp_path / "a_CTF.txt", 2, OPTICS)
