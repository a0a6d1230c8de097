"""MRC volumes in other modes and axis orders, streamed.

IMOD's tilt and AreTomo write sections (x, depth) along y, 'xzy'; `clip rotx` turns them to 'xyz',
z = n - 1 - depth, which keeps the hand.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.mrc import MrcStack, MrcWriter, open_stack
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

Axes = Literal["keep", "xyz-to-xzy", "xzy-to-xyz"]
Mode = Literal["keep", "float32", "float16", "int16", "int8"]

BLOCK_BYTES = 64_000_000
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
    progress: Progress = ignore_progress,
) -> GreyScale:
    """Write a volume or stack anew; returns the scaling, which stands in the header too.

    Without a grey_scale values stay, but for an integer mode of what was no integer (or a wider
    one): that takes the mean +- 8 standard deviations. What lies beyond is cut and counted.
    """
    with open_stack(source, pixel_size) as volume:
        dtype = volume.dtype if mode == "keep" else np.dtype(mode)
        if dtype.kind == "c":
            raise UserError(f"{source} is a transform (complex): it has no other mode")
        scale = grey_scale or _fitting(volume, dtype)
        sections, rows, columns = volume.shape
        shape = volume.shape if axes == "keep" else (rows, sections, columns)
        is_stack = axes == "keep" and volume.header.ispg == 0
        labels = (*volume.header.labels[:8], f"{dtype.name}, axes {axes}, {scale}")
        cut = 0
        with MrcWriter(
            destination,
            shape,
            volume.pixel_size,
            dtype,
            labels=labels,
            is_stack=is_stack,
            tilt_angles=volume.tilt_angles if is_stack else None,
        ) as writer:
            for first, block in _blocks(volume):
                grey = _scaled(block, scale)
                cut += _beyond(grey, dtype)
                writer.write(*_placed(grey, first, sections, axes))
                progress(first + len(block), sections)
    if cut:
        log.warning("%s: %d voxels beyond the range of %s were cut", destination, cut, dtype.name)
    return scale


def _blocks(volume: MrcStack) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """(first section, sections (n, y, x)) in their order."""
    sections, rows, columns = volume.shape
    count = max(1, BLOCK_BYTES // (rows * columns * volume.dtype.itemsize))
    for first in range(0, sections, count):
        planes = range(first, min(first + count, sections))
        yield first, np.stack([volume.read(plane) for plane in planes])


def _placed(
    block: NDArray[np.generic], first: int, sections: int, axes: Axes
) -> tuple[tuple[int, int, int], NDArray[np.generic]]:
    """(corner, block) in the output's order of axes."""
    if axes == "keep":
        return (first, 0, 0), block
    turned = block.transpose(1, 0, 2)
    if axes == "xzy-to-xyz":
        return (0, first, 0), turned[::-1]
    return (0, sections - first - len(block), 0), turned[:, ::-1]


def _fitting(volume: MrcStack, dtype: np.dtype[np.generic]) -> GreyScale:
    """No change where the type holds the values as they are, else the mean +- 8 SD."""
    if dtype.kind == "f" or np.can_cast(volume.dtype, dtype):
        return GreyScale()
    total = squares = 0.0
    for _, block in _blocks(volume):
        values = block.astype(np.float64)
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
