"""What to launch for each kernel of shear.cu: grid, block and arguments, as pure functions.

Same signatures as `vitreous.kernels.cpu`. Nothing here needs a GPU: arrays may be CuPy's or
NumPy's, and the tests run the same launches on a CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Table = NDArray[np.int64]

THREADS = 128  # of a block, along x
DEPTH = 8  # planes or tilts that a thread makes
LINE_STEPS = 8  # heights between two lines, where tilts differ
COLUMNS = 8  # columns that a thread of sheared_values and coverage makes

OPTIONS = ("--std=c++17", f"-DDEPTH={DEPTH}", f"-DCOLUMNS={COLUMNS}")


@dataclass(frozen=True, slots=True, eq=False)
class Launch:
    """One call of a kernel: arguments are arrays and NumPy scalars of the C types."""

    kernel: str
    grid: tuple[int, int, int]
    arguments: tuple[Any, ...]
    block: tuple[int, int, int] = (THREADS, 1, 1)


def backproject_cubic(
    planes: Floats, sixteenths: Table, first_line: Table, volume: Floats
) -> list[Launch]:
    """volume += back-projection of planes of B-spline coefficients."""
    nz, rows, nx = volume.shape
    arguments = (
        _whole(planes),
        _ints(sixteenths),
        _ints(first_line),
        _whole(volume),
        *_sizes(*planes.shape, *volume.shape),
    )
    return [Launch("backproject_cubic", (_blocks(nx), rows, _shared(nz)), arguments)]


def backproject_uneven(
    planes: Floats,
    columns: Array,
    eighths: Table,
    first_line: Table,
    volume: Floats,
    steps: int = LINE_STEPS,
) -> list[Launch]:
    """volume += back-projection of planes of B-spline coefficients, each tilt at its own height."""
    nz, rows, nx = volume.shape
    arguments = (
        _whole(planes),
        *_whole_and_rest(2 * columns),
        _ints(eighths),
        _ints(first_line),
        _whole(volume),
        *_sizes(*planes.shape, *volume.shape, steps),
    )
    return [Launch("backproject_uneven", (_blocks(nx), rows, _shared(nz)), arguments)]


def backproject_linear(planes: Floats, positions: Array, volume: Floats) -> list[Launch]:
    """volume += back-projection with linear interpolation along x."""
    nz, lines, nx = volume.shape
    arguments = (
        _whole(planes),
        *_whole_and_rest(positions),
        _whole(volume),
        *_sizes(*planes.shape, nz, nx),
    )
    return [Launch("backproject_linear", (_blocks(nx), lines, _shared(nz)), arguments)]


def correct_linear(
    planes: Floats, positions: Array, weight: Floats, lowest: np.float32, volume: Floats
) -> list[Launch]:
    """volume = max(lowest, volume + weight * back-projection of the planes), as one pass."""
    nz, lines, nx = volume.shape
    arguments = (
        _whole(planes),
        *_whole_and_rest(positions),
        _whole(weight),
        np.float32(lowest),
        _whole(volume),
        *_sizes(*planes.shape, nz, nx),
    )
    return [Launch("correct_linear", (_blocks(nx), lines, _shared(nz)), arguments)]


def project_linear(volume: Floats, positions: Array, planes: Floats) -> list[Launch]:
    """planes += projection of the volume: the exact transpose of `backproject_linear`."""
    n, lines, width = planes.shape
    arguments = (
        _whole(volume),
        *_whole_and_rest(positions),
        _whole(planes),
        *_sizes(n, lines, width, len(volume), volume.shape[2]),
    )
    return [Launch("project_linear", (_blocks(width), lines, _shared(n)), arguments)]


def level_lines(lines_in: Floats, first_line: Table, fraction: Floats, out: Floats) -> list[Launch]:
    """out[z, r] = lines_in[z] at first_line[z] + r + fraction[z], six-point Lagrange."""
    nz, rows, nx = out.shape
    arguments = (
        _whole(lines_in),
        _ints(first_line),
        np.asarray(fraction, np.float32),
        _whole(out),
        *_sizes(lines_in.shape[1], rows, nx),
    )
    return [Launch("level_lines", (_blocks(nx), rows, nz), arguments)]


def sheared_lines(
    images: Floats,
    linear: Array,
    origin: Array,
    first_column: float,
    first_line: float,
    field: Floats,
    field_step: float,
    as_coefficients: bool,
    out: Floats,
) -> list[Launch]:
    """Resample every image onto lines of the grid, zero outside the image."""
    n, lines, width = out.shape
    values = np.empty_like(out) if as_coefficients else out
    arguments = (
        _whole(images),
        *_doubles(linear, origin),
        np.float64(first_column),
        np.float64(first_line),
        _whole(field),
        np.float64(field_step),
        _whole(values),
        *_sizes(*images.shape[1:], *field.shape[2:], lines, width),
    )
    sampling = Launch("sheared_values", (_blocks(width, COLUMNS), lines, n), arguments)
    if not as_coefficients:
        return [sampling]
    arguments = values, _whole(out), *_sizes(lines, width)
    return [sampling, Launch("to_coefficients", (_blocks(width), lines, n), arguments)]


def coverage(
    linear: Array,
    slope: Array,
    origin: Array,
    image_size: Table,
    weight: Array,
    first_line: float,
    out: Floats,
) -> list[Launch]:
    """out[z, r, x] = sum of the weights of the views whose image shows the voxel."""
    nz, rows, nx = out.shape
    arguments = (
        *_doubles(linear, slope, origin, weight),
        np.float64(first_line),
        *_sizes(*image_size),
        _whole(out),
        *_sizes(len(weight), rows, nx),
    )
    return [Launch("coverage", (_blocks(nx, COLUMNS), rows, nz), arguments)]


def _blocks(columns: int, each: int = 1) -> int:
    """Blocks along x when a thread makes `each` columns."""
    return -(-columns // (THREADS * each))


def _shared(items: int) -> int:
    """Blocks along planes or tilts, of which a thread makes DEPTH."""
    return -(-items // DEPTH)


def _whole(array: Floats) -> Floats:
    """The array itself, refused where the kernels, which see only its address, would misread it."""
    if array.dtype != np.float32 or not array.flags.c_contiguous:
        raise TypeError(f"expected a contiguous float32 array, found {array.dtype}")
    return array


def _sizes(*sizes: int) -> Sequence[np.int32]:
    return [np.int32(size) for size in sizes]


def _ints(table: Table) -> NDArray[np.int32]:
    return np.ascontiguousarray(table, np.int32)


def _doubles(*tables: Array) -> Sequence[Array]:
    return [np.ascontiguousarray(table, np.float64) for table in tables]


def _whole_and_rest(positions: Array) -> tuple[NDArray[np.int32], Floats]:
    """Integer part and float32 fraction of a table of positions >= 0."""
    whole = positions.astype(np.int32)
    return whole, (positions - whole).astype(np.float32)
