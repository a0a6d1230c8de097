"""`vitreous motion` as a user runs it."""

import json

import numpy as np
import pytest

from tests.motion.movies import Scene, made
from vitreous.cli.main import main
from vitreous.formats import motion_json, relion_motion
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.formats.tiff import write_tiff_stack

SCENE = Scene(size=256, frames=5, dose=9.0, pixel_size=3.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """one.mrc and two.tif: the same movie, taken by an uneven camera; gain.mrc makes it even."""
    folder = tmp_path_factory.mktemp("movies")
    movie, _, _ = made(SCENE)
    rng = np.random.default_rng(2)
    gain = rng.choice([0.5, 1.0, 2.0], movie.shape[1:]).astype(np.float32)
    raw = (movie.data / gain * 2).astype(np.uint16)
    gain[40, 50] = 0
    with MrcWriter(folder / "one.mrc", raw.shape, 3.0, np.uint16, is_stack=True) as writer:
        writer.write((0, 0, 0), raw)
    write_tiff_stack(folder / "two.tif", raw, 3.0)
    with MrcWriter(folder / "gain.mrc", (1, 256, 256), 3.0, is_stack=True) as writer:
        writer.write((0, 0, 0), gain[None] / 2)
    return folder


def run(*words):
    return main(["motion", *map(str, words), "--cpus", "1"])


def test_movies_become_averages_with_all_that_was_found_beside(folder, tmp_path):
    out = tmp_path / "averages"

    code = run(
        folder / "one.mrc", folder / "two.tif", "--gain", folder / "gain.mrc",
        "--output", out, "--dose", 9, "--unweighted", "--pixel", 3,
    )  # fmt: skip

    assert code == 0
    for name in ("one", "two"):
        made_of_it = {path.name for path in out.glob(f"{name}*")}
        assert made_of_it == {
            f"{name}{ending}"
            for ending in
            (".mrc", "_EVN.mrc", "_ODD.mrc", "_unweighted.mrc", ".star", ".json", ".png")
        }  # fmt: skip
    average, even, odd = (open_stack(out / f"one{e}.mrc").read(0) for e in ("", "_EVN", "_ODD"))
    np.testing.assert_allclose(even + odd, average, rtol=1e-5)
    assert open_stack(out / "one.mrc").pixel_size == 3.0
    np.testing.assert_allclose(average, open_stack(out / "two.mrc").read(0), atol=1e-3)
    assert abs(average[38:43, 48:53] - average.mean()).max() < 5 * average.std()
    assert "standard error" in (out / "motion.log").read_text()
    overview = (out / "corrected_micrographs.star").read_text()
    assert str(out / "two.mrc") in overview


def test_star_and_json_say_the_same(folder, tmp_path):
    run(folder / "one.mrc", "--gain", folder / "gain.mrc", "--output", tmp_path, "--dose", 9)

    by_json = motion_json.read(tmp_path / "one.json")
    by_star = relion_motion.read(tmp_path / "one.star")

    np.testing.assert_allclose(by_star.displacements, by_json.displacements, atol=1e-4)
    said = json.loads((tmp_path / "one.json").read_text())
    assert said["dose_per_frame"] == pytest.approx(1.8)
    assert said["standard_error"] > 0


def test_frames_are_summed_with_their_doses_as_motioncors_list_says(folder, tmp_path):
    listed = tmp_path / "FmIntFile.txt"
    listed.write_text("2 1 0.5\n3 3 0.5\n")

    code = run(folder / "two.tif", "--output", tmp_path, "--fm-int-file", listed)

    assert code == 0
    said = json.loads((tmp_path / "two.json").read_text())
    assert (said["frame_count"], said["doses"]) == (3, [0.5, 0.5, 1.5])
    assert said["dose_per_frame"] == pytest.approx(2.5 / 3)
    assert "0.833333" in (tmp_path / "two.star").read_text()


def test_a_broken_movie_is_named_and_the_others_go_on(folder, tmp_path, capsys):
    broken = tmp_path / "broken.mrc"
    broken.write_bytes((folder / "one.mrc").read_bytes()[:-5000])
    out = tmp_path / "out"

    code = run(broken, folder / "two.tif", "--output", out, "--no-local")

    assert code == 1
    said = capsys.readouterr().err
    assert "broken.mrc" in said
    assert "1 of 2 movies could not be corrected" in said
    assert (out / "two.mrc").exists()
    assert not (out / "broken.mrc").exists()
    assert "broken.mrc" in (out / "motion.err").read_text()


def test_a_gain_of_another_size_is_refused(folder, tmp_path, capsys):
    small = tmp_path / "small.mrc"
    with MrcWriter(small, (1, 100, 90), 3.0, is_stack=True) as writer:
        writer.write((0, 0, 0), np.ones((1, 100, 90), np.float32))

    code = run(folder / "one.mrc", "--gain", small, "--output", tmp_path / "out")

    assert code == 1
    assert "the gain has 90 x 100 pixels, the movies 256 x 256" in capsys.readouterr().err


def test_movies_of_one_name_are_not_written_over_each_other(folder, tmp_path, capsys):
    other = tmp_path / "one.tif"
    other.write_bytes((folder / "two.tif").read_bytes())

    code = run(folder / "one.mrc", other, "--output", tmp_path / "out")

    assert code == 1
    assert "would both become" in capsys.readouterr().err


def test_a_movie_is_never_written_over(folder, tmp_path, capsys):
    code = run(folder / "one.mrc", "--output", folder)

    assert code == 1
    assert "one.mrc" in capsys.readouterr().err
    assert open_stack(folder / "one.mrc").shape == (5, 256, 256)
