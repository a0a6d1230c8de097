"""What EMAN2's processors share: distances, frequencies, statistics, filtering.

Arrays are images (y, x) or volumes (z, y, x); distances are in pixels from the centre n // 2,
frequencies in cycles per pixel, 0.5 at Nyquist.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Table = dict[str, Callable[..., Array]]
"""A processor's name in EMAN2 -> the function."""


def deviation(a: Array) -> float:
    """EMAN2's sigma: with n - 1."""
    return float(a.std(ddof=1))


def coordinates(shape: tuple[int, ...], centre: tuple[float, ...] = (0, 0, 0)) -> list[Array]:
    """x, y and for a volume z, from n // 2 + centre, as arrays that broadcast to `shape`."""
    axes = [np.arange(n, dtype=np.float64) - n // 2 for n in shape]
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    return [grid - d for grid, d in zip(grids[::-1], centre, strict=False)]


def radius(shape: tuple[int, ...], centre: tuple[float, ...] = (0, 0, 0)) -> Array:
    """Distance of every pixel from n // 2 + centre (x, y, z)."""
    squares = sum(axis**2 for axis in coordinates(shape, centre))
    return np.sqrt(np.broadcast_to(squares, shape))


def filtered(a: Array, factor: Callable[[Array], Array]) -> Array:
    """The image whose transform is multiplied by factor(|frequency|); it isn't padded."""
    from scipy import fft

    axes = [np.fft.fftfreq(n) for n in a.shape[:-1]] + [np.fft.rfftfreq(a.shape[-1])]
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    frequency = np.sqrt(np.asarray(sum(grid**2 for grid in grids)))
    found: Array = fft.irfftn(fft.rfftn(a) * factor(frequency), s=a.shape)
    return found


def edge_mean(a: Array) -> float:
    """The mean of the border: in an image of its four lines, corners twice; the faces in 3D."""
    if a.ndim == 2:
        lines = a[0].sum() + a[-1].sum() + a[:, 0].sum() + a[:, -1].sum()
        return float(lines / (2 * sum(a.shape)))
    border = np.ones(a.shape, bool)
    border[1:-1, 1:-1, 1:-1] = False
    return float(a[border].mean())


def shared_between_rings(r: Array, values: Array, rings: int) -> tuple[Array, Array]:
    """Sums and counts (rings,) of values, each shared linearly between the two nearest radii."""
    low = r.astype(int).ravel()
    share = r.ravel() - low
    inside = low < rings
    low, share, values = low[inside], share[inside], values.ravel()[inside]
    sums, counts = np.zeros(rings + 1), np.zeros(rings + 1)
    for ring, weight in ((low, 1 - share), (low + 1, share)):
        sums += np.bincount(ring, weight * values, rings + 1)
        counts += np.bincount(ring, weight, rings + 1)
    return sums[:rings], counts[:rings]
