"""`vitreous run`: the products of one and of several series, and how runs go wrong."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tests.series import BEADS, PIXEL_SIZE, place_of, volume_of, write_series, write_stack
from vitreous.pipeline.state import state_of

LOGS = ["reconstruct.err", "reconstruct.log"]
ENDINGS = [".mrc", "_key.jpg", "_slices.png", "_xy.jpg", "_xz.jpg", "_zy.jpg"]
FAILED = ["failure.json", *LOGS]


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path)


@pytest.fixture
def run(vitreous, tmp_path):
    """run(stack, ..., alignment=...) into the folder `project`."""

    def call(*words, alignment):
        return vitreous(
            *("run", *words, "--alignment", alignment, "--project", tmp_path / "project"),
            *("--thickness", "30nm"),
        )

    return call


def products_named(name):
    """What lies in the folder of a reconstruction that went well."""
    return sorted(["manifest.json", *LOGS, *(name + ending for ending in ENDINGS)])


def products_of(name, folder):
    """The folder of a series' reconstruction, and the names in it."""
    step = folder / "project" / name / "reconstruct"
    return step, sorted(path.name for path in step.iterdir())


# -- what comes out --------------------------------------------------------------------------------


def test_a_series_becomes_a_tomogram_a_picture_a_log_and_a_manifest(run, series, tmp_path):
    ended = run(series.stack, alignment=series.transforms)

    assert ended.code == 0
    step, names = products_of("ts", tmp_path)
    assert names == products_named("ts")
    volume, voxel_size, _ = volume_of(step / "ts.mrc")
    assert (volume.shape, voxel_size) == ((30, 56, 64), PIXEL_SIZE)
    expected = BEADS[0] / PIXEL_SIZE + (32, 28, 15)
    assert np.abs(place_of(volume, expected) - expected).max() < 0.15
    last = f"done: 1 series in {tmp_path / 'project'}; pictures in {tmp_path}/project/report.html"
    assert ended.said.splitlines()[-1] == last


def test_the_manifest_says_of_what_and_how(run, series, tmp_path):
    run(
        series.stack,
        "--exclude-tilts",
        "2",
        "--mode",
        "int16",
        "--grid",
        "imod",
        alignment=series.transforms,
    )

    step, _ = products_of("ts", tmp_path)
    manifest = json.loads((step / "manifest.json").read_text())
    assert manifest["inputs"]["stack"]["path"] == str(series.stack)
    assert manifest["inputs"]["alignment"]["bytes"] == series.transforms.stat().st_size
    assert manifest["products"]["tomogram"]["bytes"] == (step / "ts.mrc").stat().st_size
    assert manifest["left_out_tilts"] == [2]
    assert len(manifest["used_tilts"]) == 14
    assert manifest["settings"]["mode"] == "int16"
    assert manifest["grid"]["convention"] == "imod"
    assert manifest["grid"]["rotation_centre_voxel"] == [31.5, 27.5, 14.5]
    assert "stored = (density + " in manifest["scaling"]


def test_the_log_of_a_quiet_run_tells_all(vitreous, series, tmp_path):
    ended = vitreous(
        *("-q", "run", series.stack, "--alignment", series.transforms, "--bin", 2),
        *("--project", tmp_path / "project"),
    )

    step, _ = products_of("ts", tmp_path)
    log = (step / "reconstruct.log").read_text()
    assert (ended.code, ended.said) == (0, "")
    assert "settings that differ from the defaults: {'binning': 2.0}" in log.splitlines()[0]
    assert "no thickness is given or known: 3000 A are taken" in log
    assert "15 of 15 tilts, -60.00 to 60.00 degrees, axis at 4.00 degrees" in log
    assert re.search(r"rotation centre at voxel \(16, 14, 75\) of the 'house' grid", log)


def test_half_sets_alternate_in_angle(run, series, tmp_path):
    used = []
    for half in ("odd", "even"):
        run(series.stack, "--half", half, alignment=series.transforms)
        step, _ = products_of("ts", tmp_path)
        used.append(json.loads((step / "manifest.json").read_text())["used_tilts"])

    assert used == [list(range(1, 16, 2)), list(range(2, 16, 2))]


@pytest.mark.parametrize("name", ["00255", "TS 03 [new] (2)", "a.b.c", "ünïcode", "-q"])
def test_a_series_keeps_its_name(run, tmp_path, name):
    series = write_series(tmp_path, name)

    ended = run(series.stack, alignment=series.transforms)

    assert ended.code == 0
    assert products_of(name, tmp_path)[1] == products_named(name)


def test_a_packed_stack_is_the_same_series(run, series, tmp_path):
    run(series.stack, alignment=series.transforms)
    step, _ = products_of("ts", tmp_path)
    expected, _, _ = volume_of(step / "ts.mrc")
    packed = tmp_path / "packed"
    packed.mkdir()
    (packed / "ts.mrc.gz").write_bytes(gzip.compress(series.stack.read_bytes()))

    ended = run(packed / "ts.mrc.gz", alignment=series.transforms)

    assert ended.code == 0
    assert np.array_equal(volume_of(step / "ts.mrc")[0], expected)


def test_a_dry_run_makes_nothing(run, series, tmp_path):
    before = sorted(tmp_path.rglob("*"))

    ended = run(series.stack, "--dry-run", alignment=series.transforms)

    assert ended.code == 0
    assert "tomogram of 64 x 56 x 30 voxels of 10 A" in ended.said
    assert f"would write {tmp_path / 'project/ts/reconstruct/ts.mrc'}, 430 kB as" in ended.said
    assert sorted(tmp_path.rglob("*")) == before


# -- several series --------------------------------------------------------------------------------


def test_a_series_that_fails_doesnt_stop_the_others(run, tmp_path):
    stacks = [write_series(tmp_path, name).stack for name in ("one", "two", "three", "four")]
    stacks[1].write_bytes(stacks[1].read_bytes()[:-1000])
    (tmp_path / "three.xf").unlink()
    (tmp_path / "three.tlt").unlink()

    ended = run(*stacks, alignment=tmp_path)

    assert ended.code == 1
    assert re.search(
        r"error: two failed: .*two.mrc: byte \d+: the file ends in section 15", ended.said
    )
    assert (
        f"error: three failed: {tmp_path} holds no alignment for three.mrc: three.xf" in ended.said
    )
    assert re.search(r"\ntwo     reconstruct  .*two.mrc: byte", ended.said)
    assert "             -> Was it copied to the end" in ended.said
    assert ended.said.splitlines()[-1] == "error: 2 of 4 series failed: two, three; 2 made"
    for name in ("one", "four"):
        assert f"{name}.mrc" in products_of(name, tmp_path)[1]
    step, names = products_of("two", tmp_path)
    assert names == FAILED
    assert " ERROR " in (step / "reconstruct.log").read_text().splitlines()[-1]


def test_one_alignment_for_several_series_is_refused(run, series, tmp_path):
    other = write_series(tmp_path, "other")

    ended = run(series.stack, other.stack, alignment=series.transforms)

    assert ended.code == 1
    assert "is one alignment, but there are several inputs: give the folder" in ended.said


def test_of_two_series_of_one_name_nothing_is_made_but_of_the_others(run, series, tmp_path):
    (tmp_path / "b").mkdir()
    other, third = write_series(tmp_path / "b"), write_series(tmp_path, "third")

    ended = run(series.stack, other.stack, third.stack, alignment=tmp_path)

    assert ended.code == 1
    assert f"{series.stack} and {other.stack} are both series ts" in ended.said
    assert ended.said.splitlines()[-1] == "error: 1 of 2 series failed: ts; 1 made"
    assert "third.mrc" in products_of("third", tmp_path)[1]


# -- what goes wrong -------------------------------------------------------------------------------


def test_what_was_there_stays_when_a_later_run_fails(run, series, tmp_path):
    run(series.stack, alignment=series.transforms)
    step, names = products_of("ts", tmp_path)
    kept = {name: (step / name).read_bytes() for name in names if name not in LOGS}
    images = series.images.copy()
    images[7] = np.nan
    write_stack(series.stack, images)

    ended = run(series.stack, alignment=series.transforms)

    assert ended.code == 1
    assert ended.said.splitlines()[-1].startswith("error: tilt 8 (0.0 degrees) holds NaN only")
    assert products_of("ts", tmp_path)[1] == sorted([*names, "failure.json"])
    assert {name: (step / name).read_bytes() for name in kept} == kept
    assert "ERROR tilt 8 (0.0 degrees) holds NaN only" in (step / "reconstruct.log").read_text()


def test_a_full_disk_is_told_and_leaves_the_log_only(vitreous, series, tiny_disk):
    ended = vitreous(
        *("-q", "run", series.stack, "--alignment", series.transforms, "--thickness", 30),
        *("--project", tiny_disk),
    )

    assert ended.code == 1
    assert "ts.mrc can't be written: the disk is full. 431 kB are needed" in ended.said
    step = tiny_disk / "ts" / "reconstruct"
    assert sorted(path.name for path in step.iterdir()) == FAILED


def test_a_disk_without_room_for_the_picture_is_told(vitreous, series, tmp_path, file_size_limit):
    with file_size_limit(40_000):
        ended = vitreous(
            *("-q", "run", series.stack, "--alignment", series.transforms, "--thickness", 2),
            *("--project", tmp_path / "project"),
        )

    assert ended.code == 1
    assert "ts_slices.png can't be written: the file is larger than this" in ended.said
    assert products_of("ts", tmp_path)[1] == [*FAILED, "ts.mrc"]


def test_a_read_only_project_is_told(vitreous, series, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)

    ended = vitreous(
        *("-q", "run", series.stack, "--alignment", series.transforms),
        *("--project", tiny_disk / "project"),
    )

    assert ended.code == 1
    assert ended.said.count("\n") == 1
    assert "project can't be made: Read-only file system" in ended.said


def test_a_file_in_the_projects_place_is_told(vitreous, series, tmp_path):
    (tmp_path / "project").write_text("in the way")

    ended = vitreous(
        *("-q", "run", series.stack, "--alignment", series.transforms),
        *("--project", tmp_path / "project"),
    )

    assert ended.code == 1
    assert "project is a file, not the folder of a project" in ended.said


def test_an_input_is_never_replaced_by_its_tomogram(run, tmp_path):
    step = tmp_path / "project" / "ts" / "reconstruct"
    step.mkdir(parents=True)
    series = write_series(step)
    before = series.stack.read_bytes()

    ended = run(series.stack, alignment=series.transforms)

    assert ended.code == 1
    assert "is an input" in ended.said
    assert series.stack.read_bytes() == before


@pytest.mark.parametrize(
    ("ending", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143)],
    ids=["Ctrl-C", "scancel"],
)
def test_an_end_in_the_middle_leaves_nothing_half_written(tmp_path, ending, code):
    images = np.random.default_rng(1).normal(size=(15, 300, 300))
    series = write_series(tmp_path, images=images, size=(300, 300))
    command = [Path(sys.executable).with_name("vitreous"), "run", series.stack]
    command += ["--alignment", series.transforms, "--project", tmp_path / "project"]
    command += ["--thickness", "300", "--method", "sirt", "--iterations", "1000"]
    step = tmp_path / "project" / "ts" / "reconstruct"

    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=os.environ)
    begun = time.monotonic()
    while not list(step.glob(".ts.mrc.*.part")) and time.monotonic() - begun < 60:
        time.sleep(0.05)
    time.sleep(1)  # into the iterations
    process.send_signal(ending)
    _, said = process.communicate(timeout=60)

    assert process.returncode == code
    goes_on = f"'vitreous run --project {tmp_path / 'project'}' goes on"
    assert said.splitlines()[-1] == f"error: interrupted: {goes_on}"
    assert "Traceback" not in said
    assert products_of("ts", tmp_path)[1] == [*LOGS, "running.json"]
    assert (step / "reconstruct.log").read_text().endswith("ERROR interrupted\n")
    assert state_of(tmp_path / "project")[0].how == "interrupted"
