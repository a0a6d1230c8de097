"""Stack + alignment -> tomogram, slab by slab.

`plan` says what a reconstruction is and needs; `Reconstruction` hands out slabs of rows, so that a
volume larger than memory can be written as it comes; `reconstruct` collects them into one array.
"""

import logging
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import shear as kernel
from vitreous.kernels.device import Device
from vitreous.kernels.machine import use_threads
from vitreous.kernels.shear import Shear, shear_of
from vitreous.reconstruct import iterative, weighted
from vitreous.reconstruct.grid import adjusted, placed, tomogram_grid
from vitreous.reconstruct.images import coefficients_shape, prepare
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Grid, Volume

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

CPU = Device("cpu")
SLAB_BYTES = 64 << 20
MOST_ROWS = 64


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What will be made, of what, and the memory it takes.

    image_bytes: the filtered images, in memory or, `on_disk`, in a scratch file; slab_bytes: what
    one slab and its work arrays take.
    """

    alignment: Alignment
    grid: Grid
    shear: Shear
    slab_rows: int
    image_bytes: int
    slab_bytes: int
    on_disk: bool

    @property
    def memory_bytes(self) -> int:
        """Memory in all, beside the interpreter."""
        return self.slab_bytes + (0 if self.on_disk else self.image_bytes)


def plan(
    alignment: Alignment,
    settings: ReconstructSettings,
    image_size: tuple[int, int],
    *,
    grid: Grid | None = None,
    threads: int = 1,
    memory_bytes: int | None = None,
) -> Plan:
    """Decide grid, slabs and where the filtered images go.

    `grid` is the unmoved grid of the output where that is not the house's own. Where images and
    slab don't fit into `memory_bytes`, the images go to a scratch file.
    """
    used = adjusted(alignment, settings, image_size)
    where = placed(grid or tomogram_grid(used, settings), used, settings)
    binned = (image_size[0] // settings.binning, image_size[1] // settings.binning)
    shear = shear_of(used, where, binned, used.pixel_size * settings.binning)
    nx, ny, nz = where.size
    rows = int(np.clip(SLAB_BYTES // (4 * nx * nz), max(4, threads), MOST_ROWS))
    lines = kernel.lines_for(shear, 0, min(rows, ny))
    slab = nz * nx * (lines.levelled_rows + lines.rows)
    if settings.method != "wbp":
        slab += 2 * nz * nx * lines.count + len(used) * lines.count * shear.width * 3
    slab += len(used) * lines.count * shear.width
    images = int(np.prod(coefficients_shape(used, settings.binning), dtype=np.int64)) * 4
    slab *= 4
    on_disk = memory_bytes is not None and images + slab > memory_bytes
    if memory_bytes is not None and slab > memory_bytes:
        raise UserError(
            f"a slab of {rows} rows takes {slab / 1e9:.1f} GB, {memory_bytes / 1e9:.1f} GB are "
            "allowed: allow more memory, or bin"
        )
    return Plan(used, where, shear, min(rows, ny), images, slab, on_disk)


class Reconstruction:
    """A reconstruction under way: images filtered once, then any slab of rows on demand.

    with Reconstruction(stack, alignment, settings) as tomogram:
        for row, slab in tomogram.slabs(): ...

    stack: images of the whole series, sections in file order; tilts that the alignment leaves out
    are left out. `grid` is the unmoved grid of the output where that is not the house's own; `mask`
    (z, y, x): where the density may differ from 0 (iterations only). Raises UserError where stack,
    alignment and settings contradict one another.
    """

    def __init__(
        self,
        stack: ImageStack,
        alignment: Alignment,
        settings: ReconstructSettings,
        *,
        grid: Grid | None = None,
        mask: Floats | None = None,
        device: Device = CPU,
        threads: int = 1,
        memory_bytes: int | None = None,
        scratch: Path | None = None,
        progress: Progress = ignore_progress,
    ) -> None:
        sections, height, width = stack.shape
        if sections != alignment.section_count:
            raise UserError(
                f"the stack has {sections} sections, the alignment is for "
                f"{alignment.section_count}: it belongs to another stack"
            )
        self.plan = plan(
            alignment,
            settings,
            (width, height),
            grid=grid,
            threads=threads,
            memory_bytes=memory_bytes,
        )
        if mask is not None and mask.shape != self.plan.grid.shape:
            raise UserError(
                f"the mask is {mask.shape} (z, y, x), the tomogram {self.plan.grid.shape}"
            )
        self._stack, self._settings, self._mask = stack, settings, mask
        self._device, self._threads, self._scratch = device, threads, scratch
        self._progress = progress
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        use_threads(self._threads)
        images = prepare(
            self._stack,
            self.plan.alignment,
            self._settings,
            self._room(),
            threads=self._threads,
            progress=self._preparing,
        )
        what = images, self.plan.shear, self.plan.alignment, self._settings, self._device
        self._maker = (
            weighted.SlabMaker(*what)
            if self._settings.method == "wbp"
            else iterative.SlabMaker(*what, mask=self._mask, threads=self._threads)
        )
        return self

    def __exit__(self, *_: object) -> None:
        del self._maker
        if self._folder is not None:
            self._folder.cleanup()

    def slab(self, row: int, rows: int) -> Floats:
        """Rows row ... row + rows - 1 as (z, rows, x); its memory is used again by the next."""
        return self._maker.slab(row, rows)

    def slabs(self) -> Iterator[tuple[int, Floats]]:
        """(first row, slab) of the whole tomogram, rising in y."""
        height = self.plan.grid.size[1]
        starts = range(0, height, self.plan.slab_rows)
        for number, row in enumerate(starts):
            yield row, self.slab(row, min(self.plan.slab_rows, height - row))
            self._progress(len(starts) + number + 1, 2 * len(starts))

    def _preparing(self, done: int, of: int) -> None:
        slabs = -(-self.plan.grid.size[1] // self.plan.slab_rows)
        self._progress(done * slabs // of, 2 * slabs)

    def _room(self) -> Floats:
        """Memory for the filtered images: an array, or a scratch file that goes away afterwards."""
        shape = coefficients_shape(self.plan.alignment, self._settings.binning)
        if not self.plan.on_disk:
            return np.empty(shape, np.float32)
        self._folder = tempfile.TemporaryDirectory(prefix="vitreous-", dir=self._scratch)
        log.info("the filtered images go to a scratch file in %s", self._folder.name)
        path = Path(self._folder.name) / "images.raw"
        return np.asarray(np.memmap(path, np.float32, "w+", shape=shape))


def reconstruct(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings | None = None,
    *,
    grid: Grid | None = None,
    mask: Floats | None = None,
    device: Device = CPU,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Volume:
    """The tomogram that `alignment` describes, in memory as float32 (z, y, x).

    Arguments as for `Reconstruction`.
    """
    with Reconstruction(
        stack,
        alignment,
        settings or ReconstructSettings(),
        grid=grid,
        mask=mask,
        device=device,
        threads=threads,
        progress=progress,
    ) as tomogram:
        data = np.empty(tomogram.plan.grid.shape, np.float32)
        for row, slab in tomogram.slabs():
            data[:, row : row + slab.shape[1]] = slab
        return Volume(data, tomogram.plan.grid)
