"""Weights of weighted back-projection: over frequency, and between the tilts.

Frequency weights are tables over the index k = 0, 1, ... of a padded line of N pixels, as IMOD's
`tilt` has them, so that a ramp is k itself and its value at k = 0 is 0.2 (a fifth of a pixel keeps
some of the mean). `Line` says how long the line is; views multiply the table by a factor.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.reconstruct.settings import ReconstructSettings

Array = NDArray[np.float64]

ZERO_FREQUENCY = 0.2
SIRT_CORNER = 0.00195  # cycles/px below which the SIRT-like filter leaves the ramp alone
FLAT = 2.2  # the flat filter's level is the line's length over this


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an image across the tilt axis: `pixels` of the image, `padded` transformed."""

    pixels: int
    padded: int

    @property
    def indices(self) -> Array:
        """0 ... padded / sqrt(2): an oblique line reaches into the corners of the spectrum."""
        return np.arange(int(self.padded * np.sqrt(0.5)) + 2, dtype=np.float64)

    @property
    def held(self) -> Array:
        """1 up to index padded / 2, the highest frequency that a volume can hold; 0 above."""
        return (self.indices <= self.padded / 2).astype(np.float64)

    def index(self, frequency: float) -> int:
        """Fourier index of a frequency in cycles/px, or, from 1 on, in Fourier pixels."""
        pixels = int(self.pixels * frequency) if frequency < 1 else frequency
        return round(pixels * self.padded / self.pixels)


def frequency_weights(line: Line, tilts_degrees: Array, settings: ReconstructSettings) -> Array:
    """(n, indices): the filter of each view."""
    if settings.weighting == "overlap":
        height = overlap_height(line, tilts_degrees, settings)
        weight = np.full((len(tilts_degrees), len(line.indices)), height)
    elif settings.weighting == "exact":
        weight = exact_filter(line, tilts_degrees, settings.exact_object_px) * line.held
    elif settings.weighting == "ramp":
        weight = np.tile(_ramp(line, settings) * line.held, (len(tilts_degrees), 1))
    else:
        weight = np.ones((len(tilts_degrees), len(line.indices)))
    return weight * _roll_off(line, settings) * _window(line, settings)


def _window(line: Line, settings: ReconstructSettings) -> Array:
    turn = np.cos(2 * np.pi * line.indices / line.padded)
    if settings.window == "hamming":
        return 0.55 + 0.45 * turn  # AreTomo's
    if settings.window == "linear":
        return np.sqrt((2 + turn) / 3)  # rms over all sub-pixel positions
    return np.ones(len(turn))


def _ramp(line: Line, settings: ReconstructSettings) -> Array:
    k = line.indices
    ramp = k.copy()
    ramp[0] = ZERO_FREQUENCY
    if settings.fake_sirt_iterations:
        ramp *= sirt_like(line, settings.fake_sirt_iterations)
    if settings.flat_fraction:
        ramp[1:] = (1 - settings.flat_fraction) * k[
            1:
        ] + settings.flat_fraction * line.pixels / FLAT
    return ramp


def sirt_like(line: Line, iterations: int) -> Array:
    """Factor of the ramp that imitates so many SIRT iterations (IMOD's FakeSIRTiterations)."""
    slow = min(iterations, 15) + 0.8 * np.clip(iterations - 15, 0, 15)
    slow += 0.6 * max(iterations - 30, 0)
    factor = np.ones(len(line.indices))
    frequency = line.indices / (line.padded + 2)
    high = frequency >= SIRT_CORNER
    factor[high] = 1 - (1 - SIRT_CORNER / frequency[high]) ** (slow + 0.3)
    return factor


def exact_filter(line: Line, tilts_degrees: Array, object_px: int) -> Array:
    """1 / how many views see a frequency, for an object of `object_px` (Harauz & van Heel 1986).

    Scaled so that evenly spaced views get the ramp's high end.
    """
    tilts = np.deg2rad(tilts_degrees)
    apart = np.abs(np.sin(tilts[:, None] - tilts))
    k = line.indices * object_px / line.padded
    count = np.array([np.maximum(0, 1 - np.outer(row, k)).sum(0) for row in apart])
    spacing = np.ptp(tilts) / max(len(tilts) - 1, 1)
    return line.padded / (object_px * (spacing or 1.0)) / count


def overlap_height(line: Line, tilts_degrees: Array, settings: ReconstructSettings) -> float:
    """The factor by which weights of overlap, 1 for a view alone, come to the ramp's scale."""
    if settings.combine == "mean":
        return 1.0
    spacing = np.ptp(np.deg2rad(tilts_degrees)) / max(len(tilts_degrees) - 1, 1)
    return float(line.padded / (settings.exact_object_px * (spacing or 1.0)))


def _roll_off(line: Line, settings: ReconstructSettings) -> Array:
    """Factor of the filter above the cut-off frequency."""
    k = line.indices
    factor = np.ones(len(k))
    if settings.hamming_start is not None:
        start = int(line.pixels * settings.hamming_start)
        sigma = 0.438 * (line.pixels / 2 - start) * line.padded / line.pixels
        start_index = round(start * line.padded / line.pixels)
        beyond = k >= start_index
        factor[beyond] = np.exp(-((k[beyond] - start_index) ** 2) / (2 * max(sigma, 1e-9) ** 2))
    if settings.radial_cutoff is not None:
        last = line.index(settings.radial_cutoff)
        width = max(line.index(settings.radial_falloff), 1e-9)
        beyond = k >= last
        fall = np.exp(-(((k[beyond] + 1 - last) / width) ** 2))
        if settings.multiply_by_gaussian or settings.weighting != "ramp":
            factor[beyond] = fall
        else:
            factor[beyond] = max(last - 1, 0) / np.maximum(k[beyond], 1) * fall
    return factor


def angular_density(tilts_degrees: Array, settings: ReconstructSettings) -> Array:
    """(n,) how much each view stands for: the mean gap to its neighbours over the mean gap."""
    n, reach = len(tilts_degrees), settings.density_neighbours
    if n < 2 or reach == 0:
        return np.ones(n)
    order = np.argsort(tilts_degrees, kind="stable")
    gaps = np.diff(np.asarray(tilts_degrees)[order])
    weights = settings.density_weights or tuple(1 / (j - 0.5) for j in range(1, reach + 1))
    density = np.empty(n)
    for i in range(n):
        total = share = 0.0
        for j, weight in enumerate(weights):
            for gap in (i - 1 - j, i + j):
                if 0 <= gap < n - 1:
                    total += weight * gaps[gap]
                    share += weight
        density[order[i]] = total / share
    mean = gaps.mean()
    return density / mean if mean > 0 else np.ones(n)


def view_factors(
    tilts_degrees: Array, line: Line, voxel_size: float, s: ReconstructSettings
) -> Array:
    """(n,) factor of each view's filter, by the grey scale that `combine` asks for.

    density: sum of filtered views x angular gap (radians) x frequency (1 / A), the filtered
    back-projection formula: density per angstrom. imod: mean of the views, frequency as an index.
    mean: 1, divided later by how many views see the voxel.
    """
    density = angular_density(tilts_degrees, s)
    n = len(tilts_degrees)
    if s.combine == "density" and s.weighting not in ("none", "wiener"):
        span = np.deg2rad(np.ptp(tilts_degrees))
        gap = span / (n - 1) if n > 1 and span > 0 else 1.0
        return density * gap / (line.padded * voxel_size)
    return density / n if s.combine != "mean" else density
