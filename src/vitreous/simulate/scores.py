"""How a reconstruction compares with the specimen it was made of."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


def dark_centre(volume: NDArray[np.generic], near: ArrayLike, radius: float) -> Array:
    """(x, y, z) sub-voxel centre of the dark spot next to the voxel `near` (x, y, z).

    Centre of mass of what is darker than halfway between the spot and its surroundings, in a ball
    of `radius` voxels that follows it.
    """
    centre = np.asarray(near, np.float64)
    reach = int(np.ceil(2 * radius))
    size = np.array(volume.shape[::-1])
    start = np.clip(np.round(centre).astype(int) - reach, 0, size - 1)
    stop = np.clip(np.round(centre).astype(int) + reach + 1, 1, size)
    window = tuple(slice(*ends) for ends in zip(start[::-1], stop[::-1], strict=True))
    box = np.asarray(volume[window], np.float64)
    z, y, x = np.indices(box.shape)
    points = np.stack([x, y, z], -1) + start
    for _ in range(20):
        inside = np.linalg.norm(points - centre, axis=-1) <= radius
        darkest = box[inside].min()
        weight = np.where(inside, ((np.median(box) + darkest) / 2 - box).clip(0), 0)
        found: Array = (weight[..., None] * points).sum((0, 1, 2)) / weight.sum()
        if np.abs(found - centre).max() < 1e-4:
            break
        centre = found
    return found


def tilt_wedge(shape: tuple[int, int, int], steepest_degrees: float, finest_px: float) -> Array:
    """(z, y, x // 2 + 1) 1 at the frequencies that tilts up to `steepest_degrees` about y reach.

    Periods shorter than `finest_px` are left out, and so is the mean.
    """
    nz, ny, nx = shape
    kz, ky = np.fft.fftfreq(nz)[:, None, None], np.fft.fftfreq(ny)[:, None]
    kx = np.fft.rfftfreq(nx)
    reached = np.abs(kz) <= np.abs(kx) * np.tan(np.deg2rad(steepest_degrees))
    k = np.sqrt(kz**2 + ky**2 + kx**2)
    return (reached & (k * finest_px <= 1) & (k > 0)).astype(np.float64)


def correlation_in(wedge: Array, one: Floats, other: Floats) -> float:
    """Correlation coefficient of two volumes, counted at the frequencies of `wedge` only."""
    from scipy import fft

    a = fft.rfftn(np.asarray(one, np.float32)) * wedge
    b = fft.rfftn(np.asarray(other, np.float32)) * wedge
    twice = slice(1, (one.shape[2] + 1) // 2)  # columns that stand for their conjugates too
    a[..., twice] *= np.sqrt(2)
    b[..., twice] *= np.sqrt(2)
    return float(np.vdot(a, b).real / np.sqrt(np.vdot(a, a).real * np.vdot(b, b).real))
