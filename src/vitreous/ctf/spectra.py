"""Logarithms of all power spectra of a series, with what varies smoothly taken out.

The background is projected out of the data and of the model alike, so that it can't bias the
rings: subtracting a smoothed curve from the data alone would.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.polynomial import chebyshev
from numpy.typing import NDArray

from vitreous.ctf.beads import without_beads
from vitreous.ctf.heights import across_axis
from vitreous.ctf.settings import CtfSettings
from vitreous.ctf.tiles import (
    Polar,
    TilePower,
    eighths_for,
    polar_grid,
    prepared,
    tile_power,
    tile_side,
)
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

BACKGROUND = 7  # Chebyshev terms of the log power against log k
# Under a Hann window (35 / 18)^2 Fourier pixels hold as much as one that is independent.
CORRELATED = (35 / 18) ** 2


@dataclass(frozen=True, slots=True, eq=False)
class Spectra:
    """What is known of the images of n views: a row for each group of tiles.

    flat (row, sector, ring): log power without its background; tiles, seen: see TilePower; rows
    starts[v] to starts[v + 1] are those of view v; noise: variance of `flat` times the number of
    Fourier pixels. masked (n,): shares.
    """

    grid: Polar
    flat: Array
    tiles: Array
    seen: Array
    starts: Indices
    noise: float
    masked: Array

    @property
    def views(self) -> int:
        """How many there are."""
        return len(self.starts) - 1

    @property
    def view(self) -> Indices:
        """(row,) to which view a row belongs."""
        return np.repeat(np.arange(self.views), np.diff(self.starts))

    def by_view(self, values: Array) -> Array:
        """(row, ...) -> sums (view, ...)."""
        return np.asarray(np.add.reduceat(values, self.starts[:-1], axis=0), np.float64)


def read_spectra(
    stack: ImageStack,
    alignment: Alignment,
    settings: CtfSettings,
    threads: int,
    progress: Progress,
) -> Spectra:
    """Spectra of the aligned sections, the images read one after the other."""
    views = range(len(alignment))
    grid = _grid_of(stack, settings)
    axes = across_axis(alignment)

    def spectra_of(view: int) -> tuple[TilePower, float]:
        image, pixel_size = prepared(stack.read(int(alignment.sections[view])), stack.pixel_size)
        share = 0.0
        if not settings.keep_beads:
            image, share = without_beads(image, pixel_size)
        return tile_power(image, grid, axes[view]), share

    found = []
    with ThreadPoolExecutor(threads) as pool:
        for view, one in enumerate(pool.map(spectra_of, views)):
            found.append(one)
            progress(view + 1, len(views))
    tiles = [power.tiles for power, _ in found]
    field = stack.shape[1] * stack.shape[2] * stack.pixel_size**2
    covered = np.mean([counts.sum() for counts in tiles]) * (grid.side * grid.pixel_size) ** 2
    project = Projector(grid)
    return Spectra(
        grid=grid,
        flat=project(np.log(np.concatenate([power.mean for power, _ in found]))),
        tiles=np.concatenate(tiles),
        seen=np.concatenate([power.seen for power, _ in found]),
        starts=np.concatenate([[0], np.cumsum([len(counts) for counts in tiles])]).astype(np.intp),
        # overlapping tiles hold no more than the image does
        noise=max(CORRELATED, float(covered / field)),
        masked=np.array([share for _, share in found]),
    )


def _grid_of(stack: ImageStack, settings: CtfSettings) -> Polar:
    """The tiles' grid: of the first image's size after it was binned."""
    _, rows, columns = stack.shape
    eighths = eighths_for(stack.pixel_size)
    pixel_size = stack.pixel_size * 8 / eighths
    shape = rows * eighths // 8, columns * eighths // 8
    side = tile_side(shape, pixel_size, settings.tile)
    return polar_grid(side, pixel_size, settings.low, settings.high)


class Projector:
    """Takes a smooth background, BACKGROUND Chebyshev terms in log k, out of curves (..., ring)."""

    def __init__(self, grid: Polar) -> None:
        x = np.log(grid.k)
        x = 2 * (x - x[0]) / (x[-1] - x[0]) - 1
        self.weights = np.sqrt(grid.pixels.sum(0))
        basis = chebyshev.chebvander(x, BACKGROUND - 1) * self.weights[:, None]
        self.basis: Array = np.linalg.qr(basis)[0]

    def __call__(self, curves: Array) -> Array:
        """The curves without it."""
        weighted = curves * self.weights
        rest = weighted - (weighted @ self.basis) @ self.basis.T
        return np.asarray(rest / self.weights, np.float64)
