"""EMAN2's Fourier filters, filter.*: s is |frequency| in cycles per pixel, 0.5 at Nyquist.

A cutoff is cutoff_abs (cycles per pixel), cutoff_freq (1/angstrom) or cutoff_pixels (Fourier
pixels). Where EMAN2 does not do what its help says (`filter.highpass.tanh`), the help is followed.
"""

from collections.abc import Callable
from typing import NewType

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processor_fields import Array, Table, filtered, radius, shared_between_rings
from vitreous.errors import UserError

CurveFile = NewType("CurveFile", NDArray[np.float64])
"""(n, 2): a parameter that names a text file of two columns."""

RESOLV = np.sqrt(-4 * np.log(0.36)) / np.pi  # EMAN2's cutoff_resolv
PASS, STOP = 0.882, 10.624  # EMAN2's Butterworth filter at its two frequencies


def cutoff(
    a: Array,
    apix: float,
    cutoff_abs: float | None,
    cutoff_freq: float | None,
    cutoff_pixels: float | None,
) -> float:
    """The cutoff in cycles per pixel."""
    if cutoff_abs is not None:
        return cutoff_abs
    if cutoff_freq is not None:
        return cutoff_freq * apix
    if cutoff_pixels is not None:
        return cutoff_pixels / a.shape[-1]
    raise UserError("a filter needs its cutoff: cutoff_abs, cutoff_freq or cutoff_pixels")


def _gauss_width(
    a: Array,
    apix: float,
    sigma: float | None,
    cutoff_abs: float | None,
    cutoff_freq: float | None,
    cutoff_pixels: float | None,
    cutoff_resolv: float | None = None,
) -> float:
    """c of exp(-(s / c)^2)."""
    if sigma is not None:
        return sigma * np.sqrt(2)
    if cutoff_resolv is not None:
        return float(RESOLV * cutoff_resolv * apix)
    return cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels)


def filter_lowpass_gauss(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
    cutoff_resolv: float | None = None,
    sigma: float | None = None,
) -> Array:
    """Gaussian low-pass, 1/e at the cutoff; with sigma exp(-s^2 / 2 sigma^2)."""
    c = _gauss_width(a, apix, sigma, cutoff_abs, cutoff_freq, cutoff_pixels, cutoff_resolv)
    return filtered(a, lambda s: np.exp(-(s**2) / c**2))


def filter_highpass_gauss(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
    sigma: float | None = None,
) -> Array:
    """1 minus the Gaussian low-pass."""
    c = _gauss_width(a, apix, sigma, cutoff_abs, cutoff_freq, cutoff_pixels)
    return filtered(a, lambda s: 1 - np.exp(-(s**2) / c**2))


def filter_bandpass_gauss(
    a: Array,
    apix: float,
    center: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
    sigma: float | None = None,
) -> Array:
    """A Gaussian round a frequency; its cutoff is the standard deviation."""
    width = sigma or cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels)
    return filtered(a, lambda s: np.exp(-((s - center) ** 2) / (2 * width**2)))


def filter_lowpass_tophat(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
) -> Array:
    """Everything up to the cutoff."""
    c = cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels)
    return filtered(a, lambda s: (s <= c).astype(np.float64))


def filter_highpass_tophat(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
) -> Array:
    """Everything beyond the cutoff."""
    c = cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels)
    return filtered(a, lambda s: (s > c).astype(np.float64))


def filter_bandpass_tophat(
    a: Array, low_cutoff_frequency: float, high_cutoff_frequency: float
) -> Array:
    """Everything between two frequencies."""
    low, high = low_cutoff_frequency, high_cutoff_frequency
    return filtered(a, lambda s: ((s >= low) & (s < high)).astype(np.float64))


def _tanh(c: float, fall_off: float) -> Callable[[Array], Array]:
    k = np.pi / (2 * fall_off * c)
    return lambda s: 0.5 * (np.tanh(k * (s + c)) - np.tanh(k * (s - c)))


def filter_lowpass_tanh(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
    fall_off: float = 0.5,
) -> Array:
    """A low-pass with an edge like tanh."""
    c = cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels)
    return filtered(a, _tanh(c, fall_off))


def filter_highpass_tanh(
    a: Array,
    apix: float,
    cutoff_abs: float | None = None,
    cutoff_freq: float | None = None,
    cutoff_pixels: float | None = None,
    fall_off: float = 0.5,
) -> Array:
    """1 minus the low-pass with an edge like tanh."""
    low = _tanh(cutoff(a, apix, cutoff_abs, cutoff_freq, cutoff_pixels), fall_off)
    return filtered(a, lambda s: 1 - low(s))


def _butterworth(low: float, high: float) -> Callable[[Array], Array]:
    order = 2 * np.log10(PASS / np.sqrt(STOP**2 - 1)) / np.log10(low / high)
    width = low / PASS ** (2 / order)
    return lambda s: np.sqrt(1 / (1 + (s / width) ** order))


def filter_lowpass_butterworth(
    a: Array, low_cutoff_frequency: float, high_cutoff_frequency: float
) -> Array:
    """Butterworth low-pass between a frequency that passes and one that doesn't."""
    return filtered(a, _butterworth(low_cutoff_frequency, high_cutoff_frequency))


def filter_highpass_butterworth(
    a: Array, low_cutoff_frequency: float, high_cutoff_frequency: float
) -> Array:
    """1 minus the Butterworth low-pass."""
    low = _butterworth(low_cutoff_frequency, high_cutoff_frequency)
    return filtered(a, lambda s: 1 - low(s))


def filter_ramp(a: Array) -> Array:
    """An image less the plane that fits it best."""
    if a.ndim != 2:
        raise UserError("filter.ramp takes images, not volumes")
    y, x = (axis - axis.mean() for axis in np.indices(a.shape, np.float64))
    slope_x, slope_y = (a * x).sum() / (x**2).sum(), (a * y).sum() / (y**2).sum()
    return a - a.mean() - slope_x * x - slope_y * y


# -- by radial curves -----------------------------------------------------------------------------


def filter_setstrucfac(a: Array, filename: CurveFile, apix: float) -> Array:
    """The radial power set to a curve of two columns, 1/angstrom and intensity.

    Beyond Nyquist, or beyond the curve, the factor of the last ring before it.
    """
    curve = np.asarray(filename)
    side = a.shape[-2]
    power = radial_power(a)
    s = np.arange(len(power)) / (apix * side)
    aim = np.interp(s, curve[:, 0], curve[:, 1], left=0.0)
    good = power > 0
    factor = np.sqrt(np.where(good, side**3 * aim / np.where(good, power, 1), 0))
    factor[0] = 1
    last = min(int(np.searchsorted(s, curve[-1, 0])) - 1, side // 2)
    factor[max(last, 0) :] = factor[max(last, 0)]
    return _by_radius(a, factor)


def filter_wiener_byfsc(
    a: Array, fscfile: CurveFile, snrmult: float = 2.0, sscale: float = 1.0, maxfreq: float = -1.0
) -> Array:
    """A Wiener filter from an FSC curve, its points equally spaced up to Nyquist."""
    fsc = np.asarray(fscfile)[:, 1].copy()
    negative = np.flatnonzero(fsc < 0)
    if negative.size:
        start = int(negative[0])
        fsc[start:] = np.convolve(fsc, np.ones(5) / 5, "same")[start:]
    fsc = np.clip(fsc, 0, 0.9999)
    snr = snrmult * fsc / (1 - fsc)
    factor = np.maximum(snr**2 / (1 + snr**2), 0.001)
    s = np.arange(len(factor)) / (len(factor) - 1) * 0.5 * sscale
    if maxfreq > 0:
        factor[s > maxfreq] = 0.001
    rings = np.arange(int(np.ceil(a.shape[-2] * np.sqrt(a.ndim) / 2)) + 2) / a.shape[-2]
    return _by_radius(a, np.interp(rings, s, factor))


def _fourier_radius(a: Array) -> Array:
    """Radius of each point of the half transform in rings of the rows.

    EMAN2's radial filters count nx + 2 columns: a stretch that is kept.
    """
    nx = a.shape[-1]
    axes = [np.fft.fftfreq(n) for n in a.shape[:-1]]
    axes.append(np.arange(nx // 2 + 1) / (nx + 2))
    grids = np.meshgrid(*axes, indexing="ij", sparse=True)
    return np.asarray(np.sqrt(sum(grid**2 for grid in grids))) * a.shape[-2]


def radial_power(a: Array) -> Array:
    """Mean |F|^2 of rings of one Fourier pixel, each point shared between the two nearest."""
    from scipy import fft

    n = a.shape[-2]
    rings = int(np.floor(n * np.sqrt(a.ndim) / 2))
    shifted = np.abs(fft.fftshift(fft.fftn(a))) ** 2
    sums, counts = shared_between_rings(radius(a.shape), shifted, rings)
    return sums / np.maximum(counts, 1e-12)


def _by_radius(a: Array, factor: Array) -> Array:
    """The image with its transform multiplied by a table over rings, linear between them."""
    from scipy import fft

    table = np.interp(_fourier_radius(a), np.arange(len(factor)), factor)
    found: Array = fft.irfftn(fft.rfftn(a) * table, s=a.shape)
    return found


# -- local ----------------------------------------------------------------------------------------


def filter_log(a: Array, sigma: float) -> Array:
    """Laplacian of a Gaussian."""
    return filtered(a, lambda s: -(s**2) / sigma**2 * np.exp(-(s**2) / (2 * sigma**2)))


def filter_dog(a: Array, sigma1: float, sigma2: float) -> Array:
    """Difference of two Gaussians."""
    return filtered(
        a, lambda s: np.exp(-(s**2) / (2 * sigma1**2)) - np.exp(-(s**2) / (2 * sigma2**2))
    )


def filter_flattenbackground(a: Array, radius: float) -> Array:
    """The image less its mean within a radius."""
    from scipy import fft

    from vitreous.average.processor_fields import radius as distance

    ball = (distance(a.shape) <= radius).astype(np.float64)
    ball = fft.ifftshift(ball / ball.sum())
    local: Array = fft.irfftn(fft.rfftn(a) * fft.rfftn(ball), s=a.shape)
    return a - local


PROCESSORS: Table = {
    "filter.lowpass.gauss": filter_lowpass_gauss,
    "filter.highpass.gauss": filter_highpass_gauss,
    "filter.bandpass.gauss": filter_bandpass_gauss,
    "filter.lowpass.tophat": filter_lowpass_tophat,
    "filter.highpass.tophat": filter_highpass_tophat,
    "filter.bandpass.tophat": filter_bandpass_tophat,
    "filter.lowpass.tanh": filter_lowpass_tanh,
    "filter.highpass.tanh": filter_highpass_tanh,
    "filter.lowpass.butterworth": filter_lowpass_butterworth,
    "filter.highpass.butterworth": filter_highpass_butterworth,
    "filter.ramp": filter_ramp,
    "filter.gradientPlaneRemover": filter_ramp,
    "filter.setstrucfac": filter_setstrucfac,
    "filter.wiener.byfsc": filter_wiener_byfsc,
    "filter.LoG": filter_log,
    "filter.DoG": filter_dog,
    "filter.flattenbackground": filter_flattenbackground,
}
