"""Projections on their way to the grid: padded, centred, transformed, spread over directions."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.geometry.euler import eman2_angles, eman2_matrix

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]

MOST_FILLED = 9  # directions along each of the two angles that EMAN2 fills


def clipped(array: NDArray[Any], shape: tuple[int, ...], *, eman2: bool = False) -> NDArray[Any]:
    """The array cropped, or padded with 0, to `shape`; its n // 2 stays the centre.

    eman2: what is cut off or added before is floor of half the difference, so that the centre
    moves by a pixel from even to odd sizes.
    """
    if array.shape == shape:
        return array
    out = np.zeros(shape, array.dtype)
    to, source = [], []
    for have, want in zip(array.shape, shape, strict=True):
        start = (have - want) // 2 if eman2 else have // 2 - want // 2
        low, high = max(start, 0), min(have, start + want)
        source.append(slice(low, high))
        to.append(slice(low - start, high - start))
    out[tuple(to)] = array[tuple(source)]
    return out


def origin_first(image: Floats, out: Floats) -> None:
    """Set an image (y, x), its origin at n // 2, into zeros of at least its size, origin at 0."""
    y, x = (n // 2 for n in image.shape)
    out[: len(image) - y, : image.shape[1] - x] = image[y:, x:]
    out[: len(image) - y, out.shape[1] - x :] = image[y:, :x]
    out[len(out) - y :, : image.shape[1] - x] = image[:y, x:]
    out[len(out) - y :, out.shape[1] - x :] = image[:y, :x]


def moved(image: Floats, move: Doubles, *, bilinear: bool) -> Floats:
    """The image with its content moved, x -> A x + t about n // 2; move is (2, 3), [A | t].

    Bilinear, or by cubic splines; what comes from outside is 0.
    """
    from scipy import ndimage

    linear, shift = move[:, :2], move[:, 2]
    if not shift.any() and (linear == np.eye(2)).all():
        return image
    centre = np.array([n // 2 for n in image.shape[::-1]])
    back = np.linalg.inv(linear)
    offset = centre - back @ (centre + shift)
    found: Floats = ndimage.affine_transform(
        image,
        back[::-1, ::-1],
        offset[::-1],
        order=1 if bilinear else 3,
        mode="grid-constant" if not bilinear else "constant",
    )
    return found


def filled(orientations: Doubles, angle: float, size: int) -> Iterator[tuple[Doubles, float]]:
    """Orientations (n, 3, 3) once each way within an angle, with the weight of that direction.

    EMAN2's --fillangle: steps of a pixel at the rim of a padded image of `size`, at most 9 along
    azimuth and altitude, weighted by a Gaussian; the turn in the plane is kept.
    """
    count = min(MOST_FILLED, int(angle // np.rad2deg(np.arctan2(1, size / 2))))
    if count <= 1:
        yield orientations, 1.0
        return
    az, alt, phi = eman2_angles(orientations)
    around = np.arange(-angle / 2, angle / 2, angle / (count - 1) - 1e-5)
    for up in around:
        for along in around:
            weight = float(np.exp(-(up**2 + along**2) / (angle / 4) ** 2))
            yield eman2_matrix(az + along, alt + up, phi), weight
