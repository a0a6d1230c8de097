"""Stack + alignment -> tomogram, slab by slab.

`plan` says what a reconstruction is and needs; `Reconstruction` hands out slabs of rows, so that a
volume larger than memory can be written as it comes; `reconstruct_tomogram` collects them into one
array. A voxel is the same whatever the slab it is made in.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import shear as kernel
from vitreous.kernels.machine import ONE_THREAD, Share, use_threads
from vitreous.kernels.shear import EDGE, Shear, shear_of
from vitreous.reconstruct import iterative, point_spread, weighted
from vitreous.reconstruct.grid import adjusted, placed, tomogram_grid
from vitreous.reconstruct.images import Prepared, coefficients_shape, prepare, preparing_bytes
from vitreous.reconstruct.point_spread import WeighedVolume
from vitreous.reconstruct.sampling import sampling_of
from vitreous.reconstruct.scratch import ScratchArray
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Grid, Volume

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

SLAB_BYTES = 64 << 20
MOST_ROWS = 64
PROGRAM_BYTES = 320_000_000  # the interpreter, the libraries and the compiled kernels
KEPT_BYTES = 64 << 20  # of what was freed, the most that the C library keeps


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What will be made, of what, and the memory it takes.

    image_bytes: the filtered images, in memory or, `on_disk`, in a scratch file; preparing_bytes:
    what filtering one of them takes; slab_bytes: what one slab and its work arrays take, and the
    part of the scratch files that it touches. spectrum_bytes: the volume as a whole, in memory or,
    `spectrum_on_disk`, in a scratch file, where it is weighed as one. transposed: the images lie in
    scratch with x and y exchanged, so that a slab's part of it is small where the tilt axis lies
    near the images' x axis.
    """

    alignment: Alignment
    grid: Grid
    shear: Shear
    slab_rows: int
    image_bytes: int
    preparing_bytes: int
    slab_bytes: int
    on_disk: bool = False
    transposed: bool = False
    spectrum_bytes: int = 0
    spectrum_on_disk: bool = False

    @property
    def memory_bytes(self) -> int:
        """The most memory at a time, all in all (docs/memory.md has the measured figures)."""
        images = 0 if self.on_disk else self.image_bytes
        spectrum = 0 if self.spectrum_on_disk else self.spectrum_bytes
        slab = self.slab_bytes + min(self.preparing_bytes, KEPT_BYTES) + spectrum
        return PROGRAM_BYTES + images + max(self.preparing_bytes, slab)

    @property
    def scratch_bytes(self) -> int:
        """What scratch files take on disk."""
        images = self.image_bytes if self.on_disk else 0
        return images + (self.spectrum_bytes if self.spectrum_on_disk else 0)


def plan(
    alignment: Alignment,
    settings: ReconstructSettings,
    image_size: tuple[int, int],
    *,
    grid: Grid | None = None,
    share: Share = ONE_THREAD,
) -> Plan:
    """Decide grid, slabs and where the filtered images go.

    `grid` is the unmoved grid of the output where that is not the house's own. Where all doesn't
    fit into memory, first a volume that is weighed as a whole goes to a scratch file, then the
    images do; then slabs get thinner.
    """
    memory_bytes, threads = share.memory_bytes, share.threads
    used = adjusted(alignment, settings, image_size)
    where = placed(grid or tomogram_grid(used, settings), used, settings)
    shear = shear_on(used, where, settings)
    if weighed_as_a_whole(settings):
        shear = replace(shear, steps_a_line=point_spread.STEPS_A_LINE)
    images = int(np.prod(coefficients_shape(used, settings), dtype=np.int64)) * 4
    preparing = preparing_bytes(used, settings)
    nx, ny, nz = where.size
    rows = int(np.clip(SLAB_BYTES // (4 * nx * nz), max(4, threads), MOST_ROWS))
    rows = min(rows, ny)
    slab = slab_bytes(shear, rows, settings, threads)
    whole = point_spread.spectrum_bytes(shear) if weighed_as_a_whole(settings) else 0
    in_memory = Plan(used, where, shear, rows, images, preparing, slab, spectrum_bytes=whole)
    if memory_bytes is None:
        return in_memory
    for found in (in_memory, replace(in_memory, spectrum_on_disk=whole > 0)):
        if found.memory_bytes <= memory_bytes:
            return found
    room = memory_bytes - PROGRAM_BYTES
    while slab > room and rows > 1:
        rows = -(-rows // 2)
        slab = slab_bytes(shear, rows, settings, threads)
    need = max(slab, preparing)
    if need > room:
        raise UserError(
            f"{memory_bytes / 1e9:.2g} GB of memory are allowed, at least "
            f"{(PROGRAM_BYTES + need) / 1e9:.2g} GB are needed: allow more, or bin"
        )
    across = np.abs(shear.linear[:, :, 0]).mean(0)
    transposed = bool(across[1] > across[0])
    if transposed:
        shear = shear.transposed
    slab += read_bytes(shear, rows)
    return replace(
        in_memory,
        shear=shear,
        slab_rows=rows,
        slab_bytes=slab,
        on_disk=True,
        transposed=transposed,
        spectrum_on_disk=whole > 0,
    )


def weighed_as_a_whole(settings: ReconstructSettings) -> bool:
    """Whether no voxel is done before all are back-projected: RELION's 3D weighting."""
    relion = settings.weighting == "wiener" and settings.wiener_formula == "relion"
    return settings.method == "wbp" and relion


def shear_on(used: Alignment, grid: Grid, settings: ReconstructSettings) -> Shear:
    """The shear of a grid seen in the adjusted alignment's images, binned."""
    sampling = sampling_of(used.image_size, settings)
    spacing = sampling.spacing[0] * used.pixel_size, sampling.spacing[1] * used.pixel_size
    return shear_of(used, grid, sampling.image_size, spacing, image_centre=sampling.image_centre)


def read_bytes(shear: Shear, rows: int) -> int:
    """How much of the images a slab of so many rows reads: the image rows that its lines cross."""
    columns, height = shear.image_size
    lines = kernel.lines_for(shear, 0, rows).count
    crossed = np.abs(shear.linear[:, 1]) @ [shear.width, lines]
    return int(4 * columns * np.minimum(crossed + 2 * EDGE, height).sum())


def slab_bytes(shear: Shear, rows: int, settings: ReconstructSettings, threads: int) -> int:
    """Memory of a slab of so many rows with its work arrays."""
    lines = kernel.lines_for(shear, 0, rows)
    if weighed_as_a_whole(settings):
        made = weighted.slab_bytes(shear, lines, settings)
        return made + point_spread.work_bytes(shear, rows)
    if settings.method == "wbp":
        return weighted.slab_bytes(shear, lines, settings)
    return iterative.slab_bytes(shear, lines, settings, threads)


class Reconstruction:
    """A reconstruction under way: images filtered once, then any slab of rows on demand.

    with Reconstruction(stack, alignment, settings) as tomogram:
        for row, slab in tomogram.slabs(): ...

    stack: images of the whole series, sections in file order; tilts that the alignment leaves out
    are left out. ctfs and doses (e/A^2 before the tilt) belong to its sections; a setting that
    needs them of a tilt where they are None is a UserError. `grid` is the unmoved grid of the
    output where that is not the house's own; `mask` (z, y, x): where the density may differ from 0
    (iterations only). Raises UserError where stack, alignment and settings contradict one another.
    """

    def __init__(
        self,
        stack: ImageStack,
        alignment: Alignment,
        settings: ReconstructSettings,
        *,
        ctfs: Sequence[Ctf | None] | None = None,
        doses: Sequence[float | None] | None = None,
        grid: Grid | None = None,
        mask: Floats | None = None,
        share: Share = ONE_THREAD,
        progress: Progress = ignore_progress,
    ) -> None:
        sections, height, width = stack.shape
        if sections != alignment.section_count:
            raise UserError(
                f"the stack has {sections} sections, the alignment is for "
                f"{alignment.section_count}: it belongs to another stack"
            )
        self.plan = plan(alignment, settings, (width, height), grid=grid, share=share)
        if mask is not None:
            _require_fitting(mask, self.plan.grid, settings)
        self._stack, self._settings, self._mask = stack, settings, mask
        self._ctfs, self._doses = ctfs, doses
        self._share, self._progress = share, progress
        self._on_disk: ScratchArray | None = None
        self._whole: WeighedVolume | None = None

    def __enter__(self) -> Self:
        use_threads(self._share.threads)
        images = prepare(
            self._stack,
            self.plan.alignment,
            self._settings,
            self._room(),
            ctfs=self._ctfs,
            doses=self._doses,
            threads=self._share.threads,
            progress=self._preparing,
        )
        if self.plan.transposed:
            images = images.exchanged
        self._maker: Maker | None = self._slab_maker(images)
        if weighed_as_a_whole(self._settings):
            self._whole = self._weighed()
            self._maker = self._on_disk = None  # its images aren't needed any more
        return self

    def __exit__(self, *_: object) -> None:
        self._maker = self._on_disk = self._whole = None

    def slab(self, row: int, rows: int) -> Floats:
        """Rows row ... row + rows - 1 as (z, rows, x); its memory is used again by the next."""
        if self._whole is not None:
            return weighted.scaled(self._whole.slab(row, rows), self._settings)
        assert self._maker is not None, "slabs are made within the 'with' block"
        slab = self._maker.slab(row, rows)
        if self._on_disk is not None:
            self._on_disk.forget()
        return slab

    def slabs(self) -> Iterator[tuple[int, Floats]]:
        """(first row, slab) of the whole tomogram, rising in y."""
        for number, (row, rows) in enumerate(self._parts):
            yield row, self.slab(row, rows)
            self._passed(self._passes - 1, number + 1, len(self._parts))

    @property
    def _parts(self) -> list[tuple[int, int]]:
        """First row and rows of each slab."""
        height, most = self.plan.grid.size[1], self.plan.slab_rows
        return [(row, min(most, height - row)) for row in range(0, height, most)]

    @property
    def _passes(self) -> int:
        """Over images or volume: preparing, and making slabs; where weighed as a whole, both."""
        return 3 if weighed_as_a_whole(self._settings) else 2

    def _passed(self, passes: int, done: int, of: int) -> None:
        """Report `done` of a pass after the first `passes`, in slabs."""
        slabs = len(self._parts)
        self._progress(passes * slabs + done * slabs // of, self._passes * slabs)

    def _preparing(self, done: int, of: int) -> None:
        self._passed(0, done, of)
        if self._on_disk is not None:
            self._on_disk.forget()

    def _slab_maker(self, images: Prepared) -> "Maker":
        settings, share = self._settings, self._share
        what = self.plan.shear, self.plan.alignment
        if settings.method != "wbp":
            return iterative.SlabMaker(
                images, *what, settings, share.device, mask=self._mask, threads=share.threads
            )
        if weighed_as_a_whole(settings):  # then scaled afterwards
            settings = settings.model_copy(update={"add": 0.0, "multiply": None})
        return weighted.SlabMaker(images, *what, settings, share.device)

    def _weighed(self) -> WeighedVolume:
        """The whole volume, weighed, in memory or in a scratch file."""
        shape = point_spread.spectrum_shape(self.plan.shear)
        scratch = None
        if self.plan.spectrum_on_disk:
            scratch = ScratchArray((*shape[:2], 2 * shape[2]), self._share.scratch)
        whole = WeighedVolume(self.plan.shear, self._settings.snr, scratch, self._share.threads)
        for number, (row, rows) in enumerate(self._parts):
            whole.add(row, self.slab(row, rows))
            self._passed(1, number + 1, len(self._parts))
        whole.weigh()
        return whole

    def _room(self) -> Floats:
        """Memory for the filtered images: an array, or a scratch file that goes away afterwards."""
        shape = coefficients_shape(self.plan.alignment, self._settings)
        if not self.plan.on_disk:
            return np.empty(shape, np.float32)
        if not self.plan.transposed:
            self._on_disk = ScratchArray(shape, self._share.scratch)
            return self._on_disk.array
        self._on_disk = ScratchArray((shape[0], shape[2], shape[1]), self._share.scratch)
        return self._on_disk.array.swapaxes(1, 2)


Maker = weighted.SlabMaker | iterative.SlabMaker


def _require_fitting(mask: Floats, grid: Grid, settings: ReconstructSettings) -> None:
    if settings.method == "wbp":
        raise UserError("a mask is for sirt and os-sart: wbp can't use it")
    if mask.shape != grid.shape:
        nz, ny, nx = mask.shape
        raise UserError(
            f"the mask has {nx} x {ny} x {nz} voxels, the tomogram will have "
            f"{grid.size[0]} x {grid.size[1]} x {grid.size[2]}: they must be the same"
        )


def reconstruct_tomogram(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings | None = None,
    *,
    ctfs: Sequence[Ctf | None] | None = None,
    doses: Sequence[float | None] | None = None,
    grid: Grid | None = None,
    mask: Floats | None = None,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> Volume:
    """The tomogram that `alignment` describes, in memory as float32 (z, y, x).

    Arguments as for `Reconstruction`.
    """
    with Reconstruction(
        stack,
        alignment,
        settings or ReconstructSettings(),
        ctfs=ctfs,
        doses=doses,
        grid=grid,
        mask=mask,
        share=share,
        progress=progress,
    ) as tomogram:
        data = np.empty(tomogram.plan.grid.shape, np.float32)
        for row, slab in tomogram.slabs():
            data[:, row : row + slab.shape[1]] = slab
        return Volume(data, tomogram.plan.grid)
