"""How alike two volumes are where a tilt series reaches."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


def tilt_wedge(shape: tuple[int, int, int], steepest_degrees: float, finest_px: float) -> Array:
    """(z, y, x // 2 + 1) 1 at the frequencies that tilts up to `steepest_degrees` about y reach.

    Periods shorter than `finest_px` are left out, and so is the mean.
    """
    nz, ny, nx = shape
    kz, ky = np.fft.fftfreq(nz)[:, None, None], np.fft.fftfreq(ny)[:, None]
    kx = np.fft.rfftfreq(nx)
    reached = np.abs(kz) <= np.abs(kx) * np.tan(np.deg2rad(steepest_degrees))
    k = np.sqrt(kz**2 + ky**2 + kx**2)
    return (reached & (k * finest_px <= 1) & (k > 0)).astype(np.float64)


def correlation_in(wedge: Array, one: Floats, other: Floats) -> float:
    """Correlation coefficient of two volumes, counted at the frequencies of `wedge` only."""
    a = fft.rfftn(np.asarray(one, np.float32)) * wedge
    b = fft.rfftn(np.asarray(other, np.float32)) * wedge
    twice = slice(1, (one.shape[2] + 1) // 2)  # columns that stand for their conjugates too
    a[..., twice] *= np.sqrt(2)
    b[..., twice] *= np.sqrt(2)
    return float(np.vdot(a, b).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real))
