"""The memory of averages: what is foreseen is what is used, and --mem is kept."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.average.particle_projects import write_noise_project
from vitreous.average.particle_settings import AverageSettings
from vitreous.errors import UserError
from vitreous.formats.relion_particles import read_optimisation_set
from vitreous.pipeline.particle_sources import opened
from vitreous.pipeline.particle_sums import ending_bytes, process_bytes, team_for

COMMAND = Path(sys.executable).with_name("vitreous")


def held_by(session: int) -> int:
    """Bytes that the processes of a session hold together, shared pages counted once."""
    total = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.getsid(int(process.name)) == session:
                text = (process / "smaps_rollup").read_text()
                total += 1024 * int(re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)[1])
        except (OSError, TypeError):  # it has ended
            continue
    return total


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("particles")
    return write_noise_project(folder, tomograms=3, tilts=3, side=700, particles=30)


def peak_of(project, *words):
    """(most memory that a command and its processes held, what it said)."""
    said = project / "said.txt"
    with said.open("w") as file:
        running = subprocess.Popen(
            [COMMAND, *words], cwd=project, stdout=file, stderr=file, start_new_session=True
        )
        most = 0
        while running.poll() is None:
            most = max(most, held_by(running.pid))
            time.sleep(0.1)
    assert running.returncode == 0, said.read_text()
    return most, said.read_text()


def test_all_processes_together_stay_within_the_ceiling(project):
    """Three processes are asked for; the ceiling holds one, or two."""
    line = "relion tomo_reconstruct_particle --i optimisation_set.star --b 224 --np 3 --j 1 --o out"

    peak, said = peak_of(project, *line.split(), "--mem", "1.4")

    assert "processes instead of 3" in said
    assert peak < 1.4e9


def test_the_law_is_what_a_process_uses(project):
    files = read_optimisation_set(project / "optimisation_set.star")
    settings = AverageSettings(box=224)
    law = max(process_bytes(opened(files, settings), settings), ending_bytes(settings))
    line = ["average", "optimisation_set.star", "--box", "224", "--processes", "1"]

    peak, _ = peak_of(project, *line, "--output", "law")

    assert 0.5 * law < peak < law


def test_a_ceiling_below_what_one_process_needs_is_refused_before_work(project):
    sources = opened(
        read_optimisation_set(project / "optimisation_set.star"), AverageSettings(box=224)
    )

    with pytest.raises(UserError, match="900 MB of memory are allowed, an average of a box of 224"):
        team_for(
            sources,
            AverageSettings(box=224),
            processes=2,
            threads=1,
            cores=2,
            memory_bytes=900_000_000,
        )


def test_the_tutorials_box_and_processes_run(tmp_path):
    """Binning 6, box 192, crop 96, C6, 5 processes of 12 threads: the RELION tutorial's job."""
    folder = write_noise_project(tmp_path, tomograms=2, tilts=1, side=1400, particles=4, spread=0.1)
    line = (
        "relion tomo_reconstruct_particle --i optimisation_set.star --bin 6 --b 192 --crop 96 "
        "--sym C6 --np 5 --j 12 --j_out 12 --j_in 1 --mem 50 --o out"
    )

    ended = subprocess.run(
        [COMMAND, *line.split()], cwd=folder, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stderr
    assert "--mem 50: this machine has" in ended.stderr or "processes instead of 5" in ended.stderr
    assert (folder / "out" / "merged_full.mrc").stat().st_size > 4 * 192**3
    assert (folder / "out" / "half1.mrc").stat().st_size < 4 * 97**3 + 4096
