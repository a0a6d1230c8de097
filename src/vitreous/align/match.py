"""Projection matching: every view moved to where it fits the tomogram of all others."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vitreous.align.left_out import Slab, references
from vitreous.align.plane import Plane, Spectra, highest
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

LEAST_HEIGHT = 5.0  # standard deviations; a view with a lower peak stays where it is
FOUND_AGAIN = 7.0  # the same anywhere in the field, where noise reaches 5
BAND = (600.0, 35.0)  # angstrom: from the coarsest to the finest detail that is matched


def matched(
    images: Floats,
    views: Views,
    slab: Slab,
    largest_move: float,
    largest_shift: float,
    threads: int = 1,
) -> tuple[Views, Array]:
    """One pass, all views at the same geometry; `largest_move` in angstrom.

    A view without a peak there is looked for as far as `largest_shift` (angstrom). Returns the
    views and the heights (n,) of their peaks in standard deviations.
    """
    near, far = (limit / slab.plane.pixel_size for limit in (largest_move, largest_shift))
    moves, heights = np.zeros((len(views), 2)), np.zeros(len(views))
    for i, correlation in enumerate(correlations(images, views, slab, threads)):
        move, height = highest(correlation, (near, near))
        if height < LEAST_HEIGHT:
            anywhere, peak = highest(correlation, (far / views.cosines[i], far))
            move, height = (anywhere, peak) if peak > FOUND_AGAIN else (np.zeros(2), height)
        moves[i], heights[i] = move, height
    return views.moved_on_plane(-moves), heights


def correlations(images: Floats, views: Views, slab: Slab, threads: int = 1) -> Iterator[Floats]:
    """Of each view and its reference on the plane (height, width), zero shift at index 0.

    The reference's amplitudes are made even, and both kept to BAND.
    """
    planes, found = references(images, views, slab, threads)
    plane = slab.plane
    for seen, reference, cosine in zip(planes, found, views.cosines, strict=True):
        yield plane.images(crossed(seen, reference, plane, cosine, threads), threads)


def crossed(seen: Floats, reference: Floats, plane: Plane, cosine: float, threads: int) -> Spectra:
    """Cross spectrum of a view and its reference, even and kept to BAND."""
    f, g = plane.spectra(reference, threads), plane.spectra(seen, threads)
    weighted: Spectra = f * g.conj() * (band(plane, cosine) / softened(np.abs(f)))
    return weighted


def scores_at_rest(
    planes: Floats, found: Floats, views: Views, plane: Plane, threads: int = 1
) -> Array:
    """(n,) correlation of each view with its reference where it lies, in standard deviations.

    The zero shift of `correlations`, without making them.
    """
    twice = np.full(plane.width // 2 + 1, 2.0)  # columns that stand for their conjugates too
    twice[0] = 1
    if plane.width % 2 == 0:
        twice[-1] = 1
    scores = np.zeros(len(views))
    for i, cosine in enumerate(views.cosines):
        product = crossed(planes[i], found[i], plane, cosine, threads)
        product[0, 0] = 0
        spread = np.sqrt(((product.real**2 + product.imag**2) @ twice).sum())
        scores[i] = (product.real @ twice).sum() / (spread or 1.0)
    return scores


def band(plane: Plane, cosine: float) -> Floats:
    """(height, width // 2 + 1) weights of BAND, counted in the image of a tilt."""
    coarsest, finest = BAND
    k2 = ((plane.kx / cosine) ** 2 + plane.ky**2) / plane.pixel_size**2
    weight = np.exp(-k2 * finest**2 / 2) * (1 - np.exp(-k2 * coarsest**2))
    return weight.astype(np.float32)


def softened(amplitude: Floats) -> Floats:
    """What to divide by so that amplitudes become even, where they aren't next to nothing."""
    return amplitude + np.float32(0.1 * amplitude.mean())
