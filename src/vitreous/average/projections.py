"""A map from projections with known orientations, by insertion of their Fourier slices.

An orientation R maps the volume to the image: the projection is p(u, v) = sum over w of the map at
R^T (u, v, w), about the centres n // 2.
"""

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.average.projection_images import clipped, filled, moved, origin_first
from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.ring_filter import ring_filtered
from vitreous.errors import UserError
from vitreous.geometry.symmetry import on_the_grid, point_group
from vitreous.kernels.division import (
    corrected,
    divided,
    eman2_roll_off,
    map_of,
    roll_off,
    shell_floor,
    transform_of,
)
from vitreous.kernels.fourier import good_size
from vitreous.kernels.insertion import (
    KernelName,
    Shape,
    SliceGrid,
    Sums,
    extract,
    folded,
    grid_bytes,
    insert,
    sums_bytes,
)
from vitreous.kernels.machine import use_threads
from vitreous.kernels.symmetrise import symmetrised
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Spectrum = NDArray[np.complex64]

CHUNK = 64  # images in memory at a time
PASSES = 4  # of EMAN2's iterative reconstruction


@dataclass(frozen=True, slots=True, eq=False)
class Projections:
    """Images and how they were seen.

    stack: images (y, x) as they are to be padded, mean taken off. orientations (n, 3, 3);
    weights (n,): images of weight 0 are left out. moves (n, 2, 3): [A | t], how the content must
    move to be centred, x -> A x + t in pixels about n // 2; None where it lies centred. ssnr: per
    image a curve from the origin to Nyquist that replaces its weight.
    """

    stack: ImageStack
    orientations: Doubles
    weights: Doubles
    moves: Doubles | None = None
    ssnr: tuple[Doubles, ...] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seed:
    """A map (z, y, x) that the sums start from; weight: of its transform, one number or an array.

    An array is (z, y, x // 2 + 1) of the map's transform, in FFT order.
    """

    volume: Floats
    weight: float | Floats = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Worker processes that insert the images in so many parts; the sums are then added."""

    executor: Executor
    parts: int


@dataclass(frozen=True, slots=True, eq=False)
class ProjectionMap:
    """The map (z, y, x), and the sums of its padded transform that it comes from."""

    volume: Floats
    sums: Sums


@dataclass(frozen=True, slots=True)
class Sizes:
    """(y, x) of images and padded images, (z, y, x) of transform and map."""

    image: tuple[int, int]
    padded: tuple[int, int]
    transform: Shape
    volume: Shape


def sizes_of(shape: tuple[int, int, int], settings: ProjectionSettings) -> Sizes:
    """The sizes for a stack (n, y, x)."""
    longer = max(shape[1:])
    x, y = settings.padded or (good_size(2 * longer),) * 2
    transform = settings.transform_size or (max(x, y),) * 3
    size = settings.size or (longer,) * 3
    if min(x, y, *transform, *size) < 2:
        raise UserError("sizes of padded images, transform and map must be 2 pixels or more")
    return Sizes((shape[1], shape[2]), (y, x), _backwards(transform), _backwards(size))


def memory(shape: tuple[int, int, int], settings: ProjectionSettings) -> int:
    """Bytes at the peak, beside the program, for a stack (n, y, x) read image by image.

    The grid and the sums that are read from it, or the sums and three maps of the transform's
    size, whichever is more; the images in work; of the iterative method also the transform before,
    what it refers to and that as a grid.
    """
    sizes = sizes_of(shape, settings)
    y, x = sizes.padded
    images = min(CHUNK, shape[0]) * y * (x // 2 + 1) * 24
    sums, whole = sums_bytes(sizes.transform), 4 * int(np.prod(sizes.transform))
    grid = grid_bytes(sizes.transform)
    before = 2 * whole + grid // 2 if settings.iterative else 0
    return max(grid + sums + images, 2 * sums + 3 * whole) + before


def reconstruct_projections(
    projections: Projections,
    settings: ProjectionSettings,
    *,
    seed: Seed | None = None,
    mask: Floats | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
    pool: Pool | None = None,
) -> ProjectionMap:
    """The map of the projections.

    mask (z, y, x): multiplies the map between passes of the iterative method, which else moves it
    towards its mean by its standard deviation, as EMAN2 does.
    """
    sizes = sizes_of(projections.stack.shape, settings)
    views = _Views(projections, settings, sizes, seed, threads, pool)
    if settings.iterative:
        sums, transform = _iterated(views, mask, progress)
    else:
        sums = views.inserted(settings.kernel, progress=progress)
        floor = shell_floor(sums, settings.weight_floor) if settings.weight_floor else None
        transform = divided(sums, floor)
    volume = map_of(transform, sizes.transform[2], threads)
    del transform
    return ProjectionMap(_finished(volume, settings, sizes), sums)


def _finished(volume: Floats, settings: ProjectionSettings, sizes: Sizes) -> Floats:
    """The map cut to its size and corrected for its kernel."""
    eman2 = settings.conventions == "eman2"
    found: Floats = clipped(volume, sizes.volume, eman2=eman2)
    if settings.correction == "eman2":
        envelope = eman2_roll_off(settings.kernel, sizes.transform)
    elif settings.correction == "kernel" and not settings.iterative:  # passes make up for it
        envelope = roll_off(settings.kernel, sizes.transform)
    else:
        return found
    if all((along == 1).all() for along in envelope):
        return found
    z, y, x = (
        clipped(along, (n,), eman2=eman2) for along, n in zip(envelope, sizes.volume, strict=True)
    )
    for along in (z, y, x):
        along[along == 0] = 1  # beyond the transform's size, where the map is 0
    return corrected(found, (z, y, x))


class _Views:
    """The projections ready for insertion: transforms by chunks, each in all its directions."""

    def __init__(
        self,
        projections: Projections,
        settings: ProjectionSettings,
        sizes: Sizes,
        seed: Seed | None,
        threads: int,
        pool: Pool | None = None,
    ) -> None:
        self.projections, self.settings, self.sizes = projections, settings, sizes
        self.seed, self.threads, self.pool = seed, threads, pool
        self.eman2 = settings.conventions == "eman2"
        try:
            group = point_group(settings.symmetry, settings.symmetry_axes)
        except ValueError as error:
            raise UserError(str(error)) from None
        self.subgroup, self.representatives = on_the_grid(group, sizes.transform)
        self.used = np.flatnonzero(projections.weights)
        self.seed_transform = None if seed is None else self._seed_transform(seed)

    def _seed_transform(self, seed: Seed) -> Spectrum:
        return transform_of(
            clipped(seed.volume, self.sizes.transform, eman2=self.eman2), self.threads
        )

    def reach(self, extra: int = 0) -> float:
        """Up to which frequency images are used, cycles per pixel."""
        y, x = self.sizes.padded
        if not self.eman2:
            return 0.5
        if abs(x + 2 - y) >= 3:  # EMAN2 takes the corners of images that aren't square
            return 1.0
        return (y / 2 + 0.5 + extra - 1e-4) / y

    def transforms(self) -> Iterator[tuple[NDArray[np.intp], Spectrum]]:
        """Numbers of some images and their transforms (m, y, x // 2 + 1), chunk by chunk."""
        from scipy import fft

        y, x = self.sizes.padded
        grey = np.float32(np.sqrt((x + 2) / y) if self.eman2 else 1)
        for start in range(0, len(self.used), CHUNK):
            numbers = self.used[start : start + CHUNK]
            images = np.zeros((len(numbers), y, x), np.float32)
            for image, number in zip(images, numbers, strict=True):
                origin_first(self._image(int(number)) * grey, image)
            yield numbers, fft.rfft2(images, workers=self.threads, overwrite_x=True)

    def _image(self, number: int) -> Floats:
        """An image of at most the padded size; one that had to be moved has all of it."""
        y, x = self.sizes.padded
        image = np.asarray(self.projections.stack.read(number), np.float32)
        if self.projections.moves is not None:
            move = self.projections.moves[number]
            return moved(clipped(image, (y, x)), move, bilinear=self.eman2)
        return clipped(image, (min(y, image.shape[0]), min(x, image.shape[1])))

    def inserted(
        self,
        kernel: KernelName,
        *,
        extra: int = 0,
        reference: Spectrum | None = None,
        progress: Progress = ignore_progress,
    ) -> Sums:
        """The sums of all images, symmetric; of their differences from a reference transform."""
        if self.pool is None:
            sums = self.part(kernel, extra, reference, progress)
        else:
            sums = self._shared(self.pool, kernel, extra, reference, progress)
        if self.seed is not None and self.seed_transform is not None:
            weight = np.asarray(self.seed.weight, np.float32)
            sums.data[:] += self.seed_transform * weight
            sums.weight[:] += weight
        return sums

    def _shared(
        self,
        pool: Pool,
        kernel: KernelName,
        extra: int,
        reference: Spectrum | None,
        progress: Progress,
    ) -> Sums:
        """The sums of parts that worker processes insert, added in the order of the parts."""
        waiting = [
            pool.executor.submit(
                _inserted_part, self.projections, self.settings, self.sizes, self.seed,
                self.threads, self.used[part :: pool.parts], kernel, extra, reference,
            )
            for part in range(pool.parts)
        ]  # fmt: skip
        sums = Sums.empty(self.sizes.transform)
        for done, future in enumerate(waiting, 1):
            sums = sums + future.result()
            progress(done * len(self.used) // pool.parts, len(self.used))
        return sums

    def part(
        self,
        kernel: KernelName,
        extra: int,
        reference: Spectrum | None,
        progress: Progress = ignore_progress,
    ) -> Sums:
        """The sums of the images that this process inserts, without the seed."""
        grid = SliceGrid.empty(self.sizes.transform)
        done = 0
        for numbers, spectra in self.transforms():
            factors = self.projections.weights[numbers]
            if self.settings.seed_as_reference and self.seed_transform is not None:
                factors = np.ones(len(numbers))
                spectra = ring_filtered(
                    spectra,
                    self.seed_transform,
                    self.projections.orientations[numbers],
                    self.sizes.padded,
                    self.sizes.transform[2],
                )
            self._insert(grid, kernel, numbers, spectra, factors, extra, reference)
            done += len(numbers)
            progress(done, len(self.used))
        sums = folded(grid)
        del grid  # the largest of all, before anything else is made
        return self._symmetric(sums)

    def _insert(
        self,
        grid: SliceGrid,
        kernel: KernelName,
        numbers: NDArray[np.intp],
        spectra: Spectrum,
        factors: Doubles,
        extra: int,
        reference: Spectrum | None,
    ) -> None:
        """Add some images in all directions that symmetry and filling give them."""
        columns, reach = self.sizes.padded[1], self.reach(extra)
        weights = None
        if self.projections.ssnr is not None:
            curves = [self.projections.ssnr[number] for number in numbers]
            weights = _ssnr_weights(curves, self.sizes.padded)
            spectra = spectra * weights
            factors = np.ones(len(numbers))
        orientations = self.projections.orientations[numbers]
        for turned, share in filled(orientations, self.settings.fill_angle, max(self.sizes.padded)):
            values = spectra
            if reference is not None:
                expected = extract(
                    reference, turned, self.sizes.padded,
                    columns=self.sizes.transform[2], reach=reach,
                )  # fmt: skip
                values = spectra - (expected if weights is None else weights * expected)
            for operator in self.representatives:
                insert(
                    grid, values, turned @ operator, kernel, columns=columns,
                    weights=weights, factors=share * factors, reach=reach, axis_twice=self.eman2,
                )  # fmt: skip

    def _symmetric(self, sums: Sums) -> Sums:
        """The sums with the operators that map the grid onto itself."""
        if len(self.subgroup) == 1:
            return sums
        found = symmetrised(sums, self.subgroup)
        for mean in (found.data, found.weight):
            mean *= np.float32(len(self.subgroup))
        return found


def _inserted_part(
    projections: Projections,
    settings: ProjectionSettings,
    sizes: Sizes,
    seed: Seed | None,
    threads: int,
    numbers: NDArray[np.intp],
    kernel: KernelName,
    extra: int,
    reference: Spectrum | None,
) -> Sums:
    """What a worker process does: the sums of some images."""
    use_threads(threads)
    views = _Views(projections, settings, sizes, seed, threads)
    views.used = numbers
    return views.part(kernel, extra, reference)


def _iterated(views: _Views, mask: Floats | None, progress: Progress) -> tuple[Sums, Spectrum]:
    """EMAN2's iterative reconstruction: sums of the last pass and the map's transform.

    A seed is what the first pass refers to, its weight has no say.
    """
    size = views.sizes.transform
    sums, transform = Sums.empty(size), np.empty(0, np.complex64)
    reference = views.seed_transform
    views.seed = None
    for turn in range(PASSES):

        def watch(done: int, total: int, turn: int = turn) -> None:
            progress(turn * total + done, PASSES * total)

        if turn > 0:
            reference = _reference(transform, size, mask, views.threads)
        if reference is None:
            sums = views.inserted("gauss_var", extra=3, progress=watch)
            transform = divided(sums)
        else:
            sums = views.inserted("gauss_wide", extra=3, reference=reference, progress=watch)
            inside = (sums.weight > 0) & _ball(size)
            transform = np.where(inside, reference + divided(sums), 0).astype(np.complex64)
        if size[2] % 2 == 0:
            transform[..., -1] = 0
    return sums, transform


def _reference(transform: Spectrum, size: Shape, mask: Floats | None, threads: int) -> Spectrum:
    """What the next pass refers to: the map so far, masked or compressed."""
    guess = map_of(transform, size[2], threads)
    guess = _compressed(guess) if mask is None else guess * clipped(mask, size, eman2=True)
    return transform_of(guess, threads)


def _compressed(volume: Floats) -> Floats:
    """Values moved towards the mean by the standard deviation, those nearer set to it."""
    mean, deviation = volume.mean(dtype=np.float64), volume.std(dtype=np.float64, ddof=1)
    apart = volume - np.float32(mean)
    found: Floats = np.float32(mean) + np.sign(apart) * np.maximum(
        np.abs(apart) - np.float32(deviation), 0
    )
    return found


def _ball(size: Shape) -> NDArray[np.bool_]:
    """Points (z, y, x // 2 + 1) of a transform up to Nyquist of its y axis."""
    z, y, x = (np.fft.fftfreq(n, 1 / n) for n in size)
    radius2 = z[:, None, None] ** 2 + y[:, None] ** 2 + x[: size[2] // 2 + 1] ** 2
    return radius2 <= (size[1] // 2) ** 2


def _ssnr_weights(curves: list[Doubles], padded: tuple[int, int]) -> Floats:
    """(m, y, x // 2 + 1) curves from the origin to Nyquist as images, in steps, as EMAN2 does."""
    y = np.fft.fftfreq(padded[0], 1 / padded[0])[:, None]
    radius = np.floor(np.hypot(y, np.arange(padded[1] // 2 + 1)) + 0.5)
    found = []
    for curve in curves:
        at = (radius * 2 * (len(curve) - 1) / padded[0]).astype(np.intp)
        found.append(np.maximum(0, curve)[np.minimum(at, len(curve) - 1)] * (at < len(curve)))
    return np.array(found, np.float32)


def _backwards(size: tuple[int, int, int]) -> Shape:
    return size[2], size[1], size[0]
