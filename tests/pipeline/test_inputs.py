"""What is known of a series: options before header and .mdoc; contradictions are said."""

import logging

import numpy as np
import pytest

from tests.series import write_stack
from vitreous.errors import UserError
from vitreous.formats.imod import write_angles
from vitreous.formats.mdoc import write_mdoc
from vitreous.formats.mdoc_series import as_mdoc
from vitreous.formats.relion_sets import rows_of
from vitreous.pipeline.inputs import RawInput, SeriesInput, opened_raw, opened_stack, unsaid
from vitreous.records.tilt_series import Tilt, TiltSeries

ANGLES = np.array([-20.0, 0, 20])
ORDER = (1, 0, 2)
DOSE = 3.0


@pytest.fixture
def write(tmp_path):
    """write(header=5.0, noted=5.0, angles=False) -> a stack; noted: A/px of its .mdoc, if any."""

    def call(header=5.0, noted=5.0, *, angles=False, size=(10, 8), **optics):
        path = write_stack(tmp_path / "ts.mrc", np.ones((3, 8, 10)), pixel_size=header)
        if noted is not None:
            tilts = tuple(
                Tilt(i, angle, ORDER[i], dose=DOSE, pre_exposure=1 + DOSE * ORDER[i])
                for i, angle in enumerate(ANGLES)
            )
            series = TiltSeries("ts", tilts, noted, size, nominal_axis_degrees=85.0, **optics)
            write_mdoc(tmp_path / "ts.mrc.mdoc", as_mdoc(series, "ts.mrc", 2, "a session"))
        if angles:
            write_angles(tmp_path / "ts.rawtlt", ANGLES)
        return path

    return call


# -- the pixel size --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "noted", "given", "taken", "said"),
    [
        (5.0, 5.0, None, 5.0, ""),
        (5.0, 5.04, None, 5.0, ""),
        (0, 5.0, None, 5.0, "5 A/px of "),
        (1.0, 5.0, None, 5.0, "5 A/px of "),
        (1.0, None, None, 1.0, "exactly 1 A often means that it wasn't set"),
        (1.0, 1.0, None, 1.0, "exactly 1 A often means that it wasn't set"),
        (5.0, 5.1, None, 5.0, "pixel sizes differ: 5 of its header, 5.1 of its .mdoc; 5 A is"),
        (5.0, 5.0, 2.5, 2.5, "differ: 2.5 of --pixel, 5 of its header, 5 of its .mdoc; 2.5 A is"),
        (1.0, None, 2.5, 2.5, ""),
        (0, None, 2.5, 2.5, ""),
    ],
)
def test_the_pixel_size_is_the_one_given_else_the_headers_else_the_mdocs(
    write, caplog, header, noted, given, taken, said
):
    caplog.set_level("INFO", "vitreous")
    path = write(header, noted, angles=True)

    stack, series = opened_raw(path, RawInput(pixel_size=given))

    assert (stack.pixel_size, series.pixel_size) == (taken, taken)
    if said:
        assert said in caplog.text
    else:
        assert "pixel size" not in caplog.text


def test_an_mdoc_of_images_of_another_size_says_nothing_of_their_pixels(write):
    path = write(0, 5.0, size=(20, 16))

    with pytest.raises(UserError, match=r"no pixel size; give it with --pixel"):
        opened_raw(path, RawInput())


def test_an_mdoc_that_isnt_named_like_the_stack_counts_where_it_is_named(write, tmp_path):
    path = write(0, 5.0)
    (tmp_path / "ts.mrc.mdoc").rename(tmp_path / "notes.mdoc")

    assert opened_stack(path, mdoc=tmp_path / "notes.mdoc").pixel_size == 5
    _, series = opened_raw(path, SeriesInput(), tmp_path / "notes.mdoc")
    assert series.nominal_axis_degrees == 85


# -- optics, axis, dose ----------------------------------------------------------------------------


def test_what_is_given_goes_before_what_the_files_say(write, caplog):
    path = write(voltage_kv=300)

    _, noted = opened_raw(path, RawInput())
    _, given = opened_raw(
        path, RawInput(kv=200, cs=2.7, amplitude_contrast=0.07, tilt_axis=-4.3, dose_per_tilt=2.0)
    )

    assert (noted.voltage_kv, noted.nominal_axis_degrees, noted.tilts[0].dose) == (300, 85, 3)
    assert (given.voltage_kv, given.spherical_aberration_mm) == (200, 2.7)
    assert (given.amplitude_contrast, given.nominal_axis_degrees) == (0.07, -4.3)
    assert [tilt.dose for tilt in given.tilts] == [2, 2, 2]
    assert [tilt.pre_exposure for tilt in noted.tilts] == [4, 1, 7]
    assert [tilt.pre_exposure for tilt in given.tilts] == pytest.approx([8 / 3, 2 / 3, 14 / 3])
    for said in (
        "ts: a voltage (kV) of 200 is given, the files say 300",
        "ts: tilt axis -4.3 is given, the files say 85",
        "ts: 2 e/A^2 a tilt are given, the .mdoc says 3",
    ):
        assert said in caplog.text


def test_what_agrees_is_not_said(write, caplog):
    path = write(voltage_kv=300)

    opened_raw(path, RawInput(kv=300, tilt_axis=85.9, dose_per_tilt=3.01, pixel_size=5.01))

    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_without_an_mdoc_the_dose_is_known_and_what_came_before_is_not(write):
    _, series = opened_raw(write(noted=None, angles=True), RawInput(dose_per_tilt=3.0))

    assert [tilt.dose for tilt in series.tilts] == [3, 3, 3]
    assert [tilt.pre_exposure for tilt in series.tilts] == [None, None, None]


def test_of_an_mdoc_relions_table_gets_what_it_knows(write):
    _, series = opened_raw(write(voltage_kv=300), RawInput())

    (row,) = rows_of(series, [0])

    assert row["rlnMicrographPreExposure"] == "4.000000"
    assert all(label.startswith("rln") for label in row)


# -- what nobody says ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "noted", "angles", "given", "missing"),
    [
        (5.0, 5.0, False, {}, []),
        (5.0, None, True, {}, []),
        (0, 5.0, False, {}, []),
        (0, None, True, {}, ["pixel size"]),
        (5.0, None, False, {}, ["tilt angles"]),
        (0, None, False, {}, ["pixel size", "tilt angles"]),
        (0, None, False, {"pixel_size": 2.0, "angles": "a.tlt"}, []),
        (5.0, None, False, {"alignment": "a.xf"}, []),
    ],
)
def test_all_that_is_missing_is_named_with_its_option(write, header, noted, angles, given, missing):
    named = unsaid(write(header, noted, angles=angles), SeriesInput.model_validate(given))

    assert [name.partition(" (")[0] for name in named] == missing
    assert all("--" in name for name in named)


# -- order and doses listed with the angles --------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "options", "indices", "doses", "before"),
    [
        ("-20 2\n0 1\n20 3\n", {"dose_per_tilt": 4.0}, [1, 0, 2], [4, 4, 4], [4, 0, 8]),
        ("# a b\n-20 12\n0 10\n20 30\n", {}, [1, 0, 2], [None] * 3, [None] * 3),
        ("-20 2 3\n0 1 5\n20 3 7\n", {}, [1, 0, 2], [3, 5, 7], [5, 0, 8]),
        ("-20 2 3\n0 1 5\n20 3 7\n", {"dose_per_tilt": 2.0}, [1, 0, 2], [2, 2, 2], [2, 0, 4]),
        ("-20 1\n0 1\n20 1\n", {"dose_per_tilt": 2.0}, [None] * 3, [2, 2, 2], [None] * 3),
    ],
)
def test_a_list_of_angles_may_have_columns_of_order_and_dose(
    write, tmp_path, text, options, indices, doses, before
):
    stack = write(noted=None)
    (tmp_path / "angles.txt").write_text(text)

    _, series = opened_raw(stack, RawInput(angles=tmp_path / "angles.txt", **options))

    assert series.nominal_tilts_degrees.tolist() == [-20, 0, 20]
    assert [tilt.exposure_index for tilt in series.tilts] == indices
    assert [tilt.dose for tilt in series.tilts] == doses
    assert [tilt.pre_exposure for tilt in series.tilts] == before


def test_an_order_listed_with_the_angles_goes_before_the_mdocs(write, tmp_path):
    stack = write()
    (tmp_path / "angles.txt").write_text("-20 3\n0 2\n20 1\n")

    _, series = opened_raw(stack, RawInput(angles=tmp_path / "angles.txt"))

    assert [tilt.exposure_index for tilt in series.tilts] == [2, 1, 0]
    assert [tilt.pre_exposure for tilt in series.tilts] == [2 * DOSE, DOSE, 0]
    assert series.nominal_axis_degrees == 85.0
