"""Which part of a volume was sampled: seen by the tilts in space, and in Fourier space."""

import numpy as np
from numpy.typing import NDArray

from vitreous.records.alignment import Alignment
from vitreous.records.volume import Grid
from vitreous.report.frames import Frames
from vitreous.report.slices import Bytes, Floats, Slices

FINEST_PX = 256  # voxels of the longest side at which views are counted
POWER_PX = 320  # side of the picture of the power
LIGHT = 225  # grey of what all of them saw: it stands out from a white page
BRIGHTEST = 2.0  # times the mean of its ring


def share_of_tilts(alignment: Alignment, grid: Grid) -> Slices:
    """The share of views that see each voxel, 0 to 1, on the planes through the middle."""
    step = max(1, -(-max(grid.size) // FINEST_PX))
    x, y, z = (np.arange(n, dtype=np.float64) for n in grid.size)
    middle = [n // 2 for n in grid.size]
    return Slices(
        xy=_share(alignment, grid, x[::step], y[::step], z[middle[2] : middle[2] + 1])[0],
        xz=_share(alignment, grid, x[::step], y[middle[1] : middle[1] + 1], z[::step])[:, 0],
        zy=_share(alignment, grid, x[middle[0] : middle[0] + 1], y[::step], z[::step])[:, :, 0].T,
    )


def _share(
    alignment: Alignment,
    grid: Grid,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    z: NDArray[np.float64],
) -> Floats:
    """(z, y, x) share of the views whose image holds the projected voxel."""
    nodes = np.stack(np.meshgrid(z, y, x, indexing="ij")[::-1], -1)
    pixels = alignment.pixels(grid.specimen(nodes.reshape(-1, 3)))
    inside = ((pixels >= 0) & (pixels <= np.array(alignment.image_size) - 1)).all(-1)
    return inside.mean(0).reshape(nodes.shape[:3]).astype(np.float32)


def relative_power(frames: Frames) -> Floats:
    """Power of slices (z, x) in their Fourier plane, over the mean of its ring; a square picture.

    Row 0 has the lowest kz, column 0 the lowest kx, both up to Nyquist. What no tilt sampled is
    dark: the missing wedge.
    """
    _, depth, width = frames.data.shape
    window = np.outer(np.hanning(depth + 2)[1:-1], np.hanning(width + 2)[1:-1])
    power = np.zeros((depth, width))
    for frame in frames.data:
        power += np.abs(np.fft.fft2((frame - frame.mean()) * window)) ** 2
    kz, kx = (np.fft.fftfreq(POWER_PX)[:, None], np.fft.fftfreq(POWER_PX)[None])
    row = np.rint(kz * depth).astype(int) % depth
    column = np.rint(kx * width).astype(int) % width
    square = power[row, column]
    ring = np.rint(np.hypot(kz, kx) * min(depth, width)).astype(int)
    mean = np.bincount(ring.ravel(), square.ravel()) / np.bincount(ring.ravel())
    found: Floats = np.fft.fftshift(square / np.maximum(mean[ring], 1e-30)).astype(np.float32)
    return found


def shown_share(image: Floats, voxel_size: float) -> Bytes:
    """Black where nothing was seen, light where everything was; row 0 at the bottom."""
    del voxel_size
    return (np.clip(image[::-1], 0, 1) * LIGHT).astype(np.uint8)


def shown_power(power: Floats) -> Bytes:
    """White at twice the mean of the ring; kz runs upwards."""
    return (np.clip(power[::-1] / BRIGHTEST, 0, 1) * 255).astype(np.uint8)
