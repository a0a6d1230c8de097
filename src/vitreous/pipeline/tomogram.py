"""The reconstruction step: stack and alignment in, an MRC file on disk."""

import logging
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.formats.products import free_bytes, readable
from vitreous.formats.volume_convert import slab_writer
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.grids import output_grid
from vitreous.reconstruct.grid import DEFAULT_THICKNESS_ANGSTROM
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import Plan, Reconstruction
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import TiltSeries
from vitreous.records.volume import Grid

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
SlabSeen = Callable[[int, Floats], None]
Ctfs = Sequence[Ctf | None]  # by section of the stack
Doses = Sequence[float | None]  # e/A^2 before each section

SAMPLED_SLABS = 8
SAMPLED_ROWS = 4
SAMPLED_VOXELS = 100_000  # of each sampled slab
SPREAD = 8.0  # standard deviations round the mean that a type has to hold
FLOAT16_DEVIATIONS = (1e-2, 1e3)  # within these its range and its steps are no matter
FLOAT16_MAX = float(np.finfo(np.float16).max)
SAME_DEGREES = 0.05  # tilts nearer to one another are the same


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


def foresee(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    output: Path,
    *,
    ctfs: Ctfs | None = None,
    doses: Doses | None = None,
    mask: Floats | None = None,
    share: Share = ONE_THREAD,
) -> None:
    """Log what `write_tomogram` would do, and do nothing."""
    plan = planned(stack, alignment, settings, ctfs=ctfs, doses=doses, mask=mask, share=share).plan
    say(plan, settings)
    needed = int(np.prod(plan.grid.size, dtype=np.int64)) * np.dtype(settings.mode).itemsize
    free = free_bytes(next(place for place in output.absolute().parents if place.exists()) / "x")
    log.info(
        "dry run on %s: would write %s, %s as %s; %s are free there",
        share.device,
        output,
        readable(needed),
        settings.mode,
        readable(free),
    )
    if plan.scratch_bytes:
        log.info("scratch file in %s", share.scratch or tempfile.gettempdir())
    if needed > free:
        log.warning("the tomogram doesn't fit on the disk of %s", output)


def nominal_alignment(series: TiltSeries) -> Alignment:
    """The geometry before anything was aligned, to foresee what will be made."""
    tilts = series.nominal_tilts_degrees
    return alignment_from_angles(
        axes_degrees=series.nominal_axis_degrees or 0.0,
        tilts_degrees=tilts,
        shifts=np.zeros((len(tilts), 2)),
        image_size=series.image_size,
        pixel_size=series.pixel_size,
    )


def planned(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    *,
    ctfs: Ctfs | None = None,
    doses: Doses | None = None,
    mask: Floats | None = None,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> Reconstruction:
    """The reconstruction of a file: on the grid asked for, grey values scaled afterwards."""
    _, height, width = stack.shape
    return Reconstruction(
        stack,
        alignment,
        settings.model_copy(update={"add": 0.0, "multiply": None}),
        ctfs=ctfs,
        doses=doses,
        grid=output_grid(alignment, settings, (width, height)),
        mask=mask,
        share=share,
        progress=progress,
    )


def write_tomogram(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    output: Path,
    *,
    ctfs: Ctfs | None = None,
    doses: Doses | None = None,
    mask: Floats | None = None,
    passing: Sequence[SlabSeen] = (),
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> Written:
    """Reconstruct into `output`, MRC or OME-Zarr, slab by slab; it appears when it is whole.

    Its room on the disk is taken before the work begins. passing: called with each slab's first row
    and its densities (z, rows, x) as it passes by.
    """
    tomogram = planned(
        stack,
        alignment,
        settings,
        ctfs=ctfs,
        doses=doses,
        mask=mask,
        share=share,
        progress=progress,
    )
    plan = tomogram.plan
    say(plan, settings)
    nz, ny, nx = plan.grid.shape
    xzy = settings.axis_order == "xzy"
    shape = (ny, nz, nx) if xzy else (nz, ny, nx)
    clipped = 0
    writing = slab_writer(output, shape, plan.grid.voxel_size, settings.mode, share.scratch)
    with writing as writer, tomogram:
        scaling = scaling_for(tomogram, settings)
        writer.labels = labels(plan, settings, scaling)
        for row, slab in tomogram.slabs():
            for see in passing:
                see(row, slab)
            clipped += scale(slab, scaling, settings.mode)
            if xzy:
                writer.write((row, 0, 0), slab[::-1].transpose(1, 0, 2))
            else:
                writer.write((0, row, 0), slab)
    if clipped:
        log.warning(
            "%d voxels (%.3g %%) lay beyond the range of %s and were cut",
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
    if settings.thickness is None and used.thickness_angstrom is None:
        log.info("no thickness is given or known: %g A are taken", DEFAULT_THICKNESS_ANGSTROM)
    for one, other in same_tilts(used):
        log.warning(
            "tilts %d and %d have the same angle (%.1f degrees), both are used: is one a repeat? "
            "(--exclude-tilts)",
            used.sections[one] + 1,
            used.sections[other] + 1,
            used.tilts_degrees[one],
        )
    centre = ", ".join(f"{index:g}" for index in grid.centre)
    log.info(
        "tomogram of %d x %d x %d voxels of %.4g A (%.0f A thick); rotation centre at voxel "
        "(%s) of the '%s' grid",
        *grid.size,
        grid.voxel_size,
        grid.size[2] * grid.voxel_size,
        centre,
        settings.grid,
    )
    log.info(
        "memory: up to %s; the filtered images, %s, %s",
        readable(plan.memory_bytes),
        readable(plan.image_bytes),
        "go to a scratch file" if plan.on_disk else "are part of it",
    )
    if plan.spectrum_bytes:
        log.info(
            "the whole volume %s, %s",
            "goes to a scratch file" if plan.spectrum_on_disk else "is held in memory besides",
            readable(plan.spectrum_bytes),
        )
    log.info(
        "x' = x cos(tilt) + z sin(tilt): the hand of IMOD's volume after 'trimvol -rx'; whether it "
        "is the specimen's own is undetermined"
    )


def same_tilts(alignment: Alignment) -> list[tuple[int, int]]:
    """Pairs of views that were taken at the same angle, in order of sections."""
    tilts = alignment.tilts_degrees
    order = np.argsort(tilts, kind="stable")
    near = np.flatnonzero(np.diff(tilts[order]) < SAME_DEGREES)
    pairs = (sorted((int(order[i]), int(order[i + 1]))) for i in near)
    return sorted((one, other) for one, other in pairs)


def scaling_for(tomogram: Reconstruction, settings: ReconstructSettings) -> Scaling:
    """As asked for; without a factor one by which the type holds mean +- 8 standard deviations."""
    if settings.multiply is not None or settings.mode == "float32":
        multiply = 1.0 if settings.multiply is None else settings.multiply
        return stated(settings.add, multiply)
    mean, deviation = sampled(tomogram)
    if settings.mode == "float16":
        scaling = for_float16(mean, deviation, settings.add)
    else:
        scaling = for_integers(mean, deviation, settings.add, np.iinfo(settings.mode).max)
    log.info("%s: %s", settings.mode, scaling.said)
    return scaling


def stated(add: float, multiply: float) -> Scaling:
    """A scaling with its words."""
    return Scaling(add, multiply, f"stored = (density + {add:.9g}) * {multiply:.9g}")


def for_integers(mean: float, deviation: float, add: float, largest: int) -> Scaling:
    """Mean +- 8 SD on the whole range; what is to be added is the mean's, where not given."""
    add = add or float(f"{-mean:.6g}")
    reach = abs(mean + add) + SPREAD * deviation
    return stated(add, float(f"{0.999 * largest / (reach or 1.0):.4g}"))


def for_float16(mean: float, deviation: float, add: float) -> Scaling:
    """A power of ten where the values are beyond the type's range or finer than its steps."""
    if not add and abs(mean) > SPREAD * deviation:
        add = float(f"{-mean:.6g}")
    low, high = FLOAT16_DEVIATIONS
    if deviation == 0 or low < deviation < high:
        return stated(add, 1.0)
    return stated(add, 10.0 ** -round(np.log10(deviation)))


def sampled(tomogram: Reconstruction) -> tuple[float, float]:
    """Mean and standard deviation of the densities, from thin slabs all over the tomogram."""
    height = tomogram.plan.grid.size[1]
    rows = min(SAMPLED_ROWS, height, tomogram.plan.slab_rows)
    voxels = []
    for row in np.unique(np.linspace(0, height - rows, SAMPLED_SLABS).astype(int)):
        for plane in tomogram.slab(int(row), rows).swapaxes(0, 1):
            every = max(1, plane.size * rows // SAMPLED_VOXELS)
            voxels.append(plane.reshape(-1)[::every].copy())
    values = np.concatenate(voxels).astype(np.float64)
    return float(values.mean()), float(values.std())


def scale(slab: Floats, scaling: Scaling, mode: str) -> int:
    """Apply the scaling in place; returns how many voxels the type will cut."""
    if scaling.add:
        slab += np.float32(scaling.add)
    if scaling.multiply != 1:
        slab *= np.float32(scaling.multiply)
    if mode == "float32":
        return 0
    if mode == "float16":
        low, high = -FLOAT16_MAX, FLOAT16_MAX
    else:
        low, high = np.iinfo(mode).min - 0.5, np.iinfo(mode).max + 0.5
    return sum(int(np.count_nonzero((plane < low) | (plane > high))) for plane in slab)


def labels(plan: Plan, settings: ReconstructSettings, scaling: Scaling) -> tuple[str, str]:
    """What the header says of the volume, 80 characters a line."""
    how = settings.method if settings.method != "wbp" else f"wbp {settings.weighting}"
    centre = ",".join(f"{index:g}" for index in plan.grid.centre)
    return (
        f"{how}, {len(plan.alignment)} tilts, bin {settings.binning:g}, {scaling.said}",
        f"origin voxel {centre} ({settings.grid} grid), x'=x cos+z sin, hand unknown",
    )
