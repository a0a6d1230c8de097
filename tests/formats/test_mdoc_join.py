"""Series whose .mdoc comes in pieces, or not at all."""

from pathlib import Path

import pytest

from vitreous.formats.mdoc import parse_mdoc, read_mdoc
from vitreous.formats.mdoc_facts import facts_of
from vitreous.formats.mdoc_join import joined, of_names
from vitreous.formats.mdoc_series import movie_pixel_size, tilt_series
from vitreous.formats.tilt_names import series_in_name


def of_movie(number, angle, second, *more):
    """An .mdoc of one movie."""
    lines = (f"TiltAngle = {angle}", f"DateTime = 06-Jun-23  10:00:{second:02d}", *more)
    text = "Voltage = 200\n\n[FrameSet = 0]\n" + "\n".join(lines) + "\n"
    return Path(f"TS_{number:03d}_{angle}.tif.mdoc"), parse_mdoc(text)


def part(name, *tilts):
    """An .mdoc of a series: (angle, second, PriorRecordDose)."""
    text = "PixelSpacing = 2\n\n[T = Tilt axis angle = 80.0, binning = 1]\n"
    for z, (angle, second, prior) in enumerate(tilts):
        text += f"[ZValue = {z}]\nTiltAngle = {angle}\nDateTime = 06-Jun-23  10:00:{second:02d}\n"
        text += f"ExposureDose = 2\nPriorRecordDose = {prior}\nSubFramePath = {name}_{z}.tif\n"
    return Path(f"{name}.mdoc"), parse_mdoc(text)


def series(mdoc):
    return tilt_series(mdoc, "TS", pixel_size=1.0, image_size=(4, 3))


def test_mdocs_of_single_movies_make_a_series_in_the_order_of_time():
    parts = [of_movie(3, -3.0, 9), of_movie(1, 0.0, 1), of_movie(2, 3.0, 5)]

    found = series(joined(parts))

    assert [tilt.nominal_tilt_degrees for tilt in found.tilts] == [0, 3, -3]
    assert [tilt.exposure_index for tilt in found.tilts] == [0, 1, 2]
    assert [tilt.movie for tilt in found.tilts] == [
        "TS_001_0.0.tif",
        "TS_002_3.0.tif",
        "TS_003_-3.0.tif",
    ]
    assert found.voltage_kv == 200


def test_a_movie_that_its_mdoc_names_keeps_that_name():
    found = series(joined([of_movie(1, 0.0, 1, r"SubFramePath = X:\a b\m 1.eer")]))

    assert found.tilts[0].movie == "m 1.eer"


def test_real_mdocs_of_single_movies_make_a_series(shared):
    paths = sorted((shared / "data/parsers/mdoc").glob("cryoCAT__TS_019_*.mdoc"))

    mdoc = joined([(path, read_mdoc(path)) for path in reversed(paths)])

    found = series(mdoc)
    assert [round(tilt.nominal_tilt_degrees) for tilt in found.tilts] == [
        8, 10, 12, 6, 4, 14, 0, 20, -2,
    ]  # fmt: skip
    before = [tilt.pre_exposure for tilt in found.tilts]
    assert before == sorted(before)
    assert before[0] == pytest.approx(0.0728312)  # what focusing took is counted
    assert found.nominal_axis_degrees == pytest.approx(82.9)


def test_parts_of_a_series_follow_each_other(caplog):
    second = part("b", (-3, 30, 6), (-6, 40, 8))
    first = part("a", (0, 10, 0), (3, 20, 2))

    found = series(joined([second, first]))

    assert [tilt.movie for tilt in found.tilts] == ["a_0.tif", "a_1.tif", "b_0.tif", "b_1.tif"]
    assert [tilt.pre_exposure for tilt in found.tilts] == [0, 2, 6, 8]
    assert found.nominal_axis_degrees == 80
    assert not caplog.text


def test_doses_that_begin_anew_with_a_part_are_summed_and_said(caplog):
    found = series(joined([part("a", (0, 10, 0), (3, 20, 2)), part("b", (-3, 30, 0), (-6, 40, 2))]))

    assert [tilt.pre_exposure for tilt in found.tilts] == [0, 2, 4, 6]
    assert "begin anew, they are summed" in caplog.text


def test_names_alone_tell_angles_and_order():
    found = series(of_names(["x_003_-6.00.tif", "x_001_0.00.tif", "x_002_3.00.tif"]))

    assert [tilt.nominal_tilt_degrees for tilt in found.tilts] == [0, 3, -6]
    assert found.tilts[0].movie == "x_001_0.00.tif"
    assert facts_of(of_names(["x_001_0.00.tif"]))[2].how == "guessed"  # the order


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("TS_019_0000_8.0.mrc", "TS_019"),
        ("TS_01_003_-6.00.mrc", "TS_01"),
        ("s_mmm_00993_33.0_Oct08_07.39.05.tif", "s_mmm"),
        ("Position_7_001_0.00_20250113_171532_EER.eer", "Position_7"),
        ("lam 3_005_2.0.tif", "lam 3"),
        ("grid[-60.00].tif", "grid"),
        ("001_-3.0.tif", ""),
        ("TS_1.mrc", None),
        ("TS_03.mrc", None),
    ],
)
def test_names_tell_their_series(name, series):
    assert series_in_name(name) == series


@pytest.mark.parametrize(
    ("image_size", "movie_size", "pixel"),
    [
        ("1024 1024", (4096, 4096), 1.5),  # images binned by 4
        ("5760 4092", (11520, 8184), 3.0),  # super-resolution movies
        ("4092 5760", (5760, 4092), 6.0),  # turned
        ("4000 4000", (4096, 4096), 6.0),  # cropped
        ("", (4096, 4096), 6.0),  # movies' own .mdoc files
        ("1500 1500", (4096, 4096), 3.0),  # no power of two: by the binning that is stated
    ],
)
def test_the_pixel_of_movies_follows_from_that_of_the_images(image_size, movie_size, pixel):
    head = "PixelSpacing = 6\n" + (f"ImageSize = {image_size}\n" if image_size else "")
    mdoc = parse_mdoc(head + "[ZValue = 0]\nTiltAngle = 0\nBinning = 2\n")

    assert movie_pixel_size(mdoc, movie_size) == pixel
