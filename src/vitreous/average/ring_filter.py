"""Projections filtered by how far they agree with a reference map (EMAN2's --useseedasref)."""

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.insertion import extract

Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]

SURE = 4  # rings from the origin on that count as agreeing
LIFT, LEAST = 0.1, 0.01  # added to a correlation; what is kept of a ring at least


def ring_filtered(
    spectra: Spectrum,
    reference: Spectrum,
    orientations: Doubles,
    shape: tuple[int, int],
    columns: int,
) -> Spectrum:
    """Transforms (n, y, x // 2 + 1) of images of `shape` times their ring correlations.

    reference: half transform of the map, `columns` wide; origins at index 0.
    """
    n = shape[0]
    expected = extract(reference, orientations, shape, columns=columns, reach=1.0)
    y = np.fft.fftfreq(n, 1 / n)[:, None]
    x = np.arange(shape[1] // 2 + 1)
    radius = np.hypot(y, x)
    expected = np.where(radius < n / 2 - 1, expected, 0)
    ring = np.floor(radius + 0.5).astype(np.intp)
    counted = ((x > 0) | (y >= 0)) & (ring <= n // 2)
    filtered = np.empty_like(spectra)
    for out, image, view in zip(filtered, spectra, expected, strict=True):
        cross, power, power_view = (
            np.bincount(ring[counted], values[counted], n // 2 + 1)
            for values in ((image * view.conj()).real, np.abs(image) ** 2, np.abs(view) ** 2)
        )
        both = np.sqrt(power * power_view)
        agreement = np.divide(cross, both, out=np.zeros_like(both), where=both > 0)
        agreement[:SURE] = 1
        kept = np.append(np.clip(agreement + LIFT, LEAST, 1), 0)
        out[:] = image * np.interp(radius, np.arange(len(kept)), kept, right=0)
    return filtered
