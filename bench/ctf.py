"""CTF estimation of series of large images: CPU seconds of the whole estimate."""

from dataclasses import dataclass

import numpy as np
from measure import cpu_seconds, table, verdict
from numpy.typing import NDArray

from vitreous.ctf.optics import Optics
from vitreous.ctf.series import estimate_series
from vitreous.ctf.settings import CtfSettings
from vitreous.records.alignment import alignment_from_angles

TILTS = 41
SIDE, PIXEL_SIZES = 4096, (0.83, 1.35, 2.5)
MOST_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Repeated:
    """A stack that shows one image (y, x), turned over, in all its sections."""

    image: NDArray[np.uint8]
    sections: int
    pixel_size: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        rows, columns = self.image.shape
        return self.sections, rows, columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of a pixel."""
        return self.image.dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Section `index` (y, x)."""
        return np.roll(self.image, 97 * index, axis=1)


def seconds(side: int, pixel_size: float) -> float:
    """CPU seconds of one estimate; noise costs what a specimen does."""
    image = np.random.default_rng(1).poisson(8, (side, side)).astype(np.uint8)
    stack = Repeated(image, TILTS, pixel_size)
    alignment = alignment_from_angles(
        axes_degrees=85.0,
        tilts_degrees=np.linspace(-60, 60, TILTS),
        shifts=np.zeros((TILTS, 2)),
        image_size=(side, side),
        pixel_size=pixel_size,
    )
    return cpu_seconds(
        lambda: estimate_series(stack, alignment, Optics(), CtfSettings()), repeats=1
    )


def ctf_section(side: int = SIDE) -> str:
    """The section of the page."""
    estimate_series_compiled()
    found = {pixel_size: seconds(side, pixel_size) for pixel_size in PIXEL_SIZES}
    rows = [[f"{pixel_size:g} A", f"{taken:.1f}"] for pixel_size, taken in found.items()]
    head = [f"{TILTS} images of {side} x {side} px", "CPU s"]
    due = verdict(f"at most {MOST_SECONDS:g} CPU s", max(found.values()) <= MOST_SECONDS)
    return f"{table(head, rows)}\n\n{due}"


def estimate_series_compiled() -> None:
    """Load what is compiled, once, outside what is measured."""
    seconds(512, 2.5)
