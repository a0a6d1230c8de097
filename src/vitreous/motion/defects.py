"""Pixels that don't count: as lists and maps, found in movies, filled from their neighbours."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Boxes = NDArray[np.intp]
Places = tuple[NDArray[np.intp], ...]

HOT, DEAD = 2.0, 0.3  # times what the surroundings count
ERRORS = 7.0  # standard deviations of the count that a hot pixel exceeds, and as many counts
ENOUGH = 30  # counts a pixel and half from which no pixel of 1e8 stays below DEAD by chance
NEAREST = 8  # good pixels that fill a defect


def mask_of(boxes: Boxes, shape: tuple[int, int]) -> Mask:
    """Rectangles (n, 4) x, y, width, height -> a map (y, x) of defects."""
    rows, columns = shape
    mask = np.zeros(shape, bool)
    for x, y, width, height in boxes:
        if x + width > columns or y + height > rows:
            raise UserError(
                f"the defect {x} {y} {width} {height} lies beyond the movies' {columns} x {rows} "
                "pixels: is it from another camera, or at another resolution?"
            )
        mask[y : y + height, x : x + width] = True
    return mask


def boxes_of(mask: Mask) -> Boxes:
    """A map of defects -> rectangles (n, 4) x, y, width, height that don't overlap."""
    boxes: list[list[int]] = []
    growing: dict[tuple[int, int], int] = {}  # (x, width) -> box that reaches the row before
    for y in np.flatnonzero(mask.any(1)):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], mask[y].view(np.int8), [0]])))
        runs = [(int(x), int(end - x)) for x, end in zip(edges[::2], edges[1::2], strict=True)]
        reaching = {run: k for run, k in growing.items() if boxes[k][1] + boxes[k][3] == y}
        growing = {}
        for x, width in runs:
            k = reaching.get((x, width))
            if k is None:
                k = len(boxes)
                boxes.append([x, int(y), width, 0])
            boxes[k][3] += 1
            growing[x, width] = k
    return np.array(boxes, np.intp).reshape(-1, 4)


@dataclass(frozen=True, slots=True, eq=False)
class FoundDefects:
    """hot and dead (y, x) pixels; dead is None where too few electrons were counted to tell."""

    hot: Mask
    dead: Mask | None

    @property
    def mask(self) -> Mask:
        """Both."""
        return self.hot if self.dead is None else self.hot | self.dead


def find_defects(halves: Floats) -> FoundDefects:
    """Hot and dead pixels in two independent sums (2, y, x) of movies, in electrons.

    A pixel has to be so in both: what an X-ray hits once is no defect. Steps of a specimen's
    contrast are not taken for defects: a hot pixel counts twice, a dead one less than a third of
    what its surroundings do.
    """
    from vitreous.kernels.cpu.outliers import mark_outliers

    hot = np.ones(halves.shape[1:], bool)
    dead = np.ones(halves.shape[1:], bool)
    for counts in halves:
        mark_outliers(counts, HOT, ERRORS, DEAD, hot, dead)
    enough = all(np.median(counts[::4, ::4]) >= ENOUGH for counts in halves)
    return FoundDefects(hot, dead if enough else None)


class Defects:
    """A camera's defects, made ready to be filled in many frames, each from NEAREST good pixels."""

    def __init__(self, mask: Mask) -> None:
        from scipy.ndimage import binary_dilation
        from scipy.spatial import cKDTree

        self.mask = mask
        self._pixels = np.nonzero(mask)
        self._near: Places = self._pixels
        if not mask.any():
            return
        if mask.all():
            raise UserError("all pixels are marked as defects: nothing is left to fill them from")
        rim = np.argwhere(binary_dilation(mask, np.ones((5, 5), bool)) & ~mask)
        count = min(NEAREST, len(rim))
        _, chosen = cKDTree(rim).query(np.argwhere(mask), count)
        self._near = tuple(rim[chosen.reshape(-1, count)].transpose(2, 0, 1))

    def fill(self, image: Floats) -> None:
        """Fill the defects of an image (y, x) in place with the mean of their neighbours."""
        if len(self._pixels[0]):
            image[self._pixels] = image[self._near].mean(1, dtype=np.float32)
