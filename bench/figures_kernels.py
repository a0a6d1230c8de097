"""Fast kernels against their float64 twins."""

from functools import partial

import numpy as np
from figures import Figure, Section, within

from tests.kernels.test_shear import columns_of, relative, spline_images
from tests.kernels.twins import (
    backproject_cubic_slowly,
    backproject_linear_slowly,
    backproject_uneven_slowly,
    lagrange_six,
    sheared_line_slowly,
)
from vitreous.kernels import cpu
from vitreous.kernels.shear import shear_of
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.volume import Grid

SHAPE, TILTS, MARGIN = (40, 4, 150), 41, 40
DUE = 1e-5


def planes_and_columns(more_lines: int = 0):  # type: ignore[no-untyped-def]
    """Noise on 41 tilts (n, lines, width), and the column that voxel 0 of each plane reads."""
    nz, lines, nx = SHAPE
    rng = np.random.default_rng(1)
    planes = rng.normal(size=(TILTS, lines + more_lines, nx + 2 * MARGIN)).astype(np.float32)
    return planes, columns_of(nz, TILTS, MARGIN)


def cubic() -> Figure:
    """Level tilts: nearest sixteenth of a pixel."""
    planes, columns = planes_and_columns()
    sixteenths = np.rint(columns * 16).astype(np.int64)
    first = np.zeros(SHAPE[0], np.int64)
    volume = np.zeros(SHAPE, np.float32)
    cpu.backproject_cubic(planes, sixteenths, first, volume)
    slow = backproject_cubic_slowly(planes, sixteenths, first, SHAPE)
    return within(relative(volume, slow), DUE)


def uneven() -> Figure:
    """Tilts whose planes lie between lines."""
    planes, columns = planes_and_columns(more_lines=24)
    steps = np.arange(SHAPE[0])[:, None]
    eighths = np.rint(steps * np.linspace(-1, 1, TILTS) * 0.3).astype(np.int64)
    first = 8 + np.zeros(SHAPE[0], np.int64)
    volume = np.zeros(SHAPE, np.float32)
    cpu.backproject_uneven(planes, columns, eighths, first, volume)
    slow = backproject_uneven_slowly(planes, columns, eighths, first, SHAPE)
    return within(relative(volume, slow), DUE)


def linear() -> Figure:
    """The kernel of the iterations."""
    planes, columns = planes_and_columns()
    volume = np.zeros(SHAPE, np.float32)
    cpu.backproject_linear(planes, columns, volume)
    return within(relative(volume, backproject_linear_slowly(planes, columns, SHAPE)), DUE)


def adjoint() -> Figure:
    """|<A f, p> - <f, A^T p>| over the norms."""
    planes, columns = planes_and_columns()
    other = np.random.default_rng(2).normal(size=SHAPE).astype(np.float32)
    volume, projected = np.zeros(SHAPE, np.float32), np.zeros_like(planes)
    cpu.backproject_linear(planes, columns, volume)
    cpu.project_linear(other, columns, projected)
    apart = np.vdot(volume, other.astype(float)) - np.vdot(planes, projected.astype(float))
    return within(abs(apart) / (np.linalg.norm(volume) * np.linalg.norm(other)), DUE)


def levelled() -> Figure:
    """Six-point interpolation between lines."""
    lines = np.random.default_rng(3).normal(size=(3, 40, 150)).astype(np.float32)
    first, fraction = np.array([2, 3, 5]), np.array([0, 0.25, 0.8], np.float32)
    out = np.empty((3, 28, 150), np.float32)
    cpu.level_lines(lines, first, fraction, out)
    slow = [
        [lagrange_six(lines[z], first[z] + r + float(fraction[z])) for r in range(28)]
        for z in range(3)
    ]
    return within(relative(out, np.array(slow)), DUE)


def sheared(axis: float) -> Figure:
    """Cubic resampling of images onto lines, axis at `axis` degrees."""
    rng = np.random.default_rng(4)
    images = rng.normal(size=(3, 90, 100))
    alignment = alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=np.array([-50.0, 2, 60]),
        shifts=rng.normal(size=(3, 2)) * 4,
        magnifications=1.01,
        image_size=(100, 90),
        pixel_size=2.0,
    )
    shear = shear_of(alignment, Grid((90, 80, 21), 2.0, (45, 40, 10)), (100, 90), 2.0)
    values = np.empty((3, 60, shear.width), np.float32)
    no_field = np.zeros((3, 2, 0, 0), np.float32)
    maps = shear.linear, shear.middle_origin, float(-shear.margin), 10.0
    cpu.sheared_lines(spline_images(images), *maps, no_field, 1.0, False, values)
    columns = np.arange(shear.width) - shear.margin
    slow = [
        [
            sheared_line_slowly(image, shear.linear[t], shear.middle_origin[t], columns, y)
            for y in range(10, 70)
        ]
        for t, image in enumerate(images)
    ]
    return within(relative(values, np.array(slow)), DUE)


KERNELS = Section(
    key="kernels",
    title="Kernels against their float64 twins",
    text="Relative L2 error on white noise, 41 tilts and planes of 150 voxels.",
    columns=["rel. L2", "due"],
    rows={
        "back-projection": cubic,
        "back-projection, uneven x tilts": uneven,
        "linear back-projection": linear,
        "projection is its transpose": adjoint,
        "levelling of lines": levelled,
        **{
            f"resampling, axis {axis:g}": partial(sheared, axis)
            for axis in (0.0, 30.0, 85.3, -170.0)
        },
    },
    held_by="tests/kernels/test_shear.py",
    needs_shared=False,
)
