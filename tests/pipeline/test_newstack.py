import logging

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.formats.aretomo import read_tlt_txt
from vitreous.formats.imod import read_angles
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.mdoc_series import tilt_series
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.formats.star import Table, write_star
from vitreous.pipeline.newstack import make_stack
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.newstack_sources import image_of, of_files, of_mdoc, of_star
from vitreous.pipeline.restack_settings import RestackSettings

ANGLES = [0.0, 3.0, -3.0, -6.0, 6.0]  # as acquired
SHAPE = (12, 16)


def image(path, grey, pixel_size=2.0, sections=1, tilts=None, shape=SHAPE):
    """A file of MRC images around a grey value, each section one brighter."""
    rng = np.random.default_rng(7)
    data = rng.normal(0, 1, (sections, *shape)) + grey + np.arange(sections)[:, None, None]
    with MrcWriter(path, data.shape, pixel_size, is_stack=True, tilt_angles=tilts) as writer:
        writer.write((0, 0, 0), data.astype(np.float32))
    return path


@pytest.fixture
def averages(tmp_path):
    """Images of five movies in acquisition order, grey 100, 200, ..., with halves."""
    folder = tmp_path / "motion"
    folder.mkdir()
    for k, angle in enumerate(ANGLES):
        stem = f"ts_{k + 1:03d}_{angle:.1f}"
        image(folder / f"{stem}.mrc", 100 * (k + 1))
        image(folder / f"{stem}_EVN.mrc", 100 * (k + 1) + 10)
        image(folder / f"{stem}_ODD.mrc", 100 * (k + 1) + 20)
    return folder


def write_mdoc(path, angles, movies, doses=3.0):
    lines = ["PixelSpacing = 2", "Voltage = 300", "ImageFile = ts.mrc", "ImageSize = 16 12", ""]
    lines += ["[T =     Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0]", ""]
    for k, (angle, movie) in enumerate(zip(angles, movies, strict=True)):
        lines += [f"[ZValue = {k}]", f"TiltAngle = {angle}", f"ExposureDose = {doses}"]
        lines += [f"SubFramePath = X:\\frames\\{movie}"] if movie else []
        lines += ["MinMaxMean = 0 1 0.5", "StageZ = 21.5"]
        lines += [f"DateTime = 24-Nov-2026  10:{k:02d}:00", ""]
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def mdoc(tmp_path):
    movies = [f"ts_{k + 1:03d}_{angle:.1f}.tif" for k, angle in enumerate(ANGLES)]
    return write_mdoc(tmp_path / "ts.mdoc", ANGLES, movies)


def greys(path):
    with open_stack(path) as stack:
        return [round(float(stack.read(k).mean()) / 10) * 10 for k in range(stack.shape[0])]


def made(gathered, output, *args, **how):
    return make_stack(gathered, output, *args, **how)


def test_the_images_of_an_mdoc_stand_in_order_of_angle(tmp_path, mdoc, averages):
    output = tmp_path / "ts.st"

    result = made(of_mdoc(mdoc, sorted(averages.iterdir())), output)

    assert greys(output) == [400, 300, 100, 200, 500]
    with open_stack(output) as stack:
        assert stack.pixel_size == 2.0
        assert stack.tilt_angles.tolist() == [-6, -3, 0, 3, 6]
        assert any("Tilt axis angle = 85.3" in label for label in stack.header.labels)
    assert read_angles(tmp_path / "ts.rawtlt").tolist() == [-6, -3, 0, 3, 6]
    assert all(path.is_file() for path in result.files)


def test_the_new_mdoc_has_the_stacks_order_and_all_that_was_noted(tmp_path, mdoc, averages):
    output = tmp_path / "ts.st"
    made(of_mdoc(mdoc, sorted(averages.iterdir())), output, None, RestackSettings(bin=2))

    written = read_mdoc(tmp_path / "ts.st.mdoc")
    series = tilt_series(written, "ts", path=output)

    assert written.get("ImageFile") == "ts.st"
    assert [tilt.nominal_tilt_degrees for tilt in series.tilts] == [-6, -3, 0, 3, 6]
    assert [tilt.exposure_index for tilt in series.tilts] == [3, 2, 0, 1, 4]
    assert [tilt.pre_exposure for tilt in series.tilts] == [9, 6, 0, 3, 12]
    assert [tilt.dose for tilt in series.tilts] == [3] * 5
    assert series.tilts[0].movie == "ts_004_-6.0.tif"
    assert series.nominal_axis_degrees == 85.3
    assert (series.pixel_size, series.image_size) == (4.0, (8, 6))
    noted = series.tilts[0].extra
    assert (noted["StageZ"], noted["PixelSpacing"]) == ("21.5", "4")
    low, high, mean = (float(word) for word in noted["MinMaxMean"].split())
    assert low < mean < high
    assert mean == pytest.approx(400, abs=1)


def test_lists_of_order_and_dose_lie_beside(tmp_path, mdoc, averages):
    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    table = read_tlt_txt(tmp_path / "ts_TLT.txt")
    assert table.order.tolist() == [4, 3, 1, 2, 5]
    assert table.dose.tolist() == [3] * 5
    order = (tmp_path / "ts_order.csv").read_text().split()
    assert order == ["1,0.00", "2,3.00", "3,-3.00", "4,-6.00", "5,6.00"]
    doses = (tmp_path / "ts_dose.txt").read_text().split()
    assert doses == ["9.0000", "6.0000", "0.0000", "3.0000", "12.0000"]


def test_half_stacks_are_made_in_the_same_order(tmp_path, mdoc, averages):
    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert greys(tmp_path / "ts_EVN.st") == [410, 310, 110, 210, 510]
    assert greys(tmp_path / "ts_ODD.st") == [420, 320, 120, 220, 520]


def test_one_missing_half_and_there_are_no_half_stacks(tmp_path, mdoc, averages, caplog):
    (averages / "ts_003_-3.0_ODD.mrc").unlink()

    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert not (tmp_path / "ts_EVN.st").exists()
    assert "no half stacks: ts_003_-3.0.mrc" in caplog.text


def test_a_tilt_taken_again_gives_way_and_its_dose_still_counts(tmp_path, averages, caplog):
    image(averages / "ts_006_3.0.mrc", 600)
    angles = [*ANGLES, 3.02]
    movies = [f"ts_{k + 1:03d}_{angle:.1f}.tif" for k, angle in enumerate([*ANGLES, 3.0])]
    mdoc = write_mdoc(tmp_path / "ts.mdoc", angles, movies)

    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 600, 500]
    said = "ts_002_3.0.mrc: its tilt of 3.00 degrees was taken again, ts_006_3.0.mrc is used"
    assert said in caplog.text
    series = tilt_series(read_mdoc(tmp_path / "ts.st.mdoc"), "ts")
    assert series.tilts[3].pre_exposure == 15
    assert read_tlt_txt(tmp_path / "ts_TLT.txt").order.tolist() == [4, 3, 1, 6, 5]


def test_all_tilts_can_be_kept(tmp_path, averages):
    image(averages / "ts_006_3.0.mrc", 600)
    files = [(path, None) for path in sorted(averages.glob("ts_00?_*.0.mrc"))]

    made(of_files(files), tmp_path / "ts.st", NewstackSettings(retaken="keep"))

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 200, 600, 500]


def test_dark_and_blank_images_are_left_out_with_their_reason(tmp_path, averages, caplog):
    image(averages / "ts_004_-6.0.mrc", 8)
    for k, angle in enumerate(ANGLES[:3]):
        image(averages / f"ts_{k + 1:03d}_{angle:.1f}.mrc", 100 + k)
    image(averages / "ts_005_6.0.mrc", 98)
    blank = averages / "ts_006_9.0.mrc"
    with MrcWriter(blank, (1, *SHAPE), 2.0) as writer:
        writer.write((0, 0, 0), np.zeros((1, *SHAPE), np.float32))
    files = [(path, None) for path in sorted(averages.glob("ts_00?_*.0.mrc"))]

    made(of_files(files), tmp_path / "ts.st", NewstackSettings(dark="leave-out"))
    made(of_files(files), tmp_path / "all.st")

    assert read_angles(tmp_path / "ts.rawtlt").tolist() == [-3, 0, 3, 6]
    assert "ts_004_-6.0.mrc (-6.00 degrees) is left out: dark: 8 %" in caplog.text
    assert "ts_006_9.0.mrc (9.00 degrees) is left out: blank" in caplog.text
    assert len(greys(tmp_path / "all.st")) == 6


def test_halves_and_other_sums_that_a_pattern_takes_are_no_tilts(tmp_path, averages):
    for stem in ("ts_001_0.0", "ts_002_3.0"):
        image(averages / f"{stem}_unweighted.mrc", 900)
    files = [(path, None) for path in sorted(averages.glob("*.mrc"))]

    made(of_files(files), tmp_path / "ts.st")

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 200, 500]
    assert greys(tmp_path / "ts_EVN.st") == [410, 310, 110, 210, 510]


def test_names_tell_angle_and_order_where_nothing_else_does(tmp_path, averages):
    files = [(path, None) for path in sorted(averages.glob("ts_00?_*.0.mrc"))]

    result = made(of_files(files), tmp_path / "ts.st")

    assert result.series.nominal_tilts_degrees.tolist() == [-6, -3, 0, 3, 6]
    assert [tilt.exposure_index for tilt in result.series.tilts] == [3, 2, 0, 1, 4]
    assert not (tmp_path / "ts_dose.txt").exists()  # nobody knows the doses


@pytest.mark.parametrize(
    ("order", "expected"),
    [("given", [100, 200, 300, 400, 500]), ("acquisition", [100, 200, 300, 400, 500])],
)
def test_other_orders(tmp_path, averages, order, expected):
    files = [(path, None) for path in sorted(averages.glob("ts_00?_*.0.mrc"))]

    made(of_files(files), tmp_path / "ts.st", NewstackSettings(order=order))

    assert greys(tmp_path / "ts.st") == expected


def test_a_stack_is_sorted_by_the_angles_of_its_header(tmp_path):
    stack = image(tmp_path / "raw.mrc", 100, sections=3, tilts=np.array([5.0, -5.0, 0.0]))

    made(of_files([(stack, None)]), tmp_path / "sorted.st")

    with open_stack(stack) as raw, open_stack(tmp_path / "sorted.st") as result:
        for section, source in enumerate((1, 2, 0)):
            np.testing.assert_array_equal(result.read(section), raw.read(source))


def test_given_angles_go_before_all_others(tmp_path):
    stack = image(tmp_path / "raw.mrc", 100, sections=3, tilts=np.array([5.0, -5.0, 0.0]))

    result = made(of_files([(stack, None)], [1.0, 2.0, 3.0]), tmp_path / "x.st")

    assert result.series.nominal_tilts_degrees.tolist() == [1, 2, 3]
    with pytest.raises(UserError, match="2 angles are given for 3 images"):
        of_files([(stack, None)], [1.0, 2.0])


def test_a_star_names_images_angles_and_halves(tmp_path, averages):
    stems = [f"ts_{k + 1:03d}_{angle:.1f}" for k, angle in enumerate(ANGLES)]
    star = tmp_path / "ts.star"
    columns = {
        "rlnMicrographName": [f"motion/{stem}.mrc" for stem in stems],
        "rlnMicrographNameEven": [f"motion/{stem}_EVN.mrc" for stem in stems],
        "rlnMicrographNameOdd": [f"motion/{stem}_ODD.mrc" for stem in stems],
        "rlnTomoNominalStageTiltAngle": [str(angle) for angle in ANGLES],
        "rlnMicrographPreExposure": ["0", "3", "6", "9", "12"],
        "rlnTomoNominalTiltAxisAngle": ["85.3"] * 5,
    }
    optics = Table("optics", {"rlnOpticsGroup": ["1"], "rlnVoltage": ["200"]})
    write_star(star, [optics, Table("ts", columns)])

    result = made(of_star(star), tmp_path / "ts.st")

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 200, 500]
    assert greys(tmp_path / "ts_ODD.st") == [420, 320, 120, 220, 520]
    assert [tilt.exposure_index for tilt in result.series.tilts] == [3, 2, 0, 1, 4]
    assert result.series.nominal_axis_degrees == 85.3
    assert result.series.voltage_kv == 200


def test_a_star_of_averages_alone_is_taken_by_their_names(tmp_path, averages):
    star = tmp_path / "corrected_micrographs.star"
    names = [f"motion/ts_{k + 1:03d}_{angle:.1f}.mrc" for k, angle in enumerate(ANGLES)]
    write_star(star, [Table("micrographs", {"rlnMicrographName": names})])

    result = made(of_star(star), tmp_path / "ts.st")

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 200, 500]
    assert [tilt.exposure_index for tilt in result.series.tilts] == [3, 2, 0, 1, 4]


def test_a_stack_and_the_mdoc_of_its_tilts(tmp_path, mdoc):
    stack = image(tmp_path / "raw.mrc", 100, sections=5)

    result = made(of_mdoc(mdoc, [stack]), tmp_path / "x.st")

    assert result.series.nominal_tilts_degrees.tolist() == [-6, -3, 0, 3, 6]
    with open_stack(stack) as raw, open_stack(tmp_path / "x.st") as sorted_:
        np.testing.assert_array_equal(sorted_.read(0), raw.read(3))


def test_a_missing_image_loses_its_tilt_and_too_many_the_series(tmp_path, mdoc, averages, caplog):
    (averages / "ts_002_3.0.mrc").unlink()

    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert greys(tmp_path / "ts.st") == [400, 300, 100, 500]
    assert "no image of ts_002_3.0.tif, its tilt is left out" in caplog.text
    (averages / "ts_001_0.0.mrc").unlink()
    with pytest.raises(UserError, match=r"2 of 5 tilts have no image, the first ts_001_0\.0\.tif"):
        of_mdoc(mdoc, sorted(averages.iterdir()))


def test_a_broken_image_loses_its_tilt_and_is_named(tmp_path, mdoc, averages, caplog):
    path = averages / "ts_002_3.0.mrc"
    path.write_bytes(path.read_bytes()[:1500])

    made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert len(greys(tmp_path / "ts.st")) == 4
    assert "left out: " in caplog.text
    assert "ts_002_3.0.mrc" in caplog.text


def test_the_image_of_a_movie_is_never_that_of_another_tilt(tmp_path):
    names = ["t_1_3.0.mrc", "t_1_3.0_EVN.mrc", "t_1_3.01.mrc", "t_1_3.0_DW.mrc", "t_1_3.0.log"]
    paths = [tmp_path / name for name in names]

    assert image_of("t_1_3.0.tif", paths) == paths[0]
    assert image_of("t_1_3.0.tif", paths[1:]) == paths[3]
    assert image_of("t_1_9.0.tif", paths) is None


def test_images_of_other_sizes_are_cut_or_filled_and_said(tmp_path, caplog):
    image(tmp_path / "a_-3.0.mrc", 100)
    image(tmp_path / "a_3.0.mrc", 200, shape=(14, 14))
    files = [(path, None) for path in sorted(tmp_path.glob("a_*.mrc"))]

    made(of_files(files), tmp_path / "ts.st")

    with open_stack(tmp_path / "ts.st") as stack:
        assert stack.shape == (2, *SHAPE)
        assert stack.read(1).mean() == pytest.approx(200, abs=1)
    assert "has 14 x 14 pixels, not 16 x 12 as the first" in caplog.text


def test_images_of_other_pixel_sizes_are_not_of_one_series(tmp_path):
    image(tmp_path / "a_-3.0.mrc", 100, pixel_size=2.0)
    image(tmp_path / "a_3.0.mrc", 200, pixel_size=2.5)
    files = [(path, None) for path in sorted(tmp_path.glob("a_*.mrc"))]

    with pytest.raises(UserError, match=r"a_3\.0\.mrc has 2\.5 A/px"):
        made(of_files(files), tmp_path / "ts.st")
    made(of_files(files), tmp_path / "ts.st", pixel_size=2.2)

    with open_stack(tmp_path / "ts.st") as stack:
        assert stack.pixel_size == pytest.approx(2.2)


def test_an_image_that_tells_no_angle_is_an_error(tmp_path):
    path = image(tmp_path / "grid.mrc", 100)

    with pytest.raises(UserError, match=r"grid\.mrc: neither its name nor its header tells a tilt"):
        of_files([(path, None)])


def test_nothing_is_said_where_all_is_well(tmp_path, mdoc, averages, caplog):
    with caplog.at_level(logging.WARNING):
        made(of_mdoc(mdoc, sorted(averages.iterdir())), tmp_path / "ts.st")

    assert not caplog.records
