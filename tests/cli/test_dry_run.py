"""What a dry run says of memory, disk and time, against the run itself."""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import fft

from tests.pipeline.test_memory import MEASURED
from tests.series import write_series
from vitreous.formats.mrc import MrcWriter, open_stack

COMMAND = Path(sys.executable).with_name("vitreous")
SIDE = 720
UNITS = {"GB": 1e9, "MB": 1e6, "kB": 1e3}


@pytest.fixture
def wide(shared, tmp_path):
    """41 images of 720 x 720 px: the simulated series without beads, finer by a factor of 1.8."""
    source = shared / "data" / "sim_nobeads" / "sim_nobeads.mrc"
    output = tmp_path / "wide.mrc"
    shutil.copy(source.with_suffix(".rawtlt"), output.with_suffix(".rawtlt"))
    with open_stack(source) as stack:
        sections, rows, columns = stack.shape
        size, pixel_size = (sections, SIDE, SIDE), stack.pixel_size * columns / SIDE
        with MrcWriter(output, size, pixel_size, np.float32, is_stack=True) as writer:
            for section in range(sections):
                spectrum = fft.fftshift(fft.fft2(stack.read(section).astype(np.float32)))
                framed = np.pad(spectrum, (SIDE - rows) // 2)
                writer.write((section, 0, 0), fft.ifft2(fft.ifftshift(framed)).real[None])
    return output


def told(said, pattern):
    """A size that a dry run tells, in bytes."""
    number, unit = re.search(pattern + r" ([\d.]+) (GB|MB|kB)", said).groups()
    return float(number) * UNITS[unit]


def test_a_dry_run_bounds_memory_and_disk_and_estimates_time(wide, tmp_path):
    command = [COMMAND, "run", wide, "--project", tmp_path / "project", "--tilt-axis", "85.3"]
    command += ["--thickness", "1600A", "--cpus", "1", "--device", "cpu"]
    words = [str(word) for word in command]
    dry = subprocess.run([*words, "--dry-run"], capture_output=True, text=True, check=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)

    run = [sys.executable, "-c", MEASURED, *words]
    ended = subprocess.run(run, capture_output=True, text=True, check=True)

    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    peak = int(ended.stdout) * 1024
    foreseen = told(dry.stderr, "at most")
    assert 0.7 * foreseen <= peak <= foreseen
    products = sum(path.stat().st_size for path in (tmp_path / "project").rglob("*.*"))
    assert told(dry.stderr, "allowed\\);") == pytest.approx(products, rel=0.02)
    seconds = float(re.search(r"about \d+ s \((\d+) s of CPU", dry.stderr)[1])
    assert seconds / 2 < used < 2.5 * seconds


def test_of_several_series_those_that_run_at_a_time_count_together(vitreous, tmp_path):
    for name in ("one", "two", "three"):
        write_series(tmp_path, name)
    words = ["run", *(tmp_path / f"{name}.mrc" for name in ("one", "two", "three")), "--dry-run"]
    words += ["--project", tmp_path / "project", "--alignment", tmp_path, "--thickness", "30nm"]

    wide, narrow = (
        vitreous(*words, "--cpus", "2", "--memory", memory).said for memory in ("4", "0.7")
    )

    assert "the run: 2 series at a time, threads for each: 1" in wide
    assert "the run: 1 series at a time, threads for each: 2" in narrow
    assert told(wide, "at most") > 1.5 * told(narrow, "at most")
    assert told(narrow, "at most") < 0.7e9
    assert not (tmp_path / "project").exists()


def test_what_is_done_and_what_cant_be_is_told_for_each_series(vitreous, tmp_path):
    done, broken = write_series(tmp_path, "done"), write_series(tmp_path, "broken")
    words = ["run", "--project", tmp_path / "project", "--alignment", tmp_path]
    words += ["--thickness", "30nm"]
    vitreous(words[0], done.stack, *words[1:])
    broken.transforms.unlink()
    broken.transforms.with_suffix(".tlt").unlink()

    said = vitreous(words[0], done.stack, broken.stack, *words[1:], "--dry-run").said

    assert re.search(r"\ndone +up to date\n", said)
    assert re.search(r"\nbroken +fails .*holds no alignment for broken.mrc", said)
