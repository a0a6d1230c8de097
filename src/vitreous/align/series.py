"""A raw tilt series becomes aligned, without markers: the whole chain."""

import logging
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.align.axis import EVALUATIONS, Search, search
from vitreous.align.clean import Repaired
from vitreous.align.coarse import coarse_plane
from vitreous.align.images import BinnedImages, binning_for, read_images
from vitreous.align.level import levelled
from vitreous.align.prepare import coarser, coefficients, whitened
from vitreous.align.quality import Scores, scores_of
from vitreous.align.refine import Refined, refined, steps_of
from vitreous.align.settings import AlignSettings
from vitreous.align.slab import Extent
from vitreous.align.views import nominal_views
from vitreous.errors import UserError
from vitreous.geometry.rotations import wrapped
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import named_tilt
from vitreous.records.typed import excluded_sections

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

SEARCH_PIXEL = 40.0  # angstrom, of the images in which axis and thickness are searched
SEARCH_SIDE = 64  # px that they have at least
FEWEST_TILTS = 5
EXCLUDED = "excluded by the settings"  # the reason of tilts that the user left out
AXIS_OFF = 3.0  # degrees from the nominal axis that are worth a warning
AXES_SWAPPED = 60.0  # degrees: x and y of the images, or of the microscope's axis, are exchanged
OVERLAP = 20.0  # degrees of tilt that a series has to span for its axis to be seen


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """An alignment and what is known of it.

    scores: of the used views, in the order of alignment.sections. nominal_axis_degrees: as given.
    extent: the slab before it was turned flat. left_out: 0-based sections with the reason.
    repaired: pixels replaced, for each section that was read. axis_curve (m, 2): axis in degrees,
    agreement. warnings: sentences for the user.
    """

    alignment: Alignment
    scores: Scores
    nominal_axis_degrees: float | None
    extent: Extent
    left_out: dict[int, str]
    repaired: dict[int, Repaired]
    axis_curve: Array
    warnings: tuple[str, ...]

    @property
    def axis_degrees(self) -> float:
        """Mean tilt axis."""
        return float(np.mean(self.alignment.axes_degrees))

    @property
    def axis_difference_degrees(self) -> float | None:
        """From the nominal axis to the one found, -90 to 90: opposite axes count as one."""
        if self.nominal_axis_degrees is None:
            return None
        return _between_axes(self.axis_degrees, self.nominal_axis_degrees)


def align_series(
    stack: ImageStack,
    tilts_degrees: ArrayLike,
    settings: AlignSettings,
    *,
    nominal_axis_degrees: float | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Aligned:
    """Align a stack from its images and the stage's angles alone.

    tilts_degrees: of every section of the stack, counted so that x' = x cos(tilt) + z sin(tilt).
    nominal_axis_degrees: counter-clockwise from the image's y axis; of the axis found and its
    opposite, which images can't tell apart, the nearer is taken. Raises UserError where the tilts
    don't suffice.
    """
    tilts = np.asarray(tilts_degrees, np.float64)
    if len(tilts) != stack.shape[0]:
        raise UserError(f"{len(tilts)} tilt angles for {stack.shape[0]} images")
    steps = Steps(progress, len(tilts), EVALUATIONS, steps_of(settings))
    images = read_images(
        stack,
        tilts,
        excluded_by(settings, len(tilts)),
        binning_for(stack.pixel_size, settings.work_pixel),
        keep_all=settings.keep_all,
        threads=threads,
        progress=steps.part(0),
    )
    used = tilts[images.sections]
    require_enough(used, images.reasons)
    if settings.tilt_axis_fixed and nominal_axis_degrees is None:
        raise UserError("the tilt axis is to stay fixed, but nothing says where it is: --tilt-axis")
    found = searched(images, used, nominal_axis_degrees, settings, threads, steps.part(1))
    shape = (images.data.shape[1], images.data.shape[2])
    work = np.stack([coefficients(whitened(image, images.pixel_size)) for image in images.data])
    best = refined(
        work,
        found.best.views.at(images.pixel_size),
        shape,
        found.thickness,
        settings,
        threads=threads,
        progress=steps.part(2),
    )
    scores = scores_of(work, best.views, best.slab, best.bundle, threads)
    alignment = finished(stack, images, best, settings)
    reasons = images.reasons
    if not settings.keep_all:
        reasons = reasons | unfit_reasons(scores, images.sections)
        scores = scores.chosen(~scores.nowhere)
        alignment = alignment.without(reasons)
    return Aligned(
        alignment=alignment,
        scores=scores,
        nominal_axis_degrees=nominal_axis_degrees,
        extent=best.extent,
        left_out=dict(sorted(reasons.items())),
        repaired=images.repaired,
        axis_curve=found.tried,
        warnings=warnings_of(alignment, nominal_axis_degrees, found, scores, tilts),
    )


def excluded_by(settings: AlignSettings, count: int) -> dict[int, str]:
    """Sections that the settings exclude, with that as the reason."""
    return dict.fromkeys(excluded_sections(settings.exclude_tilts, count), EXCLUDED)


def unfit_reasons(scores: Scores, sections: NDArray[np.intp]) -> dict[int, str]:
    """Sections that fit nowhere, with that as the reason."""
    return {
        int(sections[view]): "shows nothing of what the other tilts do: no place fits their "
        f"tomogram (score {scores.at_peak[view]:.1f})"
        for view in np.flatnonzero(scores.nowhere)
    }


def require_enough(tilts: Array, reasons: dict[int, str]) -> None:
    """Raise UserError for too few tilts, or such that don't differ."""
    if len(tilts) < FEWEST_TILTS:
        left = f" ({len(reasons)} left out)" if reasons else ""
        raise UserError(
            f"{len(tilts)} usable tilts{left} are too few for an alignment without markers: "
            f"{FEWEST_TILTS} at least"
        )
    if np.ptp(tilts) < 1:
        raise UserError(
            f"the tilt angles run from {tilts.min():g} to {tilts.max():g} degrees only: check them"
        )


def searched(
    images: BinnedImages,
    tilts: Array,
    nominal_axis: float | None,
    settings: AlignSettings,
    threads: int,
    progress: Progress,
) -> Search:
    """Axis, thickness and coarse shifts, in images binned further."""
    side = min(images.data.shape[1:])
    binning = max(1, round(min(SEARCH_PIXEL / images.pixel_size, side / SEARCH_SIDE)))
    pixel_size = images.pixel_size * binning
    small = coarser(images.data, binning, threads)
    white = np.stack([coefficients(whitened(image, pixel_size)) for image in small])
    shape = (small.shape[1], small.shape[2])
    reach = 90.0 if nominal_axis is None else settings.axis_range * (not settings.tilt_axis_fixed)
    found = search(
        white,
        nominal_views(tilts, nominal_axis or 0.0, pixel_size),
        coarse_plane(shape, pixel_size),
        largest_shift=settings.largest_shift * max(shape),
        reach=reach,
        progress=progress,
    )
    log.debug(
        "coarse: axis %.2f degrees, thickness %.0f A, agreement %.3f",
        found.best.views.axes.mean(), found.thickness, found.best.agreement.mean(),
    )  # fmt: skip
    return found


def finished(
    stack: ImageStack, images: BinnedImages, best: Refined, settings: AlignSettings
) -> Alignment:
    """The record for the stack's own pixels, the slab turned flat if asked for."""
    sections, rows, columns = stack.shape
    alignment = best.views.as_alignment(
        images.sections, sections, (columns, rows), stack.pixel_size
    )
    thickness = best.extent.height
    if settings.level:
        alignment, thickness = levelled(alignment, best.extent), best.extent.thickness
    return replace(alignment, thickness_angstrom=round(1.1 * thickness + 200, -1))


def warnings_of(
    alignment: Alignment, nominal: float | None, found: Search, scores: Scores, tilts: Array
) -> tuple[str, ...]:
    """What a user has to know before trusting the alignment."""
    if not scores.is_trusted:
        bad = int((~scores.trusted).sum())
        text = (
            f"this alignment can't be trusted: {bad} of {len(scores.trusted)} tilts don't fit the "
        )
        return (f"{text}tomogram of the others",)
    said = []
    if not scores.trusted.all():
        misfits = [named_tilt(i, tilts[i]) for i in alignment.sections[~scores.trusted]]
        said.append(f"these fit the tomogram of the others badly: {', '.join(misfits)}")
    if not found.is_seen or np.ptp(tilts[alignment.sections]) < OVERLAP:
        said.append("the images hardly tell the tilt axis: all directions fit nearly alike")
    return (*said, *axis_warnings(float(np.mean(alignment.axes_degrees)), nominal))


def axis_warnings(axis: float, nominal: float | None) -> list[str]:
    """What is odd about the tilt axis found, beside the nominal one (degrees)."""
    found = f"the tilt axis found ({axis:.2f} degrees)"
    if nominal is None:
        opposite = f"{wrapped(axis + 180):.2f} would fit the images as well (its mirror image)"
        return [f"no nominal tilt axis: {axis:.2f} degrees was found, {opposite}"]
    off = _between_axes(axis, nominal)
    if abs(off) > AXES_SWAPPED:
        exchanged = (
            "x and y seem to be exchanged, in the images or in the axis, and the hand is open"
        )
        return [f"{found} is nearly square to the nominal one ({nominal:.2f}): {exchanged}"]
    if abs(off) > AXIS_OFF:
        return [f"{found} is {off:+.1f} degrees from the nominal one ({nominal:.2f})"]
    return []


def _between_axes(axis: float, other: float) -> float:
    """Degrees from one axis to another, -90 to 90."""
    return float((axis - other + 90) % 180 - 90)


class Steps:
    """One progress for several parts, each of which counts its own steps."""

    def __init__(self, progress: Progress, *counts: int) -> None:
        self.progress, self.counts = progress, counts

    def part(self, index: int) -> Progress:
        """The progress of one part; its steps are scaled to the count foreseen."""
        before, own, total = sum(self.counts[:index]), self.counts[index], sum(self.counts)

        def report(done: int, of: int) -> None:
            self.progress(before + own * done // of, total)

        return report
