import numpy as np
import pytest

from vitreous.formats.gains import read_defects
from vitreous.formats.mrc import MrcWriter, open_stack


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A simulated session with movies, their gain and list of defects."""
    from vitreous.cli.main import main

    folder = tmp_path_factory.mktemp("session")
    words = "simulate --name s --size 160 128 --pixel-size 10 --frames 3 --max-tilt 9 --output"
    assert main([*words.split(), str(folder)]) == 0
    return folder / "frames"


def written(path, image):
    with MrcWriter(path, (1, *image.shape), 1.0) as writer:
        writer.write((0, 0, 0), np.ascontiguousarray(image)[None])
    return path


@pytest.mark.parametrize(("rotate", "flip"), [(r, f) for r in range(4) for f in (0, 1)])
def test_auto_finds_the_planted_orientation_of_simulated_movies(
    session, vitreous, tmp_path, rotate, flip
):
    true = open_stack(session / "s_gain.mrc").read(0)
    stored = np.rot90(true[::-1] if flip else true, rotate)
    reference, output = written(tmp_path / "stored.mrc", stored), tmp_path / "gain.mrc"

    ended = vitreous("gain", reference, "--movies", session / "*.tif", "--auto", "--output", output)

    assert ended.code == 0, ended.said
    assert f"rotate {rotate}, flip {flip} fits" in ended.said
    found = open_stack(output).read(0)
    counting = found > 0
    np.testing.assert_array_equal(found[counting], true[counting])


def test_the_simulated_defects_are_found_one_by_one(session, vitreous, tmp_path):
    output = tmp_path / "gain.mrc"

    ended = vitreous(
        "gain", session / "s_gain.mrc", "--movies", session / "*.tif", "--output", output
    )

    assert ended.code == 0, ended.said
    planted = {(x, y) for x, y, _, _ in read_defects(session / "s_defects.txt").tolist()}
    zero = {(x, y) for y, x in np.argwhere(open_stack(output).read(0) == 0).tolist()}
    assert zero == planted
    boxes = read_defects(tmp_path / "gain_defects.txt")
    assert boxes[:, 2:].prod(1).sum() == len(planted)
    assert (tmp_path / "gain.png").stat().st_size > 1000
    assert "fits" in (tmp_path / "gain.log").read_text()
    assert (tmp_path / "gain.err").read_text() == ""


def test_a_wrong_choice_is_warned_of(session, vitreous, tmp_path):
    ended = vitreous(
        "gain", session / "s_gain.mrc", "--rotate", 2, "--movies", session / "*.tif",
        "--output", tmp_path / "gain.mrc",
    )  # fmt: skip

    assert ended.code == 0
    assert "warning: " in ended.said
    assert "not with rotate 2, flip 0 as asked. --auto takes what fits" in ended.said
    assert "not with rotate 2" in (tmp_path / "gain.err").read_text()


def test_without_movies_the_gain_is_turned_as_told(vitreous, tmp_path):
    gain = np.linspace(0.5, 1.5, 24, dtype=np.float32).reshape(4, 6)
    output = tmp_path / "out.mrc"

    ended = vitreous(
        "gain", written(tmp_path / "g.mrc", gain), "--rotate", 1, "--flip", 2, "--output", output
    )

    assert ended.code == 0, ended.said
    np.testing.assert_array_equal(open_stack(output).read(0), np.rot90(gain, -1)[:, ::-1])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--movies", "nothing/*.tif"], "no movies are named nothing/*.tif"),
        (["--auto"], "--auto takes the orientation from movies"),
        (["--rotate", "5"], "--rotate 5: choose 0, 1, 2 or 3"),
    ],
)
def test_what_cant_be_done_is_said(vitreous, tmp_path, words, message):
    reference = written(tmp_path / "g.mrc", np.ones((4, 6), np.float32))

    ended = vitreous("gain", reference, *words, "--output", tmp_path / "out.mrc")

    assert ended.code in (1, 2)
    assert message in ended.said
    assert not (tmp_path / "out.mrc").exists()


def test_the_output_never_replaces_the_reference(vitreous, tmp_path):
    reference = written(tmp_path / "g.mrc", np.ones((4, 6), np.float32))

    ended = vitreous("gain", reference, "--output", reference)

    assert ended.code == 1
    assert "is an input" in ended.said
