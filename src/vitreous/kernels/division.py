"""From sums of slices to a map: division by the weights, transform, correction of the kernel.

Shells are counted in Fourier pixels of the longest side.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.insertion import (
    GAUSS_2,
    GAUSS_3,
    GAUSS_5,
    WIDTHS,
    KernelName,
    Shape,
    SliceGrid,
    Sums,
    extract,
    folded,
    insert,
    kernel_along,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]
Envelope = tuple[Doubles, Doubles, Doubles]  # factors along z, y and x

TINY = np.finfo(np.float32).tiny  # weights below it are tails of a kernel gone under


def divided(sums: Sums, floor: Floats | None = None) -> Spectrum:
    """data / weight, 0 where nothing was inserted; weights are raised to `floor` before."""
    weight = sums.weight if floor is None else np.maximum(sums.weight, floor)
    return np.divide(sums.data, weight, out=np.zeros_like(sums.data), where=weight >= TINY)


def wiener_divided(sums: Sums, snr: float) -> Spectrum:
    """data / (weight + 1 / snr): weights count in units of the noise."""
    return sums.data / (sums.weight + np.float32(1 / snr))


def shell_floor(sums: Sums, fraction: float = 1e-3) -> Floats:
    """(z, y, x // 2 + 1) a fraction of the mean weight of the shell, linear between shells.

    RELION's heuristic: weights stay above it, and the corners beyond Nyquist hold nothing: there
    it is infinite.
    """
    shells = max(sums.shape) // 2 + 1
    mean = fraction * shell_means(sums.weight, _radii(sums.shape), shells)
    floor = np.empty_like(sums.weight)
    for plane, radius in zip(floor, _radii(sums.shape), strict=True):
        inside = radius < shells - 1
        plane[:] = np.where(inside, np.interp(radius, np.arange(shells), mean), np.inf)
    return floor


def shell_means(planes: Iterable[NDArray[Any]], radii: Iterable[Doubles], shells: int) -> Doubles:
    """(shells,) means over shells; a value between two shells belongs to both in parts.

    planes (y, x), each with the distances `radii` (y, x) of its points from the origin.
    """
    total, count = np.zeros(shells + 2), np.zeros(shells + 2)
    for plane, radius in zip(planes, radii, strict=True):
        low = np.minimum(radius.astype(np.intp), shells)
        share = radius - low
        for at, part in ((low, 1 - share), (low + 1, share)):
            total += np.bincount(at.ravel(), (part * plane).ravel(), shells + 2)
            count += np.bincount(at.ravel(), part.ravel(), shells + 2)
    return total[:shells] / np.maximum(count[:shells], 1e-30)


def compensation(
    orientations: Doubles,
    shape: tuple[int, int],
    size: Shape,
    kernel: KernelName,
    *,
    weights: Floats | None = None,
    rounds: int = 10,
    reach: float = 0.5,
) -> Floats:
    """Weights (n, y, x // 2 + 1) of slice points that make up for their uneven density.

    With them the sums alone are the map's transform, its kernel's roll-off apart; no division
    follows. Each round divides by what the kernel finds of the weights at the points (Pipe & Menon
    1999). weights: those of the slices before; points of weight 0 stay out.
    """
    half = (len(orientations), shape[0], shape[1] // 2 + 1)
    found = np.ones(half, np.float32) if weights is None else weights.astype(np.float32)
    for _ in range(rounds):
        grid = SliceGrid.empty(size)
        insert(
            grid, found.astype(np.complex64), orientations, kernel,
            columns=shape[1], weights=found, reach=reach,
        )  # fmt: skip
        density = folded(grid).weight.astype(np.complex64)
        seen = extract(density, orientations, shape, kernel, columns=size[2], reach=reach).real
        found = np.divide(found, seen, out=np.zeros_like(found), where=seen > TINY)
    return found


def map_of(transform: Spectrum, columns: int, threads: int = 1) -> Floats:
    """The real map (z, y, columns) with its origin at n // 2, of a transform with it at 0."""
    from scipy import fft

    size = (transform.shape[0], transform.shape[1], columns)
    found: Floats = np.fft.fftshift(fft.irfftn(transform, s=size, workers=threads))
    return found


def transform_of(volume: Floats, threads: int = 1) -> Spectrum:
    """The half transform of a map whose origin is at n // 2, with it at 0."""
    from scipy import fft

    found: Spectrum = fft.rfftn(
        np.fft.ifftshift(volume).astype(np.float32, copy=False), workers=threads
    )
    return found


def roll_off(kernel: KernelName, shape: Shape) -> Envelope:
    """What a kernel leaves of a map (z, y, x), along each axis: its Fourier transform.

    Kernels whose width grows with the frequency count as at half of Nyquist.
    """
    reach = 1.0 if kernel == "trilinear" else WIDTHS[kernel] / 2
    distance = reach * (np.arange(400) + 0.5) / 400
    along = []
    for n in shape:
        value = kernel_along(kernel, distance, max(shape) / 4)
        place = (np.arange(n) - n // 2) / n
        along.append(np.cos(2 * np.pi * np.outer(place, distance)) @ value / value.sum())
    return along[0], along[1], along[2]


def eman2_roll_off(kernel: KernelName, shape: Shape) -> Envelope:
    """What EMAN2 divides a map (z, y, x) by after inserting with one of its kernels.

    A Gaussian of the distance over the height of the volume for gauss_2, gauss_3 and gauss_5, whose
    corners it amplifies; nothing for the others.
    """
    constant = {"gauss_2": GAUSS_2, "gauss_3": GAUSS_3, "gauss_5": GAUSS_5}.get(kernel, 0.0)
    z, y, x = (np.exp(-constant * ((np.arange(n) - n // 2) / shape[1]) ** 2) for n in shape)
    return z, y, x


def corrected(volume: Floats, envelope: Envelope) -> Floats:
    """The map divided by its roll-off."""
    z, y, x = ((1 / axis).astype(np.float32) for axis in envelope)
    found: Floats = volume * z[:, None, None] * y[:, None] * x
    return found


def _radii(shape: Shape) -> Iterator[Doubles]:
    """Plane by plane: distance (y, x // 2 + 1) of points from the origin, in Fourier pixels."""
    z, y, x = (max(shape) * np.fft.fftfreq(n) for n in shape)
    flat = y[:, None] ** 2 + x[: shape[2] // 2 + 1] ** 2
    return (np.sqrt(flat + height**2) for height in z)
