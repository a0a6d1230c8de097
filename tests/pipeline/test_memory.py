"""A volume larger than the memory allowed is made within the law of `Plan.memory_bytes`.

The volume is 1.96 GB, the stack 63 MB as float32. Peaks are the kernel's own count of the whole
process (ru_maxrss), interpreter and compiled kernels included.
"""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.series import PIXEL_SIZE, tilts_seen, write_series
from vitreous.formats import imod
from vitreous.formats.mrc import MrcWriter
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import plan

TILTS, WIDTH, THICKNESS = 8, 1400, 250
THREADS = 2
STACK = TILTS * WIDTH * WIDTH * 4
ALLOWANCE = 400e6
ABOVE_THE_LAW = 1.1  # the most that a peak was above the plan: what the C library keeps of threads

MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command from a small process: a child's count begins with the peak of who started it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """wide.mrc and its alignments: axis upright (up) and lying (flat). Kernels are compiled."""
    folder = tmp_path_factory.mktemp("memory")
    rng = np.random.default_rng(1)
    size = (TILTS, WIDTH, WIDTH)
    with MrcWriter(folder / "wide.mrc", size, PIXEL_SIZE, np.int8, is_stack=True) as writer:
        for section in range(TILTS):
            writer.write((section, 0, 0), rng.integers(-50, 50, (1, WIDTH, WIDTH), np.int8))
    for name, axis in (("up", 3.0), ("flat", 86.0)):
        imod.write(tilts_seen(TILTS, (WIDTH, WIDTH), axis), folder / f"{name}.xf")
    small = write_series(folder, "small")
    for method in ("wbp", "sirt"):
        peak_of(small.stack, small.transforms, folder / "small_rec.mrc", "--method", method)
    return folder


def peak_of(stack, transforms, output, *options):
    """(peak resident bytes, what was said) of a `vitreous reconstruct`."""
    command = [Path(sys.executable).with_name("vitreous"), "reconstruct", stack]
    command += ["--alignment", transforms, "--output", output, "--cpus", THREADS, "--device", "cpu"]
    command += ["--thickness", THICKNESS, *options]
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return int(ended.stdout) * 1024, ended.stderr


def slab_of(alignment, **settings):
    """Bytes of a slab of the volume as float32."""
    made = plan(
        alignment, ReconstructSettings(thickness=str(THICKNESS), **settings), (WIDTH, WIDTH)
    )
    nx, _, nz = made.grid.size
    return 4 * nx * nz * made.slab_rows


@pytest.mark.parametrize(
    ("options", "in_scratch"),
    [
        (("up", "--mode", "float32", "--memory", "0.6"), False),
        (("up", "--mode", "float16", "--memory", "0.44"), True),
        (("flat", "--mode", "int8", "--axis-order", "xzy", "--memory", "0.44"), True),
    ],
    ids=["in memory", "scratch", "scratch, axis along x"],
)
def test_a_volume_larger_than_the_memory_allowed_is_streamed(folder, options, in_scratch):
    name, *rest = options
    output = folder / "rec.mrc"

    peak, said = peak_of(folder / "wide.mrc", folder / f"{name}.xf", output, *rest)

    itemsize = np.dtype(rest[1]).itemsize
    assert output.stat().st_size == 1024 + itemsize * WIDTH * WIDTH * THICKNESS
    output.unlink()
    assert ("go to a scratch file" in said) == in_scratch
    slab = slab_of(tilts_seen(TILTS, (WIDTH, WIDTH)))
    assert peak <= STACK + 2 * slab * THREADS + ALLOWANCE
    assert peak <= ABOVE_THE_LAW * planned_in(said)
    assert peak <= ABOVE_THE_LAW * float(rest[-1]) * 1e9


@pytest.mark.parametrize(
    ("options", "in_scratch"),
    [
        (("--wiener-formula", "relion"), False),
        (("--wiener-formula", "relion", "--memory", "0.5"), True),
        (("--ctf", "multiply", "--ctf-file", "wide.defocus", "--ctf-strip-defocus", 0), False),
    ],
    ids=["whole in memory", "whole in scratch", "inverted with CTF"],
)
def test_wiener_weighting_keeps_to_the_law_too(folder, options, in_scratch):
    lines = [f"{tilt} {tilt} {9.0 * tilt:.2f} {9.0 * tilt:.2f} 3000.0" for tilt in range(1, 9)]
    (folder / "wide.defocus").write_text("\n".join([lines[0] + " 2", *lines[1:]]) + "\n")
    named = [folder / word if word == "wide.defocus" else word for word in options]
    output = folder / "rec.mrc"

    peak, said = peak_of(
        folder / "wide.mrc", folder / "up.xf", output, "--weighting", "wiener", "--rows", 600, 719,
        *named,
    )  # fmt: skip

    output.unlink()
    assert ("the whole volume goes to a scratch file" in said) == in_scratch
    assert peak <= ABOVE_THE_LAW * planned_in(said)


@pytest.mark.parametrize("method", ["sirt", "os-sart"])
def test_iterations_keep_to_the_law_too(folder, method):
    output = folder / "rec.mrc"
    options = ("--method", method, "--iterations", 1, "--rows", 600, 699)

    peak, said = peak_of(folder / "wide.mrc", folder / "up.xf", output, *options)

    slab = slab_of(tilts_seen(TILTS, (WIDTH, WIDTH)))
    assert peak <= STACK + 2 * slab * THREADS + ALLOWANCE
    assert 0.7 * planned_in(said) <= peak <= ABOVE_THE_LAW * planned_in(said)


def planned_in(said):
    """Bytes that the log announces."""
    number, unit = re.search(r"memory: up to ([\d.]+) (MB|GB)", said).groups()
    return float(number) * {"MB": 1e6, "GB": 1e9}[unit]
