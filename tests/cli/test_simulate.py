import json

import numpy as np
import pytest

from vitreous.formats.imod import read_angles
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.mdoc_series import tilt_series
from vitreous.formats.mrc import open_stack
from vitreous.formats.tiff import open_tiff_stack

SMALL = ["--size", "64", "48", "--pixel", "10", "--max-tilt", "20", "--tilt-step", "10"]


def stack_of(path):
    with open_stack(path) as stack:
        return np.stack([stack.read(i) for i in range(stack.shape[0])])


@pytest.fixture
def session(tmp_path, vitreous):
    """The folder of a session with movies."""
    folder = tmp_path / "over there" / "TS 1"
    ended = vitreous(
        "simulate", "--output", folder, "--name", "TS 1", *SMALL, "--frames", "4", "--quiet"
    )
    assert ended.code == 0
    assert ended.said == ""
    return folder


def test_a_session_is_left_as_serialem_leaves_it(session):
    truth = json.loads((session / "truth.json").read_text())
    series = tilt_series(read_mdoc(session / "TS 1.mrc.mdoc"), "TS 1")

    assert {path.name for path in session.iterdir()} == {
        "TS 1.mrc",
        "TS 1.mrc.mdoc",
        "TS 1.rawtlt",
        "truth.json",
        "frames",
    }
    assert read_angles(session / "TS 1.rawtlt").tolist() == [-20, -10, 0, 10, 20]
    assert series.nominal_tilts_degrees.tolist() == [-20, -10, 0, 10, 20]
    assert series.nominal_axis_degrees == -4.3
    assert series.pixel_size == 10
    assert [t.exposure_index for t in series.tilts] == [t["acquired"] for t in truth["tilts"]]
    assert [t.pre_exposure for t in series.tilts] == [t["dose_before"] for t in truth["tilts"]]
    images = stack_of(session / "TS 1.mrc")
    assert images.dtype == np.int16
    assert images.shape == (5, 48, 64)
    noted = [tilt.extra["MinMaxMean"].split()[2] for tilt in series.tilts]
    np.testing.assert_allclose(np.array(noted, float), images.mean((1, 2)), atol=0.5)


def test_movies_lie_beside_with_gain_and_defects(session):
    frames = session / "frames"
    series = tilt_series(read_mdoc(session / "TS 1.mrc.mdoc"), "TS 1")
    gain = stack_of(frames / "TS 1_gain.mrc")[0]
    broken = np.loadtxt(frames / "TS 1_defects.txt", int)
    good = np.ones(gain.shape, bool)
    good[broken[:, 1], broken[:, 0]] = False

    for tilt, image in zip(series.tilts, stack_of(session / "TS 1.mrc"), strict=True):
        movie = open_tiff_stack(frames / tilt.movie)
        assert movie.shape == (4, 48, 64)
        total = sum(movie.read(i).astype(float) for i in range(4)) * gain
        counted = good & (np.abs(image - total) < 30)  # X-rays aside
        assert counted.sum() > good.sum() - 5
        np.testing.assert_allclose(image[counted], total[counted], atol=0.51)


def test_the_same_words_give_the_same_stack(tmp_path, vitreous):
    for folder in ("a", "b"):
        words = [*SMALL, "--mode", "float32", "--cpus", "1" if folder == "a" else "2"]
        assert vitreous("simulate", "--output", tmp_path / folder, *words).code == 0

    one, other = (stack_of(tmp_path / folder / "sim.mrc") for folder in ("a", "b"))
    assert one.dtype == np.float32
    assert np.array_equal(one, other)
    assert (tmp_path / "a/truth.json").read_text() == (tmp_path / "b/truth.json").read_text()


def test_a_folder_keeps_the_truth_it_has(session, vitreous):
    before = (session / "truth.json").read_bytes()

    refused = vitreous("simulate", "--output", session, "--name", "other", *SMALL)
    again = vitreous("simulate", "--output", session, "--name", "TS 1", *SMALL, "--seed", "2")

    assert refused.code == 1
    assert "holds series 'TS 1': give 'other' a folder of its own" in refused.said
    assert again.code == 0
    assert (session / "truth.json").read_bytes() != before


def test_counts_that_a_byte_wont_hold_are_told(tmp_path, vitreous):
    ended = vitreous("simulate", "--output", tmp_path, *SMALL, "--mode", "int8")

    assert ended.code == 0
    assert "pixels have more than 127 counts and are cut" in ended.said
    assert stack_of(tmp_path / "sim.mrc").max() == 127


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--name", "a/b"], "is no name for files"),
        (["--dose-per-tilt", "-1"], "--dose-per-tilt -1: allowed is above 0"),
        (["--thickness", "12q"], "is no length"),
        (["--dark", "4-2"], "write it as 2-4"),
        (["--molecules", "90", "0", "0", "0"], "ask for fewer molecules"),
    ],
)
def test_what_cant_be_is_one_line(tmp_path, vitreous, words, said):
    ended = vitreous("simulate", "--output", tmp_path / "x", *SMALL, *words)

    assert ended.code in (1, 2)
    assert said in ended.said
    assert "Traceback" not in ended.said


def test_a_file_in_the_way_is_told(tmp_path, vitreous):
    (tmp_path / "file").write_text("in the way")

    ended = vitreous("simulate", "--output", tmp_path / "file" / "x", *SMALL)

    assert ended.code == 1
    assert "a part of the path is a file" in ended.said
