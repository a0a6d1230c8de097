"""`vitreous align` as a user calls it, on a small simulated series."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitreous.formats.alignments import read_alignment
from vitreous.records.images import StackFacts

SIZE, PIXEL_SIZE, COUNT = (256, 240), 10.0, 21
ENDINGS = (".xf", ".aln", ".star")
SIMULATED = [
    *("--size", *SIZE, "--pixel", PIXEL_SIZE, "--tilt-step", 6, "--shift-error", 1),
    *("--thickness", "100nm", "--seed", 4, "--quiet"),
]


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Folder of a simulated session: ts.mrc, ts.mrc.mdoc, ts.rawtlt."""
    folder = tmp_path_factory.mktemp("session")
    command = [Path(sys.executable).with_name("vitreous"), "simulate", "--output", folder]
    subprocess.run([str(word) for word in (*command, "--name", "ts", *SIMULATED)], check=True)
    return folder


@pytest.fixture
def session(simulated, tmp_path):
    """A copy of it that a test may change."""
    return shutil.copytree(simulated, tmp_path / "session")


def read(path):
    return read_alignment(path, StackFacts(COUNT, SIZE, PIXEL_SIZE))


def test_one_alignment_is_written_for_three_programs(session, tmp_path, vitreous):
    out = tmp_path / "over there" / "aligned"
    (session / "ts.xf").write_text("1 0 0 1 500 500\n" * COUNT)  # of an earlier run: not used
    (session / "ts.aln").write_text("broken\n")

    ended = vitreous("align", session / "ts.mrc", "--output", out, "--exclude-tilts", "1,21")

    assert ended.code == 0, ended.said
    names = {"ts.xf", "ts.tlt", "ts.xtilt", "ts.aln", "ts.star", "ts.log"}
    assert names <= {path.name for path in out.iterdir()}
    imod, aretomo, relion = (read(out / f"ts{ending}") for ending in ENDINGS)
    assert np.abs(imod.shifts_px).max() < 50
    assert imod.magnifications.max() > 1.0001
    assert imod.sections.tolist() == list(range(1, COUNT - 1))
    for other in (aretomo, relion):
        assert other.sections.tolist() == list(range(1, COUNT - 1))
        apart = imod.compare(other, 1000.0)
        # neither holds magnifications: 0.1 % of half the field
        assert apart.worst_px < 0.3
        np.testing.assert_allclose(other.axes_degrees, imod.axes_degrees, atol=1e-4)
    assert aretomo.compare(relion, 1000.0).worst_px < 0.01
    assert relion.thickness_angstrom == pytest.approx(1000, abs=400)


def test_the_axis_and_the_hand_are_said_everywhere(session, tmp_path, vitreous):
    ended = vitreous("align", session / "ts.mrc", "--output", tmp_path / "out")

    log = (tmp_path / "out" / "ts.log").read_text()
    axis = float(re.search(r"aligned; axis (\S+) degrees", ended.said)[1])
    assert read(tmp_path / "out" / "ts.xf").axes_degrees.mean() == pytest.approx(axis, abs=0.01)
    beside = f"{axis:.2f} degrees (nominal: -4.30 of .mdoc)"
    hand = "hand undetermined; x' = x cos(tilt) + z sin(tilt)"
    for text in (ended.said, log):
        assert f"axis {beside}" in text
        assert hand in text
        assert "degrees from the nominal one" not in text
    for ending in (".aln", ".star"):
        comments = (tmp_path / "out" / f"ts{ending}").read_text().splitlines()
        assert f"# tilt axis {beside}" in comments
        assert f"# {hand}" in comments
    assert "DEBUG settings that differ from the defaults: none" in log
    assert all(f"tilt {number} (" in log for number in range(1, COUNT + 1))


@pytest.mark.parametrize(
    ("axis", "said"),
    [
        ("5.7", "degrees from the nominal one (5.70)"),
        ("85.7", "is nearly square to the nominal one (85.70): x and y seem to be exchanged"),
    ],
)
def test_an_axis_far_from_the_nominal_one_is_warned_of(session, tmp_path, vitreous, axis, said):
    ended = vitreous("align", session / "ts.mrc", "--output", tmp_path, "--tilt-axis", axis)

    assert ended.code == 0
    assert f"(nominal: {float(axis):.2f} of option --tilt-axis)" in ended.said
    (warned,) = [line for line in ended.said.splitlines() if said in line]
    assert warned.startswith("warning: the tilt axis found (")


def test_without_any_nominal_axis_its_mirror_image_is_named(session, tmp_path, vitreous):
    (session / "ts.mrc.mdoc").unlink()
    with (session / "ts.mrc").open("r+b") as file:
        file.seek(224)
        file.write(bytes(800))  # titles of the header

    ended = vitreous("align", session / "ts.mrc", "--output", tmp_path / "out")

    assert ended.code == 0, ended.said
    assert "(nominal: unknown)" in ended.said
    assert "would fit the images as well (its mirror image)" in ended.said


def too_few(session):
    return ["--exclude-tilts", "5-21"], "4 usable tilts (17 left out) are too few"


def beyond(session):
    return ["--exclude-tilts", "22"], "22"


def no_angles(session):
    (session / "ts.mrc.mdoc").unlink()
    (session / "ts.rawtlt").unlink()
    return [], "angles"


def angles_of_another(session):
    (session / "other.tlt").write_text("1\n2\n3\n")
    return ["--angles", session / "other.tlt"], "other.tlt"


def cut_short(session):
    data = (session / "ts.mrc").read_bytes()
    (session / "ts.mrc").write_bytes(data[: len(data) // 2])
    return [], "ts.mrc"


def output_is_a_file(session):
    (session / "file").write_text("")
    return ["--output", session / "file"], "file"


@pytest.mark.parametrize(
    "spoil", [too_few, beyond, no_angles, angles_of_another, cut_short, output_is_a_file]
)
def test_bad_input_gets_one_clear_line(session, tmp_path, vitreous, spoil):
    options, said = spoil(session)
    output = [] if "--output" in options else ["--output", tmp_path / "out"]

    ended = vitreous("align", session / "ts.mrc", *output, *options)

    assert ended.code == 1
    (error,) = [line for line in ended.said.splitlines() if line.startswith("error:")]
    assert said in error
    assert "Traceback" not in ended.said
    assert not list(tmp_path.glob("out/ts.[xa]*"))
