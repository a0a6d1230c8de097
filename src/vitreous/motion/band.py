"""The frequencies that alignment uses: a half disc of Fourier coefficients for each frame.

A displacement of the specimen by d multiplies them by exp(-2 pi i k d), k in 1/A and d in A, so
that neither binning nor padding has to be thought of again.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.fourier import good_size

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Whole = NDArray[np.int32]

HAIR = 1e-9  # of a coefficient: what rounding may take from one that lies on the limit


@dataclass(frozen=True, slots=True, eq=False)
class Band:
    """Coefficients with k <= `finest`, of an image padded to `padded` (y, x) pixels.

    Row r has frequency ky[r] and the columns 0, 1, ...; its coefficients are starts[r] to
    starts[r + 1], as `kernels.cpu.motion` has it. k (coefficients,) in 1/A; rows, columns: where
    they stand in a half spectrum, rows counted from the middle.
    """

    padded: tuple[int, int]
    pixel_size: float
    ky: Array
    kx_step: float
    starts: NDArray[np.int64]
    rows: Whole
    columns: Whole
    k: Floats

    def __len__(self) -> int:
        """Number of coefficients."""
        return len(self.k)

    def packed(self, spectrum: NDArray[np.complex64], out: Floats) -> None:
        """out (2, coefficients) from a half spectrum that has at least the band's rows, columns."""
        for row, first, last in self.segments():
            part = spectrum[row, : last - first]
            out[0, first:last], out[1, first:last] = part.real, part.imag

    def unpacked(self, coefficients: Floats, shape: tuple[int, int]) -> NDArray[np.complex64]:
        """The half spectrum on a grid `shape` (y, x) of the same field; what is finer is left out.

        coefficients (2, n) or, real ones, (n,).
        """
        out = np.zeros((shape[0], shape[1] // 2 + 1), np.complex64)
        widest = (shape[1] + 1) // 2
        for row, first, last in self.segments():
            if 2 * abs(row) < shape[0]:
                width = min(last - first, widest)
                part = coefficients[..., first : first + width]
                if part.ndim == 1:
                    out[row, :width] = part
                else:
                    out[row, :width].real, out[row, :width].imag = part
        return out

    def segments(self) -> Iterator[tuple[int, int, int]]:
        """(row, first, last): where the coefficients of each row, counted from the middle, lie."""
        starts = self.starts.tolist()
        rows = self.rows[self.starts[:-1]].tolist()
        return zip(rows, starts[:-1], starts[1:], strict=True)


def band_for(shape: tuple[int, int], pixel_size: float, finest: float) -> Band:
    """The band of images `shape` (y, x) up to the detail `finest`, angstrom."""
    rows, columns = good_size(shape[0]), good_size(shape[1])
    y_step, x_step = 1 / (rows * pixel_size), 1 / (columns * pixel_size)
    highest = min(1 / finest, 1 / (2 * pixel_size) - max(y_step, x_step))
    reach = int(highest / y_step + HAIR)
    up = np.concatenate([np.arange(reach + 1), np.arange(-reach, 0)])
    across = np.sqrt(np.maximum(highest**2 - (up * y_step) ** 2, 0)) / x_step
    widths = (across + HAIR).astype(np.int64) + 1
    starts = np.concatenate([[0], np.cumsum(widths)])
    along = np.concatenate([np.arange(width, dtype=np.int32) for width in widths])
    upwards = np.repeat(up.astype(np.int32), widths)
    return Band(
        padded=(rows, columns),
        pixel_size=pixel_size,
        ky=up * y_step,
        kx_step=x_step,
        starts=starts,
        rows=upwards,
        columns=along,
        k=np.hypot(upwards * np.float32(y_step), along * np.float32(x_step)),
    )


def grid_for(band: Band, finest: float) -> tuple[int, int]:
    """(y, x) of a grid that samples the field finely enough for a detail or the whole band."""
    reaches = int(band.rows.max()), int(band.columns.max())
    rows, columns = (
        good_size(min(2 * reach, int(2 * size * band.pixel_size / finest)) + 2)
        for reach, size in zip(reaches, band.padded, strict=True)
    )
    return rows, columns


def counted(band: Band) -> Floats:
    """(coefficients,) 1, and 1/2 in the column kx = 0, which holds each frequency twice."""
    return np.where(band.columns > 0, 1.0, 0.5).astype(np.float32)


def edge_window(n: int, share: float) -> Floats:
    """(n,) 1 with cosine ends that are `share` of it long."""
    window = np.ones(n)
    m = max(2, int(n * share))
    window[:m] = 0.5 - 0.5 * np.cos(np.pi * (np.arange(m) + 0.5) / m)
    window[-m:] = window[:m][::-1]
    return window.astype(np.float32)
