"""The specimen plane: the frame in which views differ by what height does, and by noise.

Every view is resampled once to the plane z = 0: Q(x, y) = image(centre + shift + A (x, y)). There a
point at height z lies at x + slope z, slope = tan(tilt); along y nothing moves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from vitreous.align.views import Views
from vitreous.kernels import shear

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]


@dataclass(frozen=True, slots=True)
class Plane:
    """A window of the specimen plane: height x width pixels, its pixel size // 2 at the origin."""

    height: int
    width: int
    pixel_size: float

    @property
    def kx(self) -> Array:
        """(width // 2 + 1,) cycles/px."""
        return fft.rfftfreq(self.width)

    @property
    def ky(self) -> Array:
        """(height, 1) cycles/px."""
        return fft.fftfreq(self.height)[:, None]

    def resampled(self, images: Floats, views: Views) -> Floats:
        """(n, height, width): the views on the specimen plane, 0 outside their images.

        images (n, y + 4, x + 4): spline coefficients as `prepare.coefficients` makes them.
        """
        _, rows, columns = images.shape
        linear = views.in_plane
        origin = views.shifts + np.array([(columns - 4) // 2, (rows - 4) // 2])
        origin = origin - linear @ np.array([self.width // 2, self.height // 2], np.float64)
        out = np.empty((len(views), self.height, self.width), np.float32)
        return shear.resample(images, linear, origin, out)

    def spectra(self, planes: Floats, threads: int = 1) -> Spectra:
        """(..., height, width // 2 + 1)."""
        found: Spectra = fft.rfft2(planes, workers=threads)
        return found

    def images(self, spectra: Spectra, threads: int = 1) -> Floats:
        """(..., height, width) of half spectra."""
        found: Floats = fft.irfft2(spectra, s=(self.height, self.width), workers=threads)
        return found


def field_on_plane(shape: tuple[int, int], axis: float) -> tuple[int, int]:
    """(x, y) px that an untilted image of `shape` (y, x) covers: turned by its axis, degrees.

    Corners that stand out beyond the longer side are left away.
    """
    rows, columns = shape
    cos, sin = abs(np.cos(np.deg2rad(axis))), abs(np.sin(np.deg2rad(axis)))
    longest = 1.05 * max(shape)
    return (
        int(min(cos * columns + sin * rows, longest)),
        int(min(sin * columns + cos * rows, longest)),
    )


def highest(correlation: Floats, limit: tuple[float, float]) -> tuple[Array, float]:
    """((x, y), height): the highest point within `limit` (x, y) pixels of zero shift.

    correlation (y, x) with zero shift at index 0; sub-pixel by parabolas; height in standard
    deviations of the whole.
    """
    rows, columns = correlation.shape
    reach_y, reach_x = min(int(limit[1]), rows // 2 - 1), min(int(limit[0]), columns // 2 - 1)
    y = np.arange(-reach_y, reach_y + 1)
    x = np.arange(-reach_x, reach_x + 1)
    window = correlation[y[:, None], x]
    i, j = np.unravel_index(window.argmax(), window.shape)
    v, u = int(y[i]), int(x[j])
    dx = parabola(*(correlation[v, (u + d) % columns] for d in (-1, 0, 1)))
    dy = parabola(*(correlation[(v + d) % rows, u] for d in (-1, 0, 1)))
    deviation = float(correlation.std()) or 1.0
    return np.array([u + dx, v + dy]), float(window[i, j]) / deviation


def parabola(left: float, middle: float, right: float) -> float:
    """Where between -0.5 and 0.5 the parabola through three points has its maximum."""
    bend = left - 2 * middle + right
    return float(np.clip(0.5 * (left - right) / bend, -0.5, 0.5)) if bend < 0 else 0.0
