"""SIRT and OS-SART of one slab of lines after the other.

Both run in the resampled images: there a line of the slab is a problem of its own, and projection
A and back-projection A^T are exact transposes. With R = 1 / planes on rays that hit the image and 0
elsewhere, C = 1 / views that show a voxel:

    f <- f + relaxation C A^T R (b - A f)

for all tilts at once (SIRT) or for subsets of tilts in turn (OS-SART). R counts the whole path
through the slab: what a ray crosses beside the volume is taken as 0, the mean of the images.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import shear as kernel
from vitreous.kernels.device import Device
from vitreous.kernels.shear import Lines, Shear
from vitreous.reconstruct.field import Field, field_of
from vitreous.reconstruct.images import Prepared
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment

Floats = NDArray[np.float32]

LINES_AT_ONCE = 4  # so that their volume, change and weight stay in the last level of cache
CACHED_BYTES = 16 << 20  # lines so large that they can't are taken one a thread
MOST_UNEVEN_LINES = 0.25


def lines_at_once(shear: Shear, threads: int) -> int:
    """How many lines are iterated together."""
    nx, _, nz = shear.size
    return max(threads, min(LINES_AT_ONCE, CACHED_BYTES // (4 * nz * nx)))


def slab_bytes(shear: Shear, lines: Lines, settings: ReconstructSettings, threads: int) -> int:
    """Memory of a slab: all its lines, and the work arrays of those that are iterated together."""
    nx, _, nz = shear.size
    views, width = len(shear.linear), shear.width
    together = lines_at_once(shear, threads)
    weights = 1 if settings.method == "sirt" else min(settings.subsets, views)
    voxels = nz * nx * (lines.count + together * (2 + weights))  # lines, mask, weights
    if shear.shared_drift_y:
        voxels += nz * nx * lines.rows
    rays = 6 * views * together * width  # wanted, weights and residuals, whole and by groups
    projected = threads * (nz + 3) * (nx + 2 * width)  # a line with room at its ends
    return 4 * (voxels + rays + projected)


class SlabMaker:
    """Iterates the lines that a slab needs, then levels them."""

    def __init__(
        self,
        images: Prepared,
        shear: Shear,
        alignment: Alignment,
        settings: ReconstructSettings,
        device: Device,
        *,
        mask: Floats | None = None,
        threads: int = 1,
    ) -> None:
        uneven = float(np.abs(shear.uneven_lines).max())
        if uneven > MOST_UNEVEN_LINES:
            raise UserError(
                f"x tilts differ between the views by {uneven:.2f} lines at the slab's faces: "
                "iterations need one x tilt for all (use wbp, or give the mean as x_axis_tilt)"
            )
        if mask is not None and shear.shared_drift_y:
            raise UserError("a mask can't be used together with an x-axis tilt")
        self.shear, self.settings, self.device, self.mask = shear, settings, device, mask
        self.images = device.put(images.coefficients)
        self.field: Field | None = field_of(alignment, images)
        self.lines = lines_at_once(shear, threads)
        self.subsets = _subsets(alignment, settings)
        self.work: dict[str, Floats] = {}

    def slab(self, row: int, rows: int) -> Floats:
        """Rows row ... row + rows - 1 of the tomogram, (z, rows, x); overwritten by the next."""
        nx, _, nz = self.shear.size
        lines = kernel.lines_for(self.shear, row, rows)
        volume = self._array("volume", (nz, lines.count, nx))
        for start in range(0, lines.count, self.lines):
            stop = min(start + self.lines, lines.count)
            volume[:, start:stop] = self._solved(lines.first_line + start, stop - start)
        if self.shear.shared_drift_y:
            out = self._array("slab", (nz, rows, nx))
            slab = self.device.get(kernel.level_all(volume, self.shear, lines, out))
        else:
            first = lines.first_row - lines.first_line
            slab = self.device.get(volume[:, first : first + rows])
        if self.settings.add or self.settings.multiply is not None:
            slab += np.float32(self.settings.add)
            slab *= np.float32(1.0 if self.settings.multiply is None else self.settings.multiply)
        return slab

    def _array(self, name: str, shape: tuple[int, ...]) -> Floats:
        if name not in self.work or self.work[name].shape != shape:
            self.work[name] = self.device.zeros(shape)
        return self.work[name]

    def _solved(self, first_line: int, count: int) -> Floats:
        """(z, count, x): the lines after all iterations."""
        nx, _, nz = self.shear.size
        measured = self.device.zeros((len(self.images), count, self.shear.width))
        kernel.sheared_lines(
            self.images,
            self.shear,
            first_line,
            measured,
            as_coefficients=False,
            **(self.field.arguments(self.device) if self.field else {}),
        )
        seen = self.device.put(kernel.inside(self.shear, first_line, count))
        volume = self.device.zeros((nz, count, nx))
        support = self._support(first_line, count)
        groups = []
        for views in self.subsets:
            shear = self.shear.chosen(views)
            weight = self.device.zeros(volume.shape)
            kernel.backproject_lines(seen[views], shear, weight)
            fringe = weight <= 0.5  # seen by the end of a ray only: left as it is
            np.maximum(weight, np.float32(0.5), out=weight)
            np.divide(np.float32(self.settings.relaxation), weight, out=weight)
            weight[fringe] = 0
            if support is not None:
                weight *= support
            groups.append((shear, measured[views], seen[views] * np.float32(-1 / nz), weight))
        for _ in range(self.settings.iterations):
            for shear, wanted, ray_weight, voxel_weight in groups:
                self._step(shear, wanted, ray_weight, voxel_weight, volume)
        return volume

    def _step(
        self,
        shear: Shear,
        wanted: Floats,
        ray_weight: Floats,
        voxel_weight: Floats,
        volume: Floats,
    ) -> None:
        """One correction of `volume` towards the `wanted` lines of a group of tilts."""
        residual = self.device.zeros(wanted.shape)
        kernel.project_lines(volume, shear, residual)
        residual -= wanted
        residual *= ray_weight  # negative: what is missing is added
        lowest = 0.0 if self.settings.positive else -np.inf
        kernel.correct_lines(residual, shear, voxel_weight, lowest, volume)

    def _support(self, first_line: int, count: int) -> Floats | None:
        """The mask on these lines; beyond the volume's rows 0."""
        if self.mask is None:
            return None
        nz, ny, nx = self.mask.shape
        support = np.zeros((nz, count, nx), np.float32)
        low, high = max(first_line, 0), min(first_line + count, ny)
        support[:, low - first_line : high - first_line] = self.mask[:, low:high]
        return self.device.put(support)


def _subsets(alignment: Alignment, settings: ReconstructSettings) -> list[NDArray[np.intp]]:
    """Groups of views: all in one for SIRT; for OS-SART each group spread over the angles."""
    order = np.argsort(alignment.tilts_degrees, kind="stable")
    if settings.method == "sirt":
        return [np.sort(order)]
    count = min(settings.subsets, len(order))
    return [np.sort(order[first::count]) for first in range(count)]
