"""A run of two raw series that is killed at any moment ends as if it had not been.

All its processes are killed at once, as by a batch system or a power cut, at moments spread over
the time that a whole run takes. At each, what lies under a product's own name is the whole product.
"""

import os
import random
import re
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from tests.pipeline.test_raw import write_raw
from vitreous.pipeline.state import state_of

COMMAND = Path(sys.executable).with_name("vitreous")
MRC_HEADER = 1024
DATE = re.compile(rb"\d{4}-\d\d-\d\d  \d\d:\d\d:\d\d")
TOLD = {".log", ".err", ".json", ".html", ".toml"}  # these say when, where and how long


@pytest.fixture(scope="module")
def stacks(tmp_path_factory):
    folder = tmp_path_factory.mktemp("killed")
    return [write_raw(folder, name) for name in ("one", "two")]


def started(stacks, project):
    """A run in a process group of its own."""
    command = [COMMAND, "-q", "run", *stacks, "--project", project, "--bin", "2", "--cpus", "2"]
    words = [str(word) for word in command]
    return subprocess.Popen([*words, "--thickness", "30nm"], start_new_session=True)


def products_of(project):
    """{path in the project: content} of what the steps made."""
    files = (path for path in project.rglob("*") if path.is_file() and path.suffix not in TOLD)
    shown = (path for path in files if not path.name.startswith("."))
    return {str(path.relative_to(project)): anywhere(path, project) for path in shown}


def anywhere(path, project):
    """The content of a file less where its project lies, and when (in an MRC header)."""
    content = path.read_bytes()
    if path.suffix == ".star":
        return content.replace(bytes(project), b"").split()
    return DATE.sub(b"", content[:MRC_HEADER]) + content[MRC_HEADER:]


@pytest.fixture(scope="module")
def whole(stacks, tmp_path_factory):
    """(project of a run that nobody killed, the seconds it took)."""
    project = tmp_path_factory.mktemp("whole") / "project"
    begun = time.monotonic()
    assert started(stacks, project).wait() == 0
    return project, time.monotonic() - begun


@pytest.mark.parametrize(
    "count", [3, pytest.param(20, marks=pytest.mark.accuracy)], ids=["some", "twenty"]
)
def test_a_run_killed_at_any_moment_ends_as_if_it_had_not_been(stacks, whole, tmp_path, count):
    expected, took = products_of(whole[0]), whole[1]
    chance = random.Random(count)
    moments = [chance.uniform(*part) for part in pairwise(np.linspace(0.1, 1, count + 1))]
    found = set()

    for number, moment in enumerate(moments):
        project = tmp_path / str(number)
        process = started(stacks, project)
        time.sleep(moment * took)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        left = products_of(project)
        found.add(len(left))
        assert {path: expected[path] == content for path, content in left.items()} == (
            dict.fromkeys(left, True)
        )

        assert started(stacks, project).wait() == 0

        assert products_of(project) == expected
        assert [series.how for series in state_of(project)] == ["done", "done"]
        assert not list(project.rglob(".*.part"))
    assert len(found) > 1  # they were killed at different stages


def test_a_second_run_does_nothing_and_costs_little(whole):
    project, _ = whole
    files = [path for path in project.rglob("*") if path.is_file()]
    before = {path: path.stat().st_mtime_ns for path in files}
    begun = os.times()

    words = [COMMAND, "run", "--project", project]
    again = subprocess.run(words, capture_output=True, text=True, check=True)

    ended = os.times()
    used = ended.children_user + ended.children_system - begun.children_user - begun.children_system
    after = {path: path.stat().st_mtime_ns for path in project.rglob("*") if path.is_file()}
    assert after == before
    assert again.stderr.startswith(f"done: 2 series in {project}; 2 up to date already")
    assert used < 2
