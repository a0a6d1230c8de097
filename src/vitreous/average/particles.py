"""Particles -> map: boxes are summed in two half sets, symmetry is imposed, the sums divided.

Sums of parts of the particles may be added: what one process has summed over its tomograms and what
another has over others give, together, the sums of all.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitreous.average.boxes import Boxes, BoxSettings, TiltedParticles, boxes_of, shell_means
from vitreous.average.particle_settings import AverageSettings
from vitreous.kernels.gather import LEAST, empty_points, gather, gathered, radial_roll_off
from vitreous.kernels.insertion import Grid, Sums, folded, grid_bytes, insert, sums_bytes
from vitreous.records.progress import Progress, ignore_progress

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

PADDING = 2  # of boxes and map where points are spread
FLOOR = 1e-3  # of a shell's mean weight


def box_settings(settings: AverageSettings) -> BoxSettings:
    """How boxes are cut for an average."""
    return BoxSettings(
        size=settings.box,
        binning=settings.binning,
        padding=1 if settings.kernel == "gather" else PADDING,
        ctf=settings.ctf,
        circle=settings.circle_crop,
        whiten=settings.whiten,
        invert=settings.dark,
        cutoff=settings.dose_cutoff,
    )


@dataclass(frozen=True, slots=True)
class HalfSums:
    """The sums of both half sets; what belongs to none is in the first."""

    halves: tuple[Sums, Sums]
    boxes: int = 0

    def __add__(self, other: "HalfSums") -> "HalfSums":
        one, two = (a + b for a, b in zip(self.halves, other.halves, strict=True))
        return HalfSums((one, two), self.boxes + other.boxes)

    @property
    def both(self) -> Sums:
        """The sums of all particles."""
        return self.halves[0] + self.halves[1]


class Summing:
    """Sums under way: boxes of any number of tomograms are added, then handed out."""

    def __init__(self, settings: AverageSettings) -> None:
        self.settings = settings
        self.boxes = 0
        side = box_settings(settings).padded
        if settings.kernel == "gather":
            self._points = [empty_points(side) for _ in range(2)]
        else:
            self._grids = [Grid.empty((side,) * 3) for _ in range(2)]

    def add(self, tilted: TiltedParticles, progress: Progress = ignore_progress) -> Self:
        """Add the particles of one tomogram; progress counts its views."""
        views = len(tilted.alignment)
        sections = tilted.alignment.sections.tolist()
        for boxes in boxes_of(tilted, box_settings(self.settings)):
            halves = tilted.particles.half_sets[boxes.index]
            for half, chosen in ((0, halves != 2), (1, halves == 2)):
                if chosen.any():
                    self._insert(half, boxes, chosen)
            self.boxes += len(boxes.index)
            progress(sections.index(boxes.section) + 1, views)
        return self

    def _insert(self, half: int, boxes: Boxes, chosen: NDArray[np.bool_]) -> None:
        some = slice(None) if chosen.all() else chosen
        data, weights, matrices = boxes.data[some], boxes.weights[some], boxes.matrices[some]
        if self.settings.kernel == "gather":
            gather(self._points[half], data, weights, matrices, boxes.radius)
            return
        side = data.shape[1]
        insert(
            self._grids[half],
            data,
            matrices,
            "trilinear",
            columns=side,
            weights=weights,
            reach=min(boxes.radius, side // 2) / side,
        )

    def sums(self) -> HalfSums:
        """What has been summed, a copy."""
        if self.settings.kernel == "gather":
            one, two = (gathered(points) for points in self._points)
        else:
            one, two = (folded(grid) for grid in self._grids)
        return HalfSums((one, two), self.boxes)


def summed(
    parts: Iterable[TiltedParticles],
    settings: AverageSettings,
    progress: Progress = ignore_progress,
) -> HalfSums:
    """The sums over the particles of several tomograms."""
    summing = Summing(settings)
    for part in parts:
        summing.add(part, progress)
    return summing.sums()


def summing_bytes(settings: AverageSettings) -> int:
    """Memory of a `Summing` and of the sums that it hands out."""
    side = box_settings(settings).padded
    shape = (side,) * 3
    points = 16 * side * side * (side // 2 + 1)
    held = points if settings.kernel == "gather" else grid_bytes(shape)
    return 2 * (held + sums_bytes(shape))


# -- from sums to a map ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """A map and what it was made of.

    volume (z, y, x): cropped and tapered; whole: before that; data (z, y, x): the sums in real
    space, corrected for the interpolation, not divided; weights: the full transform's weights, its
    origin at the middle.
    """

    volume: Floats
    whole: Floats
    data: Floats
    weights: Floats


def divided(sums: Sums, settings: AverageSettings) -> Map:
    """Sums of a half set or of all -> map."""
    from scipy import fft

    side, size = sums.shape[0], settings.box
    unitary = side**1.5
    centred = _signs(side)
    data = fft.irfftn(sums.data * centred, s=sums.shape, axes=(0, 1, 2)) * unitary
    data /= _roll_off(settings, side)
    transform = fft.rfftn(data, axes=(0, 1, 2)) / unitary
    transform = _divide(transform, sums.weight, settings.snr)
    whole = fft.irfftn(transform, s=sums.shape, axes=(0, 1, 2)) * unitary
    whole = _middle(whole, size)
    volume = tapered(_middle(whole, settings.crop or size), settings.taper)
    return Map(
        volume.astype(np.float32),
        whole.astype(np.float32),
        _middle(data, size).astype(np.float32),
        full_weights(sums.weight, side),
    )


def _signs(side: int) -> Floats:
    """(z, y, x // 2 + 1) that moves the origin of a transform from index 0 to side // 2."""
    steps = np.fft.fftfreq(side, 1 / side)
    line = np.exp(-2j * np.pi * steps * (side // 2) / side)
    half = np.exp(-2j * np.pi * np.arange(side // 2 + 1) * (side // 2) / side)
    signs: Floats = (line[:, None, None] * line[:, None] * half).astype(np.complex64)
    return signs


def _roll_off(settings: AverageSettings, side: int) -> Array:
    """What the kernel has multiplied the map by."""
    if settings.kernel == "gather":
        return radial_roll_off(side)
    axis = np.sinc((np.arange(side) - side // 2) / side) ** 2
    return np.maximum(axis[:, None, None] * axis[:, None] * axis, LEAST)


def _divide(
    transform: NDArray[np.complex128], weight: Floats, snr: float
) -> NDArray[np.complex128]:
    """By weight + 1 / snr; without snr by the weight, held above FLOOR of its shell's mean."""
    if snr > 0:
        return transform / (weight + 1 / snr)
    side = transform.shape[0]
    steps = np.fft.fftfreq(side, 1 / side)
    radius = np.sqrt(
        steps[:, None, None] ** 2 + steps[:, None] ** 2 + np.arange(side // 2 + 1) ** 2
    )
    shells = side // 2 + 1
    mean = shell_means(np.asarray(weight, np.float64), radius, shells)
    least = FLOOR * np.interp(radius, np.arange(shells), mean, right=0.0)
    held = np.maximum(weight, least)
    inside = (radius.astype(int) + 1 < shells) & (held > 0)
    return np.where(inside, transform / np.where(held > 0, held, 1), 0)


def _middle(volume: Array, size: int) -> Array:
    """The middle size^3 of a volume; index size // 2 stays on the centre."""
    first = volume.shape[0] // 2 - size // 2
    part = slice(first, first + size)
    return volume[part, part, part]


def tapered(volume: Array, pixels: float) -> Array:
    """Without its mean inside the sphere, and fading to 0 at it over so many pixels."""
    size = volume.shape[0]
    axis = np.arange(size) - size / 2
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    share = np.clip((size / 2 - radius) / pixels, 0, 1) if pixels else radius < size / 2
    window = 0.5 - 0.5 * np.cos(np.pi * share)
    return window * (volume - (window * volume).sum() / window.sum())


def full_weights(weight: Floats, side: int) -> Floats:
    """(z, y, x) of a half transform's weights, frequency 0 at side // 2."""
    whole = np.empty((side,) * 3, np.float32)
    half = weight.shape[2]
    whole[:, :, :half] = weight
    mates = (-np.arange(side)) % side
    left = side - half
    whole[:, :, half:] = weight[mates][:, mates][:, :, 1 : left + 1][:, :, ::-1]
    return np.fft.fftshift(whole)
