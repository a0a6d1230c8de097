"""The steps of a series, each a function that writes its products and then its manifest."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.align.series import Aligned, align_series
from vitreous.align.settings import AlignSettings
from vitreous.formats.alignments import conversion_losses, family_for, write_alignment
from vitreous.formats.products import atomic
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.fingerprints import Making
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.tomogram import write_tomogram
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import TiltSeries
from vitreous.report.slices import draw_slices

log = logging.getLogger(__name__)

ALIGNMENTS = (".xf", ".aln", ".star")
HAND = "undetermined; x' = x cos(tilt) + z sin(tilt)"


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

    IMOD's files are SERIES.xf, .tlt, .xtilt and _tilts.txt. The RELION set holds all: thickness
    and left-out tilts too.
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
    written = write_alignments(found.alignment, folder.product, series, stack_path)
    names = [str(path.relative_to(folder.path)) for path in written]
    log.info("wrote %s in %s", ", ".join(names), folder.path)
    folder.finish(making, dict(zip(names, written, strict=True)), facts_of_alignment(found))


def write_alignments(
    alignment: Alignment, product: Callable[[str], Path], series: TiltSeries, stack_path: Path
) -> list[Path]:
    """Write an alignment for IMOD, AreTomo and RELION; product: the path for an ending.

    What one of them can't hold is said.
    """
    written = []
    for ending in ALIGNMENTS:
        path = product(ending)
        losses = conversion_losses(alignment, family_for(path))
        for lost in losses.names:
            log.debug("%s can't hold: %s; up to %.3f px", path.name, lost, losses.worst_px)
        written += write_alignment(alignment, path, series=series, stack=stack_path)
    return written


def say_alignment(found: Aligned, series: TiltSeries) -> None:
    """Log the axis beside the nominal one, what is left out and why, and what to be wary of."""
    nominal = found.nominal_axis_degrees
    log.info(
        "%d of %d tilts aligned; axis %.2f degrees (nominal: %s), thickness %.0f A, score %.1f; "
        "hand undetermined",
        len(found.alignment),
        found.alignment.section_count,
        found.axis_degrees,
        "unknown" if nominal is None else f"{nominal:.2f}",
        found.alignment.thickness_angstrom or np.nan,
        found.scores.score,
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
        log.warning("tilt %d (%.1f degrees) left out: %s", section + 1, tilts[section], reason)
    for warning in found.warnings:
        log.warning("%s", warning)


def facts_of_alignment(found: Aligned) -> dict[str, Any]:
    """What the manifest says of an alignment."""
    return {
        "axis_degrees": found.axis_degrees,
        "nominal_axis_degrees": found.nominal_axis_degrees,
        "thickness_angstrom": found.alignment.thickness_angstrom,
        "used_tilts": [int(section) + 1 for section in found.alignment.sections],
        "left_out_tilts": {section + 1: reason for section, reason in found.left_out.items()},
        "score": found.scores.score,
        "scores": found.scores.at_zero.tolist(),
        "trusted": found.scores.is_trusted,
        "warnings": found.warnings,
        "hand": HAND,
    }


# -- reconstruct ----------------------------------------------------------------------------------


def reconstruct(
    folder: StepFolder,
    making: Making,
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    *,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> None:
    """Write the tomogram of a series, slices through it, and the manifest."""
    tomogram, picture = folder.product(".mrc"), folder.product("_slices.png")
    written = write_tomogram(stack, alignment, settings, tomogram, share=share, progress=progress)
    with atomic(picture) as part:
        draw_slices(written.slices, part, written.grid.voxel_size)
    log.info("wrote %s", picture)
    folder.finish(
        making,
        {"tomogram": tomogram, "slices": picture},
        {
            "grid": {
                "convention": settings.grid,
                "size": written.grid.size,
                "voxel_size": written.grid.voxel_size,
                "rotation_centre_voxel": written.grid.centre,
            },
            "used_tilts": [int(section) + 1 for section in written.alignment.sections],
            "left_out_tilts": [section + 1 for section in written.alignment.left_out],
            "scaling": written.scaling.said,
            "voxels_cut": written.clipped,
            "hand": HAND,
        },
    )
