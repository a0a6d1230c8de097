"""`vitreous status`: a table for people, JSON for programs, quick for large projects."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.series import write_series
from vitreous.pipeline.project import StepFolder

COMMAND = Path(sys.executable).with_name("vitreous")
SERIES = 200


@pytest.fixture
def project(vitreous, tmp_path):
    """A project in which one series is done."""
    series, project = write_series(tmp_path), tmp_path / "project"
    words = ("-q", "run", series.stack, "--alignment", series.transforms, "--thickness", "30nm")
    assert vitreous(*words, "--project", project).code == 0
    return project


def test_each_series_has_a_line_and_what_failed_its_reason(vitreous, project):
    StepFolder(project, "another", "align").make()
    StepFolder(project, "another", "align").fail("the stack ends too early", "copy it again")
    StepFolder(project, "third [1]", "align").make()

    ended = vitreous("status", project)

    assert ended.code == 0
    lines = ended.shown.splitlines()
    assert lines[0].split() == [
        *("series", "align", "reconstruct", "score", "axis", "thickness", "tomogram", "size"),
    ]
    assert lines[1].split() == ["another", "failed", "waiting"]
    assert lines[2].startswith("third [1]  waiting  waiting")
    assert lines[3].split()[:3] == ["ts", "given", "done"]
    assert "64 x 56 x 30 of 10 A" in lines[3]
    assert "another: align failed: the stack ends too early\n  -> copy it again" in ended.shown
    assert lines[-1] == "3 series: 1 done, 1 failed, 1 waiting"


def test_programs_get_all_of_it(vitreous, project):
    ended = vitreous("status", project, "--json")

    (series,) = json.loads(ended.shown)
    assert (series["name"], series["state"]) == ("ts", "done")
    _, reconstruct = series["steps"]
    assert reconstruct["products"]["tomogram"].endswith("project/ts/reconstruct/ts.mrc")
    assert reconstruct["manifest"]["grid"]["size"] == [64, 56, 30]


def test_a_project_that_isnt_there_is_told(vitreous, tmp_path):
    ended = vitreous("status", tmp_path / "nowhere")

    assert ended.code == 1
    assert "nowhere is no folder of a project" in ended.said


def test_two_hundred_series_take_less_than_two_cpu_seconds(project):
    for number in range(1, SERIES):
        shutil.copytree(project / "ts", project / f"ts_{number}")
    begun = os.times()

    told = subprocess.run([COMMAND, "status", project], capture_output=True, text=True, check=True)

    ended = os.times()
    used = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    assert told.stdout.splitlines()[-1] == f"{SERIES} series: {SERIES} done"
    assert used < 2
