"""Images binned, shrunk, cut, laid out and tapered, on the grids that IMOD's newstack uses."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Mask = NDArray[np.bool_]


def binned_size(n: int, binning: int) -> tuple[int, int]:
    """Pixels of a binned axis, and the first pixel of its first bin (negative: partly outside).

    The parity of n is kept, so that the middle stays where it was.
    """
    size, rest = divmod(n, binning)
    if size % 2 == n % 2:
        if rest > 1:
            size += 2
    else:
        size, rest = size + 1, rest + binning
    return size, 0 if rest <= 1 else -(binning - rest // 2)


def binned(image: Floats, binning: int) -> Floats:
    """Means of blocks; a block that lies partly outside is the mean of what it has."""
    if binning == 1:
        return image
    return _binned_along(1, _binned_along(0, image, binning), binning)


def _binned_along(axis: int, image: Floats, binning: int) -> Floats:
    """Means of neighbours along one axis; only the outermost bins lie partly outside."""
    size, start = binned_size(image.shape[axis], binning)
    lines = np.moveaxis(image, axis, 0)
    total = np.zeros((size, image.shape[1 - axis])[:: 1 - 2 * axis], np.float32)
    sums = np.moveaxis(total, axis, 0)
    count = np.zeros(size, np.float32)
    for first in range(start, start + binning):
        outside = int(first < 0)
        found = lines[first + binning * outside :: binning][: size - outside]
        sums[outside : outside + len(found)] += found
        count[outside : outside + len(found)] += 1
    sums /= count[:, None]
    return total


# -- shrinking ------------------------------------------------------------------------------------


def _box(x: Doubles) -> Doubles:
    return np.ones_like(x)


def _blackman(x: Doubles) -> Doubles:
    window = 0.42 + 0.5 * np.cos(np.pi * x) + 0.08 * np.cos(2 * np.pi * x)
    return np.where(np.abs(x) < 1, window, 0)


def _triangle(x: Doubles) -> Doubles:
    return np.maximum(1 - np.abs(x), 0)


def _mitchell(x: Doubles) -> Doubles:
    """Mitchell & Netravali 1988 with B = C = 1/3."""
    x = np.abs(x)
    inner = 16 / 18 + x * x * (-36 / 18 + x * 21 / 18)
    outer = 32 / 18 + x * (-60 / 18 + x * (36 / 18 - x * 7 / 18))
    return np.where(x < 1, inner, np.where(x < 2, outer, 0))


def _lanczos(order: int) -> Callable[[Doubles], Doubles]:
    def weight(x: Doubles) -> Doubles:
        return np.where(np.abs(x) < order, np.sinc(x) * np.sinc(x / order), 0)

    return weight


FILTERS: dict[int, tuple[Callable[[Doubles], Doubles], float]] = {
    0: (_box, 0.5),
    1: (_box, 0.5),
    2: (_blackman, 1),
    3: (_triangle, 1),
    4: (_mitchell, 2),
    5: (_lanczos(2), 2),
    6: (_lanczos(3), 3),
}
"""newstack's -antialias -> weight at a distance in output pixels, and how far it goes."""


def shrunk(image: Floats, factor: float, antialias: int = 6) -> Floats:
    """The image at 1 / factor of its size, its middle kept, filtered against aliasing."""
    rows, columns = (int(n / factor) for n in image.shape)
    narrow = image.astype(np.float64) @ _shrinking(image.shape[1], columns, factor, antialias).T
    small: Floats = (_shrinking(image.shape[0], rows, factor, antialias) @ narrow).astype(
        np.float32
    )
    return small


def _shrinking(n: int, size: int, factor: float, antialias: int):  # type: ignore[no-untyped-def]
    """Sparse weights (size, n) of the pixels in each output pixel.

    Those count whose middle lies within the filter's reach. Where one lies exactly at the end of
    it, rounding decides, and that is IMOD's: it keeps 1 / factor as a float32.
    """
    from scipy.sparse import csr_array

    weight, reach = FILTERS[antialias]
    scale = 1 / float(np.float32(1 / factor))
    centres = (n - size * factor) / 2 + (np.arange(size) + 0.5) * scale
    first, end = (np.floor(centres + far * scale + 0.5)[:, None] for far in (-reach, reach))
    taps = np.arange(int(np.ceil(2 * reach * factor)) + 1)
    places = first.astype(int) + taps
    weights = weight((places + 0.5 - centres[:, None]) / scale)
    weights *= (places >= 0) & (places < n) & (places < end)
    weights /= weights.sum(1, keepdims=True)
    rows = np.repeat(np.arange(size), len(taps))
    return csr_array((weights.ravel(), (rows, places.clip(0, n - 1).ravel())), shape=(size, n))


# -- laying out -----------------------------------------------------------------------------------


def placed(image: Floats, shape: tuple[int, int], offset: tuple[int, int] = (0, 0)) -> Floats:
    """The image cut or padded to a shape (y, x) round its middle, moved by `offset` (x, y) pixels.

    What lies outside is NaN.
    """
    out = np.full(shape, np.nan, np.float32)
    source, target = [], []
    for n, size, moved in zip(image.shape, shape, offset[::-1], strict=True):
        start = n // 2 - size // 2 + moved
        low, high = max(start, 0), min(start + size, n)
        source.append(slice(low, max(high, low)))
        target.append(slice(low - start, max(high, low) - start))
    out[tuple(target)] = image[tuple(source)]
    return out


def tapered(image: Floats, outside: Mask, fill: float, width: int, inside: bool) -> None:
    """Let the image run into its fill over `width` pixels, in place.

    outside: the filled pixels. inside: the image's own edge is taken; else the fill's, where the
    nearest pixel of the image goes on.
    """
    from scipy.ndimage import distance_transform_edt

    if not outside.any() or outside.all():
        return
    where = ~outside if inside else outside
    distance, nearest = distance_transform_edt(where, return_indices=True)
    share = distance / (width + 1)
    edge = (distance > 0) & (share < 1)
    if inside:
        image[edge] = fill + share[edge] * (image[edge] - fill)
    else:
        going_on = image[tuple(nearest)]
        image[edge] = fill + (1 - share[edge]) * (going_on[edge] - fill)
