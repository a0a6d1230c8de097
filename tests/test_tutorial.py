"""The tutorial's commands, run in its order as a reader would."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from vitreous.formats.mrc import read_volume

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """(folder, [(command, what it said)])."""
    folder = tmp_path_factory.mktemp("tutorial")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    said = []
    for command in re.findall(r"```sh\n(.*?)```", TUTORIAL.read_text(), re.DOTALL):
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=folder,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        said.append((command.strip(), done.stdout + done.stderr))
    return folder, said


def told(followed, command):
    return next(text for name, text in followed[1] if name.startswith(command))


def test_the_dry_run_tells_the_needs_of_each_step(followed):
    said = told(followed, "vitreous run session --project tomo --bin 2 --dry-run")

    assert re.search(r"TS_01 +align +\d+ MB", said)
    assert re.search(r"TS_01 +reconstruct +\d+ MB", said)


def test_the_run_leaves_out_the_dark_tilt_and_says_so(followed):
    said = next(t for c, t in followed[1] if c == "vitreous run session --project tomo --bin 2")

    assert "tilt 3 (-54.0 degrees) left out: dark" in said
    assert "40 of 41 tilts aligned" in said


def test_the_status_says_that_all_is_done(followed):
    assert re.search(r"TS_01 +done +done", told(followed, "vitreous status tomo"))


def test_a_second_run_finds_nothing_to_do(followed):
    said = next(text for command, text in followed[1] if command == "vitreous run --project tomo")

    assert "1 up to date" in said
    assert "reconstruct" not in said


def test_another_binning_makes_the_tomogram_only(followed):
    said = told(followed, "vitreous run --project tomo --bin 4")

    assert "the alignment is up to date" in said
    assert "voxels of 34 A" in said


def test_tilts_left_out_for_one_series_are_kept_for_it(followed):
    folder, _ = followed

    said = told(followed, "vitreous run --project tomo --only")

    assert "37 of 41 tilts" in said
    assert "[series.TS_01.reconstruct]" in (folder / "tomo" / "vitreous.toml").read_text()


def test_all_that_the_tutorial_names_is_there(followed):
    folder, _ = followed
    made = folder / "tomo" / "TS_01"

    assert (folder / "tomo" / "report.html").stat().st_size > 10_000
    assert (made / "report.html").stat().st_size > 100_000
    assert (folder / "TS_01.xml").exists()
    assert read_volume(made / "reconstruct" / "TS_01.mrc").grid.size[:2] == (80, 80)
