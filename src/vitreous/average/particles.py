"""Particles -> map: boxes are summed in two half sets, symmetry is imposed, the sums divided.

Sums of parts of the particles may be added: what one process has summed over its tomograms and what
another has over others give, together, the sums of all.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from vitreous.average.boxes import Boxes, boxes_of
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.stacks import stacked_boxes
from vitreous.average.tilted import BoxSettings, ParticleStacks, TiltedParticles
from vitreous.errors import UserError
from vitreous.geometry.rotations import rotation_z
from vitreous.geometry.symmetry import point_group
from vitreous.kernels.division import (
    corrected,
    map_of,
    roll_off,
    shell_floor,
    transform_of,
    wiener_divided,
)
from vitreous.kernels.division import divided as divided_by_weight
from vitreous.kernels.gather import empty_points, gather, gathered, radial_roll_off
from vitreous.kernels.insertion import SliceGrid, Sums, folded, grid_bytes, insert, sums_bytes
from vitreous.kernels.symmetrise import symmetrised
from vitreous.records.progress import Progress, ignore_progress

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

USUAL_TAPER = 10.0  # pixels, as RELION's
PADDING = 2  # of boxes and map where points are spread


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

    def __init__(self, settings: AverageSettings, pixel_size: float | None = None) -> None:
        """pixel_size: unbinned A/px of the map; None: that of the first tomogram."""
        self.settings, self.pixel_size = settings, pixel_size
        self.boxes = 0
        side = box_settings(settings).padded
        if settings.kernel == "gather":
            self._points = [empty_points(side) for _ in range(2)]
        else:
            self._grids = [SliceGrid.empty((side,) * 3) for _ in range(2)]

    def add(self, tilted: TiltedParticles, progress: Progress = ignore_progress) -> Self:
        """Add the particles of one tomogram; progress counts its views."""
        self.pixel_size = self.pixel_size or tilted.alignment.pixel_size
        scale = self.pixel_size / tilted.alignment.pixel_size
        views = len(tilted.alignment)
        cut = stacked_boxes if isinstance(tilted.images, ParticleStacks) else boxes_of
        for boxes in cut(tilted, box_settings(self.settings)):
            halves = tilted.particles.half_sets[boxes.index]
            for half, chosen in ((0, halves != 2), (1, halves == 2)):
                if chosen.any():
                    self._insert(half, boxes, chosen, scale)
            self.boxes += len(boxes.index)
            progress(int(boxes.done * views), views)
        return self

    def _insert(self, half: int, boxes: Boxes, chosen: NDArray[np.bool_], scale: float) -> None:
        some = slice(None) if chosen.all() else chosen
        data, weights = boxes.data[some], boxes.weights[some]
        matrices = boxes.matrices[some] * scale
        if self.settings.kernel == "gather":
            gather(self._points[half], data, weights, matrices, boxes.radii[some])
            return
        side = data.shape[1]
        insert(
            self._grids[half],
            data,
            matrices,
            "trilinear",
            columns=side,
            weights=weights,
            reach=min(int(boxes.radii.max()), side // 2) / side,
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


def divided(sums: Sums, settings: AverageSettings, voxel_size: float, threads: int = 1) -> Map:
    """Sums of a half set or of all -> map; voxel_size: of the map, angstrom."""
    side, size = sums.shape[0], settings.box
    unitary = np.float32(side**1.5)
    sums = symmetric(sums, settings, voxel_size)
    data = map_of(sums.data, side, threads)
    if settings.kernel == "gather":
        data /= radial_roll_off(side)
    else:
        data = corrected(data, roll_off("trilinear", sums.shape))
    summed_up = Sums(sums.shape, transform_of(data, threads), sums.weight)
    if settings.snr > 0:
        transform = wiener_divided(summed_up, settings.snr)
    else:
        transform = divided_by_weight(summed_up, shell_floor(summed_up))
    whole = _middle(map_of(transform, side, threads), size) * unitary
    volume = _middle(whole, settings.crop or size)
    volume = tapered(volume, taper_of(settings))
    return Map(volume, whole, _middle(data, size) * unitary, full_weights(sums.weight, side))


def symmetric(sums: Sums, settings: AverageSettings, voxel_size: float) -> Sums:
    """The sums with the point group and the helix imposed."""
    group = symmetry_group(settings)
    if len(group) > 1:
        sums = symmetrised(sums, group)
    if settings.helical_units > 1:
        units = np.arange(settings.helical_units) - settings.helical_units // 2
        turns = rotation_z(-units * settings.helical_twist)
        lifts = -units * settings.helical_rise / (voxel_size * sums.shape[0])
        sums = symmetrised(sums, turns, lifts)
    return sums


def symmetry_group(settings: AverageSettings) -> Array:
    """(n, 3, 3) rotations of the point group; an unknown name is a `UserError`."""
    try:
        return point_group(settings.symmetry, "relion")
    except ValueError as error:
        raise UserError(str(error)) from error


def _middle(volume: Floats, size: int) -> Floats:
    """The middle size^3 of a volume; index size // 2 stays on the centre."""
    first = volume.shape[0] // 2 - size // 2
    part = slice(first, first + size)
    return volume[part, part, part]


def taper_of(settings: AverageSettings) -> float:
    """Pixels over which the map fades."""
    if settings.taper is not None:
        return settings.taper
    return min(USUAL_TAPER, (settings.crop or settings.box) / 5)


def tapered(volume: Floats, pixels: float) -> Floats:
    """Without its mean inside the sphere, and fading to 0 at it over so many pixels."""
    size = volume.shape[0]
    axis = (np.arange(size) - size / 2).astype(np.float32)
    radius = np.sqrt(axis[:, None, None] ** 2 + axis[:, None] ** 2 + axis**2)
    share = np.clip((size / 2 - radius) / pixels, 0, 1) if pixels else radius < size / 2
    window = (0.5 - 0.5 * np.cos(np.pi * share)).astype(np.float32)
    mean = (window * volume).sum(dtype=np.float64) / window.sum(dtype=np.float64)
    return window * (volume - np.float32(mean))


def full_weights(weight: Floats, side: int) -> Floats:
    """(z, y, x) of a half transform's weights, frequency 0 at side // 2."""
    whole = np.empty((side,) * 3, np.float32)
    half = weight.shape[2]
    whole[:, :, :half] = weight
    mates = (-np.arange(side)) % side
    left = side - half
    whole[:, :, half:] = weight[mates][:, mates][:, :, 1 : left + 1][:, :, ::-1]
    return np.fft.fftshift(whole)


def dividing_bytes(settings: AverageSettings) -> int:
    """Memory of `divided`, with the sums of both halves and of all held beside: measured."""
    side = box_settings(settings).padded
    return 3 * sums_bytes((side,) * 3) + 13 * 4 * side**3


@dataclass(frozen=True, slots=True, eq=False)
class Averages:
    """The map of all particles and those of the half sets (None without), voxel_size in angstrom.

    `boxes`: how many were summed.
    """

    merged: Map
    halves: tuple[Map, Map] | None
    voxel_size: float
    boxes: int


def average_particles(
    parts: Sequence[TiltedParticles],
    settings: AverageSettings,
    *,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Averages:
    """Average the particles of several tomograms in memory, one after the other.

    Half maps are made where every particle belongs to a half set.
    """
    sums = summed(parts, settings, progress)
    voxel_size = parts[0].alignment.pixel_size * settings.binning
    is_divided = all((part.particles.half_sets > 0).all() for part in parts)
    one, two = (
        divided(half, settings, voxel_size, threads) if is_divided else None for half in sums.halves
    )
    merged = divided(sums.both, settings, voxel_size, threads)
    halves = None if one is None or two is None else (one, two)
    return Averages(merged, halves, voxel_size, sums.boxes)
