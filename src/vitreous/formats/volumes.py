"""A volume, whatever its format: read block by block, written block by block."""

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UnknownFormatError
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import open_stack
from vitreous.formats.ome_zarr import open_ome_zarr

BLOCK_BYTES = 64_000_000
LARGEST_BOX = 256  # voxels along a side


class VolumeFile(Protocol):
    """What an open volume gives: shape (z, y, x), angstrom a voxel, and its voxels in blocks."""

    path: Path
    pixel_size: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a voxel as `block` gives it."""

    @property
    def labels(self) -> tuple[str, ...]:
        """What the file says of itself."""

    @property
    def chunk_rows(self) -> tuple[int, int]:
        """Sections and rows that are read together at no more cost than one."""

    def block(self, sections: slice, rows: slice) -> NDArray[np.generic]:
        """Voxels (sections, rows, x)."""

    def __enter__(self) -> Self:
        """For a with statement, which closes the file."""

    def __exit__(self, *_: object) -> None:
        """Close the file."""


def open_volume(path: Path, pixel_size: float | None = None) -> VolumeFile:
    """Open an MRC or OME-Zarr volume by its content; pixel_size (A) goes before the file's."""
    kind = kind_of(path)
    if kind is Kind.OME_ZARR:
        return open_ome_zarr(path, pixel_size)
    if kind is Kind.MRC:
        return open_stack(path, pixel_size)
    raise UnknownFormatError(
        f"a volume was expected, this is: {kind.value}",
        path=path,
        hint="Volumes are read from MRC files and OME-Zarr folders.",
    )


def bricks(
    shape: tuple[int, int, int], itemsize: int, chunk_rows: tuple[int, int]
) -> Iterator[tuple[slice, slice]]:
    """(sections, rows) that cover a volume, each of whole chunks and of about `BLOCK_BYTES`.

    Whole sections where they fit.
    """
    nz, ny, nx = shape
    chunk_z, chunk_y = (min(chunk, n) for chunk, n in zip(chunk_rows, (nz, ny), strict=True))
    line = itemsize * nx
    rows = ny
    if chunk_z * ny * line > BLOCK_BYTES:
        rows = max(1, BLOCK_BYTES // (chunk_z * chunk_y * line)) * chunk_y
    sections = max(1, BLOCK_BYTES // (chunk_z * rows * line)) * chunk_z
    for z in range(0, nz, sections):
        for y in range(0, ny, rows):
            yield slice(z, min(z + sections, nz)), slice(y, min(y + rows, ny))


def slabs(volume: VolumeFile) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """(first row, voxels (z, rows, x)) of a volume, through all its depth, about `BLOCK_BYTES`."""
    nz, ny, nx = volume.shape
    rows = max(1, BLOCK_BYTES // (prod((nz, nx)) * volume.dtype.itemsize))
    chunk = volume.chunk_rows[1]
    rows = rows // chunk * chunk or rows
    for row in range(0, ny, rows):
        yield row, volume.block(slice(0, nz), slice(row, min(row + rows, ny)))


def boxes(volume: VolumeFile) -> Iterator[NDArray[np.generic]]:
    """Boxes of one shape that cover a volume but for fewer voxels than boxes at the ends."""
    counts = [-(-n // LARGEST_BOX) for n in volume.shape]
    depth, height, width = (n // count for n, count in zip(volume.shape, counts, strict=True))
    for z in range(counts[0]):
        for y in range(counts[1]):
            rows = slice(y * height, (y + 1) * height)
            block = volume.block(slice(z * depth, (z + 1) * depth), rows)
            for x in range(counts[2]):
                yield block[:, :, x * width : (x + 1) * width]
