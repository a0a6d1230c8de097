"""Tilt series of Gaussian blobs in a slab: projections in closed form, quick to make and align."""

from dataclasses import dataclass

import numpy as np

from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.images import ArrayStack

PIXEL_SIZE = 15.0
SIZE = 128
LEVEL = 100.0


@dataclass(frozen=True)
class BlobSeries:
    """images (n, y, x), and the alignment and blobs (m, 3; angstrom) that they show."""

    images: np.ndarray
    truth: Alignment
    blobs: np.ndarray

    @property
    def stack(self):
        return ArrayStack(self.images, self.truth.pixel_size)


def blob_series(
    *,
    seed=1,
    tilts=None,
    axis=-4.3,
    thickness=1200.0,
    count=350,
    sigma=35.0,
    spread=4.0,
    noise=0.3,
    along_x=0.0,
    along_y=0.0,
    centre=0.0,
    size=SIZE,
    pixel_size=PIXEL_SIZE,
    jumps=None,
):
    """Dark blobs in a slab z = centre + tan(along_x) x + tan(along_y) y, turned by the tilts.

    spread: of the shifts, px; jumps: of views, (x, y) px besides; noise: standard deviation beside
    blobs of depth about 1.
    """
    rng = np.random.default_rng(seed)
    tilts = np.arange(-60, 61, 5.0) if tilts is None else np.asarray(tilts, float)
    shifts = rng.normal(0, spread * pixel_size, (len(tilts), 2))
    for view, jump in (jumps or {}).items():
        shifts[view] += np.array(jump) * pixel_size
    truth = alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=tilts,
        shifts=shifts,
        image_size=(size, size),
        pixel_size=pixel_size,
    )
    reach = size * pixel_size
    blobs = rng.uniform(-1, 1, (3 * count, 3)) * [1.5 * reach, reach, thickness / 2]
    blobs[:, 2] += centre
    blobs[:, 2] += np.tan(np.deg2rad(along_x)) * blobs[:, 0]
    blobs[:, 2] += np.tan(np.deg2rad(along_y)) * blobs[:, 1]
    weight = rng.uniform(0.5, 1.5, len(blobs))
    at = np.arange(size)
    images = np.empty((len(tilts), size, size), np.float32)
    for view, seen in enumerate(truth.pixels(blobs)):
        near = (np.abs(seen - size / 2) < size).all(1)
        x, y = (
            np.exp(-((at - seen[near, axis, None]) ** 2) / (2 * (sigma / pixel_size) ** 2))
            for axis in (0, 1)
        )
        images[view] = LEVEL - y.T @ (weight[near, None] * x)
    images += rng.normal(0, noise, images.shape).astype(np.float32)
    return BlobSeries(images, truth, blobs)
