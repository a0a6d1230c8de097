"""Fourier shell correlation: how far two volumes tell the same, frequency by frequency.

    FSC(k) = Re sum F1 conj(F2) / sqrt(sum |F1|^2 sum |F2|^2)      over the shell at |k|

Harauz & van Heel 1986. A mask makes the halves alike by its own shape; Chen et al. 2013 measure how
much, by halves whose phases beyond some frequency are random, and take it off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ShellCorrelation:
    """A curve: correlation (n,) at frequency (n,) in 1/A, from `count` (n,) points each.

    Shell 0 holds the mean; the last one is Nyquist's. A shell where either volume holds nothing
    has correlation 0.
    """

    frequency: Array
    correlation: Array
    count: Array

    def resolution(self, threshold: float = 0.143) -> float | None:
        """Period in angstrom where the curve first falls below the threshold, between shells.

        None where it never does; infinite where the first shell already lies below.
        """
        below = np.flatnonzero(self.correlation[1:] < threshold) + 1
        if not len(below):
            return None
        last = int(below[0])
        if last == 1:
            return float("inf")
        high, low = self.correlation[last - 1], self.correlation[last]
        share = (high - threshold) / (high - low)
        start, end = self.frequency[last - 1], self.frequency[last]
        return float(1 / (start + share * (end - start)))


def fourier_shell_correlation(
    one: NDArray[Any],
    other: NDArray[Any],
    voxel_size: float,
    *,
    shells: int | None = None,
    mask: NDArray[Any] | None = None,
    threads: int = 1,
) -> ShellCorrelation:
    """The curve of two volumes (z, y, x) of equal shape, voxel_size in angstrom.

    shells: how many from 0 to Nyquist, both included; by default as many as Fourier pixels of the
    longest side. mask (z, y, x): both volumes are multiplied by it, so its edge should be soft.
    """
    shapes = {one.shape, other.shape} | ({mask.shape} if mask is not None else set())
    if len(shapes) > 1:
        raise UserError(
            "volumes of unlike sizes can't be correlated: "
            + ", ".join(" x ".join(map(str, shape[::-1])) for shape in sorted(shapes))
        )
    shells = shells or max(one.shape) // 2 + 1
    return _curve(_products(one, other, shells, mask, threads), voxel_size)


def correlation_of_boxes(
    boxes: Iterable[tuple[NDArray[Any], NDArray[Any]]], voxel_size: float, *, threads: int = 1
) -> ShellCorrelation:
    """The curve of two volumes that come in pairs of boxes (z, y, x), all of one shape.

    Sums run over all boxes; each goes down to its mean at the edges, a raised cosine over an eighth
    of its size. So volumes need not fit into memory, and shells are as wide as a box has them.
    """
    sums: Array | None = None
    for one, other in boxes:
        window = _fading(one.shape)
        pair = [(box - box.mean(dtype=np.float64)).astype(np.float32) for box in (one, other)]
        found = _products(pair[0], pair[1], max(one.shape) // 2 + 1, window, threads)
        sums = found if sums is None else sums + found
    if sums is None:
        raise UserError("there are no boxes to correlate")
    return _curve(sums, voxel_size)


def _fading(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """(z, y, x): 1 in the middle, a raised cosine over an eighth of each side's ends."""
    window = np.ones(shape, np.float32)
    for axis, n in enumerate(shape):
        edge = np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5
        rise = 0.5 - 0.5 * np.cos(np.pi * np.minimum(edge / max(n / 8, 0.5), 1))
        window *= rise.astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
    return window


def _products(
    one: NDArray[Any],
    other: NDArray[Any],
    shells: int,
    mask: NDArray[Any] | None,
    threads: int,
) -> Array:
    """(shells, 4) as `shell_products` has them, of shells up to Nyquist."""
    from scipy import fft

    from vitreous.kernels.cpu.shells import shell_products

    spectra = []
    for volume in (one, other):
        seen = np.array(volume, np.float32) if mask is None else (volume * mask).astype(np.float32)
        spectra.append(fft.rfftn(seen, workers=threads, overwrite_x=True))
        del seen
    width = 0.5 / max(shells - 1, 1)
    found: Array = shell_products(spectra[0], spectra[1], one.shape[2], width, shells)
    return found


def _curve(sums: Array, voxel_size: float) -> ShellCorrelation:
    """The correlation of summed products."""
    shells = len(sums)
    width = 0.5 / max(shells - 1, 1)
    power: Array = np.sqrt(sums[:, 1] * sums[:, 2])
    correlation: Array = np.divide(sums[:, 0], power, out=np.zeros(shells), where=power > 0)
    frequency: Array = np.arange(shells, dtype=np.float64) * (width / voxel_size)
    return ShellCorrelation(frequency, correlation, sums[:, 3])


RANDOM_BELOW = 0.8  # phases are random from where the unmasked curve falls below this, as in RELION
SHELLS_BESIDE = 2  # after it, in which leakage from the kept phases still correlates


@dataclass(frozen=True, slots=True, eq=False)
class MaskedCorrelation:
    """The curves of two half maps without a mask, within one, with random phases, and corrected.

    random_from: the frequency (1/A) beyond which phases were made random; None: the unmasked curve
    stays above 0.8, and nothing was.
    """

    unmasked: ShellCorrelation
    masked: ShellCorrelation
    randomised: ShellCorrelation
    corrected: ShellCorrelation
    random_from: float | None


def masked_correlation(
    one: NDArray[Any],
    other: NDArray[Any],
    voxel_size: float,
    mask: NDArray[Any],
    *,
    seed: int = 0,
    threads: int = 1,
) -> MaskedCorrelation:
    """The curves of two half maps (z, y, x) within a mask, freed of what the mask itself does.

    Chen et al. 2013, Ultramicroscopy 135, eq. 4: (masked - randomised) / (1 - randomised), from two
    shells beyond the first with random phases on, never below 0 where nothing is left.
    """
    unmasked = fourier_shell_correlation(one, other, voxel_size, threads=threads)
    masked = fourier_shell_correlation(one, other, voxel_size, mask=mask, threads=threads)
    low = np.flatnonzero(unmasked.correlation[1:] < RANDOM_BELOW) + 1
    if not len(low):
        return MaskedCorrelation(unmasked, masked, masked, masked, None)
    first = int(low[0])
    beyond = float(unmasked.frequency[first])
    for_one, for_other = np.random.default_rng(seed).spawn(2)
    randomised = fourier_shell_correlation(
        with_random_phases(one, beyond * voxel_size, for_one, threads),
        with_random_phases(other, beyond * voxel_size, for_other, threads),
        voxel_size,
        mask=mask,
        threads=threads,
    )
    return MaskedCorrelation(
        unmasked, masked, randomised, _corrected(masked, randomised, first + SHELLS_BESIDE), beyond
    )


def _corrected(
    masked: ShellCorrelation, randomised: ShellCorrelation, first: int
) -> ShellCorrelation:
    """Eq. 4 from shell `first` on; 0 where the random phases correlate as well as the real ones."""
    correlation = masked.correlation.copy()
    by_mask = randomised.correlation[first:]
    left = np.maximum(masked.correlation[first:] - by_mask, 0)
    correlation[first:] = np.divide(left, 1 - by_mask, out=np.zeros_like(left), where=by_mask < 1)
    return ShellCorrelation(masked.frequency, correlation, masked.count)


def with_random_phases(
    volume: NDArray[Any], beyond: float, generator: np.random.Generator, threads: int = 1
) -> NDArray[np.float32]:
    """A volume (z, y, x) with the phases of white noise from `beyond` (cycles a voxel) on."""
    from scipy import fft

    spectrum = fft.rfftn(np.array(volume, np.float32), workers=threads, overwrite_x=True)
    noise = generator.standard_normal(volume.shape, np.float32)
    phases = fft.rfftn(noise, workers=threads, overwrite_x=True)
    del noise
    nz, ny, nx = volume.shape
    ky, kx = np.fft.fftfreq(ny)[:, None], np.fft.rfftfreq(nx)[None]
    for plane, random, kz in zip(spectrum, phases, np.fft.fftfreq(nz), strict=True):
        chosen = np.sqrt(kz**2 + ky**2 + kx**2) >= beyond
        turned = np.exp(1j * np.angle(random[chosen])).astype(np.complex64)
        plane[chosen] = np.abs(plane[chosen]) * turned
    found: NDArray[np.float32] = fft.irfftn(spectrum, volume.shape, workers=threads)
    return found
