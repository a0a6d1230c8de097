"""Projection matching: every view moved to where it fits the tomogram of all others."""

import numpy as np
from numpy.typing import NDArray

from vitreous.align.left_out import Slab, references
from vitreous.align.plane import Plane, highest
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

LEAST_HEIGHT = 5.0  # standard deviations; a view with a lower peak stays where it is
BAND = (600.0, 35.0)  # angstrom: from the coarsest to the finest detail that is matched


def matched(
    images: Floats, views: Views, slab: Slab, largest_move: float, threads: int = 1
) -> tuple[Views, Array]:
    """One pass, all views at the same geometry; `largest_move` in angstrom.

    Returns the views and the heights (n,) of their peaks in standard deviations.
    """
    planes, found = references(images, views, slab, threads)
    plane = slab.plane
    f, g = plane.spectra(found, threads), plane.spectra(planes, threads)
    moves, heights = np.zeros((len(views), 2)), np.zeros(len(views))
    limit = largest_move / plane.pixel_size
    for i, cosine in enumerate(views.cosines):
        weight = band(plane, cosine) / softened(np.abs(f[i]))
        correlation = plane.images(f[i] * g[i].conj() * weight, threads)
        moves[i], heights[i] = highest(correlation, (limit, limit))
    moves[heights < LEAST_HEIGHT] = 0
    return views.moved_on_plane(-moves), heights


def band(plane: Plane, cosine: float) -> Floats:
    """(height, width // 2 + 1) weights of BAND, counted in the image of a tilt."""
    coarsest, finest = BAND
    k2 = ((plane.kx / cosine) ** 2 + plane.ky**2) / plane.pixel_size**2
    weight = np.exp(-k2 * finest**2 / 2) * (1 - np.exp(-k2 * coarsest**2))
    return weight.astype(np.float32)


def softened(amplitude: Floats) -> Floats:
    """What to divide by so that amplitudes become even, where they aren't next to nothing."""
    return amplitude + np.float32(0.1 * amplitude.mean())
