"""The kernels on one tilt series: updates a CPU second, beside the machine's bound and ASTRA.

An update is one voxel that receives one tilt. As in a reconstruction, the volume is made slab by
slab in the same memory.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numba
import numpy as np
from bounds import Bounds
from measure import REPEATS, aligned, cost_of, cpu_seconds, table, verdict
from numpy.typing import NDArray

from vitreous.kernels import shear as kernel
from vitreous.kernels.shear import Shear, shear_of
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.volume import Grid

ASTRA = Path(__file__).parents[1] / ".astra" / "bin" / "python"
SLAB_ROWS = 64
LEAST_OF_BOUND = 0.5
LEAST_TIMES_ASTRA = 15


@dataclass(frozen=True, slots=True)
class Size:
    """A tilt series (tilts, image x, image y) and the volume (x, y, z) made of it."""

    tilts: int
    image: tuple[int, int]
    volume: tuple[int, int, int]

    def __str__(self) -> str:
        x, y = self.image
        return f"{self.tilts} x {y} x {x} -> {' x '.join(map(str, self.volume))}"


@dataclass(frozen=True, slots=True)
class Case:
    """One geometry: axis direction, x tilt of each view, and a displacement field or none."""

    name: str
    axis_degrees: float
    x_tilts_degrees: NDArray[np.float64] | float = 0.0
    displaced: bool = False

    def alignment(self, size: Size) -> Alignment:
        return alignment_from_angles(
            axes_degrees=self.axis_degrees,
            tilts_degrees=np.linspace(-60, 60, size.tilts),
            x_tilts_degrees=self.x_tilts_degrees,
            shifts=np.zeros((size.tilts, 2)),
            image_size=size.image,
            pixel_size=1.0,
        )

    def shear(self, size: Size) -> Shear:
        x, y, z = size.volume
        grid = Grid(size.volume, 1.0, (x // 2, y // 2, z // 2))
        return shear_of(self.alignment(size), grid, size.image, 1.0)


def cases(tilts: int) -> list[Case]:
    """The geometries that have to be equally fast."""
    varied = np.random.default_rng(5).normal(0, 0.1, tilts)
    return [
        Case("axis at 0 degrees", 0.0),
        Case("axis at 45 degrees", 45.0),
        Case("axis at 85.3 degrees", 85.3),
        Case("x tilt 5 degrees", 85.3, 5.0),
        Case("x tilt 5 +- 0.1 degrees, other in each view", 85.3, 5.0 + varied),
        Case("displacement field", 85.3, displaced=True),
    ]


@dataclass(slots=True)
class Times:
    """CPU seconds of each part of one reconstruction, updates and points resampled."""

    resample: float = 0.0
    backproject: float = 0.0
    level: float = 0.0
    updates: int = 0
    points: int = 0


def reconstruct(case: Case, size: Size, repeats: int = REPEATS) -> Times:
    """Resample, back-project and level the whole volume; each slab's best of `repeats`."""
    shear = case.shear(size)
    nx, ny, nz = size.volume
    images = aligned((size.tilts, size.image[1] + 4, size.image[0] + 4))
    images[:] = np.random.default_rng(1).standard_normal(images.shape, np.float32)
    moves = {}
    if case.displaced:
        nodes = np.random.default_rng(2).normal(0, 1, (size.tilts, 2, 9, 9)).astype(np.float32)
        moves = {"field": nodes, "field_step": max(size.image) / 8}
    slab = kernel.lines_for(shear, 0, SLAB_ROWS)
    planes = aligned((size.tilts, slab.count, shear.width))
    volume = aligned((nz, slab.levelled_rows, nx))
    levelled = aligned((nz, SLAB_ROWS, nx))

    times = Times()
    for row in range(0, ny, SLAB_ROWS):
        lines = kernel.lines_for(shear, row, SLAB_ROWS)
        sample = partial(kernel.sheared_lines, images, shear, lines.first_line, planes, **moves)
        times.resample += cpu_seconds(partial(sample, as_coefficients=True), repeats)
        times.backproject += cpu_seconds(
            partial(kernel.backproject, planes, shear, lines, volume), repeats
        )
        times.level += cpu_seconds(partial(kernel.level, volume, shear, lines, levelled), repeats)
        times.updates += size.tilts * volume.size
        times.points += planes.size
    return times


def linear_rates(size: Size) -> tuple[float, float]:
    """Updates a CPU second of the linear back-projection and of its transpose."""
    shear = Case("", 0.0).shear(size)
    planes = aligned((size.tilts, SLAB_ROWS, shear.width))
    volume = aligned((size.volume[2], SLAB_ROWS, size.volume[0]))
    directions = (
        lambda: kernel.backproject_lines(planes, shear, volume),
        lambda: kernel.project_lines(volume, shear, planes),
    )
    updates = size.tilts * volume.size
    back, forward = [updates / cpu_seconds(work, REPEATS + 2) for work in directions]
    return back, forward


def astra_rate(size: Size) -> float | None:
    """Updates a CPU second of ASTRA's 2D 'linear' back-projector; None where it isn't installed."""
    if not ASTRA.exists():
        return None
    script = Path(__file__).with_name("astra_rate.py")
    x, _, z = size.volume
    return float(cost_of([ASTRA, script, str(size.tilts), str(z), str(x)]).output)


def kernel_section(size: Size, bounds: Bounds) -> str:
    """Rows for each geometry, the linear pair and ASTRA, on one thread and on all; verdicts."""
    rows, shares, rates = [], [], []
    for threads in sorted({1, numba.config.NUMBA_NUM_THREADS}):
        numba.set_num_threads(threads)
        for case in cases(size.tilts):
            times = reconstruct(case, size)
            rates.append(times.updates / times.backproject)
            shares.append(rates[-1] / bounds.updates)
            rows.append(_case_row(case.name, threads, times, shares[-1]))
        back, forward = linear_rates(size)
        rows.append(_linear_row("linear, for iterations", threads, back, bounds))
        rows.append(_linear_row("its transpose, projection", threads, forward, bounds))
    numba.set_num_threads(1)
    astra = astra_rate(size)
    if astra is not None:
        rows.append(_linear_row("ASTRA's CPU 2D 'linear'", 1, astra, bounds))

    head = ["", "threads", "back-project, CPU s", "G updates/CPU s", "of the bound"]
    head += ["resample, CPU s", "ns a point", "level, CPU s"]
    lines = [
        f"{size}, slabs of {SLAB_ROWS} rows; resampling and levelling stated apart.",
        "",
        table(head, rows),
        "",
        verdict(
            f"Least of the bound: {_percent(min(shares))}; {_percent(LEAST_OF_BOUND)} are due",
            min(shares) >= LEAST_OF_BOUND,
        ),
    ]
    if astra is None:
        lines.append("- ASTRA is not installed in `.astra`: no comparison.")
    else:
        times = min(rates) / astra
        least = f"Least over ASTRA: {times:.0f} times; {LEAST_TIMES_ASTRA} are due"
        lines.append(verdict(least, times >= LEAST_TIMES_ASTRA))
    return "\n".join(lines)


def _case_row(name: str, threads: int, times: Times, share: float) -> list[str]:
    return [
        name,
        str(threads),
        f"{times.backproject:.2f}",
        _billions(times.updates / times.backproject),
        _percent(share),
        f"{times.resample:.2f}",
        f"{times.resample / times.points * 1e9:.1f}",
        f"{times.level:.2f}",
    ]


def _linear_row(name: str, threads: int, rate: float, bounds: Bounds) -> list[str]:
    share = _percent(rate / bounds.updates)
    return [name, str(threads), "", _billions(rate), share, "", "", ""]


def _billions(rate: float) -> str:
    return f"{rate / 1e9:.2f}"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
