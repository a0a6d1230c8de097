"""The memory of an alignment keeps to what is said before it begins."""

import subprocess
import sys

import numpy as np
import pytest

from tests.align.blobs import blob_series
from vitreous.align.memory import plan_alignment
from vitreous.align.settings import AlignSettings
from vitreous.formats.mrc import MrcWriter

TILTS = np.arange(-60, 61, 3.0)
THREADS = 2
ALIGN = """
import sys
from pathlib import Path
import numpy as np
from vitreous.align.series import align_series
from vitreous.align.settings import AlignSettings
from vitreous.formats.mrc import open_stack

with open_stack(Path(sys.argv[1])) as stack:
    align_series(stack, np.loadtxt(sys.argv[2]), AlignSettings(), threads=int(sys.argv[3]))
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) * 1024)
"""


def peak_of(folder, tilts, size, pixel_size):
    """The most bytes that a fresh process held when it aligned such a series."""
    stack, angles = folder / "series.mrc", folder / "series.tlt"
    images = blob_series(tilts=tilts, size=size, pixel_size=pixel_size, count=120).images
    with MrcWriter(stack, images.shape, pixel_size, np.int16, is_stack=True) as writer:
        writer.write((0, 0, 0), np.round(20 * images).astype(np.int16))
    np.savetxt(angles, tilts)
    command = [sys.executable, "-c", ALIGN, stack, angles, str(THREADS)]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the peak is Linux' own count")
def test_an_alignment_takes_the_memory_that_was_foreseen(tmp_path):
    peak_of(tmp_path, TILTS[::5], 128, 15.0)  # kernels are compiled

    peak = peak_of(tmp_path, TILTS, 720, 5.4)

    planned = plan_alignment((len(TILTS), 720, 720), AlignSettings(), 5.4, THREADS)
    assert 0.7 * planned <= peak <= planned


def test_a_thick_series_needs_no_more_than_is_planned_for_all():
    shape, settings = (41, 720, 720), AlignSettings()

    usual = plan_alignment(shape, settings, 5.4)

    assert plan_alignment(shape, settings, 5.4, threads=4) > usual
    assert plan_alignment(shape, settings, 5.4, steepest_degrees=68) > usual
    assert plan_alignment(shape, settings, 1.35) < usual < plan_alignment(shape, settings, 10)
