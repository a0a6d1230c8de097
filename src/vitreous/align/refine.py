"""From coarse shifts to the final geometry: matching, then rounds of patches and bundle."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.align.bundle import Bundle, adjusted
from vitreous.align.left_out import Slab, references, slab_for
from vitreous.align.match import matched, scores_at_rest
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
BEYOND = 3000.0  # angstrom above and below together, in which more of the specimen is looked for
THICKER, MARGIN = 1.2, 300.0  # a tomogram that cuts the slab's corners pulls the axis away
DEEPEST = 9000.0  # angstrom, of a tomogram: what is thicker lets no electrons through at 60 degrees
PATIENCE = 2  # rounds without a better score
CONVERGED = 0.05  # of the residual: rms step of the views at the rim of the field


@dataclass(frozen=True, slots=True, eq=False)
class Refined:
    """The views, a bundle adjustment that starts from them, its slab, and the specimen's own."""

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
    """Refine views at the nominal tilts; `thickness` (angstrom) is a first guess, which the
    slab is given in any case: where the specimen is sparse, less of it is seen.

    images: spline coefficients of images of `shape` (y, x) at the views' pixel size.
    """
    steps, nominal_tilts = steps_of(settings), views.tilts
    depth = depth_for(thickness)
    anywhere = settings.largest_shift * max(shape) * views.pixel_size
    for half in (0, 1):
        slab = slab_for(shape, views, depth, settings.threshold)
        for done in range(PASSES):
            views, heights = matched(images, views, slab, LARGEST_MOVE, anywhere, threads)
            progress(half * PASSES + done + 1, steps)
        extent = find_extent(images, views, slab_beyond(views, shape, depth), threads)
        views = views.raised(extent.middle / views.pixel_size)
        depth = depth_for(max(extent.height, thickness))
        peaks = heights.mean(), heights.min()
        log.debug("matching: peaks of %.1f sd (least %.1f); slab %.0f A", *peaks, extent.thickness)
    slab = slab_for(shape, views, depth, settings.threshold)
    best: Round | None = None
    for last in bundle_rounds(images, views, nominal_tilts, slab, settings, threads):
        progress(2 * PASSES + last.number, steps)
        if best is None or last.score > best.score:
            best = last
        elif last.number - best.number == PATIENCE:
            break
    assert best is not None  # there is one round at least
    progress(steps, steps)
    extent = find_extent(images, best.views, slab_beyond(best.views, shape, depth), threads)
    centred = best.views.raised(extent.middle / best.views.pixel_size)
    return Refined(centred, best.bundle, slab, extent.lowered(extent.middle))


def depth_for(thickness: float) -> float:
    """Of the tomogram that views are matched with, for a specimen of `thickness`; angstrom."""
    return min(THICKER * thickness + MARGIN, DEEPEST)


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """Views, their mean score, and the bundle adjustment that starts from them."""

    number: int
    views: Views
    score: float
    bundle: Bundle


def bundle_rounds(
    images: Floats,
    views: Views,
    nominal_tilts: Array,
    slab: Slab,
    settings: AlignSettings,
    threads: int,
) -> Iterator[Round]:
    """Patches and bundle adjustment over and over, until nothing moves.

    What is sought is where the views fit the tomograms of the others best. Where patches are faint
    (thick ice) the last rounds may lead away from it again: the one to keep has the best score.
    """
    field = max(slab.field)
    mixing = Mixing(LARGEST_MIXING / views.pixel_size)
    for number in range(1, settings.rounds + 1):
        planes, found = references(images, views, slab, threads)
        score = float(scores_at_rest(planes, found, views, slab.plane, threads).mean())
        displacements = measured(planes, found, views, slab, LARGEST_PATCH_MOVE, threads)
        del planes, found  # before the next are made
        bundle = adjusted(
            views, nominal_tilts, displacements, field, is_axis_fixed=settings.tilt_axis_fixed
        )
        yield Round(number, views, score, bundle)
        before, after = as_moves(views, field / 2), as_moves(bundle.views, field / 2)
        step = float(np.sqrt(((after - before) ** 2).mean())) * views.pixel_size
        residual = bundle.residual_px * views.pixel_size
        log.debug(
            "round %d: score %.2f, residual %.2f A, step %.2f A", number, score, residual, step
        )
        if step < CONVERGED * residual:
            return
        views = from_moves(mixing.next(before, after), views, field / 2)


def slab_beyond(views: Views, shape: tuple[int, int], thickness: float) -> Slab:
    """A slab in which the specimen's bounds can be found, well beyond the assumed thickness.

    The first shifts may have put the origin on one of its faces, if that one holds the beads.
    """
    return slab_for(shape, views, thickness + BEYOND, 0.0)


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
