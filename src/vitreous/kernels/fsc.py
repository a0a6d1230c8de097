"""Fourier shell correlation: how far two volumes tell the same, frequency by frequency.

    FSC(k) = Re sum F1 conj(F2) / sqrt(sum |F1|^2 sum |F2|^2)      over the shell at |k|

Harauz & van Heel 1986.
"""

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
    from scipy import fft

    from vitreous.kernels.cpu.shells import shell_products

    shapes = {one.shape, other.shape} | ({mask.shape} if mask is not None else set())
    if len(shapes) > 1:
        raise UserError(
            "volumes of unlike sizes can't be correlated: "
            + ", ".join(" x ".join(map(str, shape[::-1])) for shape in sorted(shapes))
        )
    shells = shells or max(one.shape) // 2 + 1
    width = 0.5 / max(shells - 1, 1)
    spectra = []
    for volume in (one, other):
        seen = np.array(volume, np.float32) if mask is None else (volume * mask).astype(np.float32)
        spectra.append(fft.rfftn(seen, workers=threads, overwrite_x=True))
        del seen
    sums = shell_products(spectra[0], spectra[1], one.shape[2], width, shells)
    power = np.sqrt(sums[:, 1] * sums[:, 2])
    correlation = np.divide(sums[:, 0], power, out=np.zeros(shells), where=power > 0)
    return ShellCorrelation(np.arange(shells) * width / voxel_size, correlation, sums[:, 3])
