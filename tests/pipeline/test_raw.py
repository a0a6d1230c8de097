"""`vitreous run` on raw stacks: aligned first, each step done once, one failure never stops all."""

import numpy as np
import pytest

from tests.series import beads_seen, tilts_seen, volume_of, write_stack
from vitreous.cli.main import main
from vitreous.formats.alignments import read_alignment
from vitreous.formats.imod import write_angles
from vitreous.formats.mdoc import write_mdoc
from vitreous.formats.mdoc_series import as_mdoc
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.formats.nominal import raw_series
from vitreous.pipeline.project import StepFolder
from vitreous.records.images import facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

SMALL = {"size": (128, 120), "count": 9}  # too small to be aligned well, and quick


def write_raw(folder, name="ts"):
    """NAME.mrc and NAME.rawtlt of nine tilts."""
    alignment = tilts_seen(**SMALL)
    write_angles(folder / f"{name}.rawtlt", alignment.tilts_degrees)
    return write_stack(folder / f"{name}.mrc", beads_seen(alignment))


@pytest.fixture
def raw(tmp_path):
    return write_raw(tmp_path)


def words_for(project, *stacks):
    command = ["run", *map(str, stacks), "--project", str(project)]
    return [*command, "--bin", "2", "--thickness", "30nm"]


def steps_of(project, name="ts"):
    return StepFolder(project, name, "align"), StepFolder(project, name, "reconstruct")


def state_of(project):
    files = sorted(path for path in project.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


# -- the two steps ---------------------------------------------------------------------------------


def test_a_raw_stack_is_aligned_then_reconstructed_each_once(raw, tmp_path, capfd):
    words = words_for(tmp_path / "project", raw)
    align, reconstruct = steps_of(tmp_path / "project")

    assert main(words) == 0

    said = capfd.readouterr().err
    assert "9 of 9 tilts aligned; axis" in said
    assert "(nominal: unknown)" in said
    stack = open_stack(raw)
    for ending in (".xf", ".aln", ".star"):
        read = read_alignment(align.product(ending), facts_of(stack))
        assert len(read) == 9
    for ending in (".tlt", ".xtilt"):
        assert align.product(ending).exists()
    manifest = align.read_manifest()
    assert "undetermined" in manifest["hand"]
    assert len(manifest["scores"]) == 9
    assert f"axis at {manifest['axis_degrees']:.2f} degrees" in reconstruct.log.read_text()
    assert volume_of(reconstruct.product(".mrc"))[0].shape[0] == 15
    taken = reconstruct.read_manifest()["inputs"]["alignment"]["path"]
    assert taken.endswith("align/ts.xf")  # which keeps the magnifications; RELION's set can't
    _assert_only_what_changed_runs(words, tmp_path / "project")


def _assert_only_what_changed_runs(words, project):
    """Nothing again; a setting of the reconstruction leaves the alignment; a lost set is remade."""
    before = state_of(project)
    align, reconstruct = steps_of(project)
    assert main(words) == 0
    assert state_of(project) == before

    assert main([*words, "--weighting", "none"]) == 0
    after = state_of(project)
    assert all(before[path] == after[path] for path in before if align.path in path.parents)
    assert before[reconstruct.product(".mrc")] != after[reconstruct.product(".mrc")]

    (align.path / "tilt_series" / "ts.star").unlink()
    assert main([*words, "--weighting", "none"]) == 0
    assert (align.path / "tilt_series" / "ts.star").exists()
    assert state_of(project)[reconstruct.manifest] == after[reconstruct.manifest]


def test_a_dry_run_says_both_steps_and_makes_nothing(raw, tmp_path, capfd):
    before = sorted(tmp_path.rglob("*"))

    assert main([*words_for(tmp_path / "project", raw), "--dry-run", "--tilt-axis", "4"]) == 0

    said = capfd.readouterr().err
    assert "would align 9 tilts, -60.00 to 60.00 degrees, nominal axis 4.00, into" in said
    assert f"would write {tmp_path / 'project/ts/reconstruct/ts.mrc'}" in said
    assert sorted(tmp_path.rglob("*")) == before


def test_an_alignment_beside_the_stack_is_not_taken(raw, tmp_path):
    raw.with_suffix(".xf").write_text("this would be refused\n")

    assert main([*words_for(tmp_path / "project", raw), "--dry-run"]) == 0


# -- several series --------------------------------------------------------------------------------


def test_one_failed_series_among_others_is_told_in_a_table(raw, tmp_path, capfd):
    lost, broken = write_raw(tmp_path, "lost"), write_raw(tmp_path, "broken [1]")
    lost.with_suffix(".rawtlt").unlink()
    broken.write_bytes(broken.read_bytes()[:-1000])
    project = tmp_path / "project"

    code = main(words_for(project, lost, raw, broken))

    said = capfd.readouterr().err.splitlines()
    assert code == 1
    assert said[-1] == (
        "error: 2 of 3 series failed: lost, broken [1]; 1 made; the alignment of ts can't be "
        "trusted: see the report"
    )
    table = said[said.index("series      step   why, and what to do") + 1 : -1]
    assert {line[:17].strip() for line in table} == {"lost        align", "broken [1]  align", ""}
    assert any("nothing says its tilt angles" in line for line in table)
    assert any("the file ends in section 9" in line for line in table)
    assert steps_of(project)[1].product(".mrc").exists()
    assert "nothing says its tilt angles" in steps_of(project, "lost")[0].errors.read_text()


# -- options that have nothing to work on ----------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--x-tilts", "a.xtilt"], "--x-tilts: only with --alignment"),
        (["--tomogram", "a", "--aretomo-kernel", "2"], "--tomogram, --aretomo-kernel: only with"),
        (["--tilt-axis", "3", "--alignment", "a.xf"], "--tilt-axis is for finding an alignment"),
    ],
)
def test_an_option_without_its_use_is_refused(raw, tmp_path, capfd, options, said):
    assert main([*words_for(tmp_path / "project", raw), *options]) == 1

    assert said in capfd.readouterr().err
    assert not (tmp_path / "project").exists()


# -- where tilts and axis come from ----------------------------------------------------------------


ANGLES = np.array([-20.0, 0, 20])


@pytest.fixture
def three(tmp_path):
    """A stack of three tilts with angles in the extended header, the axis in a title."""
    path = tmp_path / "three.mrc"
    labels = ["    Tilt axis angle = 85.3, binning = 1  spot = 8  camera = 0"]
    shape = (3, 8, 10)
    with MrcWriter(path, shape, 5.0, is_stack=True, tilt_angles=ANGLES, labels=labels) as writer:
        writer.write((0, 0, 0), np.ones(shape, np.float32))
    return path


def series_of(path, angles=None):
    return raw_series(path, open_stack(path), angles)


def write_session_mdoc(path, angles, axis):
    tilts = tuple(Tilt(i, angle, i, dose=3.0) for i, angle in enumerate(angles))
    series = TiltSeries("three", tilts, 5.0, (10, 8), nominal_axis_degrees=axis)
    write_mdoc(path, as_mdoc(series, "three.mrc", 2, "a session"))


def test_the_header_tells_where_nothing_lies_beside(three):
    series = series_of(three)

    assert series.nominal_tilts_degrees.tolist() == ANGLES.tolist()
    assert series.nominal_axis_degrees == 85.3


def test_what_lies_beside_goes_before_the_header_and_what_is_named_before_all(three, tmp_path):
    write_angles(three.with_suffix(".tlt"), ANGLES + 1)
    assert series_of(three).nominal_tilts_degrees[1] == 1

    write_session_mdoc(tmp_path / "three.mrc.mdoc", ANGLES + 2, axis=-4.0)
    of_mdoc = series_of(three)
    assert (of_mdoc.nominal_tilts_degrees[1], of_mdoc.nominal_axis_degrees) == (2, -4)

    write_angles(three.with_suffix(".rawtlt"), ANGLES + 3)
    both = series_of(three)
    assert (both.nominal_tilts_degrees[1], both.nominal_axis_degrees) == (3, -4)
    assert both.tilts[1].dose == 3

    write_angles(tmp_path / "mine.txt", ANGLES + 4)
    assert series_of(three, tmp_path / "mine.txt").nominal_tilts_degrees[1] == 4


@pytest.mark.parametrize("kind", ["rawtlt", "mrc.mdoc"])
def test_tilts_of_another_stack_are_refused(three, tmp_path, kind):
    path = tmp_path / f"three.{kind}"
    if kind == "rawtlt":
        write_angles(path, ANGLES[:2])
    else:
        write_session_mdoc(path, ANGLES[:2], axis=0.0)

    with pytest.raises(ValueError, match="they don't belong"):
        series_of(three)
