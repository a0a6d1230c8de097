"""vitreous check: what a session holds and lacks, as a user reads it."""

import json
import shutil

import numpy as np
import pytest

from vitreous.cli.main import main
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.tiff import write_tiff_stack

ANGLES = (0, 3, -3, 6)
FRAMES = 3


def movie_name(z):
    return f"TS_{z + 1:03d}_{ANGLES[z]}.0.tif"


def session(folder, name="TS", **changes):
    """A session of four small movies; changes: texts of the .mdoc's records, by key."""
    (folder / "frames").mkdir(parents=True)
    text = f"PixelSpacing = 4\nVoltage = 300\nImageFile = {name}.mrc\nImageSize = 16 12\n\n"
    text += "[T =     Tilt axis angle = 85.3, binning = 2  spot = 8  camera = 1]\n\n"
    for z, angle in enumerate(ANGLES):
        record = {
            "TiltAngle": f"{angle}",
            "ExposureDose": "3",
            "Binning": "2",
            "SubFramePath": f"X:\\frames\\{movie_name(z)}",
            "NumSubFrames": f"{FRAMES}",
            "DateTime": f"06-Jun-23  10:00:0{z}",
        } | changes
        lines = (f"{key} = {value}" for key, value in record.items() if value)
        text += f"[ZValue = {z}]\n" + "\n".join(lines) + "\n\n"
        images = np.ones((FRAMES, 24, 32), np.uint8)
        write_tiff_stack(folder / "frames" / movie_name(z), images, 1.0)
    (folder / f"{name}.mdoc").write_text(text)
    with MrcWriter(folder / "frames" / "gain.mrc", (1, 24, 32), 2.0) as writer:
        writer.write((0, 0, 0), np.ones((1, 24, 32), np.float32))
    return folder


def checked(capsys, *words):
    """(exit code, the facts of each series by name, what was said)."""
    code = main(["check", *map(str, words), "--json"])
    printed = capsys.readouterr()
    return code, {each["name"]: each for each in json.loads(printed.out)}, printed.err


def test_a_whole_session_is_ready(tmp_path, capsys):
    folder = session(tmp_path / "session")

    code, found, _ = checked(capsys, folder)

    facts = found["TS"]["facts"]
    assert code == 0
    assert found["TS"]["begins_with"] == "movies"
    assert facts["movies"] == {"how": "complete", "value": f"4 of 4 in {folder / 'frames'}"}
    assert facts["frames"] == {"how": "complete", "value": "3 frames of 32 x 24 px"}
    assert facts["pixel size"] == {"how": "derived", "value": "2 A of the movies"}
    assert facts["gain"] == {"how": "derived", "value": f"{folder / 'frames' / 'gain.mrc'}"}
    assert facts["tilt axis"]["value"] == "85.3 degrees (title)"
    assert facts["dose before"]["how"] == "derived"
    assert not [f for f in facts.values() if f["how"] in ("guessed", "missing")]


def test_the_table_of_several_series_says_how_each_fact_is_known(tmp_path, capsys):
    session(tmp_path / "s" / "one", "TS_1")
    session(tmp_path / "s" / "two", "TS_2", ExposureDose="0", DateTime="")

    code = main(["check", str(tmp_path / "s")])

    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert code == 0
    assert lines[0].split()[:4] == ["series", "begins", "with", "tilts"]
    assert lines[1].startswith("TS_1    movies")
    assert "  guessed  order: as the sections stand (no DateTime)" in lines
    assert "  missing  dose: no dose: --dose-per-tilt says it" in lines
    assert "all 2 series are ready" in printed.err


@pytest.mark.parametrize(
    ("changes", "option", "fact", "how", "value"),
    [
        ({"ExposureDose": ""}, (), "dose", "missing", "no dose"),
        ({"ExposureDose": "", "FrameDosesAndNumber": "1.5 2"}, (), "dose", "derived", "3 e/A^2"),
        ({"ExposureDose": "0"}, ("--dose-per-tilt", "2.5"), "dose", "complete", "2.5 e/A^2"),
        ({"DateTime": ""}, (), "order", "guessed", "as the sections stand"),
        ({"NumSubFrames": ""}, (), "frames", "derived", "3 frames"),
        ({}, ("--pixel", "1.7"), "pixel size", "complete", "1.7 A (given)"),
        ({}, ("--no-gain",), "gain", "complete", "none is needed"),
        ({}, ("--tilt-axis", "-90"), "tilt axis", "complete", "-90 degrees (given)"),
    ],
)
def test_what_is_missing_is_said_or_given(tmp_path, capsys, changes, option, fact, how, value):
    folder = session(tmp_path / "session", **changes)

    code, found, _ = checked(capsys, folder, *option)

    assert code == 0
    assert found["TS"]["facts"][fact]["how"] == how
    assert found["TS"]["facts"][fact]["value"].startswith(value)


def test_a_session_that_can_not_be_run_says_why(tmp_path, capsys):
    folder = session(tmp_path / "session")
    for z in (0, 1):
        (folder / "frames" / movie_name(z)).unlink()

    code, found, said = checked(capsys, folder)

    assert code == 1
    assert not found["TS"]["ready"]
    assert "TS can't be run: 2 of 4 movies aren't there: TS_001_0.0.tif, TS_002_3.0.tif" in said


def test_movies_of_other_lengths_and_cut_ones_are_found_before_work(tmp_path, capsys):
    folder = session(tmp_path / "session", NumSubFrames="5")
    cut = folder / "frames" / movie_name(3)
    cut.write_bytes(cut.read_bytes()[:600])

    code, found, said = checked(capsys, folder)

    assert code == 1
    assert found["TS"]["facts"]["frames"]["value"].startswith("4 movies are faulty:")
    assert "5 frames were recorded, 3 are in the file" in said


@pytest.mark.parametrize(
    ("shape", "value", "why"),
    [
        ((20, 30), 1.0, "the gain has 30 x 20 pixels, the movies 32 x 24"),
        ((24, 32), 0.0, "all values of the gain are 0"),
        ((24, 32), -1.0, "values of the gain are negative"),
    ],
)
def test_a_gain_that_is_of_no_use_is_told_before_work(tmp_path, capsys, shape, value, why):
    folder = session(tmp_path / "session")
    with MrcWriter(folder / "frames" / "gain.mrc", (1, *shape), 2.0) as writer:
        writer.write((0, 0, 0), np.full((1, *shape), value, np.float32))

    code, found, said = checked(capsys, folder)

    assert code == 1
    assert found["TS"]["facts"]["gain"]["how"] == "missing"
    assert why in said


@pytest.mark.parametrize("shape", [(32, 24), (48, 64), (64, 48)])
def test_a_gain_may_be_turned_or_finer(tmp_path, capsys, shape):
    folder = session(tmp_path / "session")
    with MrcWriter(folder / "frames" / "gain.mrc", (1, *shape), 2.0) as writer:
        writer.write((0, 0, 0), np.ones((1, *shape), np.float32))

    assert checked(capsys, folder)[0] == 0


def test_movies_elsewhere_are_found_with_the_option(tmp_path, capsys):
    folder = session(tmp_path / "session")
    shutil.move(folder / "frames", tmp_path / "frames")

    assert checked(capsys, folder)[0] == 1
    code, found, _ = checked(capsys, folder, "--movies", tmp_path / "frames")
    assert code == 0
    assert found["TS"]["facts"]["movies"]["value"] == f"4 of 4 in {tmp_path / 'frames'}"


def test_two_series_that_name_the_same_movies_are_told(tmp_path, capsys):
    folder = session(tmp_path / "session")
    shutil.copy(folder / "TS.mdoc", folder / "copy.mdoc")
    notes = folder / "copy.mdoc"
    notes.write_text(notes.read_text().replace("ImageFile = TS.mrc", "ImageFile = copy.mrc"))

    code, found, _ = checked(capsys, folder)

    assert code == 1
    assert "TS and copy name the same movies" in found["TS"]["problem"]


def test_a_pixel_size_that_nobody_knows_is_a_problem(tmp_path, capsys):
    folder = session(tmp_path / "session")
    notes = folder / "TS.mdoc"
    notes.write_text(notes.read_text().replace("PixelSpacing = 4\n", ""))

    code, _, said = checked(capsys, folder)

    assert code == 1
    assert "pixel size: no PixelSpacing: --pixel says it" in said
    assert checked(capsys, folder, "--pixel", "2")[0] == 0


def test_every_real_mdoc_says_what_it_holds_and_lacks(shared, capsys):
    files = sorted((shared / "data/parsers/mdoc").iterdir())

    for path in files:
        code = main(["check", str(path)])

        printed = capsys.readouterr()
        assert code == 1, path  # their movies and stacks aren't here
        assert printed.err.startswith("error: "), path
        assert "Traceback" not in printed.err
        if path.stat().st_size:
            assert "tilts" in printed.out, path
    assert len(files) > 20
