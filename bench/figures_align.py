"""Alignment without markers: CPU seconds of its stages, and the laws of its time and memory."""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from measure import cost_of, table, verdict

from tests.align.blobs import blob_series
from vitreous.align.bundle import adjusted
from vitreous.align.images import binning_for, read_images
from vitreous.align.left_out import references, slab_for
from vitreous.align.match import matched
from vitreous.align.memory import plan_alignment
from vitreous.align.patches import measured
from vitreous.align.prepare import coefficients, whitened
from vitreous.align.quality import scores_of
from vitreous.align.refine import (
    LARGEST_MOVE,
    LARGEST_PATCH_MOVE,
    depth_for,
    refined,
    slab_beyond,
)
from vitreous.align.series import align_series, searched
from vitreous.align.settings import AlignSettings
from vitreous.align.slab import find_extent
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.records.images import ImageStack
from vitreous.records.progress import ignore_progress

MOST_SECONDS = 45.0
MAIN_JOB_SECONDS = 120.0
PIXEL_SIZE = 5.4
TILTS = np.arange(-60, 61, 3.0)
LAW = (400, 720, 960)
VITREOUS = Path(sys.executable).with_name("vitreous")


def align_section(law: tuple[int, ...] = LAW, size: int = 720) -> str:
    """Stages of a simulated series, and whole commands on series of several sizes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cost_of(
            [
                *(VITREOUS, "simulate", "--output", folder, "--name", "ts", "--quiet"),
                *("--size", str(size), str(size), "--pixel-size", str(PIXEL_SIZE)),
            ]
        )
        with open_stack(folder / "ts.mrc") as stack:
            align_series(stack, TILTS, AlignSettings(rounds=1))  # kernels are loaded
            rows, whole = stages(stack)
        job = main_job(folder / "ts.mrc", folder / "project")
        costs = [(side, *alignment_of(folder, side)) for side in law]
    what = (
        f"{len(TILTS)} tilts of {size} x {size} px of {PIXEL_SIZE} A, simulated, one thread. "
        "The search aligns all tilts coarsely for some 40 axes and thicknesses; a pass of matching "
        "makes left-out tomograms' projections (tilts^2 x a line's slab, twice) and 4 FFTs a tilt; "
        "a round makes the same, one FFT a patch and tilt each way, and at most 12 Gauss-Newton "
        "steps of 5 unknowns a tilt."
    )
    pixels = np.array([side**2 for side in law]) * len(TILTS) / 1e6
    seconds = np.array([cost[1] for cost in costs])
    slope, constant = np.polyfit(pixels, seconds, 1, w=1 / seconds)
    table_of_law = [
        [
            f"{side} x {side}",
            f"{spent:.1f}",
            f"{constant + slope * pixel:.1f}",
            f"{peak / 1e6:.0f}",
            f"{planned(side) / 1e6:.0f}",
        ]
        for side, (_, _, peak), spent, pixel in zip(law, costs, seconds, pixels, strict=True)
    ]
    with_law = (
        f"`vitreous align` of blobs in ice, {len(TILTS)} tilts, start-up included. Small series "
        "are searched as long as large ones, so that"
    )
    lawful = all(0.7 * planned(side) <= peak <= planned(side) for side, _, peak in costs)
    return "\n".join(
        [
            what,
            "",
            table(["stage", "CPU s"], rows),
            "",
            verdict(
                f"The whole: {whole:.1f} CPU s; {MOST_SECONDS:g} s are due", whole <= MOST_SECONDS
            ),
            job,
            "",
            with_law,
            f"CPU s = {constant:.1f} + {slope:.2f} x Mpx of the series.",
            "",
            table(["image, px", "CPU s", "law", "peak, MB", "planned, MB"], table_of_law),
            "",
            verdict("Peaks: at most as planned, and 0.7 of it", lawful),
        ]
    )


def main_job(stack: Path, project: Path) -> str:
    """What it costs from a stack to the report."""
    words = ["--thickness", "160nm", "--cpus", "1", "--quiet"]
    cost = cost_of([VITREOUS, "run", stack, "--project", project, *words])
    return verdict(
        "`vitreous run` from this stack to an unbinned tomogram of 1600 A and the report, start-up "
        f"included: {cost.cpu_seconds:.1f} CPU s, {cost.peak_bytes / 1e6:.0f} MB at most; "
        f"{MAIN_JOB_SECONDS:g} s are due",
        cost.cpu_seconds <= MAIN_JOB_SECONDS,
    )


def planned(side: int) -> int:
    """Bytes that are foreseen."""
    return plan_alignment((len(TILTS), side, side), AlignSettings(), PIXEL_SIZE)


def alignment_of(folder: Path, side: int) -> tuple[float, int]:
    """(CPU seconds, peak bytes) of `vitreous align` on a series of blobs."""
    stack = folder / f"blobs{side}.mrc"
    images = blob_series(tilts=TILTS, size=side, pixel_size=PIXEL_SIZE, count=400).images
    with MrcWriter(stack, images.shape, PIXEL_SIZE, np.int16, is_stack=True) as writer:
        writer.write((0, 0, 0), np.round(20 * images).astype(np.int16))
    np.savetxt(stack.with_suffix(".rawtlt"), TILTS, fmt="%.2f")
    cost = cost_of([VITREOUS, "align", stack, "--output", folder / "out", "--cpus", "1", "--quiet"])
    return cost.cpu_seconds, cost.peak_bytes


def stages(stack: ImageStack) -> tuple[list[list[str]], float]:
    """(rows of stage and CPU seconds, the whole), each stage with what the one before found."""
    rows: list[list[str]] = []

    def timed(name: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        found = work()
        rows.append([name, f"{time.process_time() - start:.2f}"])
        return found

    settings = AlignSettings()
    binning = binning_for(PIXEL_SIZE, settings.work_pixel)
    start = time.process_time()
    images = timed("read, repair, bin", lambda: read_images(stack, TILTS, {}, binning))
    found = timed(
        "search axis, thickness and coarse shifts",
        lambda: searched(images, TILTS, None, settings, 1, ignore_progress),
    )
    work = timed(
        "whiten",
        lambda: np.stack([coefficients(whitened(i, images.pixel_size)) for i in images.data]),
    )
    shape = images.data.shape[1], images.data.shape[2]
    views = found.best.views.at(images.pixel_size)
    best = timed(
        "matching, slab, patches and bundle: all of it",
        lambda: refined(work, views, shape, found.thickness, settings),
    )
    timed("scores", lambda: scores_of(work, best.views, best.slab, best.bundle))
    whole = time.process_time() - start
    rows.append(["the whole", f"{whole:.2f}"])
    slab = slab_for(shape, best.views, depth_for(found.thickness), settings.threshold)
    beyond = slab_beyond(best.views, shape, depth_for(found.thickness))
    timed("of it, one pass of matching", lambda: matched(work, best.views, slab, LARGEST_MOVE, 500))
    timed("finding the slab", lambda: find_extent(work, best.views, beyond))
    planes = timed("one round: references", lambda: references(work, best.views, slab))
    patches = timed(
        "one round: patches", lambda: measured(*planes, best.views, slab, LARGEST_PATCH_MOVE)
    )
    timed(
        "one round: bundle adjustment",
        lambda: adjusted(best.views, TILTS, patches, max(slab.field)),
    )
    return rows, whole
