"""How the benchmark measures: CPU seconds of all threads, best of a few; a process's memory."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPEATS = 3


def cpu_seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """User + system seconds of all threads of this process, best of `repeats`."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process took: user + system seconds of all its threads, and peak resident bytes."""

    cpu_seconds: float
    peak_bytes: int
    output: str


MEASURED = """
import resource, subprocess, sys
code = subprocess.run(sys.argv[1:], stderr=subprocess.STDOUT).returncode
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
print(f"\\n{usage.ru_utime + usage.ru_stime} {usage.ru_maxrss}")
sys.exit(code)
"""
"""Runs a command from a small process: a child's peak begins with that of who started it."""


def cost_of(command: Sequence[str | Path]) -> Cost:
    """Run a command to its end. Raises CalledProcessError, with what it said, where it fails."""
    ended = subprocess.run(
        [sys.executable, "-c", MEASURED, *command], stdout=subprocess.PIPE, text=True, check=True
    )
    output, _, counts = ended.stdout.rstrip().rpartition("\n")
    cpu_seconds, peak = counts.split()
    return Cost(float(cpu_seconds), int(peak) * 1024, output)


def cheapest(command: Sequence[str | Path], repeats: int = REPEATS) -> Cost:
    """The run with the fewest CPU seconds."""
    return min((cost_of(command) for _ in range(repeats)), key=lambda cost: cost.cpu_seconds)


def aligned(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """A float32 array of 0 that starts on a cache line (NumPy promises 16 bytes only)."""
    size = int(np.prod(shape)) * 4
    raw = np.empty(size + 64, np.uint8)
    raw[:] = 0  # the first touch of memory costs more than a back-projection: it is not measured
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(np.float32).reshape(shape)


def machine_line() -> str:
    """Processor, cores, vector width, load, versions."""
    text = Path("/proc/cpuinfo").read_text()
    facts = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    facts = {name.strip(): value.strip() for name, value in facts.items()}
    flags = facts.get("flags", "").split()
    vectors = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "no AVX2"
    names = "vitreous", "numpy", "scipy", "numba"
    return (
        f"{facts.get('model name', platform.machine())}, {os.cpu_count()} cores, {vectors}, "
        f"load {os.getloadavg()[0]:.1f} at the start; Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names)
    )


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, first column to the left, the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def verdict(what: str, holds: bool) -> str:
    """A line that says whether what is due was reached."""
    return f"- {what}: {'holds' if holds else '**missed**'}."
