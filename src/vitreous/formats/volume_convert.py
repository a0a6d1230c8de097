"""Volumes in other formats, modes and axis orders, streamed: MRC and OME-Zarr.

IMOD's tilt and AreTomo write sections (x, depth) along y, 'xzy'; `clip rotx` turns them to 'xyz',
z = n - 1 - depth, which keeps the hand.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.mrc import MrcStack, MrcWriter
from vitreous.formats.ome_zarr import OmeZarrWriter, Version, has_metadata, is_ome_zarr
from vitreous.formats.products import output_error, require_replaceable
from vitreous.formats.volumes import VolumeFile, bricks, open_volume
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

Axes = Literal["keep", "xyz-to-xzy", "xzy-to-xyz"]
Mode = Literal["keep", "float32", "float16", "int16", "int8"]

SPREAD = 8.0  # standard deviations round the mean that an integer type has to hold


@dataclass(frozen=True, slots=True)
class GreyScale:
    """stored = (value + add) * multiply, rounded for integers."""

    add: float = 0.0
    multiply: float = 1.0

    def __str__(self) -> str:
        return f"stored = (value + {self.add:g}) * {self.multiply:g}"


def convert_volume(
    source: Path,
    destination: Path,
    *,
    mode: Mode = "keep",
    axes: Axes = "keep",
    grey_scale: GreyScale | None = None,
    pixel_size: float | None = None,
    zarr_version: Version = "0.4",
    progress: Progress = ignore_progress,
) -> GreyScale:
    """Write a volume or stack anew; returns the scaling, which stands in the header too.

    Without a grey_scale values stay, but for an integer mode of what was no integer (or a wider
    one): that takes the mean +- 8 standard deviations. What lies beyond is cut and counted.
    """
    with open_volume(source, pixel_size) as volume:
        dtype = volume.dtype if mode == "keep" else np.dtype(mode)
        if dtype.kind == "c":
            raise UserError(f"{source} is a transform (complex): it has no other mode")
        scale = grey_scale or _fitting(volume, dtype)
        sections, rows, columns = volume.shape
        shape = volume.shape if axes == "keep" else (rows, sections, columns)
        labels = (*volume.labels[:8], f"{dtype.name}, axes {axes}, {scale}")
        with _writer(volume, destination, shape, dtype, labels, axes, zarr_version) as writer:
            cut = _copied(volume, writer, axes, scale, progress)
    if cut:
        log.warning("%s: %d voxels beyond the range of %s were cut", destination, cut, dtype.name)
    return scale


@contextmanager
def slab_writer(
    path: Path,
    shape: tuple[int, int, int],
    voxel_size: float,
    dtype: str,
    scratch: Path | None = None,
) -> Iterator[MrcWriter]:
    """A writer for slabs of any size and direction, into the format that the path's ending names.

    They go to an MRC file. An OME-Zarr is made of it at the end, so that no chunk is written twice;
    the MRC file is scratch then, in the folder `scratch` or beside the product.
    """
    if not is_ome_zarr(path):
        with MrcWriter(path, shape, voxel_size, dtype) as writer:
            yield writer
        return
    require_replaceable(path, has_metadata)
    try:
        scratching = TemporaryDirectory(dir=scratch or path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise output_error(path, error) from error
    with scratching as folder:
        whole = Path(folder) / "volume.mrc"
        with MrcWriter(whole, shape, voxel_size, dtype) as writer:
            yield writer
        zarr = OmeZarrWriter(path, shape, voxel_size, dtype, writer.labels)
        with open_volume(whole) as volume, zarr:
            _copied(volume, zarr, "keep", GreyScale(), ignore_progress)


def _writer(
    volume: VolumeFile,
    destination: Path,
    shape: tuple[int, int, int],
    dtype: np.dtype[np.generic],
    labels: tuple[str, ...],
    axes: Axes,
    zarr_version: Version,
) -> MrcWriter | OmeZarrWriter:
    """What writes the format that the destination's ending names; a stack of images stays one."""
    if is_ome_zarr(destination):
        return OmeZarrWriter(
            destination, shape, volume.pixel_size, dtype, labels, version=zarr_version
        )
    is_stack = axes == "keep" and isinstance(volume, MrcStack) and volume.header.ispg == 0
    angles = volume.tilt_angles if is_stack and isinstance(volume, MrcStack) else None
    return MrcWriter(destination, shape, volume.pixel_size, dtype, labels, is_stack, angles)


def _copied(
    volume: VolumeFile,
    writer: MrcWriter | OmeZarrWriter,
    axes: Axes,
    scale: GreyScale,
    progress: Progress,
) -> int:
    """Write all bricks of the output; how many voxels its type cut."""
    sections, rows, _ = writer.shape
    chunk_rows = volume.chunk_rows if axes == "keep" else volume.chunk_rows[::-1]
    chunk_rows = max(chunk_rows, writer.chunk_rows)
    cut = done = 0
    for z, y in bricks(writer.shape, volume.dtype.itemsize, chunk_rows):
        grey = _scaled(_turned(volume, z, y, axes), scale)
        cut += _beyond(grey, writer.dtype)
        writer.write((z.start, y.start, 0), grey)
        done += (z.stop - z.start) * (y.stop - y.start)
        progress(done, sections * rows)
    return cut


def _turned(volume: VolumeFile, z: slice, y: slice, axes: Axes) -> NDArray[np.generic]:
    """The brick (z, y, x) of the output, whose axes may be turned."""
    if axes == "keep":
        return volume.block(z, y)
    sections, rows, _ = volume.shape
    if axes == "xzy-to-xyz":
        return volume.block(y, slice(rows - z.stop, rows - z.start)).swapaxes(0, 1)[::-1]
    return volume.block(slice(sections - y.stop, sections - y.start), z).swapaxes(0, 1)[:, ::-1]


def _fitting(volume: VolumeFile, dtype: np.dtype[np.generic]) -> GreyScale:
    """No change where the type holds the values as they are, else the mean +- 8 SD."""
    if dtype.kind == "f" or np.can_cast(volume.dtype, dtype):
        return GreyScale()
    total = squares = 0.0
    for z, y in bricks(volume.shape, volume.dtype.itemsize, volume.chunk_rows):
        values = volume.block(z, y).astype(np.float64)
        total, squares = total + float(values.sum()), squares + float((values**2).sum())
    count = int(np.prod(volume.shape))
    mean = total / count
    deviation = float(np.sqrt(max(squares / count - mean**2, 0.0)))
    largest = np.iinfo(dtype.name).max
    return GreyScale(
        add=float(f"{-mean:.6g}"), multiply=float(f"{largest / (SPREAD * deviation or 1.0):.4g}")
    )


def _scaled(block: NDArray[np.generic], scale: GreyScale) -> NDArray[np.generic]:
    if scale == GreyScale():
        return block
    return (block.astype(np.float32) + np.float32(scale.add)) * np.float32(scale.multiply)


def _beyond(block: NDArray[np.generic], dtype: np.dtype[np.generic]) -> int:
    """How many values an integer type cuts."""
    if dtype.kind == "f" or np.can_cast(block.dtype, dtype):
        return 0
    range_ = np.iinfo(dtype.name)
    values = block.astype(np.float32)
    return int(np.count_nonzero((values < range_.min - 0.5) | (values > range_.max + 0.5)))
