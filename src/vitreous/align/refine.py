"""From coarse shifts to the final geometry: matching, then rounds of patches and bundle."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.align.bundle import Bundle, adjusted
from vitreous.align.left_out import Slab, slab_for
from vitreous.align.match import matched
from vitreous.align.mixing import Mixing
from vitreous.align.patches import measured
from vitreous.align.settings import AlignSettings
from vitreous.align.slab import Extent, find_extent
from vitreous.align.views import Views
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

PASSES = 3  # of matching, before and after the slab is found
LARGEST_MOVE = 100.0  # angstrom, of a view in a pass
LARGEST_PATCH_MOVE = 50.0
LARGEST_MIXING = 30.0  # angstrom at the rim of the field
BEYOND = 1.5  # times the assumed thickness: how far the slab is looked for
THICKER, MARGIN = 1.2, 300.0  # a tomogram that cuts the slab's corners pulls the axis away
CONVERGED = 0.08  # of the residual: rms step of the views at the rim of the field


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The views, the last bundle adjustment, the slab it was made in, and the specimen's own."""

    views: Views
    bundle: Bundle
    slab: Slab
    extent: Extent


def steps_of(settings: AlignSettings) -> int:
    """How many steps `refined` reports at most."""
    return 2 * PASSES + settings.rounds


def refined(
    images: Floats,
    views: Views,
    shape: tuple[int, int],
    thickness: float,
    settings: AlignSettings,
    *,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Refined:
    """Refine views at the nominal tilts; `thickness` (angstrom) is a first guess.

    images: spline coefficients of images of `shape` (y, x) at the views' pixel size.
    """
    steps, nominal_tilts = steps_of(settings), views.tilts
    depth = THICKER * thickness + MARGIN
    for half in (0, 1):
        slab = slab_for(shape, views, depth, settings.threshold)
        for done in range(PASSES):
            views, heights = matched(images, views, slab, LARGEST_MOVE, threads)
            progress(half * PASSES + done + 1, steps)
        extent = find_extent(images, views, slab_beyond(views, shape, depth), threads)
        depth = THICKER * extent.height + MARGIN
        peaks = heights.mean(), heights.min()
        log.debug("matching: peaks of %.1f sd (least %.1f); slab %.0f A", *peaks, extent.thickness)
    slab = slab_for(shape, views, depth, settings.threshold)
    for last in bundle_rounds(images, views, nominal_tilts, slab, settings, threads):
        progress(2 * PASSES + last.number, steps)
    progress(steps, steps)
    extent = find_extent(images, last.following, slab_beyond(views, shape, depth), threads)
    return Refined(last.following, last.bundle, slab, extent)


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """A bundle adjustment, the views to go on with, and how many rounds there have been."""

    bundle: Bundle
    following: Views
    number: int


def bundle_rounds(
    images: Floats,
    views: Views,
    nominal_tilts: Array,
    slab: Slab,
    settings: AlignSettings,
    threads: int,
) -> Iterator[Round]:
    """Patches and bundle adjustment until nothing moves; the last views are the bundle's own."""
    field = max(slab.field)
    mixing = Mixing(LARGEST_MIXING / views.pixel_size)
    for done in range(1, settings.rounds + 1):
        displacements = measured(images, views, slab, LARGEST_PATCH_MOVE, threads)
        bundle = adjusted(views, nominal_tilts, displacements, field)
        before, after = as_moves(views, field / 2), as_moves(bundle.views, field / 2)
        step = float(np.sqrt(((after - before) ** 2).mean())) * views.pixel_size
        residual = bundle.residual_px * views.pixel_size
        log.debug("round %d: residual %.2f A, step %.2f A", done, residual, step)
        if step < CONVERGED * residual or done == settings.rounds:
            yield Round(bundle, bundle.views, done)
            return
        views = from_moves(mixing.next(before, after), views, field / 2)
        yield Round(bundle, views, done)


def slab_beyond(views: Views, shape: tuple[int, int], thickness: float) -> Slab:
    """A slab in which the specimen's bounds can be found, well beyond the assumed thickness."""
    return slab_for(shape, views, BEYOND * thickness, 0.0)


def as_moves(views: Views, rim: float) -> Array:
    """The unknowns as one vector, all in px that a point at the rim of the field moves by."""
    return np.concatenate(
        [
            views.shifts.ravel(),
            np.deg2rad(views.axes) * rim,
            np.deg2rad(views.tilts) * rim,
            (views.magnifications - 1) * rim,
        ]
    )


def from_moves(moves: Array, views: Views, rim: float) -> Views:
    """The views that `as_moves` made a vector of."""
    n = len(views)
    axes, tilts, growth = moves[2 * n :].reshape(3, n) / rim
    return replace(
        views,
        shifts=moves[: 2 * n].reshape(n, 2),
        axes=np.rad2deg(axes),
        tilts=np.rad2deg(tilts),
        magnifications=1 + growth,
    )
