"""The step of Fourier inversion: images of even and odd frames in, an MRC file on disk."""

import logging
from collections.abc import Sequence
from pathlib import Path

from vitreous.errors import UserError
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.products import readable
from vitreous.kernels.machine import ONE_THREAD, Share, use_threads
from vitreous.reconstruct.fourier_inversion import fourier_plan, reconstruct_fourier
from vitreous.reconstruct.fourier_settings import FourierSettings
from vitreous.reconstruct.tomogram import PROGRAM_BYTES
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

WORTH_SAYING = 1e-3  # share by which voxels are of another size than asked for


def write_fourier_tomogram(
    halves: tuple[ImageStack, ImageStack],
    alignment: Alignment,
    settings: FourierSettings,
    output: Path,
    ctfs: Sequence[Ctf | None],
    *,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> None:
    """Reconstruct into `output`; the file appears when it is whole.

    Memory and the room on the disk are looked at before the work begins.
    """
    plan = fourier_plan(alignment, settings)
    grid, needed = plan.grid, PROGRAM_BYTES + plan.memory_bytes
    if share.memory_bytes is not None and needed > share.memory_bytes:
        raise UserError(
            f"Fourier inversion has the whole volume in memory: {readable(needed)}, of which "
            f"{readable(share.memory_bytes)} are there. Bin more, or back-project."
        )
    log.info(
        "Fourier inversion: %d x %d x %d voxels of %.4g A; memory up to %s",
        *grid.size,
        grid.voxel_size,
        readable(needed),
    )
    if abs(grid.voxel_size / settings.voxel_size - 1) > WORTH_SAYING:
        log.warning(
            "voxels are %.4f A, not %.4f: the padded image has a whole even number of them",
            grid.voxel_size,
            settings.voxel_size,
        )
    use_threads(share.threads)
    with MrcWriter(output, grid.shape, grid.voxel_size) as writer:
        made = reconstruct_fourier(
            halves, alignment, ctfs, settings, threads=share.threads, progress=progress
        )
        writer.labels = (f"Fourier inversion of even and odd frames, {len(alignment)} tilts",)
        writer.write((0, 0, 0), made.data)
    log.info("wrote %s: %d x %d x %d voxels of %.4g A", output, *grid.size, grid.voxel_size)
