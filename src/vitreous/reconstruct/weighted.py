"""Weighted back-projection of one slab of rows after the other."""

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels import shear as kernel
from vitreous.kernels.device import Device
from vitreous.kernels.shear import Lines, Shear
from vitreous.reconstruct.field import Field, field_of
from vitreous.reconstruct.images import Prepared
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment

Floats = NDArray[np.float32]


def slab_bytes(shear: Shear, lines: Lines, settings: ReconstructSettings) -> int:
    """Memory of a slab: its sheared lines, what is back-projected, what comes of it."""
    nx, _, nz = shear.size
    voxels = nz * nx * lines.levelled_rows
    if shear.shared_drift_y:
        voxels += nz * nx * lines.rows
    if settings.combine == "mean":
        voxels += nz * nx * lines.rows
    return 4 * (voxels + len(shear.linear) * lines.count * shear.width)


class SlabMaker:
    """Holds the work arrays of a reconstruction from slab to slab (first touch of memory costs)."""

    def __init__(
        self,
        images: Prepared,
        shear: Shear,
        alignment: Alignment,
        settings: ReconstructSettings,
        device: Device,
    ) -> None:
        self.shear, self.settings, self.device = shear, settings, device
        self.images = device.put(images.coefficients)
        self.levels = images.levels
        self.level = np.float32(images.levels.sum())
        self.fade = images.fade
        self.field: Field | None = field_of(alignment, images)
        self.work: dict[str, Floats] = {}

    def slab(self, row: int, rows: int) -> Floats:
        """Rows row ... row + rows - 1 of the tomogram, (z, rows, x); overwritten by the next."""
        nx, _, nz = self.shear.size
        lines = kernel.lines_for(self.shear, row, rows)
        planes = self._array("planes", (len(self.images), lines.count, self.shear.width))
        kernel.sheared_lines(
            self.images,
            self.shear,
            lines.first_line,
            planes,
            as_coefficients=True,
            **(self.field.arguments(self.device) if self.field else {}),
        )
        volume = self._array("volume", (nz, lines.levelled_rows, nx))
        volume[:] = 0
        kernel.backproject(planes, self.shear, lines, volume)
        slab = volume
        if self.shear.shared_drift_y:
            slab = kernel.level(volume, self.shear, lines, self._array("slab", (nz, rows, nx)))
        return self._finished(self.device.get(slab), row)

    def _array(self, name: str, shape: tuple[int, ...]) -> Floats:
        if name not in self.work or self.work[name].shape != shape:
            self.work[name] = self.device.zeros(shape)
        return self.work[name]

    def _finished(self, slab: Floats, row: int) -> Floats:
        """Grey scale and edges."""
        settings = self.settings
        if settings.combine == "mean":
            self._to_means(slab, row)
        elif self.level:
            slab += self.level
        if settings.mask_edges is not None:
            run_out_beyond_arc(slab, self.level, settings.mask_edges)
        return scaled(slab, settings)

    def _to_means(self, slab: Floats, row: int) -> None:
        """Divide by how many tilts see a voxel, a fading image by as much as it shows.

        Where all that see it fade there is not a whole one to divide by: there the mean fades too.
        """
        if self.fade is None and not self.levels.any():
            kernel.divide_by_coverage(self.shear, row, slab)
            return
        seen = np.empty_like(slab)
        self._covered(np.ones(len(self.images)), row, seen)
        if self.levels.any():
            level = np.empty_like(slab)
            self._covered(self.levels, row, level)
            slab += level
        np.divide(slab, np.maximum(seen, 1), out=slab)

    def _covered(self, weight: NDArray[np.float64], row: int, out: Floats) -> None:
        if self.fade is None:
            kernel.coverage(self.shear, weight, row, out)
        else:
            kernel.faded_coverage(self.shear, self.fade, weight, row, out)


def scaled(slab: Floats, settings: ReconstructSettings) -> Floats:
    """(slab + add) * multiply, in place."""
    if settings.add or settings.multiply is not None:
        slab += np.float32(settings.add)
        slab *= np.float32(1.0 if settings.multiply is None else settings.multiply)
    return slab


FADING = np.float32(0.9)  # towards the level, each voxel further out


def run_out_beyond_arc(slab: Floats, level: np.float32, voxels: int) -> None:
    """Outside the circle of half the width in x and z let the edge's values run out to `level`.

    Only inside it every tilt sees the specimen (IMOD's MASK). Each voxel outside is the mean of the
    three next further in, faded; `voxels` are taken off the radius.
    """
    nz, _, nx = slab.shape
    z = np.arange(nz) - (nz - 1) / 2
    half = (nx - 1) / 2 - voxels
    reach = np.sqrt(np.maximum(half**2 - z**2, 0))
    first = np.ceil((nx - 1) / 2 - reach).astype(int).clip(0, nx // 2)  # inside, per plane
    rows = np.arange(nz)
    around = np.clip([rows - 1, rows, rows + 1], 0, nz - 1)
    for side in (slab, slab[..., ::-1]):
        for x in range(first.max() - 1, -1, -1):
            outside = np.flatnonzero(first > x)
            inner = side[:, :, x + 1]
            mean = inner[around[:, outside]].mean(0)
            side[outside, :, x] = level + (mean - level) * FADING
