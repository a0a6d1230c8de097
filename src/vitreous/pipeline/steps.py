"""The steps of a series, each a function that writes its products and then its manifest."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.align.series import EXCLUDED, Aligned, align_series
from vitreous.align.settings import AlignSettings
from vitreous.formats.alignments import conversion_losses, family_for, write_alignment
from vitreous.formats.products import atomic
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.facts import HAND, facts_of_alignment, facts_of_tomogram
from vitreous.pipeline.fingerprints import Making
from vitreous.pipeline.half_sets import write_half_sets
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.tomogram import planned, write_tomogram
from vitreous.pipeline.transfers import Transfers
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import TiltSeries
from vitreous.report.frames import FramesOnTheWay, contrasted, write_frames, write_key_picture
from vitreous.report.slices import SlicesOnTheWay, draw_slices
from vitreous.report.tiles import tiles_of

log = logging.getLogger(__name__)

ALIGNMENTS = (".xf", ".aln", ".star")


# -- align ----------------------------------------------------------------------------------------


def align(
    folder: StepFolder,
    making: Making,
    stack_path: Path,
    stack: ImageStack,
    series: TiltSeries,
    settings: AlignSettings,
    *,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> None:
    """Align a raw series, and write the alignment for IMOD, AreTomo and RELION, and the manifest.

    IMOD's files are SERIES.xf, .tlt, .xtilt and _tilts.txt: they hold all, magnification, thickness
    and left-out tilts too. For the report there are all tilts as small tiles.
    """
    found = align_series(
        stack,
        series.nominal_tilts_degrees,
        settings,
        nominal_axis_degrees=series.nominal_axis_degrees,
        threads=share.threads,
        progress=progress,
    )
    say_alignment(found, series)
    written = write_alignments(found, folder.product, series, stack_path)
    names = [str(path.relative_to(folder.path)) for path in written]
    log.info("wrote %s in %s", ", ".join(names), folder.path)
    tiles = folder.product("_tilts.jpg")
    with atomic(tiles) as part:
        laid = tiles_of(stack).write(part)
    products = {**dict(zip(names, written, strict=True)), "tiles": tiles}
    folder.finish(making, products, {**facts_of_alignment(found, series), "tiles": laid})


def write_alignments(
    found: Aligned, product: Callable[[str], Path], series: TiltSeries, stack_path: Path
) -> list[Path]:
    """Write an alignment for IMOD, AreTomo and RELION; product: the path for an ending.

    What one of them can't hold is said.
    """
    alignment, written = found.alignment, []
    remarks = f"tilt axis {axis_beside_nominal(found, series)}", f"hand {HAND}"
    for ending in ALIGNMENTS:
        path = product(ending)
        losses = conversion_losses(alignment, family_for(path))
        for lost in losses.names:
            log.debug("%s can't hold: %s; up to %.3f px", path.name, lost, losses.worst_px)
        written += write_alignment(
            alignment, path, series=series, stack=stack_path, remarks=remarks
        )
    return written


def axis_beside_nominal(found: Aligned, series: TiltSeries) -> str:
    """The axis found, and the nominal one with where that was read."""
    if found.nominal_axis_degrees is None:
        return f"{found.axis_degrees:.2f} degrees (nominal: unknown)"
    source = f" of {series.nominal_axis_source}" if series.nominal_axis_source else ""
    return f"{found.axis_degrees:.2f} degrees (nominal: {found.nominal_axis_degrees:.2f}{source})"


def say_alignment(found: Aligned, series: TiltSeries) -> None:
    """Log the axis beside the nominal one, what is left out and why, and what to be wary of."""
    log.info(
        "%d of %d tilts aligned; axis %s, thickness %.0f A, score %.1f; hand %s",
        len(found.alignment),
        found.alignment.section_count,
        axis_beside_nominal(found, series),
        found.alignment.thickness_angstrom or np.nan,
        found.scores.score,
        HAND,
    )
    scores, tilts = found.scores, series.nominal_tilts_degrees
    log.debug(
        "scores are correlations with the tomogram of all other tilts, in standard deviations; "
        "%d pixels repaired; slab %.0f A thick, %.1f and %.1f degrees along x and y",
        sum(each.outliers + each.hot + each.missing for each in found.repaired.values()),
        found.extent.thickness,
        found.extent.along_x,
        found.extent.along_y,
    )
    for view, section in enumerate(found.alignment.sections):
        log.debug(
            "tilt %d (%.1f degrees): score %.1f, patches within %.1f A%s",
            section + 1,
            tilts[section],
            scores.at_zero[view],
            scores.residuals_angstrom[view],
            "" if scores.trusted[view] else ", not trusted",
        )
    for section, reason in found.left_out.items():
        level = logging.INFO if reason == EXCLUDED else logging.WARNING
        log.log(level, "tilt %d (%.1f degrees) left out: %s", section + 1, tilts[section], reason)
    for warning in found.warnings:
        log.warning("%s", warning)


# -- reconstruct ----------------------------------------------------------------------------------


def reconstruct(
    folder: StepFolder,
    making: Making,
    stack_path: Path,
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    transfers: Transfers,
    *,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> None:
    """Write the tomogram of a series, its half sets, pictures of slices, and the manifest."""
    tomogram, picture = folder.product(".mrc"), folder.product("_slices.png")
    grid = planned(stack, alignment, settings, share=share).plan.grid
    slices = SlicesOnTheWay(grid.size, grid.voxel_size)
    frames = FramesOnTheWay(grid.size, grid.voxel_size)
    written = write_tomogram(
        stack,
        alignment,
        settings,
        tomogram,
        ctfs=transfers.ctfs,
        doses=transfers.doses,
        passing=(slices.add, frames.add),
        share=share,
        progress=progress,
    )
    with atomic(picture) as part:
        draw_slices(slices.slices, part, written.grid.voxel_size)
    log.info("wrote %s", picture)
    products, laid = write_pictures(folder, frames)
    if settings.half_sets != "none":
        halves = write_half_sets(
            stack,
            stack_path,
            alignment,
            settings,
            tomogram,
            ctfs=transfers.ctfs,
            doses=transfers.doses,
            share=share,
        )
        products |= halves.files
    folder.finish(
        making,
        {"tomogram": tomogram, "slices": picture, **products},
        {**facts_of_tomogram(written, settings), "frames": laid},
    )


def write_pictures(
    folder: StepFolder, frames: FramesOnTheWay
) -> tuple[dict[str, Path], dict[str, Any]]:
    """Write the frames for the report's sliders, and the picture that stands for the series.

    Returns the files, and by direction how the frames lie in them and what they average.
    """
    products, laid = {}, {}
    for name, seen in (("xy", frames.xy), ("xz", frames.xz), ("zy", frames.zy)):
        path = products[name] = folder.product(f"_{name}.jpg")
        greys = contrasted(seen, frames.pixel_size)
        with atomic(path) as part:
            laid[name] = {**write_frames(greys, part), "voxels": seen.voxels}
        if name == "xy":
            products["key"] = folder.product("_key.jpg")
            with atomic(products["key"]) as part:
                write_key_picture(greys, part)
    return products, laid
