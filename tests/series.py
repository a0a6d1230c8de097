"""Small tilt series on disk with beads whose places are known."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitreous.formats import imod
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.records.alignment import Alignment, alignment_from_angles

PIXEL_SIZE = 10.0
SIZE = (64, 56)  # x, y px
COUNT = 15
BEADS = np.array([[80.0, -60.0, 70.0], [-110.0, 90.0, -50.0]])  # angstrom
BEAD_SIGMA = 25.0


@dataclass(frozen=True)
class Series:
    """stack and transforms are files; images (n, y, x) what the stack holds."""

    stack: Path
    transforms: Path
    images: np.ndarray
    alignment: Alignment


def beads_seen(alignment, noise=0.02, level=3.0):
    """Images of dark Gaussian beads on a grey level."""
    columns, rows = alignment.image_size
    y, x = np.mgrid[:rows, :columns]
    images = np.full((len(alignment), rows, columns), level, np.float32)
    sigma = BEAD_SIGMA / alignment.pixel_size
    for view, seen in enumerate(alignment.pixels(BEADS)):
        for u, v in seen:
            images[view] += np.exp(-((x - u) ** 2 + (y - v) ** 2) / (2 * sigma**2))
    return images + np.random.default_rng(5).normal(0, noise, images.shape).astype(np.float32)


def tilts_seen(count=COUNT, size=SIZE, axis=4.0, **more):
    """`count` tilts from -60 to 60 degrees, each shifted by some pixels."""
    shifts = np.random.default_rng(3).normal(0, 2 * PIXEL_SIZE, (count, 2))
    angles = {
        "axes_degrees": axis,
        "tilts_degrees": np.linspace(-60, 60, count),
        "shifts": shifts,
        "image_size": size,
        "pixel_size": PIXEL_SIZE,
    }
    return alignment_from_angles(**{**angles, **more})


def write_stack(path, images, pixel_size=PIXEL_SIZE):
    """Write images (n, y, x) as float32."""
    with MrcWriter(path, images.shape, pixel_size, is_stack=True) as writer:
        writer.write((0, 0, 0), images.astype(np.float32))
    return path


def write_series(folder, name="ts", images=None, **tilts):
    """A stack NAME.mrc of beads (or `images`) with NAME.xf, NAME.tlt, NAME.xtilt."""
    alignment = tilts_seen(**tilts)
    images = beads_seen(alignment) if images is None else images
    stack, transforms = folder / f"{name}.mrc", folder / f"{name}.xf"
    write_stack(stack, images)
    imod.write(alignment, transforms)
    return Series(stack, transforms, images, alignment)


def volume_of(path):
    """(sections as they stand (n, y, x), voxel size, labels) of an MRC file."""
    with open_stack(path) as file:
        data = np.stack([file.read(i) for i in range(file.shape[0])])
        return data, file.pixel_size, file.header.labels


def place_of(volume, expected, reach=4):
    """(x, y, z) centre of mass of what is bright round an expected voxel."""
    x, y, z = (round(i) for i in expected)
    low = np.maximum([z - reach, y - reach, x - reach], 0)
    box = tuple(slice(first, c + reach + 1) for first, c in zip(low, (z, y, x), strict=True))
    mass = np.clip(volume[box] - 0.3 * volume[box].max(), 0, None).astype(float)
    at = np.indices(mass.shape).reshape(3, -1) @ mass.ravel() / mass.sum()
    return (at + low)[::-1]
