"""RELION's 3D weighting: the whole volume's spectrum divided by that of the point spread.

    out = IFFT( FFT(v) / (|FFT(psf)| / sqrt(voxels) + 1 / SNR) )

v is the plain back-projection, a mean over tilts; psf a sum over tilts, centred. Nothing is padded:
the volume is taken as periodic, and SNR means something else in each size. The house's own formula
is `inversion`; this one is for volumes that have to look like RELION's.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.shear import Shear
from vitreous.reconstruct.scratch import ScratchArray

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

FEW_ROWS = 16  # are transformed faster term by term than by an FFT that is mostly 0
STEPS_A_LINE = 32  # where tilts differ: coarser ones show, once divided by nearly nothing


def spectrum_shape(shear: Shear) -> tuple[int, int, int]:
    """(z, y, x // 2 + 1) of a volume's half spectrum."""
    nx, ny, nz = shear.size
    return nz, ny, nx // 2 + 1


def spectrum_bytes(shear: Shear) -> int:
    """Memory of a volume's half spectrum."""
    return 8 * int(np.prod(spectrum_shape(shear), dtype=np.int64))


def work_bytes(shear: Shear, rows: int) -> int:
    """What weighting takes beside the spectrum and the slabs it comes from."""
    nz, ny, half = spectrum_shape(shear)
    first, last = spread_rows(shear)
    spread = 8 * nz * (last - first + 1) * half
    slab = 8 * nz * rows * half
    return max(spread + slab, 2 * spread, spread + 5 * 8 * ny * half)


class WeighedVolume:
    """A volume held as its weighed spectrum, of which slabs of rows are made on demand.

    scratch: room for it on disk; None: in memory. Between the passes it holds frequencies along z
    and x, and rows along y.
    """

    def __init__(
        self, shear: Shear, snr: float, scratch: ScratchArray | None, threads: int
    ) -> None:
        self.shear, self.snr, self.threads = shear, snr, threads
        self.scratch = scratch
        self.spectrum: Spectrum = (
            np.empty(spectrum_shape(shear), np.complex64)
            if scratch is None
            else scratch.array.view(np.complex64)
        )

    def add(self, row: int, slab: Floats) -> None:
        """Take in rows row, ... of the back-projection, (z, rows, x)."""
        from scipy import fft

        half = fft.rfft(slab, axis=2, workers=self.threads)
        half = fft.fft(half, axis=0, workers=self.threads, overwrite_x=True)
        self.spectrum[:, row : row + slab.shape[1]] = half
        self._forget()

    def weigh(self) -> None:
        """Divide, once all rows are there."""
        from scipy import fft

        spread = self._spread()
        for plane, of_spread in zip(self.spectrum, spread, strict=True):
            # in place: memory for each plane anew would cost as much as its transforms
            weighed = fft.fft(plane, axis=0, workers=self.threads, overwrite_x=True)
            self._divide(weighed, of_spread)
            plane[:] = fft.ifft(weighed, axis=0, workers=self.threads, overwrite_x=True)
            self._forget()

    def slab(self, row: int, rows: int) -> Floats:
        """Rows row, ... of the weighed volume, (z, rows, x)."""
        from scipy import fft

        half = fft.ifft(self.spectrum[:, row : row + rows], axis=0, workers=self.threads)
        self._forget()
        found: Floats = fft.irfft(
            half, n=self.shear.size[0], axis=2, workers=self.threads, overwrite_x=True
        )
        return found

    def _forget(self) -> None:
        if self.scratch is not None:
            self.scratch.forget()

    def _spread(self) -> Spectrum:
        """(z, rows, x // 2 + 1): the point spread's rows that aren't 0, frequencies in z and x."""
        from scipy import fft

        from vitreous.kernels.cpu.spread import spread_of_point

        nx, _, nz = self.shear.size
        first, last = spread_rows(self.shear)
        points = np.empty((nz, last - first + 1, nx), np.float32)
        spread_of_point(self.shear.linear, self.shear.slope, centre(self.shear), first, points)
        half = fft.rfft(points, axis=2, workers=self.threads)
        found: Spectrum = fft.fft(half, axis=0, workers=self.threads, overwrite_x=True)
        return found

    def _divide(self, plane: Spectrum, spread: Spectrum) -> None:
        """Divide a plane (y, x // 2 + 1); only moduli count, so that rows may begin anywhere."""
        from scipy import fft

        from vitreous.kernels.cpu.spread import divide_by_rows

        ny = self.shear.size[1]
        if len(spread) > FEW_ROWS:
            modulus = np.abs(fft.fft(spread, n=ny, axis=0, workers=self.threads))
            plane /= modulus * self._scale + np.float32(1 / self.snr)
            return
        turns = np.exp(-2j * np.pi / ny * np.outer(np.arange(ny), np.arange(len(spread))))
        divide_by_rows(
            plane, spread, turns.astype(np.complex64), self._scale, np.float32(1 / self.snr)
        )

    @property
    def _scale(self) -> np.float32:
        """Of a unitary transform."""
        return np.float32(1 / np.sqrt(np.prod(self.shear.size, dtype=np.float64)))


def centre(shear: Shear) -> NDArray[np.int64]:
    """(x, y, z) voxel of the point that is spread."""
    return np.asarray(shear.size, np.int64) // 2


def spread_rows(shear: Shear) -> tuple[int, int]:
    """First and last row of the volume that the point spread touches."""
    _, ny, nz = shear.size
    inverse = np.linalg.inv(shear.linear)
    reach = np.abs(inverse[:, 1]).sum(-1)
    drift = (inverse[:, 1] * shear.slope).sum(-1)
    middle = centre(shear)
    ends = -drift[:, None] * (np.array([0, nz - 1]) - middle[2]) + middle[1]
    first, last = (ends - reach[:, None]).min(), (ends + reach[:, None]).max()
    return max(int(np.ceil(first)), 0), min(int(np.floor(last)), ny - 1)
