"""Slices all through a volume for a slider: frames along z, y and x, each set one picture.

The frames of a set lie side by side and below one another; a page moves the picture behind a
window. They are collected while the volume passes by, averaged over the depth of a frame and
binned to what the low-pass leaves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from vitreous.report.slices import BRIGHTEST, DARKEST, FINEST_ANGSTROM, SLAB_ANGSTROM, smoothed

Floats = NDArray[np.float32]

LARGEST_SIDE = 512  # px of a frame
FEWEST, MOST = 31, 41  # frames along z
APART_ANGSTROM = 50.0  # frames along z, where that gives not too few nor too many
ACROSS = 31  # frames along x, and along y
COLUMNS = 8  # frames side by side
QUALITY = 45  # of the JPEG
KEY_SIDE = 320  # px of the picture that stands for a tomogram
KEY_QUALITY = 75


@dataclass(frozen=True, slots=True, eq=False)
class Frames:
    """data (frame, row, column); voxels: first and last + 1 of what each frame averages."""

    data: Floats
    voxels: tuple[tuple[int, int], ...]


class FramesOnTheWay:
    """The frames of a volume that passes by slab after slab of rows; it isn't read again.

    xy: frames (y, x) round places along z; xz: (z, x) along y; zy: (y, z) along x. size (x, y, z)
    voxels.
    """

    def __init__(
        self,
        size: tuple[int, int, int],
        voxel_size: float,
        slab_angstrom: float = SLAB_ANGSTROM,
    ) -> None:
        nx, ny, nz = size
        self.binning = max(1, -(-max(nx, ny) // LARGEST_SIDE))
        self.pixel_size = voxel_size * self.binning
        width, height, depth = (max(1, n // self.binning) for n in size)
        count = int(np.clip(round(nz * voxel_size / APART_ANGSTROM), FEWEST, MOST))
        thick = max(1, round(slab_angstrom / voxel_size))
        z, y, x = windows(nz, thick, count), windows(ny, thick), windows(nx, thick)
        self.xy = Frames(np.zeros((len(z), height, width), np.float32), z)
        self.xz = Frames(np.zeros((len(y), depth, width), np.float32), y)
        self.zy = Frames(np.zeros((len(x), height, depth), np.float32), x)

    def add(self, row: int, slab: Floats) -> None:
        """Count rows row, row + 1, ... of the volume: (z, rows, x)."""
        rows = slab.shape[1]
        for frame, (first, last) in enumerate(self.xy.voxels):
            self._add_rows(self.xy.data[frame], row, slab[first:last].mean(0))
        for frame, (first, last) in enumerate(self.zy.voxels):
            seen = np.einsum("zyx->yz", slab[:, :, first:last])  # fast on few x
            self._add_rows(self.zy.data[frame], row, seen / np.float32(last - first))
        for frame, (first, last) in enumerate(self.xz.voxels):
            inside = slab[:, max(first - row, 0) : max(min(last - row, rows), 0)]
            if inside.shape[1]:
                whole = binned(binned(inside.sum(1), self.binning).T, self.binning)
                self.xz.data[frame] += whole.T / np.float32(last - first)

    def _add_rows(self, frame: Floats, row: int, seen: Floats) -> None:
        """Add rows row, row + 1, ... of a frame that isn't binned yet."""
        into = (row + np.arange(len(seen))) // self.binning
        inside = into < len(frame)
        np.add.at(frame, into[inside], binned(seen, self.binning)[inside] / self.binning)


def windows(n: int, thick: int, count: int = ACROSS) -> tuple[tuple[int, int], ...]:
    """`thick` voxels round each of `count` places that are spread over n."""
    thick = min(thick, n)
    places = (np.arange(min(count, n)) + 0.5) * n / min(count, n)
    firsts = np.clip((places - thick / 2).round().astype(int), 0, n - thick).tolist()
    return tuple((first, first + thick) for first in firsts)


def binned(image: Floats, binning: int) -> Floats:
    """(rows, columns // binning) means of neighbours in a row."""
    count = max(1, image.shape[1] // binning)
    means: Floats = (
        image[:, : count * binning].reshape(len(image), count, -1).mean(2, dtype=np.float32)
    )
    return means


def contrasted(
    frames: Frames, pixel_size: float, finest_angstrom: float = FINEST_ANGSTROM
) -> NDArray[np.uint8]:
    """Low-passed and grey, one contrast for all frames, row 0 at the bottom.

    The middle third without its margins decides; what lies outside the specimen doesn't.
    """
    count, rows, columns = frames.data.shape
    third, top, left = count // 3, rows // 10, columns // 10
    inner = [
        smoothed(frame, pixel_size, finest_angstrom)[top : rows - top, left : columns - left]
        for frame in frames.data[third : count - third]
    ]
    low, high = np.percentile(inner, (DARKEST, BRIGHTEST))
    greys = np.empty(frames.data.shape, np.uint8)
    for grey, frame in zip(greys, frames.data, strict=True):
        share = (smoothed(frame, pixel_size, finest_angstrom)[::-1] - low) / ((high - low) or 1.0)
        grey[:] = np.clip(share, 0, 1) * 255
    return greys


def write_frames(greys: NDArray[np.uint8], path: Path | BinaryIO) -> dict[str, int]:
    """Write frames (n, rows, columns) as one JPEG; returns how they lie in it."""
    from PIL import Image

    count, rows, columns = greys.shape
    across = min(COLUMNS, count)
    page = np.zeros((-(-count // across) * rows, across * columns), np.uint8)
    for frame, (top, left) in zip(greys, _corners(greys.shape, across), strict=True):
        page[top : top + rows, left : left + columns] = frame
    Image.fromarray(page).save(path, format="JPEG", quality=QUALITY, optimize=True)
    return {"count": count, "across": across, "width": columns, "height": rows}


def _corners(shape: tuple[int, ...], across: int) -> Iterator[tuple[int, int]]:
    count, rows, columns = shape
    for frame in range(count):
        yield frame // across * rows, frame % across * columns


def write_key_picture(greys: NDArray[np.uint8], path: Path) -> None:
    """Write the middle frame, small."""
    from PIL import Image

    picture = Image.fromarray(greys[len(greys) // 2])
    picture.thumbnail((KEY_SIDE, KEY_SIDE), Image.Resampling.LANCZOS)
    picture.save(path, format="JPEG", quality=KEY_QUALITY, optimize=True)
