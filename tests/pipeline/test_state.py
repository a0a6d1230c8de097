"""How far a project is, told from its files: done, failed and why, killed, not begun."""

import json
import subprocess
import sys

import pytest

from tests.series import write_series
from vitreous.cli.main import main
from vitreous.errors import FormatError
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.state import state_of


@pytest.fixture
def project(tmp_path):
    """A project with one tomogram of an alignment from elsewhere."""
    series = write_series(tmp_path)
    words = ["-q", "run", str(series.stack), "--alignment", str(series.transforms)]
    assert main([*words, "--project", str(tmp_path / "project"), "--thickness", "30nm"]) == 0
    return tmp_path / "project"


@pytest.fixture
def step(project):
    return StepFolder(project, "ts", "reconstruct")


def test_a_series_that_is_done_says_so_with_products_and_cost(project, step):
    (series,) = state_of(project)

    assert (series.name, series.how) == ("ts", "done")
    assert [each.how for each in series.steps] == ["given", "done"]
    assert series.step("reconstruct").products["tomogram"] == step.product(".mrc")
    made = series.step("reconstruct").manifest
    assert made["settings_changed"] == {"thickness": "30nm"}
    assert made["cost"]["cpu_seconds"] > 0
    assert 20e6 < made["cost"]["peak_memory_bytes"] < 3e9


def test_a_product_that_is_gone_isnt_done(project, step):
    step.product(".mrc").unlink()

    (series,) = state_of(project)

    assert series.how == "interrupted"
    assert series.step("reconstruct").products == {}


def test_a_failure_is_told_until_the_step_succeeds(project, step):
    step.fail("the disk is full", "make room")
    (failed,) = state_of(project)
    step.settle()
    (done,) = state_of(project)

    assert (failed.how, failed.failed.why, failed.failed.hint) == (
        "failed",
        "the disk is full",
        "make room",
    )
    assert done.how == "done"


def test_a_step_under_way_runs_as_long_as_its_process_lives(project, step):
    step.say_running()
    (here,) = state_of(project)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    facts = json.loads(step.running.read_text())
    step.running.write_text(json.dumps({**facts, "process": gone.pid}))
    (killed,) = state_of(project)

    assert (here.how, killed.how) == ("running", "interrupted")


def test_a_folder_without_anything_waits_and_other_folders_are_no_series(project):
    (project / "a new one").mkdir()
    (project / "notes").mkdir()
    (project / "notes" / "todo.txt").touch()

    assert [(series.name, series.how) for series in state_of(project)] == [
        ("a new one", "waiting"),
        ("ts", "done"),
    ]


def test_why_and_what_to_do_are_two_sentences_where_the_error_has_both():
    error = FormatError("no transforms", path="a.xf", hint="Write one line a view.")

    assert why_and_what_to_do(error) == ("a.xf: no transforms.", "Write one line a view.")
    assert why_and_what_to_do(FileNotFoundError(2, "No such file", "a.mrc")) == (
        "a.mrc: No such file",
        "",
    )
    assert "--memory" in why_and_what_to_do(MemoryError())[1]
