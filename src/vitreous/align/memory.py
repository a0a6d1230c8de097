"""The memory that an alignment takes, before it begins."""

import numpy as np

from vitreous.align.images import binning_for
from vitreous.align.left_out import LINES_AT_A_TIME, Slab, slab_for
from vitreous.align.refine import BEYOND, DEEPEST
from vitreous.align.settings import AlignSettings
from vitreous.align.views import nominal_views

PROGRAM_BYTES = 230_000_000  # the interpreter, the libraries and the compiled kernels
READING = 9  # float32 images that reading and repairing one takes
VOLUMES = 3  # of a few lines: the tomograms of odd and even tilts, and their product
STEEPEST = 60.0  # degrees, of a usual series
WIDEST_AXIS = 45.0  # degrees: the axis at which most of the specimen plane is seen


def plan_alignment(
    shape: tuple[int, int, int],
    settings: AlignSettings,
    pixel_size: float,
    threads: int = 1,
    *,
    steepest_degrees: float = STEEPEST,
) -> int:
    """The most memory, bytes, that `align_series` of a stack (tilts, y, x) takes, all in all.

    How thick the specimen is isn't known yet: it is as thick as it may be, seen at the steepest
    tilt. docs/memory.md has measured figures.
    """
    tilts, rows, columns = shape
    binning = binning_for(pixel_size, settings.work_pixel)
    binned = rows // binning, columns // binning
    images = 4 * tilts * (binned[0] + 4) * (binned[1] + 4)
    reading = READING * 4 * rows * columns
    views = nominal_views(np.array([0.0, steepest_degrees]), WIDEST_AXIS, pixel_size * binning)
    matching, bounds = (
        slab_for(binned, views, depth, settings.threshold) for depth in (DEEPEST, DEEPEST + BEYOND)
    )
    in_matching = 2 * planes_bytes(matching, tilts) + threads * line_bytes(matching, tilts)
    finding_bounds = planes_bytes(bounds, tilts) + VOLUMES * volume_bytes(bounds)
    return PROGRAM_BYTES + 2 * images + max(reading, in_matching, finding_bounds)


def planes_bytes(slab: Slab, tilts: int) -> int:
    """All views on the specimen plane."""
    return 4 * tilts * slab.plane.height * slab.plane.width


def line_bytes(slab: Slab, tilts: int) -> int:
    """What a thread holds of one line: its slab and its rows."""
    return 4 * (slab.depth * slab.breadth + tilts * slab.plane.width)


def volume_bytes(slab: Slab) -> int:
    """A part of the tomogram, as many lines as are made at a time."""
    return 4 * slab.depth * LINES_AT_A_TIME * slab.breadth
