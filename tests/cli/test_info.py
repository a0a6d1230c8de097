import numpy as np
import pytest

from vitreous.cli.info import info
from vitreous.cli.main import main
from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.mrc import MrcWriter


@pytest.fixture
def stack(tmp_path):
    path = tmp_path / "TS_01.st"
    angles = np.array([-60.0, 0, 60])
    with MrcWriter(path, (3, 4, 6), 2.5, is_stack=True, tilt_angles=angles) as writer:
        writer.write((0, 0, 0), np.arange(72, dtype=np.float32).reshape(3, 4, 6))
    return path


def written(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_stack_is_described_line_by_line(stack, capsys):
    info([stack])

    name, *lines = capsys.readouterr().out.splitlines()
    facts = dict(line.strip().split("  ", 1) for line in lines)
    assert name == str(stack)
    assert {key: value.strip() for key, value in facts.items() if key != "label"} == {
        "kind": "MRC image, stack or volume",
        "size": "6 x 4 x 3",
        "mode": "2, float32",
        "pixel size": "2.5 A",
        "grey values": "0 to 71, mean 35.5 (as the header says)",
        "space group": "0 (images)",
        "extended": "384 bytes, 32 floats a section (Agard)",
        "tilt angles": "3, -60 to 60, rising",
        "byte order": "little-endian",
    }


def test_values_stand_in_one_column(stack, capsys):
    info([stack])

    lines = capsys.readouterr().out.splitlines()[1:]
    width = len("  grey values  ")
    assert all(line[width] != " " and line[width - 2 : width] == "  " for line in lines[:-1])


def test_a_kind_that_is_not_read_is_named_in_one_line(tmp_path):
    path = written(tmp_path, "x.mrc", "$tilt -StandardInput\n")

    with pytest.raises(UnknownFormatError) as caught:
        info([path])

    assert str(caught.value) == f"{path}: IMOD command file: this kind is not read (yet)"


def test_a_broken_file_names_line_and_expected_content(tmp_path):
    path = written(tmp_path, "x.tlt", "-3\n0\n3.o\n6\n9\n")

    with pytest.raises(FormatError, match=r"x.tlt:3: number: expected a number, found '3.o'"):
        info([path])


def test_a_cut_line_of_transforms_is_named(tmp_path):
    whole = "1 0 0 1 2.5 -3\n" * 5
    path = written(tmp_path, "x.xf", whole[:-8])

    with pytest.raises(FormatError, match=r"x.xf:5: .*expected 6 numbers, found 4"):
        info([path])


@pytest.mark.parametrize("name", ["nowhere.mrc", "."])
def test_what_is_no_file_is_named(tmp_path, name):
    with pytest.raises(UserError, match=r"can't be read: No such file|is a folder"):
        info([tmp_path / name])


def test_of_several_files_all_are_told_and_the_broken_one_decides(tmp_path, stack, capsys):
    unread = written(tmp_path, "x.com", "$tilt -StandardInput\n")
    broken = written(tmp_path, "x.tlt", "-3\n0\n3.o\n6\n9\n")

    with pytest.raises(FormatError, match="expected a number"):
        info([broken, unread, stack])

    said = capsys.readouterr()
    assert said.out.startswith(f"{stack}\n  kind")
    assert f"error: {unread}: IMOD command file" in said.err


@pytest.mark.parametrize(
    ("text", "code"), [("-3\n0\n3\n", 0), ("-3\n0\n3.o\n6\n9\n", 1), ("some words\n", 2)]
)
def test_the_exit_code_tells_read_broken_and_not_read_apart(tmp_path, capsys, text, code):
    path = written(tmp_path, "x.tlt", text)

    assert main(["info", str(path)]) == code

    said = capsys.readouterr()
    assert len(said.err.splitlines()) == (code > 0)
    assert ("numbers  3, -3 to 3, rising" in said.out) == (code == 0)
