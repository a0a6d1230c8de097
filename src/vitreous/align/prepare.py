"""Images made ready for correlation: binned, level, of even power from coarse to fine."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

from vitreous.kernels import fourier
from vitreous.kernels.cpu.resample import BORDER

Floats = NDArray[np.float32]

COARSEST = 600.0  # angstrom; what is larger (thickness, beam) is taken off
FINEST = 28.0  # angstrom; before the first zero of the CTF at usual defocus, or little beyond
TAPERED = 0.06  # of the size, at each border


def whitened(image: Floats, pixel_size: float, finest: float = FINEST) -> Floats:
    """The image with mean 0 and an even radial power spectrum between COARSEST and `finest`.

    Its borders fade to 0, so that what lies outside adds nothing.
    """
    rows, columns = image.shape
    high_pass, low_pass = pixel_size / COARSEST, pixel_size / finest
    flat = image - ndimage.gaussian_filter(image, 0.35 / high_pass, mode="nearest")
    taper = edge_taper(rows)[:, None] * edge_taper(columns)
    spectrum = fft.rfft2(flat * taper)
    k = np.hypot(fft.fftfreq(rows)[:, None], fft.rfftfreq(columns))
    rings = min(rows, columns) // 4
    ring = np.minimum((k * 2 * rings).astype(int), rings)
    power = ndimage.mean(np.abs(spectrum) ** 2, ring, np.arange(rings + 1))
    power = ndimage.gaussian_filter1d(power, 1.5, mode="nearest")
    band = (1 - np.exp(-((k / high_pass) ** 2))) * np.exp(-((k / low_pass) ** 4))
    spectrum *= band / np.sqrt(power[ring] + 1e-9 * power.max())
    even = fft.irfft2(spectrum, s=image.shape)
    return (even * taper / even.std()).astype(np.float32)


def edge_taper(size: int) -> Floats:
    """(size,) rising from 0 to 1 and falling again, a raised cosine."""
    width = max(4, int(TAPERED * size))
    inward = np.minimum(np.arange(size), np.arange(size)[::-1]) + 0.5
    return (0.5 - 0.5 * np.cos(np.pi * np.minimum(inward / width, 1))).astype(np.float32)


def coefficients(image: Floats) -> Floats:
    """(y + 4, x + 4) cubic B-spline coefficients with the border that resampling wants."""
    inner = ndimage.spline_filter(image, order=3, output=np.float32, mode="mirror")
    return np.pad(inner, BORDER, mode="reflect")


def coarser(images: Floats, binning: int, threads: int = 1) -> Floats:
    """(n, y, x) images Fourier-cropped; pixel n // 2 stays the centre."""
    return np.stack([fourier.binned(image, binning, threads) for image in images])
