"""Three orthogonal slices of a volume as one picture."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SHOWN = 3.0  # standard deviations round the mean, from black to white
GAP = 6  # pixels between the slices
MOST_PIXELS = 1600


def middle_slices(volume: NDArray[np.generic], average: int) -> tuple[Floats, Floats, Floats]:
    """(xy, xz, zy) slices through the middle of a volume (z, y, x), means of `average` voxels.

    The volume may be a memory map; xz has z upwards, zy has z to the right.
    """
    nz, ny, nx = volume.shape

    def around(n: int) -> slice:
        first = max(0, n // 2 - average // 2)
        return slice(first, min(n, first + average))

    xy = np.asarray(volume[around(nz)], np.float32).mean(0)
    xz = np.asarray(volume[:, around(ny)], np.float32).mean(1)
    zy = np.asarray(volume[:, :, around(nx)], np.float32).mean(2).T
    return xy, xz, zy


def grey(image: Floats, low: float, high: float) -> NDArray[np.uint8]:
    """0 to 255 between low and high; row 0 at the bottom, as the field shows MRC files."""
    share = (image[::-1] - low) / (high - low or 1.0)
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)


def write_slices(volume: NDArray[np.generic], path: Path, voxel_size: float, average: int) -> None:
    """Write xy (large), zy (right of it) and xz (below) with a scale bar as a PNG."""
    from PIL import Image, ImageDraw

    xy, xz, zy = middle_slices(volume, average)
    inner = xy[
        xy.shape[0] // 8 : -xy.shape[0] // 8 or None, xy.shape[1] // 8 : -xy.shape[1] // 8 or None
    ]
    mean, deviation = float(inner.mean()), float(inner.std())
    low, high = mean - SHOWN * deviation, mean + SHOWN * deviation
    nz, ny, nx = volume.shape
    page = np.full((ny + GAP + nz, nx + GAP + nz), 255, np.uint8)
    page[:ny, :nx] = grey(xy, low, high)
    page[:ny, nx + GAP :] = grey(zy, low, high)
    page[ny + GAP :, :nx] = grey(xz, low, high)
    picture = Image.fromarray(page)
    shrink = min(1.0, MOST_PIXELS / max(page.shape))
    if shrink < 1:
        size = round(page.shape[1] * shrink), round(page.shape[0] * shrink)
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    _scale_bar(ImageDraw.Draw(picture), picture.size, voxel_size / shrink, round(nz * shrink))
    picture.save(path, format="PNG")


def _scale_bar(draw: object, size: tuple[int, int], voxel_size: float, corner: int) -> None:
    """A bar of a round length in the empty corner at the lower right."""
    from PIL import ImageDraw

    assert isinstance(draw, ImageDraw.ImageDraw)
    room = 0.8 * corner * voxel_size / 10
    lengths = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]
    nanometres = max([length for length in lengths if length <= room], default=1)
    pixels = nanometres * 10 / voxel_size
    right, bottom = size[0] - 8, size[1] - 8
    draw.rectangle((right - pixels, bottom - 4, right, bottom), fill=0)
    draw.text((right - pixels, bottom - 18), f"{nanometres} nm", fill=0)
