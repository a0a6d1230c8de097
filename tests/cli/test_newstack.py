import numpy as np
import pytest

from vitreous.formats.mrc import MrcWriter, open_stack


@pytest.fixture
def images(tmp_path):
    """Three images, -3, 0 and 3 degrees by name, in a folder of their own."""
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(3)
    for number, angle in ((1, 0.0), (2, 3.0), (3, -3.0)):
        with MrcWriter(folder / f"t_{number:03d}_{angle:.1f}.mrc", (1, 12, 16), 2.0) as writer:
            writer.write((0, 0, 0), rng.normal(10, 1, (1, 12, 16)).astype(np.float32))
    return folder


def test_images_become_a_stack_with_all_beside_it(vitreous, images, tmp_path):
    output = tmp_path / "t.st"

    ended = vitreous("newstack", images / "*.mrc", output, "--mode", "int16", "--bin", 2)

    assert ended.code == 0, ended.said
    assert "3 images of 8 x 6 px, -3.00 to 3.00 degrees, 4 A/px" in ended.said
    made = {path.name for path in tmp_path.iterdir()} - {"images"}
    assert made == {
        "t.st", "t.st.mdoc", "t.rawtlt", "t_TLT.txt", "t_order.csv", "t_tiles.jpg", "t.log", "t.err"
    }  # fmt: skip
    with open_stack(output) as stack:
        assert stack.dtype == np.int16
    assert (tmp_path / "t.err").read_text() == ""
    assert "3 images" in (tmp_path / "t.log").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "name the output"),
        (["out.st"], "no images are named"),
        (["nothing_*.mrc", "out.st"], "no images are named nothing_*.mrc"),
        (["--mdoc", "a", "--star", "b", "out.st"], "--mdoc and --star exclude each other"),
    ],
)
def test_what_cant_be_done_is_said(vitreous, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)

    ended = vitreous("newstack", *words)

    assert ended.code == 1
    assert message in ended.said
    assert not (tmp_path / "out.st").exists()


def test_an_image_is_never_overwritten(vitreous, images):
    victim = images / "t_001_0.0.mrc"

    ended = vitreous("newstack", images / "*.mrc", victim)

    assert ended.code == 1
    assert "is an input" in ended.said


def test_imods_own_command_line_is_understood(vitreous, images, tmp_path):
    ended = vitreous(
        "imod", "newstack", "-in", images / "t_001_0.0.mrc", "-ou", tmp_path / "o.mrc", "-bin", "2"
    )

    assert ended.code == 0, ended.said
    assert open_stack(tmp_path / "o.mrc").shape == (1, 6, 8)
    refused = vitreous("imod", "newstack", "-split", "1", "x", "y")
    assert refused.code == 1
    assert "-split isn't done here" in refused.said


def test_the_face_has_a_help(vitreous, capfd):
    assert vitreous("imod", "--help").code == 0
    assert vitreous("imod", "trimvol").code == 1
