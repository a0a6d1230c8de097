"""Volume -> the images that an alignment would show of it."""

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import shear as kernel
from vitreous.kernels.cpu.resample import BORDER
from vitreous.kernels.device import CPU, Device
from vitreous.kernels.machine import use_threads
from vitreous.kernels.shear import Shear, shear_of
from vitreous.records.alignment import Alignment
from vitreous.records.images import ArrayStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Volume

Floats = NDArray[np.float32]


def reproject(
    volume: Volume,
    alignment: Alignment,
    *,
    outside: float = 0.0,
    device: Device = CPU,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> ArrayStack:
    """Project the volume into every view of the alignment: density times path in angstrom.

    outside: the density that the slab has beyond the volume's sides; a tomogram's mean keeps its
    reprojections free of falling edges.

    The images have the size and pixel size of the alignment's. Sums along the ray are taken in the
    sheared lines, where rays run along the planes' normal; then one cubic resampling leads into
    each image. Displacement fields are not applied (UserError).
    """
    if alignment.displacement is not None:
        raise UserError("a volume can't be projected through a displacement field yet")
    use_threads(threads)
    columns, rows = alignment.image_size
    shear = shear_of(alignment, volume.grid, (columns, rows), alignment.pixel_size)
    data = np.asarray(volume.data, np.float32) - np.float32(outside)
    sheared, first_line = _sheared(data, shear)
    there = device.put(sheared)
    images = np.zeros((len(alignment), rows, columns), np.float32)
    for view in range(len(alignment)):
        alone = shear.chosen(np.array([view]))
        plane = device.zeros((1, sheared.shape[1], shear.width))
        kernel.project_lines(there, alone, plane)
        path = np.sqrt(1 + shear.drift_x[view] ** 2 + shear.drift_y[view] ** 2)
        _into_image(device.get(plane), alone, first_line, images[view : view + 1])
        images[view] += np.float32(outside * len(data))
        images[view] *= np.float32(path * volume.voxel_size)
        progress(view + 1, len(alignment))
    return ArrayStack(images, alignment.pixel_size)


def _sheared(data: Floats, shear: Shear) -> tuple[Floats, int]:
    """The volume's rows on the lines where all tilts see them in one plane; the first line."""
    if not shear.shared_drift_y:
        return data, 0
    nz, ny, nx = data.shape
    reach = int(np.ceil(np.abs(shear.shared_lines).max())) + 3
    padded = np.pad(data, ((0, 0), (2 * reach, 2 * reach), (0, 0)))
    out = np.empty((nz, ny + 2 * reach, nx), np.float32)
    back = reach - shear.shared_lines
    whole = np.floor(back)
    kernel.level_at(padded, whole.astype(np.int64), (back - whole).astype(np.float32), out)
    return out, -reach


def _into_image(plane: Floats, shear: Shear, first_line: int, image: Floats) -> None:
    """Resample one plane (1, lines, width) of the middle of the volume into its image."""
    from scipy import ndimage

    padded = np.pad(plane[0], BORDER + 6)
    coefficients = ndimage.spline_filter(padded, 3, output=np.float32, mode="mirror")
    coefficients = np.ascontiguousarray(coefficients[6:-6, 6:-6])[None]
    back = np.linalg.inv(shear.linear).astype(np.float64)
    start = np.array([shear.margin, -first_line])
    origin = start - np.einsum("nij,nj->ni", back, shear.middle_origin)
    kernel.resample(coefficients, back, origin, image)
