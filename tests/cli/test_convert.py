"""`vitreous convert` from the command line."""

from pathlib import Path

import numpy as np
import pytest

from vitreous.cli.main import main
from vitreous.formats.alignments import read_alignment, same_frame_distances
from vitreous.formats.facts import PartialFacts
from vitreous.formats.mrc import MrcWriter, read_volume

TOLD = PartialFacts(5, (640, 480), 2.0)


@pytest.fixture
def alignment(tmp_path: Path) -> Path:
    """A .xf with angles beside it: five views, one of them magnified."""
    turned = np.deg2rad(10.0)
    cos, sin = np.cos(turned), np.sin(turned)
    rows = [[cos, sin, -sin, cos, 3.0 * i, -i] for i in range(5)]
    rows[4][:4] = [1.01 * number for number in rows[4][:4]]
    np.savetxt(tmp_path / "a.xf", rows, fmt="%.10f")
    np.savetxt(tmp_path / "a.tlt", [-40, -20, 0, 20, 40], fmt="%.2f")
    return tmp_path / "a.xf"


def run(*words: object) -> int:
    return main([str(word) for word in ("convert", *words)])


def test_the_error_in_pixels_and_what_is_lost_are_printed(
    alignment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = alignment.with_name("b.aln")

    code = run(alignment, target, "--size", 640, 480, "--pixel", 2)

    said = capsys.readouterr().out.splitlines()
    assert code == 0
    assert said[0] == f"{alignment} -> aretomo: 5 of 5 views"
    assert said[1] == "lost: magnification (0.99010 to 1.00000)"
    worst = same_frame_distances(read_alignment(alignment, TOLD), read_alignment(target, TOLD))
    mean, largest = f"{worst.mean():.4f}"[:4], f"{worst.max():.4f}"[:4]
    assert said[2].startswith(f"reprojection error: mean {mean}")
    assert f"worst {largest}" in said[2]
    assert said[-1] == f"wrote {target}"


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b.star", []),
        ("b.star", ["--to", "relion4"]),
        ("b.xml", []),
        ("b.json", []),
        ("c.xf", ["--exclude-tilts", "2-3"]),
    ],
)
def test_families_follow_suffix_or_option(alignment: Path, name: str, options: list[str]) -> None:
    target = alignment.with_name(name)

    code = run(alignment, target, "--size", 640, 480, "--pixel", 2, *options)

    assert code == 0
    again = read_alignment(target, TOLD)
    assert again.left_out == ((1, 2) if "--exclude-tilts" in options else ())


def test_a_stack_says_what_the_file_leaves_unsaid(
    alignment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = alignment.with_name("a.mrc")
    with MrcWriter(stack, (4, 48, 64), 2.0, is_stack=True) as writer:
        writer.write((0, 0, 0), np.zeros((4, 48, 64), np.float32))

    code = run(alignment, alignment.with_name("b.star"), "--stack", stack)

    assert code == 1
    assert "has 5 views, but the stack has 4 sections" in capsys.readouterr().err


def test_a_set_of_relion_keeps_its_other_columns(shared: Path, tmp_path: Path) -> None:
    source = shared / "oracles" / "R1_relion_tomogram" / "star" / "tilt_series.star"

    code = run(source, tmp_path / "b.star", "--size", 112, 96)

    assert code == 0
    assert "rlnDefocusU" in (tmp_path / "tilt_series" / "TS_1.star").read_text()


def test_the_source_is_not_overwritten(alignment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(alignment, alignment)

    assert code == 1
    assert "is the source: give the output another name" in capsys.readouterr().err


def test_volumes_are_converted_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.arange(60, dtype=np.float32).reshape(3, 4, 5)
    with MrcWriter(tmp_path / "v.mrc", values.shape, 2.0) as writer:
        writer.write((0, 0, 0), values)

    code = run(tmp_path / "v.mrc", tmp_path / "w.mrc", "--axes", "xyz-to-xzy", "--mode", "int16")

    assert code == 0
    assert capsys.readouterr().out.startswith("stored = (value + -29.5) * ")
    assert read_volume(tmp_path / "w.mrc").data.shape == (4, 3, 5)
