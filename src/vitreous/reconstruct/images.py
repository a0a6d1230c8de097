"""From the images of a stack to what back-projection reads: repaired, filtered, as coefficients."""

import logging
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import fourier
from vitreous.kernels.cpu.resample import BORDER
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.weights import Line, frequency_weights, view_factors
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import named_tilt

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """Filtered images, binned, as B-spline coefficients with a border of 2, less their level.

    coefficients (n, y + 4, x + 4); levels (n,): the grey value a view has outside its image, taken
    off so that outside is 0; image_size (x, y) binned px of pixel_size A. transposed: x and y of
    the images (and so the axes of the coefficients) are exchanged.
    """

    coefficients: Floats
    levels: Array
    image_size: tuple[int, int]
    pixel_size: float
    transposed: bool = False

    @property
    def exchanged(self) -> "Prepared":
        """The same images with x and y exchanged, in the same memory."""
        return Prepared(
            self.coefficients.swapaxes(1, 2),
            self.levels,
            self.image_size[::-1],
            self.pixel_size,
            not self.transposed,
        )


def coefficients_shape(alignment: Alignment, binning: int) -> tuple[int, int, int]:
    """Shape of the coefficients of an alignment's images."""
    columns, rows = alignment.image_size
    return len(alignment), rows // binning + 2 * BORDER, columns // binning + 2 * BORDER


ARRAYS_OF_AN_IMAGE = 4  # of the padded size: image and spectrum, each with its copy of work


def preparing_bytes(alignment: Alignment, binning: int) -> int:
    """Memory that reading and filtering one image takes, beside its coefficients."""
    columns, rows = alignment.image_size
    padded = fourier.frame_for((rows, columns), binning).padded
    return ARRAYS_OF_AN_IMAGE * 4 * int(np.prod(padded, dtype=np.int64))


def prepare(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    out: Floats,
    *,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Prepared:
    """Read, repair, filter and bin every image that the alignment uses, into `out`.

    The filter runs across the tilt axis of each view. NaN and infinite pixels become the image's
    mean; how many there were is logged, and which images hold nothing.
    """
    columns, rows = alignment.image_size
    frame = fourier.frame_for((rows, columns), settings.binning)
    directions = np.deg2rad(alignment.axes_degrees)
    across = np.stack([np.cos(directions), np.sin(directions)], -1)
    line = _line_across(frame, across[0])
    iterative = settings.method != "wbp"
    tilts = alignment.tilts_degrees
    voxel_size = alignment.pixel_size * settings.binning
    if iterative:
        tables = np.ones((len(alignment), 2))
        # along z the rays of an untilted voxel are shorter by the cosine: density per angstrom
        factors = np.abs(alignment.rotations[:, 2, 2]) / voxel_size
    else:
        tables = frequency_weights(line, tilts, settings)
        factors = view_factors(tilts, line, voxel_size, settings)
    factors = factors * view_weights(alignment, settings)
    step = 1 / line.padded if not iterative else 1.0
    zero_mean = (iterative or settings.weighting == "none") and not settings.keep_mean
    holes: dict[int, int] = {}  # by view
    blank = []  # views
    levels = np.zeros(len(alignment))
    for view, section in enumerate(alignment.sections):
        image, missing = grey_values(stack, int(section), tilts[view], settings)
        if missing:
            holes[view] = missing
        if image.min() == image.max():
            blank.append(view)
        mean = float(image.mean())
        if settings.taper:
            fade_to(image, mean, settings.taper)
        if zero_mean:
            image -= np.float32(mean)
            mean = 0.0
        table = (tables[view] * factors[view]).astype(np.float32)
        out[view] = fourier.filtered(
            image,
            frame,
            (float(across[view, 0]), float(across[view, 1])),
            table,
            step,
            border=BORDER,
            threads=threads,
        )
        if settings.combine != "mean" and not iterative:
            levels[view] = mean * float(table[0])
            out[view] -= np.float32(levels[view])
        progress(view + 1, len(alignment))
    if holes:
        log.warning(
            "%d NaN or infinite pixels were replaced by their image's mean: %s",
            sum(holes.values()),
            _named(alignment, list(holes)),
        )
    if blank:
        log.warning(
            "one grey value all over: %s; leave out with --exclude-tilts %s",
            _named(alignment, blank),
            ",".join(str(alignment.sections[view] + 1) for view in blank),
        )
    return Prepared(out, levels, (frame.binned[1], frame.binned[0]), voxel_size)


def _named(alignment: Alignment, views: list[int]) -> str:
    """Tilts as people count them."""
    sections, tilts = alignment.sections, alignment.tilts_degrees
    return ", ".join(named_tilt(sections[view], tilts[view]) for view in views)


def _line_across(frame: fourier.Frame, across: Array) -> Line:
    """The line that the filter's indices count on: the image axis nearer to the direction."""
    axis = 1 if abs(across[0]) >= abs(across[1]) else 0
    return Line(frame.binned[axis], frame.small[axis])


def view_weights(alignment: Alignment, settings: ReconstructSettings) -> Array:
    """(n,) the factors given for the sections of the stack, over their mean; 1 without."""
    if not settings.view_weights:
        return np.ones(len(alignment))
    if len(settings.view_weights) != alignment.section_count:
        raise UserError(
            f"view_weights has {len(settings.view_weights)} numbers, "
            f"the stack {alignment.section_count} sections"
        )
    chosen = np.asarray(settings.view_weights)[alignment.sections]
    if not chosen.mean() > 0:
        raise UserError("view_weights of the tilts that are used have no mean above 0")
    return chosen / chosen.mean()


def grey_values(
    stack: ImageStack, section: int, tilt: float, settings: ReconstructSettings
) -> tuple[Floats, int]:
    """An image as float32, repaired and, if asked for, its logarithm; and the pixels repaired."""
    image = np.array(stack.read(section), np.float32)
    finite = np.isfinite(image)
    holes = int(image.size - np.count_nonzero(finite))
    if holes == image.size:
        raise UserError(
            f"{named_tilt(section, tilt)} holds NaN only: leave it out with --exclude-tilts "
            f"{section + 1}"
        )
    if holes:
        image[~finite] = image[finite].mean()
    if settings.log_base is not None:
        least = 1e-3 * float(np.ptp(image))
        image = np.log10(np.maximum(image + np.float32(settings.log_base), max(least, 1e-30)))
    return image, holes


def fade_to(image: Floats, level: float, pixels: int) -> None:
    """Let the outer `pixels` of the image fade to `level`, a raised cosine, in place."""
    for axis, n in enumerate(image.shape):
        edge = np.minimum(np.arange(n), np.arange(n)[::-1])
        share = 0.5 - 0.5 * np.cos(np.pi * np.clip((edge + 0.5) / pixels, 0, 1))
        image -= np.float32(level)
        image *= (share[:, None] if axis == 0 else share).astype(np.float32)
        image += np.float32(level)
