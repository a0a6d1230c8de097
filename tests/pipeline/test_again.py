"""A project that is run again: what is done stays, what changed is made anew, killed or not."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tests.series import volume_of, write_series
from vitreous.cli.main import main
from vitreous.pipeline.fingerprints import Making, file_facts, record_digest
from vitreous.pipeline.project import StepFolder

COMMAND = Path(sys.executable).with_name("vitreous")


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path)


@pytest.fixture
def words(series, tmp_path):
    """The command line of a run, less the settings that a test changes."""
    command = ["-q", "run", str(series.stack), "--alignment", str(series.transforms)]
    return [*command, "--project", str(tmp_path / "project"), "--thickness", "30nm"]


@pytest.fixture
def step(tmp_path):
    return StepFolder(tmp_path / "project", "ts", "reconstruct")


def state_of(project):
    """Name, content and time of everything in a project."""
    files = sorted(path for path in project.rglob("*") if path.is_file())
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


# -- nothing is done twice -------------------------------------------------------------------------


def test_a_second_run_writes_nothing_and_costs_little(words, tmp_path):
    main(words)
    before = state_of(tmp_path / "project")
    begun = os.times()

    again = subprocess.run([COMMAND, *words[1:]], capture_output=True, text=True, check=True)

    ended = os.times()
    used = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert state_of(tmp_path / "project") == before
    assert "; 1 up to date already" in again.stderr.splitlines()[-1]
    assert used < 2


def test_a_changed_setting_makes_the_tomogram_anew(words, step):
    main(words)

    main([*words, "--weighting", "none"])

    made = json.loads(step.manifest.read_text())
    assert made["settings"]["weighting"] == "none"
    assert len(step.log.read_text().split("settings that differ from the defaults")) == 3


@pytest.mark.parametrize("name", ["ts.mrc", "ts_slices.png", "manifest.json"])
def test_a_product_that_is_gone_is_made_again(words, step, name):
    main(words)
    expected = volume_of(step.product(".mrc"))[0]
    (step.path / name).unlink()

    main(words)

    assert (step.path / name).exists()
    assert np.array_equal(volume_of(step.product(".mrc"))[0], expected)


def test_a_changed_angle_beside_the_alignment_makes_the_tomogram_anew(words, series, step):
    main(words)
    before = step.manifest.read_bytes()
    angles = series.transforms.with_suffix(".tlt")
    angles.write_text(angles.read_text().replace("-60.00", "-59.00"))

    main(words)

    assert step.manifest.read_bytes() != before


def test_an_alignment_written_again_with_the_same_numbers_changes_nothing(words, series, tmp_path):
    main(words)
    before = state_of(tmp_path / "project")
    series.transforms.write_bytes(series.transforms.read_bytes())

    main(words)

    assert state_of(tmp_path / "project") == before


def test_a_manifest_is_not_believed_about_a_later_product(words, step):
    """As when a run with other settings was killed after its tomogram, before its manifest."""
    main(words)
    expected = volume_of(step.product(".mrc"))[0]
    old = step.manifest.read_bytes()
    main([*words, "--weighting", "none"])
    step.manifest.write_bytes(old)

    main([*words, "--weighting", "ramp"])

    assert np.array_equal(volume_of(step.product(".mrc"))[0], expected)


def test_a_broken_manifest_is_none(words, step):
    main(words)
    step.manifest.write_text('{"fingerprint": ')

    assert main(words) == 0

    assert json.loads(step.manifest.read_text())["used_tilts"]


# -- killed ----------------------------------------------------------------------------------------


def test_what_a_dead_process_left_is_removed_and_a_living_ones_stays(words, step):
    step.make()
    gone = subprocess.Popen(["true"])
    gone.wait()
    dead, living = (step.path / f".ts.mrc.{pid}.part" for pid in (gone.pid, os.getppid()))
    dead.touch()
    living.touch()

    main(words)

    assert not dead.exists()
    assert living.exists()


# -- logs ------------------------------------------------------------------------------------------


def test_the_err_file_holds_warnings_and_errors_of_the_last_run_only(words, series, step):
    angles = series.transforms.with_suffix(".tlt")
    told = angles.read_text()
    lines = told.splitlines()
    angles.write_text("\n".join([lines[1], *lines[1:]]) + "\n")
    main(words)
    warned = step.errors.read_text()
    angles.write_text(told)

    main(words)

    assert "WARNING tilts 1 and 2 have the same angle" in warned
    assert " INFO " not in warned
    assert step.errors.read_text() == ""


# -- fingerprints ----------------------------------------------------------------------------------


def test_one_changed_number_of_an_alignment_changes_its_digest(series):
    alignment = series.alignment
    other = series.alignment.without([])
    before = record_digest(alignment)
    assert record_digest(other) == before

    other.shifts[3, 1] = np.nextafter(other.shifts[3, 1], np.inf)

    assert record_digest(other) != before


def test_where_an_input_lies_is_no_matter_and_what_it_holds_is(tmp_path):
    here, there, other = (tmp_path / name for name in ("a.xf", "b.xf", "c.xf"))
    here.write_text("1 0 0 1 0 0\n")
    there.write_text("1 0 0 1 0 0\n")
    other.write_text("1 0 0 1 0 1\n")

    of_here, of_there, of_other = (
        Making(1, {"alignment": file_facts(path)}, {}).fingerprint for path in (here, there, other)
    )

    assert of_here == of_there != of_other


# -- two runs at a time ----------------------------------------------------------------------------


def at_work(step):
    """A running.json as another process that lives has it."""
    step.make()
    step.say_running()
    facts = json.loads(step.running.read_text())
    other = os.getppid()
    began = Path(f"/proc/{other}/stat").read_text().rpartition(")")[2].split()[19]
    step.running.write_text(json.dumps({**facts, "process": other, "began": began}))
    return other


def test_a_step_that_another_run_is_at_is_left_alone(words, step, capsys, monkeypatch):
    monkeypatch.setattr("vitreous.pipeline.project.SECONDS_TO_END", 0.5)
    process = at_work(step)
    before = state_of(step.path)

    assert main(words) == 1

    assert f"another run (process {process}) is at the step reconstruct" in capsys.readouterr().err
    assert state_of(step.path) == before


def test_a_process_that_was_given_the_number_of_a_killed_one_is_no_hindrance(words, step):
    at_work(step)
    facts = json.loads(step.running.read_text())
    step.running.write_text(json.dumps({**facts, "began": "1"}))

    assert main(words) == 0

    assert step.product(".mrc").exists()


def test_a_run_waits_for_the_workers_of_one_that_was_killed(words, step):
    step.make()
    step.say_running()
    worker = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])
    began = Path(f"/proc/{worker.pid}/stat").read_text().rpartition(")")[2].split()[19]
    facts = json.loads(step.running.read_text())
    step.running.write_text(json.dumps({**facts, "process": worker.pid, "began": began}))

    threading.Thread(target=worker.wait, daemon=True).start()  # else it stays, as a zombie
    assert main(words) == 0

    assert worker.poll() == 0
    assert step.product(".mrc").exists()
