"""Coarse shifts: from the lowest tilt outwards, each view against what its neighbours foresee.

Back-projecting view j into a slab of thickness D and projecting it at tilt i is, in the Fourier
space of the specimen plane, the one factor sinc(kx D (slope_i - slope_j)). So the reference is the
sum of the nearest aligned views, each times its sinc: cosine stretching (which the plane contains)
and the loss of what lies at other heights in one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.align.plane import Plane, highest
from vitreous.align.views import Views

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

NEIGHBOURS = 3  # aligned views that foresee the next
WIDEST = 1.35  # of the field: the plane's width, since steep tilts see more


@dataclass(frozen=True, slots=True, eq=False)
class CoarseShifts:
    """Views with their shifts, and how well each fitted its neighbours.

    heights (n,): of the peaks in standard deviations; agreement (n,): correlation coefficient of
    view and reference. Both 0 for the view that the others are aligned to.
    """

    views: Views
    heights: Array
    agreement: Array


def coarse_plane(shape: tuple[int, int], pixel_size: float) -> Plane:
    """The plane for images of `shape` (y, x), at any axis."""
    from vitreous.kernels.fourier import good_size

    side = max(shape)
    return Plane(good_size(int(1.05 * side)), good_size(int(WIDEST * side)), pixel_size)


def coarse_shifts(
    images: Floats, views: Views, plane: Plane, thickness_px: float, largest_shift: float
) -> CoarseShifts:
    """Align every view to those nearer to the lowest tilt; `largest_shift`: px between neighbours.

    images: spline coefficients (n, y + 4, x + 4).
    """
    n = len(views)
    slopes = views.slopes
    spectra = np.zeros((n, plane.height, plane.width // 2 + 1), np.complex64)
    shifts = views.shifts.copy()
    heights, agreement = np.zeros(n), np.zeros(n)
    done: list[int] = []
    for i in np.argsort(np.abs(views.tilts), kind="stable"):
        near = sorted(done, key=lambda j: abs(views.tilts[j] - views.tilts[i]))[:NEIGHBOURS]
        if near:
            shifts[i] += np.median(shifts[near] - views.shifts[near], axis=0)
            foreseen = np.zeros_like(spectra[i])
            for j in near:
                shared = np.sinc(plane.kx * thickness_px * (slopes[i] - slopes[j]))
                foreseen += shared.astype(np.float32) * spectra[j]
            seen = _spectrum(images, replace(views, shifts=shifts), plane, i)
            correlation = plane.images(foreseen * seen.conj())
            reach = largest_shift / views.cosines[i], largest_shift
            move, heights[i] = highest(correlation, reach)
            shifts[i] -= views.in_plane[i] @ move
        spectra[i] = _spectrum(images, replace(views, shifts=shifts), plane, i)
        if near:
            agreement[i] = _coefficient(foreseen, spectra[i])
        done.append(int(i))
    return CoarseShifts(replace(views, shifts=shifts), heights, agreement)


def _spectrum(images: Floats, views: Views, plane: Plane, i: int) -> NDArray[np.complex64]:
    """View i on the specimen plane, in Fourier space."""
    only = slice(i, i + 1)
    resampled = plane.resampled(images[only], views.chosen(np.array([i])))
    return plane.spectra(resampled)[0]


def _coefficient(one: NDArray[np.complex64], other: NDArray[np.complex64]) -> float:
    """Correlation coefficient of two half spectra; 0 where a view has left the plane."""
    product = np.vdot(one, other).real
    powers = np.vdot(one, one).real * np.vdot(other, other).real
    return float(product / np.sqrt(powers)) if powers > 0 else 0.0
