import json
from contextlib import suppress
from dataclasses import replace
from datetime import datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError
from vitreous.formats.content import read_bytes
from vitreous.formats.mdoc import Mdoc, Section, format_mdoc, parse_mdoc, read_mdoc, write_mdoc
from vitreous.formats.mdoc_series import (
    as_mdoc,
    dose_from_rate,
    nominal_axis,
    own_dose,
    parse_date,
    retaken,
    tilt_series,
)
from vitreous.records.images import ArrayStack
from vitreous.records.tilt_series import Tilt, TiltSeries

SAMPLES = "reference/mdoc_samples"
BLANK_LINES_ELSEWHERE = {
    "cryoet-data-portal-backend__foo-TS_run1.mdoc": "two blank lines before a section",
    "cylindra__dummy.mrc.mdoc": "two blank lines before a section",
    "python-murfey__test_1.mdoc": "a blank line at the end",
    "tomo5_synthetic.mdoc": "a blank line at the end",
    "traps_synthetic.mdoc": "a blank line at the end",
}


@pytest.fixture
def sample(shared):
    def read(name):
        mdoc = read_mdoc(shared / SAMPLES / name)
        return mdoc, json.loads((shared / SAMPLES / "expected.json").read_text())[name]

    return read


def series_text(*sections, head="PixelSpacing = 2\nImageSize = 4 3\n"):
    bodies = (f"[ZValue = {z}]\n{body}\n" for z, body in enumerate(sections))
    return head + "\n" + "\n".join(bodies)


def series(*sections, **kwargs):
    return tilt_series(parse_mdoc(series_text(*sections)), "TS", **kwargs)


# -- syntax ---------------------------------------------------------------------------------------


def test_keys_keep_order_case_and_text_and_are_found_in_any_case():
    text = "T = a title  \nVoltage = 300\n\n[ZValue = 0]\nzeta = a = b\nTiltAngle = 1\nEmpty = \n"

    mdoc = parse_mdoc(text)

    assert mdoc.get("VOLTAGE") == "300"
    assert mdoc.of("zvalue")[0].fields == (("zeta", "a = b"), ("TiltAngle", "1"), ("Empty", ""))
    assert mdoc.of("ZValue")[0].get("tiltangle") == "1"
    assert mdoc.titles == ("a title  ",)
    assert format_mdoc(mdoc) == text


key = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
value = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Zl", "Zp"]), max_size=12)
fields = st.lists(st.tuples(key, value), max_size=4).map(tuple)


@given(
    head=fields,
    sections=st.lists(st.tuples(key, value, fields), min_size=1, max_size=4),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@settings(max_examples=40, deadline=None)  # each waits for the disk
def test_what_is_written_comes_back(tmp_path_factory, head, sections, newline):
    mdoc = Mdoc(head, tuple(Section(*section) for section in sections), newline)
    path = tmp_path_factory.getbasetemp() / "x.mdoc"

    write_mdoc(path, mdoc)

    read = read_mdoc(path)
    assert read == Mdoc(head, mdoc.sections, newline if b"\r\n" in path.read_bytes() else "\n")


@pytest.mark.parametrize("folder", [SAMPLES, "data/parsers/mdoc"])
def test_real_files_are_written_byte_for_byte(shared, folder):
    for path in sorted((shared / folder).glob("*.mdoc*")):
        if path.stat().st_size == 0:
            continue
        raw = read_bytes(path)

        written = format_mdoc(read_mdoc(path)).encode()

        if path.name in BLANK_LINES_ELSEWHERE:
            assert written.split() == raw.split(), path.name
        else:
            assert written == raw, path.name


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Voltage = 300\nnonsense\n", ":2: expected 'key = value' or .* found 'nonsense'"),
        ("Voltage = 300\n", r":1: an .mdoc has sections such as \[ZValue = 0\]"),
        ("", "byte 0: the file is empty"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, text, message):
    path = tmp_path / "x.mdoc"
    path.write_text(text)

    with pytest.raises(FormatError, match=rf"x.mdoc.*{message}"):
        read_mdoc(path)


@given(st.text(max_size=200), st.binary(max_size=60), st.integers(0, 300))
@settings(max_examples=150)
def test_random_text_is_read_or_refused(text, patch, place):
    good = bytearray(
        series_text(
            "TiltAngle = 1\nDateTime = 01-Aug-2022  18:58:35\nExposureDose = 1\n"
            "FrameDosesAndNumber = 1 2\nPriorRecordDose = 0"
        ).encode()
    )
    good[place : place + len(patch)] = patch

    for content in (text, good.decode("latin-1")):
        with suppress(FormatError):
            assert tilt_series(parse_mdoc(content), "TS").tilts


# -- meaning --------------------------------------------------------------------------------------


def test_a_serialem_series_reads_as_expected(sample):
    mdoc, expected = sample("tilt_series.mdoc")

    found = tilt_series(mdoc, "TS_01")

    assert mdoc.kind == expected["kind"]
    assert len(found.tilts) == expected["sections"]
    assert found.nominal_axis_degrees == expected["tilt_axis"]
    assert found.pixel_size == expected["pixel_spacing"]
    assert found.image_size == (924, 958)
    assert [tilt.exposure_index for tilt in found.tilts] == list(range(41))
    np.testing.assert_allclose(
        found.nominal_tilts_degrees[:5], expected["first_angles"], atol=0.005
    )
    assert found.nominal_tilts_degrees.min() == expected["min_tilt"]
    assert found.nominal_tilts_degrees.max() == expected["max_tilt"]
    assert {tilt.dose for tilt in found.tilts} == {None} == {t.pre_exposure for t in found.tilts}
    assert found.tilts[0].movie == expected["first_movie"]
    assert found.tilts[0].acquired == datetime(2015, 11, 30, 15, 21, 38)  # noqa: DTZ001
    assert found.tilts[0].extra["SpotSize"] == "8"


@pytest.mark.parametrize(
    "name",
    ["frame_set_single.mdoc", "frame_set_multiple.mdoc", "montage_section_first4.mdoc"],
)
def test_what_is_no_series_says_what_it_is(sample, name):
    mdoc, expected = sample(name)

    with pytest.raises(FormatError, match=f"this .mdoc is of a {mdoc.kind}, not of a tilt series"):
        tilt_series(mdoc, "x")
    assert mdoc.kind.split()[0] in expected["kind"]


def test_doses_of_a_movie_read_as_expected(sample):
    mdoc, expected = sample("frame_set_single.mdoc")
    (movie,) = mdoc.of("FrameSet")
    no_dose = Section(
        "FrameSet", "0", tuple(f for f in movie.fields if f[0] != "ExposureDose"), movie.line
    )

    assert own_dose(movie) == expected["dose"]
    assert own_dose(no_dose) == pytest.approx(expected["dose_from_frames"], abs=1e-5)
    assert dose_from_rate(movie) == pytest.approx(expected["dose_from_rate"], abs=1e-4)
    assert nominal_axis(mdoc) == pytest.approx(expected["rotation_minus_90"])


def test_sub_sections_of_a_movie_are_kept(sample):
    mdoc, expected = sample("frame_set_multiple.mdoc")

    parts = mdoc.of("ZValue")

    assert len(parts) == expected["sub_sections"]
    assert [float(p.get("PriorRecordDose")) for p in parts[:3]] == expected["prior_dose_first3"]


def test_tomography_5_reads_as_expected(sample):
    mdoc, expected = sample("tomo5_synthetic.mdoc")

    found = tilt_series(mdoc, "Position_7")

    assert found.nominal_axis_degrees == expected["tilt_axis"]
    assert [tilt.pre_exposure for tilt in found.tilts] == expected["prior_dose"]
    assert np.argsort(found.nominal_tilts_degrees).tolist() == expected["sorted_by_tilt_z"]
    assert found.tilts[0].movie == "Position_7_001_0.00_20250113_171532_EER.eer"
    assert mdoc.newline == "\r\n"


def test_the_traps_read_as_expected(sample):
    mdoc, expected = sample("traps_synthetic.mdoc")

    found = tilt_series(mdoc, "lam 3")

    usable = [tilt for tilt in found.tilts if tilt.movie]
    assert found.nominal_axis_degrees == expected["tilt_axis"]
    assert [tilt.dose for tilt in found.tilts] == pytest.approx(expected["own_dose"])
    assert [tilt.exposure_index for tilt in found.tilts] == expected["acquisition_rank"]
    assert [tilt.section for tilt in usable] == expected["usable_z"]
    assert [t.pre_exposure for t in usable] == pytest.approx(expected["prior_dose_of_usable"])
    assert [tilt.movie for tilt in usable] == expected["movies"]
    assert retaken(found) == [(3, 4)]
    assert found.tilts[0].extra["FutureKey"] == "kept as it is"


def test_an_order_by_angle_is_undone_by_the_dates():
    found = series(
        "TiltAngle = -3\nExposureDose = 2\nDateTime = 01-Aug-22  10:00:02",
        "TiltAngle = 0\nExposureDose = 1\nDateTime = 01-Aug-22  10:00:00",
        "TiltAngle = 3\nExposureDose = 4\nDateTime = 01-Aug-22  10:00:01",
    )

    assert [tilt.exposure_index for tilt in found.tilts] == [2, 0, 1]
    assert [tilt.pre_exposure for tilt in found.tilts] == [5, 0, 1]


def test_ties_of_a_second_are_broken_by_the_time_stamp():
    date = "DateTime = 01-Aug-22  10:00:02"
    found = series(
        f"TiltAngle = -3\n{date}\nTimeStamp = 7.5", f"TiltAngle = 0\n{date}\nTimeStamp = 7.2"
    )

    assert [tilt.exposure_index for tilt in found.tilts] == [1, 0]


def test_stated_prior_doses_go_before_sums():
    found = series(
        "TiltAngle = 0\nExposureDose = 1\nPriorRecordDose = 0.5",
        "TiltAngle = 3\nExposureDose = 1\nPriorRecordDose = 2",
    )

    assert [tilt.pre_exposure for tilt in found.tilts] == [0.5, 2]


def test_a_given_dose_and_pixel_size_go_before_the_files():
    found = series(
        "TiltAngle = 0\nExposureDose = 1", "TiltAngle = 3", dose_per_tilt=3.0, pixel_size=1.5
    )

    assert [(tilt.dose, tilt.pre_exposure) for tilt in found.tilts] == [(3, 0), (3, 3)]
    assert found.pixel_size == 1.5


def test_a_stack_gives_what_the_file_lacks():
    mdoc = parse_mdoc("[ZValue = 0]\nTiltAngle = 1\n")
    stack = ArrayStack(np.zeros((1, 3, 4), np.float32), 2.5)

    found = tilt_series(mdoc, "TS", stack=stack)

    assert (found.pixel_size, found.image_size) == (2.5, (4, 3))


@pytest.mark.parametrize(
    ("title", "rotation", "axis"),
    [
        ("    Tilt axis angle = 85.3, binning = 4  spot = 8", "12", 85.3),
        ("  TiltAxisAngle = -176.20  Binning = 1", "86.20", 86.2),
        ("  TiltAxisAngle = -3.80  Binning = 1", "86.20", -3.8),
        ("  TiltAxisAngle = 3.80  Binning = 1", "86.20", -3.8),
        ("  TiltAxisAngle = 50  Binning = 1", "86.20", None),
        ("no axis here", "175.3", 85.3),
        ("no axis here", "-100", 170),
        ("no axis here", "", None),
    ],
)
def test_the_axis_counts_from_y_in_every_dialect(title, rotation, axis):
    mdoc = parse_mdoc(f"[T = {title}]\n[ZValue = 0]\nRotationAngle = {rotation}\n")

    assert nominal_axis(mdoc) == pytest.approx(axis)


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("29-Aug-14  21:37:38", (2014, 8, 29, 21, 37, 38)),
        ("01-Aug-2022  18:58:35", (2022, 8, 1, 18, 58, 35)),
        ("01-AUG-2022 18:58:35", (2022, 8, 1, 18, 58, 35)),
        ("01-08-2022 18:58:35", (2022, 8, 1, 18, 58, 35)),
        ("2022-08-01 18:58:35", (2022, 8, 1, 18, 58, 35)),
        ("2022-08-01T18:58:35.25", (2022, 8, 1, 18, 58, 35, 250000)),
    ],
)
def test_dates_are_read_in_all_spellings(text, date):
    assert parse_date(text) == datetime(*date)  # noqa: DTZ001


@pytest.mark.parametrize("text", ["", "soon", "31-Feb-22  10:00:00", "01-Foo-22  10:00:00"])
def test_what_is_no_date_is_none(text):
    assert parse_date(text) is None


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (["ExposureDose = 1"], r":4: \[ZValue = 0\] has no TiltAngle"),
        (["TiltAngle = 1,5"], r":4: \[ZValue = 0\] TiltAngle: expected a number, found '1,5'"),
        (["TiltAngle = 1\nDateTime = soon"], ":4: .* expected a date such as"),
    ],
)
def test_a_broken_section_names_its_line(sections, message):
    mdoc = parse_mdoc(series_text(*sections))

    with pytest.raises(FormatError, match=f"TS.mdoc{message}"):
        tilt_series(mdoc, "TS", path="TS.mdoc")


def test_a_section_that_stands_twice_is_refused():
    mdoc = parse_mdoc("[ZValue = 1]\nTiltAngle = 0\n[ZValue = 1]\nTiltAngle = 0\n")

    with pytest.raises(FormatError, match=r":3: \[ZValue = 1\] stands twice, first in line 1"):
        tilt_series(mdoc, "TS", path="TS.mdoc")


def test_images_taken_again_are_said(caplog):
    series("TiltAngle = 0", "TiltAngle = 3", "TiltAngle = 0.01")

    assert "TS: tilt 1 (0.0 degrees) was taken again as tilt 3" in caplog.text


# -- written from a series ------------------------------------------------------------------------


@settings(max_examples=40)
@given(
    axis=st.none() | st.floats(-180, 180).map(lambda x: round(x, 1)),
    tilts=st.lists(
        st.tuples(
            st.floats(-70, 70).map(lambda x: round(x, 2)),
            st.floats(0.1, 9).map(lambda x: round(x, 3)),
            st.sampled_from(["", "a b.tif", "TS_001_-3.0.eer"]),
        ),
        min_size=1,
        max_size=6,
    ),
)
def test_a_written_series_is_read_as_it_was(axis, tilts):
    order = list(reversed(range(len(tilts))))
    doses = [dose for _, dose, _ in tilts]
    written = TiltSeries(
        name="TS 1",
        tilts=tuple(
            Tilt(
                section=z,
                nominal_tilt_degrees=angle,
                exposure_index=order[z],
                dose=dose,
                pre_exposure=round(sum(doses[z + 1 :]), 3),
                movie=movie,
                acquired=datetime(2026, 1, 31, 23, 59, 10 + order[z]),  # noqa: DTZ001
                extra={"SpotSize": "8"},
            )
            for z, (angle, dose, movie) in enumerate(tilts)
        ),
        pixel_size=5.4,
        image_size=(720, 512),
        nominal_axis_degrees=axis,
        voltage_kv=300,
    )

    text = format_mdoc(as_mdoc(written, "TS 1.mrc", mode=1, title="a session"))
    read = tilt_series(parse_mdoc(text), "TS 1")

    assert read.nominal_axis_degrees == axis
    assert (read.pixel_size, read.image_size, read.voltage_kv) == (5.4, (720, 512), 300)
    assert read.extra["ImageFile"] == "TS 1.mrc"
    for one, other in zip(read.tilts, written.tilts, strict=True):
        assert one.extra["SpotSize"] == "8"
        assert replace(one, extra={}) == replace(other, extra={})
