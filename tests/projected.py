"""Exact projections of an object without any symmetry: Gaussians, seen from known directions."""

from pathlib import Path

import numpy as np

from vitreous.formats.eman_hdf import read_hdf_volume
from vitreous.formats.mrc import MrcWriter, read_volume
from vitreous.geometry.euler import eman2_matrix

SIZE = 24
BLOBS = np.array([[4, -2, 3], [-5, 1, 0], [0, 6, -4], [2, 3, 5], [-3, -4, -5]], float)
HEIGHTS = np.array([1.0, 1.4, 0.8, 1.2, 0.6])
WIDTH = 1.6


def phantom(size: int = SIZE) -> np.ndarray:
    """A few Gaussians without any symmetry."""
    z, y, x = np.indices((size,) * 3) - size // 2
    return sum(
        h * np.exp(-((x - p[0]) ** 2 + (y - p[1]) ** 2 + (z - p[2]) ** 2) / (2 * WIDTH**2))
        for p, h in zip(BLOBS, HEIGHTS, strict=True)
    )


def projection(matrix: np.ndarray, shift: tuple[float, float] = (0, 0), size: int = SIZE):
    """Its exact projection, the content displaced by a shift."""
    y, x = np.indices((size, size)) - size // 2
    image = np.zeros((size, size))
    for point, height in zip(BLOBS @ matrix.T, HEIGHTS, strict=True):
        r2 = (x - point[0] - shift[0]) ** 2 + (y - point[1] - shift[1]) ** 2
        image += height * WIDTH * np.sqrt(2 * np.pi) * np.exp(-r2 / (2 * WIDTH**2))
    return image.astype(np.float32)


def matrices(count: int, seed: int = 1) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    angles = zip(
        rng.uniform(0, 360, count),
        np.degrees(np.arccos(rng.uniform(-1, 1, count))),
        rng.uniform(0, 360, count),
        strict=True,
    )
    return [eman2_matrix(*three) for three in angles]


def transform(matrix: np.ndarray, shift: tuple[float, float] = (0, 0)) -> np.ndarray:
    return np.column_stack([matrix, [*shift, 0]])


def likeness(path: Path, truth: np.ndarray | None = None) -> float:
    """Correlation with the truth inside a sphere."""
    found = read_hdf_volume(path)[0] if path.suffix == ".hdf" else read_volume(path).data
    truth = phantom(found.shape[0]) if truth is None else truth
    z, y, x = np.indices(found.shape) - np.array(found.shape).reshape(3, 1, 1, 1) // 2
    inside = x**2 + y**2 + z**2 < (found.shape[0] / 2 - 1) ** 2
    return float(np.corrcoef(found[inside], truth[inside])[0, 1])


def mrcs(path: Path, views: list[np.ndarray], shifts: np.ndarray) -> None:
    images = np.array(
        [projection(m, (-x, -y)) for m, (x, y) in zip(views, shifts, strict=True)], np.float32
    )
    with MrcWriter(path, images.shape, 2.5, is_stack=True) as writer:
        writer.write((0, 0, 0), images)
