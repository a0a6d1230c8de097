"""One table of likelihoods: how well the rings of each defocus fit each spectrum.

Local defocus is a number that height, hand, pitch and astigmatism only shift; so once every
spectrum has been compared with every defocus, all questions are look-ups in that table.

For a view whose rings have an unknown height >= 0 the log likelihood above "no rings" is
(sum n P T)^2 / (2 noise sum n T^2): P the spectrum, T the rings, both without background, n Fourier
pixels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.optics import Optics
from vitreous.ctf.spectra import Projector, Spectra
from vitreous.kernels.cpu.rings import sum_shifted

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

STEP = 40.0  # angstrom of defocus between columns
SMOOTH = 4  # columns over which norms are linear
NONE = 1e-9  # norm of no rings at all


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """score (row, sector, defocus): sum n P T; norm (view, sector, defocus): sum n T^2 of a tile.

    defocus (j,): angstrom, evenly.
    """

    spectra: Spectra
    score: Floats
    norm: Floats
    defocus: Array

    def curves(self, offsets: Array) -> Array:
        """(view, j) log likelihood of each defocus; offsets (row, sector) of the local one."""
        return likelihood(*self.sums(offsets), self.spectra.noise)

    def sums(self, offsets: Array) -> tuple[Array, Array]:
        """(view, j) scores and norms of the whole views."""
        spectra = self.spectra
        rows = np.arange(len(spectra.tiles))
        shifts = offsets / STEP
        score = np.zeros((spectra.views, len(self.defocus)))
        sum_shifted(self.score, rows, np.ones(len(rows)), shifts, spectra.starts, score)
        some = np.ascontiguousarray(self.norm[:, :, ::SMOOTH])
        norm = np.zeros((spectra.views, some.shape[2]))
        sum_shifted(some, spectra.view, spectra.tiles, shifts / SMOOTH, spectra.starts, norm)
        every, at = np.arange(len(self.defocus)), np.arange(some.shape[2]) * SMOOTH
        return score, np.array([np.interp(every, at, one) for one in norm])

    def at(self, offsets: Array, defocus: Array) -> Array:
        """(view,) log likelihood at one defocus for each view."""
        spectra = self.spectra
        place = (defocus[spectra.view][:, None] + offsets - self.defocus[0]) / STEP
        place = place.clip(0, len(self.defocus) - 1.001)
        column = place.astype(np.intp)
        share = place - column
        row, sector = np.ogrid[: len(place), : place.shape[1]]
        score = (1 - share) * self.score[row, sector, column]
        score += share * self.score[row, sector, column + 1]
        norm = self.norm[spectra.view[:, None], sector, column] * spectra.tiles[:, None]
        return likelihood(
            spectra.by_view(score.sum(1)), spectra.by_view(norm.sum(1)), spectra.noise
        )


def likelihood(score: Array, norm: Array, noise: float) -> Array:
    """Log likelihood above that of no rings."""
    return np.maximum(score, 0) ** 2 / (2 * np.maximum(norm, NONE)) / noise


def defocus_grid(least: float, most: float) -> Array:
    """(j,) angstrom."""
    return np.arange(least, most + STEP, STEP)


def tabulated(
    spectra: Spectra, optics: Optics, envelope: Array, defocus: Array, quadrature: bool = False
) -> Table:
    """The table of rings -E(k) cos 2 chi, or in quadrature E(k) sin 2 chi; envelope (ring,)."""
    grid = spectra.grid
    twice = 2 * optics.chi(grid.k, defocus)
    rings = np.sin(twice) if quadrature else -np.cos(twice)
    seen = Projector(grid)(rings * envelope)
    weighted = (spectra.flat * grid.pixels).reshape(-1, len(grid.k)).astype(np.float32)
    score = (weighted @ seen.T.astype(np.float32)).reshape(*spectra.flat.shape[:2], -1)
    score *= spectra.tiles[:, None, None].astype(np.float32)
    norm = (grid.pixels @ (seen**2).T).astype(np.float32)
    return Table(spectra, score, np.broadcast_to(norm, (spectra.views, *norm.shape)), defocus)
