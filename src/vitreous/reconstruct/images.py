"""From the images of a stack to what back-projection reads: repaired, filtered, as coefficients."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import fourier
from vitreous.kernels.cpu.resample import BORDER
from vitreous.kernels.shear import Fade
from vitreous.reconstruct import inversion
from vitreous.reconstruct.corrected import Correction, correction_of, ctfs_of
from vitreous.reconstruct.filters import Filters, filters_of, named_views
from vitreous.reconstruct.sampling import Sampling, sampling_of
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
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
    off so that outside is 0; image_size (x, y) binned px, spacing (x, y) A from one to the next,
    the origin at pixel `centre` (x, y); fade: how they were faded, if so. transposed: x and y of
    the images (and so the axes of the coefficients) are exchanged.
    """

    coefficients: Floats
    levels: Array
    image_size: tuple[int, int]
    spacing: tuple[float, float]
    centre: tuple[float, float]
    fade: Fade | None = None
    transposed: bool = False

    @property
    def exchanged(self) -> "Prepared":
        """The same images with x and y exchanged, in the same memory."""
        return Prepared(
            self.coefficients.swapaxes(1, 2),
            self.levels,
            self.image_size[::-1],
            self.spacing[::-1],
            self.centre[::-1],
            self.fade and replace(self.fade, size=self.fade.size[::-1]),
            not self.transposed,
        )


def coefficients_shape(alignment: Alignment, settings: ReconstructSettings) -> tuple[int, int, int]:
    """Shape of the coefficients of an alignment's images."""
    columns, rows = sampling_of(alignment.image_size, settings).image_size
    return len(alignment), rows + 2 * BORDER, columns + 2 * BORDER


ARRAYS_OF_AN_IMAGE = 4  # of the padded size: image and spectrum, each with its copy of work
ARRAYS_OF_A_CORRECTION = 12  # of the binned size: phases and transfer, shares and sums of strips


def preparing_bytes(alignment: Alignment, settings: ReconstructSettings) -> int:
    """Memory that reading and filtering one image takes, beside its coefficients."""
    columns, rows = alignment.image_size
    sampling = sampling_of(alignment.image_size, settings)
    padded = sampling.frame.padded if sampling.frame else (rows, columns)
    pixels = ARRAYS_OF_AN_IMAGE * int(np.prod(padded, dtype=np.int64))
    if settings.needs_ctf or settings.dose_weighting or settings.taper_falloff:
        pixels += ARRAYS_OF_A_CORRECTION * int(np.prod(sampling.periodic, dtype=np.int64))
    return 4 * pixels + inversion.work_bytes(sampling, settings)


def prepare(
    stack: ImageStack,
    alignment: Alignment,
    settings: ReconstructSettings,
    out: Floats,
    *,
    ctfs: Sequence[Ctf | None] | None = None,
    doses: Sequence[float | None] | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Prepared:
    """Read, repair, bin, correct and filter every image that the alignment uses, into `out`.

    The filter runs across the tilt axis of each view. ctfs and doses (e/A^2 before the tilt): by
    section of the stack, where the settings need them. NaN and infinite pixels become the image's
    mean; how many there were is logged, and which images hold nothing.
    """
    sampling = sampling_of(alignment.image_size, settings)
    correction = correction_of(alignment, settings, sampling, ctfs)
    voltage = correction.voltage_kv if correction else _voltage(ctfs)
    filters = filters_of(
        alignment, settings, sampling, doses, voltage, _known(alignment, settings, ctfs)
    )
    iterative = settings.method != "wbp"
    fade = fade_of(sampling, settings)
    shown = None if fade is None else taper(fade)
    unfiltered = iterative or settings.weighting not in ("ramp", "exact")
    holes: dict[int, int] = {}  # by view
    blank = []  # views
    levels = np.zeros(len(alignment))
    for view, section in enumerate(alignment.sections):
        image, missing = grey_values(stack, int(section), alignment.tilts_degrees[view], settings)
        if missing:
            holes[view] = missing
        if image.min() == image.max():
            blank.append(view)
        mean = float(image.mean())
        if settings.taper:
            fade_to(image, mean, settings.taper)
        if unfiltered and not settings.keep_mean:
            image -= np.float32(mean)
            mean = 0.0
        if not iterative:
            levels[view] = mean * filters.gain(view)
            if correction:
                levels[view] *= correction.gain(view)
        out[view] = _coefficients(
            image, view, sampling, filters, correction, shown, levels[view], threads
        )
        progress(view + 1, len(alignment))
    if holes:
        log.warning(
            "%d NaN or infinite pixels were replaced by their image's mean: %s",
            sum(holes.values()),
            named_views(alignment, list(holes)),
        )
    if blank:
        log.warning(
            "one grey value all over: %s; leave out with --exclude-tilts %s",
            named_views(alignment, blank),
            ",".join(str(alignment.sections[view] + 1) for view in blank),
        )
    pixel_size = alignment.pixel_size
    spacing = sampling.spacing[0] * pixel_size, sampling.spacing[1] * pixel_size
    return Prepared(out, levels, sampling.image_size, spacing, sampling.image_centre, fade)


def _coefficients(
    image: Floats,
    view: int,
    sampling: Sampling,
    filters: Filters,
    correction: Correction | None,
    shown: Floats | None,
    level: float,
    threads: int,
) -> Floats:
    """(y + 4, x + 4) B-spline coefficients of the binned, corrected and filtered image."""
    if sampling.is_plain and correction is None and filters.is_flat(view):
        values = image * np.float32(filters.gain(view))
        return _coefficients_of(values, sampling, shown, level)
    spectrum = sampling.spectrum(image, threads)
    one_strip = correction is None or correction.strips(view) == 1
    at_once = sampling.frame is not None and not sampling.margin and shown is None and one_strip
    filters.weigh(view, spectrum, as_coefficients=at_once)
    if correction and one_strip:
        spectrum *= correction.factor(view, 0)
    if at_once and sampling.frame:
        whole = fourier.inverse(spectrum, sampling.periodic, threads)
        return fourier.cut_out(whole, sampling.frame, BORDER) - np.float32(level)
    if correction and not one_strip:
        values = correction.image(view, spectrum, threads)
    else:
        values = sampling.image(spectrum, threads)
    return _coefficients_of(values, sampling, shown, level)


def _coefficients_of(
    values: Floats, sampling: Sampling, shown: Floats | None, level: float
) -> Floats:
    """The same of an image that is binned, corrected and filtered."""
    columns, rows = sampling.size
    margin = sampling.margin
    values = values[margin : rows - margin, margin : columns - margin] - np.float32(level)
    if shown is not None:
        values *= shown
    if sampling.frame is None:
        values = np.pad(values, ((0, 1), (0, 1)), mode="edge")
    return fourier.coefficients(values, BORDER)


def _known(
    alignment: Alignment, settings: ReconstructSettings, ctfs: Sequence[Ctf | None] | None
) -> tuple[Ctf, ...] | None:
    """The CTFs by view, where they count."""
    return ctfs_of(alignment, settings, ctfs) if settings.needs_ctf else None


def _voltage(ctfs: Sequence[Ctf | None] | None) -> float:
    """Of the first CTF that is known, for the dose's sake; 300 kV without."""
    return next((ctf.voltage_kv for ctf in ctfs or () if ctf), 300.0)


def fade_of(sampling: Sampling, settings: ReconstructSettings) -> Fade | None:
    """How images fade out before they are back-projected; None where they don't."""
    if settings.taper_falloff == 0:
        return None
    columns, rows = sampling.size
    margin = 2 * sampling.margin
    return Fade((columns - margin, rows - margin), settings.taper_falloff)


def taper(fade: Fade) -> Floats:
    """(y, x) what an image contributes by its distance from the edge."""
    along = []
    for n in fade.size:
        edge = np.minimum(np.arange(n), np.arange(n)[::-1])
        along.append(0.5 - 0.5 * np.cos(np.pi * np.minimum((edge + 1) / fade.falloff, 1)))
    return np.outer(along[1], along[0]).astype(np.float32)


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
