"""Back-projection and projection of a slab in any affine tilt geometry, by shear.

Parallel rays show every plane z of a volume as the same image, only displaced. So a tilt image is
resampled once onto the lines of the volume's grid (`sheared_lines`: in-plane axis, magnification,
shift, stretch, local displacement all go in there), and what is left is a shift along x per plane
and tilt (`backproject`, `project`). An x-axis tilt displaces planes along y as well: what all tilts
share of it is undone once a plane at the end (`level_lines`), what differs is taken from the lines
beside.

Arrays decide the device: NumPy arrays run in Numba, CuPy arrays in CUDA, same signatures.
"""

from dataclasses import dataclass, replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.records.alignment import Alignment
from vitreous.records.tilt_series import named_tilt
from vitreous.records.volume import Grid

Array = NDArray[np.float64]
Table = NDArray[np.int64]
Floats = NDArray[np.float32]

PHASES = 16  # sub-pixel positions along x, where the tilts' lines are even
LINE_STEPS = 8  # heights between two lines, where they are not
STEEPEST_DEGREES = 88.0
EDGE = 4  # columns beyond what is read, for the spline's taps


@dataclass(frozen=True, slots=True, eq=False)
class Shear:
    """Where the planes of a grid are seen in the images of an alignment.

    Voxel (x, y, z) lies at image pixel linear (n, 2, 2) @ (x, y) + origin (n, 2) + slope (n, 2) z.
    In the sheared lines plane z is displaced along x by drift_x[t] and along y by drift_y[t] voxels
    for each step of z, counted from the middle plane. size: (x, y, z) of the grid; image_size:
    (x, y) px; steepest_drift: the largest |drift_x|, which decides how wide sheared lines are;
    steps_a_line: heights between two lines at which uneven tilts are taken, a power of 2.
    """

    linear: Array
    origin: Array
    slope: Array
    drift_x: Array
    drift_y: Array
    size: tuple[int, int, int]
    image_size: tuple[int, int]
    steepest_drift: float
    steps_a_line: int = LINE_STEPS

    def chosen(self, views: NDArray[np.intp]) -> "Shear":
        """The shear of some of the views, on lines of the same width as all views'."""
        return replace(
            self,
            linear=self.linear[views],
            origin=self.origin[views],
            slope=self.slope[views],
            drift_x=self.drift_x[views],
            drift_y=self.drift_y[views],
        )

    @property
    def transposed(self) -> "Shear":
        """The same on images whose x and y are exchanged."""
        return replace(
            self,
            linear=np.ascontiguousarray(self.linear[:, ::-1]),
            origin=np.ascontiguousarray(self.origin[:, ::-1]),
            slope=np.ascontiguousarray(self.slope[:, ::-1]),
            image_size=self.image_size[::-1],
        )

    @property
    def steps(self) -> Array:
        """(z,) planes counted from the middle."""
        return np.arange(self.size[2], dtype=np.float64) - (self.size[2] - 1) / 2

    @property
    def middle_origin(self) -> Array:
        """(n, 2) image pixel of grid point (0, 0) in the middle plane."""
        return self.origin + self.slope * (self.size[2] - 1) / 2

    @property
    def margin(self) -> int:
        """Columns of a sheared line before and after the grid's own."""
        return int(np.ceil(self.steepest_drift * (self.size[2] - 1) / 2)) + EDGE

    @property
    def width(self) -> int:
        """Columns of a sheared line."""
        return self.size[0] + 2 * self.margin

    @property
    def shared_drift_y(self) -> float:
        """Displacement along y for a step of z that all tilts share."""
        mean = float(self.drift_y.mean())
        return mean if abs(mean) * self.size[2] > 2e-3 else 0.0

    @property
    def columns(self) -> Array:
        """(z, n) column of a sheared line that voxel x = 0 reads."""
        return self.margin + self.steps[:, None] * self.drift_x

    @property
    def uneven_lines(self) -> Array:
        """(z, n) lines by which a tilt departs from the shared displacement along y."""
        return self.steps[:, None] * (self.drift_y - self.shared_drift_y)

    @property
    def line_steps(self) -> Table:
        """(z, n) the same in steps of 1 / steps_a_line, to the nearest."""
        return np.rint(self.uneven_lines * self.steps_a_line).astype(np.int64)

    @property
    def shared_lines(self) -> Array:
        """(z,) lines by which all tilts see a plane displaced along y."""
        return self.steps * self.shared_drift_y


def shear_of(
    alignment: Alignment,
    grid: Grid,
    image_size: tuple[int, int],
    image_pixel_size: float | tuple[float, float],
    *,
    image_centre: tuple[float, float] | None = None,
) -> Shear:
    """The shear of `grid` seen in images of `image_size` px of `image_pixel_size` A.

    Images may be binned against the alignment's own. image_centre: the pixel of the origin, n // 2
    where not given. Raises UserError for a view that sees the slab edge on.
    """
    pixel_size = np.broadcast_to(np.asarray(image_pixel_size, np.float64), 2)
    projections = alignment.projections * (grid.voxel_size / pixel_size)[:, None]
    linear, slope = projections[:, :, :2], projections[:, :, 2]
    middle = np.asarray(image_size) // 2 if image_centre is None else np.asarray(image_centre)
    origin = alignment.shifts / pixel_size + middle - projections @ np.asarray(grid.centre)
    steepest = np.abs(alignment.rotations[:, 2, 2]).argmin()
    if abs(alignment.rotations[steepest, 2, 2]) < np.cos(np.deg2rad(STEEPEST_DEGREES)):
        raise UserError(
            f"{named_tilt(alignment.sections[steepest], alignment.tilts_degrees[steepest])} sees "
            "the slab at more than "
            f"{STEEPEST_DEGREES:g} degrees: leave it out, or check the angles and axis orders"
        )
    drift: Array = np.linalg.solve(linear, slope[..., None])[..., 0].astype(np.float64)
    return Shear(
        linear=np.ascontiguousarray(linear),
        origin=origin,
        slope=slope,
        drift_x=drift[:, 0],
        drift_y=drift[:, 1],
        size=grid.size,
        image_size=(image_size[0], image_size[1]),
        steepest_drift=float(np.abs(drift[:, 0]).max()),
    )


def _device(array: Floats) -> ModuleType:
    """The kernels for the device that holds the array."""
    if isinstance(array, np.ndarray):
        from vitreous.kernels import cpu

        return cpu
    from vitreous.kernels import cuda

    return cuda


def sheared_lines(
    images: Floats,
    shear: Shear,
    first_line: int,
    out: Floats,
    *,
    as_coefficients: bool,
    field: Floats | None = None,
    field_step: float = 1.0,
) -> Floats:
    """Fill `out` (n, lines, width) with the images resampled onto lines first_line, ...

    images (n, rows + 4, columns + 4): cubic B-spline coefficients, border 2. field (n, 2, gy, gx):
    smooth displacement of image points in px, nodes every field_step px. as_coefficients: rows
    become spline coefficients along x, as `backproject` wants them; otherwise values.
    """
    if field is None:
        field = np.zeros((len(images), 2, 0, 0), np.float32)
    _device(out).sheared_lines(
        images,
        shear.linear,
        shear.middle_origin,
        float(-shear.margin),
        float(first_line),
        field,
        field_step,
        as_coefficients,
        out,
    )
    return out


@dataclass(frozen=True, slots=True)
class Lines:
    """The sheared lines that rows first_row ... first_row + rows - 1 of a volume need."""

    first_row: int
    rows: int
    first_line: int
    count: int
    levelled_rows: int


def lines_for(shear: Shear, first_row: int, rows: int) -> Lines:
    """Which lines to resample for a slab of rows, with what levelling and uneven tilts reach."""
    levelled = rows + (2 * _REACH - 1 if shear.shared_drift_y else 0)
    low = np.floor(shear.shared_lines).min() - (_REACH - 1 if shear.shared_drift_y else 0)
    high = np.floor(shear.shared_lines).max() + (_REACH if shear.shared_drift_y else 0)
    steps = int(np.abs(shear.line_steps).max())
    reach = -(-steps // shear.steps_a_line) + _REACH if steps else 0
    first = first_row + int(low) - reach
    last = first_row + rows - 1 + int(high) + reach
    return Lines(first_row, rows, first, last - first + 1, levelled)


_REACH = 3  # lines on either side of a six-point interpolation


def backproject(planes: Floats, shear: Shear, lines: Lines, volume: Floats) -> Floats:
    """volume (z, levelled rows, x) += back-projection of sheared lines of coefficients.

    Each plane takes each tilt at the nearest sixteenth of a pixel; where x tilts differ, between
    half pixels and at the nearest eighth of a line (1 / steps_a_line). Where the tilts share a
    displacement along y the result still has to go through `level`.
    """
    before = _REACH - 1 if shear.shared_drift_y else 0
    first = np.floor(shear.shared_lines).astype(np.int64)
    first += lines.first_row - lines.first_line - before
    kernels, steps = _device(volume), shear.line_steps
    if steps.any():
        kernels.backproject_uneven(planes, shear.columns, steps, first, volume, shear.steps_a_line)
    else:
        sixteenths = np.rint(shear.columns * PHASES).astype(np.int64)
        kernels.backproject_cubic(planes, sixteenths, first, volume)
    return volume


def level(volume: Floats, shear: Shear, lines: Lines, out: Floats) -> Floats:
    """out (z, rows, x) = the back-projection with the shared displacement along y undone."""
    if not shear.shared_drift_y:
        return volume
    whole = np.floor(shear.shared_lines)
    first = np.full(len(whole), _REACH - 1, np.int64)
    return level_at(volume, first, (shear.shared_lines - whole).astype(np.float32), out)


def level_all(volume: Floats, shear: Shear, lines: Lines, out: Floats) -> Floats:
    """The same for a volume (z, lines, x) that was made on the sheared lines themselves."""
    whole = np.floor(shear.shared_lines)
    first = (whole + lines.first_row - lines.first_line).astype(np.int64)
    if not shear.shared_drift_y:
        out[:] = volume[:, first[0] : first[0] + lines.rows]
        return out
    return level_at(volume, first, (shear.shared_lines - whole).astype(np.float32), out)


def level_at(
    volume: Floats, first_line: NDArray[np.int64], fraction: Floats, out: Floats
) -> Floats:
    """out (z, rows, x) = line first_line[z] + row + fraction[z] of `volume`, six-point Lagrange.

    Lines from first_line - 2 to first_line + rows + 2 are read.
    """
    _device(out).level_lines(volume, first_line, fraction, out)
    return out


def resample(images: Floats, linear: Array, origin: Array, out: Floats) -> Floats:
    """out (n, y, x) = the images at linear (n, 2, 2) @ (x, y) + origin (n, 2), px; 0 outside them.

    images (n, rows + 4, columns + 4): cubic B-spline coefficients with a border of 2.
    """
    no_field = np.zeros((len(images), 2, 0, 0), np.float32)
    _device(out).sheared_lines(images, linear, origin, 0.0, 0.0, no_field, 1.0, False, out)
    return out


def inside(shear: Shear, first_line: int, count: int) -> Floats:
    """(n, count, width): 1 where a sheared line lies in the image, 0 elsewhere."""
    x = np.arange(shear.width) - float(shear.margin)
    y = first_line + np.arange(count, dtype=np.float64)
    found = np.ones((len(shear.linear), count, shear.width), np.float32)
    for axis in range(2):
        along = shear.linear[:, axis, 0, None] * x + shear.middle_origin[:, axis, None]
        at = along[:, None] + (shear.linear[:, axis, 1, None] * y)[..., None]
        found *= (at >= -1e-9) & (at <= shear.image_size[axis] - 1 + 1e-9)
    return found


def backproject_lines(planes: Floats, shear: Shear, volume: Floats) -> Floats:
    """volume (z, lines, x) += back-projection with linear interpolation, line by line."""
    _device(volume).backproject_linear(planes, shear.columns, volume)
    return volume


def correct_lines(
    planes: Floats, shear: Shear, weight: Floats, lowest: float, volume: Floats
) -> Floats:
    """volume = max(lowest, volume + weight * back-projection), line by line, linear; one pass."""
    _device(volume).correct_linear(planes, shear.columns, weight, np.float32(lowest), volume)
    return volume


def project_lines(volume: Floats, shear: Shear, planes: Floats) -> Floats:
    """planes (n, lines, width) += projection: the exact transpose of `backproject_lines`."""
    _device(planes).project_linear(volume, shear.columns, planes)
    return planes


@dataclass(frozen=True, slots=True)
class Fade:
    """Images of `size` (x, y) px fade towards their edges: they set in over `falloff` px."""

    size: tuple[int, int]
    falloff: float


def divide_by_coverage(shear: Shear, first_row: int, volume: Floats) -> Floats:
    """Divide `volume` (z, rows, x), a NumPy array, by how many views show each voxel, if any."""
    from vitreous.kernels.cpu import divide_by_coverage as on_the_cpu

    on_the_cpu(
        shear.linear,
        shear.slope,
        shear.origin,
        np.asarray(shear.image_size, np.int64),
        float(first_row),
        volume,
    )
    return volume


def faded_coverage(
    shear: Shear, fade: Fade, weight: Array, first_row: int, out: NDArray[np.float32]
) -> Floats:
    """As `coverage`, of images that fade; `out` is a NumPy array."""
    from vitreous.kernels.cpu import faded_coverage as on_the_cpu

    on_the_cpu(
        shear.linear,
        shear.slope,
        shear.origin,
        np.asarray(shear.image_size, np.int64),
        np.asarray(fade.size, np.int64),
        fade.falloff,
        np.asarray(weight, np.float64),
        float(first_row),
        out,
    )
    return out


def coverage(shear: Shear, weight: Array, first_row: int, out: Floats) -> Floats:
    """Fill `out` (z, rows, x) with the summed weights (n,) of the views that show each voxel."""
    _device(out).coverage(
        shear.linear,
        shear.slope,
        shear.origin,
        np.asarray(shear.image_size, np.int64),
        np.asarray(weight, np.float64),
        float(first_row),
        out,
    )
    return out
