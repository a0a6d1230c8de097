"""Tomograms by Fourier inversion: slices weighted by the signal that two half images agree on.

RELION's --fourier. Each tilt's image is inserted as SNR C F with the weight SNR C^2, C its CTF at
the tomogram's centre; the sums are divided by the weights + 1. The SNR comes shell by shell from
the correlation of the halves; beyond the CTF's first peak, where it falls to nothing at the CTF's
zeros, it is the smooth curve whose product with C^2 fits best.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.model import phase, transfer
from vitreous.errors import UserError
from vitreous.kernels import fourier
from vitreous.kernels.division import map_of
from vitreous.kernels.insertion import (
    SliceGrid,
    Sums,
    folded,
    grid_bytes,
    insert,
    sums_bytes,
)
from vitreous.reconstruct.fourier_settings import FourierSettings
from vitreous.reconstruct.grid import adjusted
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.typed import angstrom
from vitreous.records.volume import Grid, Volume

Floats = NDArray[np.float32]
Array = NDArray[np.float64]
Spectrum = NDArray[np.complex64]

LEAST_FSC = 1e-4
SURE = 0.999  # correlation above which a shell counts as free of noise
SURE_SNR = 999.0
PEAK = 0.99  # a CTF that was above it and falls below has passed its first peak
LEAST_POWER = 1e-4  # of C^2 below the first peak: what is smaller has the peak's SNR
LEAST_DEFOCUS = 100.0  # angstrom: images nearer to focus tell nothing
FADE = 3  # voxels over which the map fades beyond the sphere in its cube
FLOOR = 1e-3  # of a shell's mean weight


@dataclass(frozen=True, slots=True)
class FourierPlan:
    """The padded square: `whole` unbinned px, `side` after cropping; the volume's grid."""

    whole: int
    side: int
    grid: Grid

    @property
    def memory_bytes(self) -> int:
        """The most memory at a time, beside the program: grid, sums and map of the cube."""
        cube = (self.side,) * 3
        image = 40 * self.whole**2
        return grid_bytes(cube) + sums_bytes(cube) + max(image, 8 * self.side**3)


def fourier_plan(alignment: Alignment, settings: FourierSettings) -> FourierPlan:
    """Sizes: the square holds the image turned any way; its pixel is near the one asked for."""
    pixel = alignment.pixel_size
    whole = int(max(alignment.image_size) * np.sqrt(2))
    side = round(whole * pixel / settings.voxel_size)
    side -= side % 2
    if side < 8 or side > whole:
        raise UserError(
            f"voxels of {settings.voxel_size:g} A can't be made of pixels of {pixel:g} A and "
            f"images of {alignment.image_size[0]} x {alignment.image_size[1]}"
        )
    voxel = whole * pixel / side
    asked = settings.width, settings.height, settings.thickness
    unbinned = [
        size if length is None else angstrom(length, pixel) / pixel
        for length, size in zip(asked, (*alignment.image_size, 0), strict=True)
    ]
    nx, ny, nz = (int(size * pixel / voxel) for size in unbinned)
    if not all(1 <= n <= side for n in (nx, ny, nz)):
        raise UserError(
            f"a volume of {nx} x {ny} x {nz} voxels isn't part of the cube of {side} that Fourier "
            "inversion makes"
        )
    return FourierPlan(whole, side, Grid((nx, ny, nz), voxel, (nx // 2, ny // 2, nz // 2)))


def reconstruct_fourier(
    halves: tuple[ImageStack, ImageStack],
    alignment: Alignment,
    ctfs: Sequence[Ctf | None],
    settings: FourierSettings,
    *,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Volume:
    """The tomogram of the two half stacks (even and odd frames), summed.

    ctfs: by section of the stacks. Tilts nearer to focus than 100 A are left out. Grey values: the
    map's projections are the sums of the halves.
    """
    for half in halves:
        if half.shape[0] != alignment.section_count:
            raise UserError(
                f"a half stack has {half.shape[0]} sections, the alignment is for "
                f"{alignment.section_count}: it belongs to another stack"
            )
    lacking = [int(s) + 1 for s in alignment.sections if ctfs[s] is None]
    if lacking:
        raise UserError(f"Fourier inversion needs the CTF of every tilt; it lacks {lacking}")
    plan = fourier_plan(alignment, settings)
    if settings.tilt_offset:
        offset = ReconstructSettings(tilt_offset=settings.tilt_offset)
        alignment = adjusted(alignment, offset, alignment.image_size)
    sums = _inserted(halves, alignment, ctfs, settings, plan, threads, progress)
    cube = map_of(_divided(sums), plan.side, threads)
    return Volume(_cut(_faded(cube), plan), plan.grid)


def _inserted(
    halves: tuple[ImageStack, ImageStack],
    alignment: Alignment,
    ctfs: Sequence[Ctf | None],
    settings: FourierSettings,
    plan: FourierPlan,
    threads: int,
    progress: Progress,
) -> Sums:
    """The sums of all tilts."""
    side = plan.side
    grid = SliceGrid.empty((side,) * 3)
    for view, section in enumerate(alignment.sections):
        ctf = ctfs[section]
        assert ctf is not None
        if ctf.defocus >= LEAST_DEFOCUS:
            one, other = (_spectrum(half.read(int(section)), plan, threads) for half in halves)
            c = _transfer(ctf, settings, plan)
            snr = signal_to_noise(one, other, c[0], settings.smoothness)
            known = snr[np.minimum(_shells(side), side // 2)] * c
            centred = (one + other) * _phases(alignment.shifts[view], plan)
            insert(
                grid, (centred * known).astype(np.complex64)[None],
                _orientation(alignment, view)[None], columns=side,
                weights=(known * c).astype(np.float32)[None],
            )  # fmt: skip
        progress(view + 1, len(alignment))
    return folded(grid)


def _spectrum(image: NDArray[np.generic], plan: FourierPlan, threads: int) -> Spectrum:
    """(side, side // 2 + 1) spectrum of an image mirrored into its square and cropped."""
    room = [(plan.whole // 2 - n // 2, n) for n in image.shape]
    around = [(before, plan.whole - n - before) for before, n in room]
    square = np.pad(np.asarray(image, np.float32), around, mode="reflect")
    small = (plan.side, plan.side)
    return fourier.cropped(fourier.forward(square, threads), plan.whole, small)


def _transfer(ctf: Ctf, settings: FourierSettings, plan: FourierPlan) -> Array:
    """The CTF (side, side // 2 + 1) at the tomogram's centre, without damping."""
    voxel = plan.grid.voxel_size
    kx = np.fft.rfftfreq(plan.side, voxel)
    ky = np.fft.fftfreq(plan.side, voxel)[:, None]
    plain = replace(ctf, scale=1.0, b_factor=0.0)
    found = transfer(plain, kx, ky)
    if settings.ctf_intact_first_peak:
        found = np.where(np.abs(phase(plain, kx, ky)) < np.pi / 2, 1.0, found)
    return found


def signal_to_noise(one: Spectrum, other: Spectrum, profile: Array, smoothness: float) -> Array:
    """The SNR of each shell, radii 0 ... side // 2, before the CTF.

    profile: the CTF along x. From its first peak on: the exact minimum s of
    sum (C^2 s - S)^2 + smoothness / 2 |D s|^2, D the differences of neighbouring shells.
    """
    seen = _snr_of_halves(one, other)
    power = profile**2
    peak = _first_peak(profile)
    fitted = _smooth_fit(power, seen, smoothness)
    found = fitted.copy()
    known = power[:peak] > LEAST_POWER
    found[:peak] = np.where(known, seen[:peak] / np.where(known, power[:peak], 1), fitted[peak])
    return found


def _snr_of_halves(one: Spectrum, other: Spectrum) -> Array:
    """S = F' / (1 - F') of each shell, F' the correlation that the sum of both halves has."""
    side = len(one)
    shells = _shells(side)
    used = shells <= side // 2
    cross, power, power_other = (
        np.bincount(shells[used], values[used], side // 2 + 1)
        for values in ((one.conj() * other).real, np.abs(one) ** 2, np.abs(other) ** 2)
    )
    both = np.sqrt(power * power_other)
    fsc = np.maximum(np.divide(cross, both, out=np.zeros_like(both), where=both > 0), LEAST_FSC)
    whole = np.sqrt(2 * fsc / (1 + fsc))
    return np.where(whole > SURE, SURE_SNR, whole / (1 - np.minimum(whole, SURE)))


def _first_peak(profile: Array) -> int:
    """The first shell where a CTF that was near 1 falls again; 0 where it never is."""
    risen = np.logical_or.accumulate(profile > PEAK)
    fallen = np.flatnonzero(risen & (profile < PEAK))
    return int(fallen[0]) if len(fallen) else 0


def _smooth_fit(power: Array, seen: Array, smoothness: float) -> Array:
    """Solve (2 C^4 + smoothness D^T D) s = 2 C^2 S; D has 1 on and, from row 2, -1 below it."""
    from scipy.linalg import solveh_banded

    n = len(power)
    diagonal = np.full(n, 2.0)
    diagonal[[0, -1]] = 1.0  # the first and the last shell have no neighbour beyond them
    beside = np.full(n - 1, -1.0)
    beside[0] = 0.0  # shell 1 isn't tied to shell 0
    banded = np.zeros((2, n))
    banded[0, 1:] = smoothness * beside
    banded[1] = 2 * power**2 + smoothness * diagonal
    found: Array = solveh_banded(banded, 2 * power * seen)
    return found


def _shells(side: int) -> NDArray[np.intp]:
    """(side, side // 2 + 1) nearest whole distance from the origin."""
    y = np.fft.fftfreq(side, 1 / side)[:, None]
    return np.floor(np.hypot(y, np.arange(side // 2 + 1)) + 0.5).astype(np.intp)


def _phases(shift: Array, plan: FourierPlan) -> NDArray[np.complex128]:
    """What moves the specimen's origin, seen at the image's centre + shift (angstrom), to 0."""
    centre = plan.whole // 2 * plan.side / plan.whole  # cropping keeps pixel 0 in its place
    x, y = centre + shift / plan.grid.voxel_size
    kx, ky = np.fft.rfftfreq(plan.side), np.fft.fftfreq(plan.side)[:, None]
    return np.exp(2j * np.pi * (kx * x + ky * y))


def _orientation(alignment: Alignment, view: int) -> Array:
    """(3, 3) that takes a slice's point to its place in the volume: the inverse map, transposed."""
    rows = alignment.projections[view]
    third = alignment.rotations[view, 2] * alignment.magnifications[view]
    return np.linalg.inv(np.vstack([rows, third])).T


def _divided(sums: Sums) -> Spectrum:
    """data / (weight + 1) inside the sphere, weights held above a share of their shell's mean."""
    side = sums.shape[0]
    z = np.fft.fftfreq(side, 1 / side)
    flat = z[:, None] ** 2 + np.arange(side // 2 + 1) ** 2
    total, count = np.zeros(side), np.zeros(side)
    for plane, height in zip(sums.weight, z, strict=True):
        shell = np.sqrt(flat + height**2).astype(np.intp)
        total += np.bincount(shell.ravel(), (plane + 1).ravel(), side)[:side]
        count += np.bincount(shell.ravel(), minlength=side)[:side]
    floor = FLOOR * total / np.maximum(count, 1)
    out = np.empty_like(sums.data)
    for into, data, plane, height in zip(out, sums.data, sums.weight, z, strict=True):
        radius2 = flat + height**2
        least = floor[np.minimum(np.sqrt(radius2).astype(np.intp), side - 1)]
        inside = radius2 <= (side // 2) ** 2
        into[:] = np.where(inside, data / np.maximum(plane + 1, least), 0)
    return out


def _faded(cube: Floats) -> Floats:
    """The map fading to its surroundings' mean beyond the sphere, corrected for the spreading."""
    side = len(cube)
    axis = np.arange(side) - side // 2
    flat = axis[:, None] ** 2 + axis**2
    around = side / 2 + FADE
    outside = [plane[flat + z**2 > around**2] for plane, z in zip(cube, axis, strict=True)]
    mean = float(np.concatenate(outside).mean(dtype=np.float64))
    for plane, z in zip(cube, axis, strict=True):
        radius = np.sqrt(flat + z**2)
        away = np.clip((around - radius) / FADE, 0, 1)
        kept = 0.5 - 0.5 * np.cos(np.pi * away)
        plane[:] = (kept * plane + (1 - kept) * mean) / np.sinc(radius / side) ** 2
    return cube


def _cut(cube: Floats, plan: FourierPlan) -> Floats:
    """The volume about the cube's centre."""
    parts = [slice(plan.side // 2 - n // 2, plan.side // 2 - n // 2 + n) for n in plan.grid.shape]
    return cube[tuple(parts)].copy()
