"""The grids that a view is made on: one fine enough for blobs, one of the image's pixels.

Both are periodic and larger than the image by a margin, so that what lies beside the field sends
its fringes into it and the ends meet outside. The fine one becomes the other by Fourier cropping.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.model import wavelength
from vitreous.kernels.fourier import good_size
from vitreous.simulate.molecules import BLOB_SIGMA
from vitreous.simulate.settings import SimulateSettings

Array = NDArray[np.float64]

EIGHTHS = (9, 10, 11, 12, 14, 15, 16, 18, 20, 21, 22, 24, 28, 32, 36, 40, 48, 64)
ALIASING = 1e-3  # of a blob's amplitude at the image's Nyquist frequency


@dataclass(frozen=True, slots=True)
class Canvas:
    """image, coarse, fine: (y, x); margin (y, x): where the image begins in the coarse grid."""

    image: tuple[int, int]
    coarse: tuple[int, int]
    fine: tuple[int, int]
    margin: tuple[int, int]
    pixel_size: float

    @property
    def fine_pixel(self) -> float:
        """Angstrom."""
        return self.pixel_size * self.coarse[0] / self.fine[0]

    @property
    def half(self) -> tuple[int, int]:
        """(y, x // 2 + 1): shape of the coarse grid's half spectra."""
        return self.coarse[0], self.coarse[1] // 2 + 1

    @property
    def reach(self) -> tuple[float, float]:
        """(x, y) distances from the image's centre, angstrom, beyond which no blob is seen."""
        y, x = (n / 2 * self.pixel_size + 5 * BLOB_SIGMA for n in self.coarse)
        return x, y

    def fine_points(self, seen: Array) -> Array:
        """Image points (m, 2), angstrom from its centre n // 2 -> (x, y) px of the fine grid."""
        centre = np.array(self.image[::-1]) // 2 + np.array(self.margin[::-1])
        return (seen / self.pixel_size + centre) * (self.pixel_size / self.fine_pixel)

    def frequencies(self) -> tuple[Array, Array]:
        """ky (y, 1) and kx (1, x // 2 + 1) of the coarse grid's half spectrum, 1/A."""
        rows, columns = self.coarse
        ky = np.fft.fftfreq(rows).reshape(-1, 1) / self.pixel_size
        kx = np.fft.rfftfreq(columns).reshape(1, -1) / self.pixel_size
        return ky.astype(np.float64), kx.astype(np.float64)

    def mesh(self, step: int) -> Array:
        """(n, m, 2) points (x, y), angstrom, about every `step` coarse pixels to the very ends."""
        y, x = (
            (np.linspace(0, size, size // step + 1) - start - n // 2) * self.pixel_size
            for size, start, n in zip(self.coarse, self.margin, self.image, strict=True)
        )
        return np.stack(np.meshgrid(x, y), -1)

    def cut(self, whole: NDArray[np.float32]) -> NDArray[np.float32]:
        """The image out of a coarse grid."""
        top, left = self.margin
        return whole[top : top + self.image[0], left : left + self.image[1]]


def canvas_for(settings: SimulateSettings) -> Canvas:
    """A canvas on which blobs alias less than ALIASING and fringes end within the margin."""
    columns, rows = settings.size
    nyquist = 1 / (2 * settings.pixel_size)
    fringes = wavelength(settings.kv) * abs(settings.defocus) * nyquist / settings.pixel_size
    margin = round(8 + 1.2 * fringes)
    coarse = tuple(good_size(n + 2 * margin, 8) for n in (rows, columns))
    finer = eighths(settings.pixel_size)
    return Canvas(
        image=(rows, columns),
        coarse=coarse,  # type: ignore[arg-type]
        fine=tuple(n // 8 * finer for n in coarse),  # type: ignore[arg-type]
        margin=tuple((whole - n) // 2 for whole, n in zip(coarse, (rows, columns), strict=True)),  # type: ignore[arg-type]
        pixel_size=settings.pixel_size,
    )


def eighths(pixel_size: float) -> int:
    """8 times how much finer than pixels of a size the grid for blobs must be.

    A blob's spectrum exp(-2 pi^2 sigma^2 k^2) comes back, at the Nyquist frequency K of the image,
    from 1 / fine - K.
    """
    nyquist = 1 / (2 * pixel_size)
    for finer in EIGHTHS:
        back = finer / 8 / pixel_size - nyquist
        if np.exp(-2 * np.pi**2 * BLOB_SIGMA**2 * (back**2 - nyquist**2)) < ALIASING:
            return finer
    return EIGHTHS[-1]
