"""All tilts of a series as one picture of small tiles."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.records.images import ImageStack
from vitreous.report.frames import write_frames

Floats = NDArray[np.float32]

TILE = 176  # px of its longer side
DARK, BRIGHT = 1.0, 99.7  # percentiles of a tile that become black and white
LEAST_SPAN = 0.3  # of the usual tile's contrast: an empty image stays grey


@dataclass(frozen=True, slots=True, eq=False)
class Tiles:
    """Every section of a stack, small: (section, row, column)."""

    data: Floats

    def greys(self) -> NDArray[np.uint8]:
        """Each with a contrast of its own, but none that makes noise of nothing; row 0 below."""
        margin = max(1, min(self.data.shape[1:]) // 20)
        inner = self.data[:, margin:-margin, margin:-margin].reshape(len(self.data), -1)
        low, middle, high = np.percentile(inner, (DARK, 50, BRIGHT), axis=1)
        span = high - low
        widened = np.maximum(span, LEAST_SPAN * np.median(span))
        widened[widened <= 0] = 1.0
        start = np.where(widened > span, middle - widened / 2, low)
        share = (self.data[:, ::-1] - start[:, None, None]) / widened[:, None, None]
        greys: NDArray[np.uint8] = (np.clip(share, 0, 1) * 255).astype(np.uint8)
        return greys

    def write(self, path: Path) -> dict[str, int]:
        """Write them as one JPEG; returns how they lie in it."""
        return write_frames(self.greys(), path)


def tiles_of(stack: ImageStack) -> Tiles:
    """Read every section and average it down."""
    sections, rows, columns = stack.shape
    binning = max(1, -(-max(rows, columns) // TILE))
    return Tiles(np.stack([_small(stack.read(section), binning) for section in range(sections)]))


def _small(image: NDArray[np.generic], binning: int) -> Floats:
    rows, columns = (max(1, n // binning) for n in image.shape)
    kept = np.nan_to_num(image[: rows * binning, : columns * binning].astype(np.float32))
    means: Floats = kept.reshape(rows, binning, columns, binning).mean((1, 3))
    return means
