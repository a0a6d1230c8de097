import re
from contextlib import chdir, redirect_stdout
from io import StringIO

import pytest

from vitreous.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """(folder, what was printed)."""
    folder = tmp_path_factory.mktemp("demo")
    with redirect_stdout(StringIO()) as printed, chdir(folder):
        assert main(["demo"]) == 0
    return folder, printed.getvalue()


def number(pattern, printed):
    return float(re.search(pattern, printed).group(1))


def test_the_alignment_is_found(demo):
    _, printed = demo

    axis, true = re.search(r"axis +(-?[\d.]+) degrees, truth (-?[\d.]+)", printed).groups()
    assert float(axis) == pytest.approx(float(true), abs=0.2)
    assert number(r"rms ([\d.]+) px apart over the ice", printed) < 0.4
    assert number(r"worst tilt \d+: ([\d.]+) px", printed) < 1.2


def test_the_tomogram_shows_the_gold_where_it_is(demo):
    _, printed = demo

    assert number(r"gold beads +(\d+), median", printed) > 10
    assert number(r"median ([\d.]+) A apart", printed) < 6  # voxels are 13.6 A
    assert re.search(r"hand of it +right", printed)


def test_the_dark_tilt_and_no_other_is_left_out(demo):
    _, printed = demo

    assert re.search(r"left out +tilt 3, dark: [^;]*; truth: tilt 3 is dark", printed)


def test_everything_named_is_there(demo):
    folder, printed = demo

    for name in ("Tomogram", "Report"):
        path = folder / re.search(rf"{name}: +(.*)", printed).group(1)
        assert path.stat().st_size > 10_000


def test_a_folder_that_cant_be_made_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")

    assert main(["demo", "--folder", str(tmp_path / "file" / "project")]) == 1

    assert "a part of the path is a file" in capsys.readouterr().err
