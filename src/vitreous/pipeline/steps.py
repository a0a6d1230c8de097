"""The steps of a series, each a function that writes its products and then its manifest."""

import logging
from pathlib import Path

from vitreous.formats.products import atomic
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.fingerprints import Making, file_facts, record_digest
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.tomogram import write_tomogram
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.report.slices import draw_slices

log = logging.getLogger(__name__)

RECONSTRUCT_VERSION = 1  # another as soon as the same inputs and settings give other products


def reconstruction_of(
    stack_path: Path,
    alignment_path: Path,
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
) -> Making:
    """What decides a tomogram: the stack, what its alignment says in whatever file, settings."""
    of_alignment = {"path": str(alignment_path), "bytes": alignment_path.stat().st_size}
    return Making(
        version=RECONSTRUCT_VERSION,
        inputs={
            "stack": file_facts(stack_path),
            "pixel_size": stack.pixel_size,
            "alignment": {**of_alignment, "numbers": record_digest(alignment)},
        },
        settings=settings.model_dump(),
    )


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
            "hand": "undetermined; x' = x cos(tilt) + z sin(tilt)",
        },
    )
