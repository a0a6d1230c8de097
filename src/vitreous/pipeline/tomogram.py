"""The reconstruction step: stack and alignment in, an MRC file on disk."""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.formats.mrc import MrcWriter
from vitreous.kernels.device import Device
from vitreous.pipeline.grids import output_grid
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import CPU, Plan, Reconstruction
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Grid

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

SAMPLED_SLABS = 8
SAMPLED_ROWS = 4
SPREAD = 8.0  # standard deviations round the mean that an integer type has to hold


@dataclass(frozen=True, slots=True)
class Scaling:
    """stored = (density + add) * multiply, rounded for integers."""

    add: float
    multiply: float
    said: str


@dataclass(frozen=True, slots=True, eq=False)
class Written:
    """A tomogram on disk."""

    path: Path
    grid: Grid
    alignment: Alignment
    scaling: Scaling
    clipped: int


def write_tomogram(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    output: Path,
    *,
    mask: Floats | None = None,
    device: Device = CPU,
    threads: int = 1,
    memory_bytes: int | None = None,
    scratch: Path | None = None,
    progress: Progress = ignore_progress,
) -> Written:
    """Reconstruct into `output`, slab by slab; the file appears when it is whole."""
    _, height, width = stack.shape
    plain = settings.model_copy(update={"add": 0.0, "multiply": None})
    with Reconstruction(
        stack,
        alignment,
        plain,
        grid=output_grid(alignment, settings, (width, height)),
        mask=mask,
        device=device,
        threads=threads,
        memory_bytes=memory_bytes,
        scratch=scratch,
        progress=progress,
    ) as tomogram:
        plan = tomogram.plan
        say(plan, settings)
        scaling = scaling_for(tomogram, settings)
        nz, ny, nx = plan.grid.shape
        xzy = settings.axis_order == "xzy"
        clipped = 0
        with MrcWriter(
            output,
            (ny, nz, nx) if xzy else (nz, ny, nx),
            plan.grid.voxel_size,
            settings.mode,
            labels=labels(plan, settings, scaling),
        ) as writer:
            for row, slab in tomogram.slabs():
                clipped += scale(slab, scaling, settings.mode)
                if xzy:
                    writer.write((row, 0, 0), slab[::-1].transpose(1, 0, 2))
                else:
                    writer.write((0, row, 0), slab)
    if clipped:
        log.warning(
            "%d voxels (%.2g %%) lay beyond the range of %s and were cut",
            clipped,
            100 * clipped / (nx * ny * nz),
            settings.mode,
        )
    log.info("wrote %s: %d x %d x %d voxels of %.4g A", output, nx, ny, nz, plan.grid.voxel_size)
    return Written(output, plan.grid, plan.alignment, scaling, clipped)


def say(plan: Plan, settings: ReconstructSettings) -> None:
    """Log what is going to be made."""
    used, grid = plan.alignment, plan.grid
    left_out = [section + 1 for section in used.left_out]
    log.info(
        "%d of %d tilts, %.2f to %.2f degrees, axis at %.2f degrees%s",
        len(used),
        used.section_count,
        used.tilts_degrees.min(),
        used.tilts_degrees.max(),
        float(np.median(used.axes_degrees)),
        f"; left out: tilts {', '.join(map(str, left_out))}" if left_out else "",
    )
    centre = ", ".join(f"{index:g}" for index in grid.centre)
    log.info(
        "tomogram of %d x %d x %d voxels of %.4g A (%.0f A thick); rotation centre at voxel "
        "(%s) of the '%s' grid; %.1f GB of memory",
        *grid.size,
        grid.voxel_size,
        grid.size[2] * grid.voxel_size,
        centre,
        settings.grid,
        plan.memory_bytes / 1e9,
    )
    log.info(
        "x' = x cos(tilt) + z sin(tilt): the hand of IMOD's volume after 'trimvol -rx'; whether it "
        "is the specimen's own is undetermined"
    )


def scaling_for(tomogram: Reconstruction, settings: ReconstructSettings) -> Scaling:
    """As asked for; for integers without a factor one that holds mean +- 8 standard deviations."""
    if settings.multiply is not None or settings.mode.startswith("float"):
        multiply = 1.0 if settings.multiply is None else settings.multiply
        return Scaling(
            settings.add, multiply, f"stored = (density + {settings.add:g}) * {multiply:g}"
        )
    height = tomogram.plan.grid.size[1]
    rows = min(SAMPLED_ROWS, height)
    sampled = [
        tomogram.slab(int(row), rows).reshape(-1)[::7].copy()
        for row in np.unique(np.linspace(0, height - rows, SAMPLED_SLABS).astype(int))
    ]
    values = np.concatenate(sampled).astype(np.float64)
    mean, deviation = float(values.mean()), float(values.std())
    largest = np.iinfo(settings.mode).max
    multiply = float(f"{largest / (SPREAD * deviation or 1.0):.4g}")
    add = float(f"{-mean:.6g}")
    said = f"stored = (density + {add:g}) * {multiply:g}"
    log.info("%s: %s, the range of mean +- %g SD", settings.mode, said, SPREAD)
    return Scaling(add, multiply, said)


def scale(slab: Floats, scaling: Scaling, mode: str) -> int:
    """Apply the scaling in place; returns how many voxels an integer type will cut."""
    if scaling.add:
        slab += np.float32(scaling.add)
    if scaling.multiply != 1:
        slab *= np.float32(scaling.multiply)
    if mode.startswith("float"):
        return 0
    range_ = np.iinfo(mode)
    return int(np.count_nonzero((slab < range_.min - 0.5) | (slab > range_.max + 0.5)))


def labels(plan: Plan, settings: ReconstructSettings, scaling: Scaling) -> list[str]:
    """What the header says of the volume, 80 characters a line."""
    how = settings.method if settings.method != "wbp" else f"wbp {settings.weighting}"
    centre = ",".join(f"{index:g}" for index in plan.grid.centre)
    return [
        f"{how}, {len(plan.alignment)} tilts, bin {settings.binning}, {scaling.said}",
        f"origin voxel {centre} ({settings.grid} grid), x'=x cos+z sin, hand undetermined",
    ]
