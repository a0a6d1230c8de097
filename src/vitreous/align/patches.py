"""Displacements of patches: where every part of every view fits the tomogram of the others."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.align.left_out import Slab
from vitreous.align.match import band, softened
from vitreous.align.plane import Plane, highest
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

PATCH = 900.0  # angstrom at least
PARTS = 4  # of the field, where that is more: deforming cells are matched better by larger ones
SEEN = 0.85  # of a patch that must lie in the image


@dataclass(frozen=True, slots=True, eq=False)
class Displacements:
    """Of `centres` (p, 2) on the specimen plane, px from its origin.

    moves (n, p, 2): view i at centre - move fits its reference at the centre, px on the plane;
    heights (n, p) of the peaks in standard deviations, 0 where a patch isn't seen.
    """

    centres: Array
    moves: Array
    heights: Array


def patch_size(field: tuple[int, int], pixel_size: float) -> int:
    """Side of a patch, px: as PATCH and PARTS say, but two at least fit into the field."""
    shorter = min(field)
    return int(min(max(PATCH / pixel_size, shorter / PARTS), shorter / 2.2)) // 2 * 2


def patch_centres(extent: tuple[int, int], size: int) -> Array:
    """(p, 2) centres (x, y) of patches that overlap by half over `extent` (x, y) px."""

    def along(length: int) -> Array:
        count = max(2, int((length - size) / (size / 2)) + 1)
        index = np.arange(count, dtype=np.float64) - (count - 1) / 2
        return np.asarray(index * ((length - size) / (count - 1)), np.float64)

    x, y = np.meshgrid(along(extent[0]), along(extent[1]))
    return np.column_stack([x.ravel(), y.ravel()])


def measured(
    planes: Floats,
    found: Floats,
    views: Views,
    slab: Slab,
    largest_move: float,
    threads: int = 1,
) -> Displacements:
    """Displacements of patches that overlap by half, of planes from the references found for them.

    `largest_move` in angstrom.
    """
    size = patch_size(slab.field, views.pixel_size)
    patch = Plane(size, size, views.pixel_size)
    to_index = np.array([slab.plane.width // 2, slab.plane.height // 2])
    corners = np.round(patch_centres(slab.field, size)).astype(int) + to_index - size // 2
    centres = (corners + size // 2 - to_index).astype(np.float64)
    window = np.hanning(size + 2)[1:-1]
    square: Floats = np.sqrt(np.outer(window, window)).astype(np.float32)
    limit = largest_move / views.pixel_size
    moves = np.zeros((len(views), len(centres), 2))
    heights = np.zeros((len(views), len(centres)))
    for i, cosine in enumerate(views.cosines):
        here = cut(planes[i], corners, size)
        there = cut(found[i], corners, size)
        seen = (here != 0).mean((1, 2)) > SEEN
        f, g = (patch.spectra(windowed(each, square), threads) for each in (there, here))
        weight = band(patch, cosine) / softened(np.abs(f).mean(0))
        correlations = patch.images(f * g.conj() * weight, threads)
        for j in np.flatnonzero(seen):
            moves[i, j], heights[i, j] = highest(correlations[j], (limit, limit))
    return Displacements(centres, moves, heights)


def cut(image: Floats, corners: NDArray[np.int_], size: int) -> Floats:
    """(p, size, size) squares whose first pixels (x, y) are given."""
    return np.stack([image[y : y + size, x : x + size] for x, y in corners])


def windowed(squares: Floats, window: Floats) -> Floats:
    """Each with mean 0, fading out towards its sides."""
    return (squares - squares.mean((1, 2), keepdims=True)) * window
