"""Several series at once: within cores and memory; workers killed, runs stopped."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.series import volume_of, write_series
from vitreous.align.settings import AlignSettings
from vitreous.kernels.machine import Share
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.intake import Source
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.runner import PARENT_BYTES, Division, allowed, divided, next_fitting, peak_of
from vitreous.pipeline.state import state_of
from vitreous.pipeline.worker import Slot
from vitreous.reconstruct.settings import ReconstructSettings

COMMAND = Path(sys.executable).with_name("vitreous")
GB = 10**9
SECONDS_TO_WAIT = 120


def share(memory_gb=None, threads=2):
    return Share(threads=threads, memory_bytes=None if memory_gb is None else int(memory_gb * GB))


def job(name):
    source = Source(name, Path(f"{name}.mrc"), None)
    return Job(Path("project"), source, SeriesInput(), AlignSettings(), ReconstructSettings())


# -- who runs with how much ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("series", "memory_gb", "threads", "expected"),
    [
        (10, None, 4, Division(4, 1)),
        (2, None, 8, Division(2, 4)),
        (3, None, 8, Division(3, 2)),
        (10, 4.2, 8, Division(4, 2)),  # 1 GB each, and the process that hands out
        (10, 0.5, 8, Division(1, 8)),
    ],
)
def test_cores_are_divided_among_as_many_series_as_memory_allows(
    series, memory_gb, threads, expected
):
    division = divided([GB] * series, share(memory_gb, threads))

    assert division == expected
    assert division.workers * division.threads <= threads


def test_a_series_waits_until_its_memory_is_free_and_a_smaller_one_goes_before_it():
    slots = [Slot(1, 0), Slot(1, 0)]
    large, small = (job("large"), 3 * GB), (job("small"), GB)
    limit = share(4.2)

    assert next_fitting([large, small], slots, limit) == large
    slots[0].job, slots[0].share = large[0], share(3)
    assert next_fitting([large, small], slots, limit) == small
    assert allowed(small[1], slots, limit) == 4.2 * GB - PARENT_BYTES - 3 * GB
    slots[1].job, slots[1].share = small[0], share(1)
    assert next_fitting([large], slots, limit) is None


def test_a_series_too_large_for_the_memory_runs_alone_with_all_of_it():
    slots, limit = [Slot(1, 0), Slot(1, 0)], share(2)
    large = (job("large"), 5 * GB)

    assert next_fitting([large], slots, limit) == large
    assert allowed(large[1], slots, limit) == 2 * GB - PARENT_BYTES


def test_the_peak_of_a_run_is_that_of_the_largest_that_run_at_a_time():
    assert peak_of([GB], share(4)) == GB
    assert peak_of([GB, 3 * GB, 2 * GB], share(20)) == 5 * GB + PARENT_BYTES
    assert peak_of([GB, 3 * GB, 2 * GB], share(4)) == 3 * GB + PARENT_BYTES


# -- processes -------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path):
    """A project whose series 'slow' takes minutes, the others a moment."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "vitreous.toml").write_text(
        '[series.slow.reconstruct]\nmethod = "sirt"\niterations = 100000\n'
    )
    return project


@pytest.fixture
def run(tmp_path, project):
    """run(name, ...) starts a run of series in a process group of its own."""
    started = []

    def start(*names, options=()):
        stacks = [write_series(tmp_path, name).stack for name in names]
        command = [COMMAND, "run", *stacks, "--project", project, "--alignment", tmp_path]
        command += ["--thickness", "30nm", "--cpus", "2", *options]
        process = subprocess.Popen(
            [str(word) for word in command],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if is_alive(process.pid):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def is_alive(group):
    """Whether a process of the group lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(true):
    end = time.monotonic() + SECONDS_TO_WAIT
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def ended_well(process):
    _, said = process.communicate(timeout=SECONDS_TO_WAIT)
    assert process.returncode == 0, said


def step_of(project, name):
    return StepFolder(project, name, "reconstruct")


def test_a_worker_that_is_killed_fails_its_own_series_only(run, project):
    process = run("slow", "one", "two", "three")
    wait_until(step_of(project, "slow").running.exists)
    wait_until(step_of(project, "one").manifest.exists)

    os.kill(json.loads(step_of(project, "slow").running.read_text())["process"], signal.SIGKILL)
    _, said = process.communicate(timeout=SECONDS_TO_WAIT)

    assert process.returncode == 1
    hows = {series.name: series.how for series in state_of(project)}
    assert hows == {"slow": "failed", "one": "done", "two": "done", "three": "done"}
    why = step_of(project, "slow").failure.read_text()
    assert "its process was killed from outside" in why
    assert "allow less with --memory" in why
    assert said.splitlines()[-1] == "error: 1 of 4 series failed: slow; 3 made"
    assert "Traceback" not in said
    wait_until(lambda: not is_alive(process.pid))


@pytest.mark.parametrize(
    ("ending", "code", "to"),
    [
        (signal.SIGINT, 130, os.killpg),  # as a terminal does
        (signal.SIGTERM, 143, os.kill),
        (signal.SIGTERM, 143, os.killpg),  # as a batch system does
    ],
    ids=["Ctrl-C", "kill", "scancel"],
)
def test_a_run_that_is_stopped_ends_its_workers_and_says_how_to_go_on(
    run, project, ending, code, to
):
    process = run("slow", "one")
    wait_until(lambda: list(step_of(project, "slow").path.glob(".slow.mrc.*.part")))

    to(process.pid, ending)
    _, said = process.communicate(timeout=SECONDS_TO_WAIT)

    assert process.returncode == code
    goes_on = f"'vitreous run --project {project}' goes on"
    assert said.splitlines()[-1] == f"error: interrupted: {goes_on}"
    assert "Traceback" not in said
    wait_until(lambda: not is_alive(process.pid))
    assert not list(project.rglob("*.part"))
    assert "slow: interrupted" in [f"{each.name}: {each.how}" for each in state_of(project)]


def test_workers_end_when_their_parent_is_killed(run, project):
    process = run("slow", "one")
    wait_until(step_of(project, "slow").running.exists)

    process.kill()
    process.wait()

    wait_until(lambda: not is_alive(process.pid))


def test_products_are_the_same_in_whichever_process(run, project):
    ended_well(run("one", "two"))
    expected = volume_of(step_of(project, "one").product(".mrc"))[0]
    step_of(project, "one").manifest.unlink()

    ended_well(run("one"))

    assert (volume_of(step_of(project, "one").product(".mrc"))[0] == expected).all()


def test_a_series_that_no_memory_suffices_for_is_told_what_to_do(run, project):
    process = run("one", "two", options=["--memory", "0.3"])

    _, said = process.communicate(timeout=SECONDS_TO_WAIT)

    assert process.returncode == 1
    assert "GB of memory are allowed, at least" in said
    assert "allow more, or bin" in said
    assert said.splitlines()[-1] == "error: 2 of 2 series failed: one, two; 0 made"


def test_a_worker_killed_between_two_series_is_replaced(project, tmp_path):
    series = write_series(tmp_path)
    given = SeriesInput(alignment=series.transforms)
    settings = ReconstructSettings(thickness="30nm")
    source = Source("ts", series.stack, None)
    slot = Slot(1, 0)
    try:
        slot.start(Job(project, source, given, AlignSettings(), settings), Share())
        assert slot.future.result().how == "made"
        (worker,) = multiprocessing.active_children()
        slot.free()
        worker.kill()
        worker.join()
        time.sleep(1)  # until the pool knows

        slot.start(Job(project, source, given, AlignSettings(), settings), Share())

        assert slot.future.result().how == "up to date"
    finally:
        slot.close()
