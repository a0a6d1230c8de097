"""The images of a stack as the alignment works on them: cleaned, binned, dark ones told apart."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.align.clean import Mask, Repaired, cleaned, hot_pixels
from vitreous.align.dark import blank_reason, dark_reasons
from vitreous.kernels import fourier
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class BinnedImages:
    """data (n, y, x) of pixel_size; of the stack's `sections` (n,), 0-based.

    reasons: why other sections were left out; repaired: of each section that was read.
    """

    data: Floats
    pixel_size: float
    sections: NDArray[np.intp]
    reasons: dict[int, str]
    repaired: dict[int, Repaired]


def binning_for(pixel_size: float, work_pixel: float) -> int:
    """By which pixels of `pixel_size` come nearest to `work_pixel`, angstrom."""
    return max(1, round(work_pixel / pixel_size))


def read_images(
    stack: ImageStack,
    tilts: Array,
    excluded: dict[int, str],
    binning: int,
    *,
    keep_all: bool = False,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> BinnedImages:
    """Read, repair and bin the images of a stack; tilts (degrees) of all its sections.

    excluded: sections that aren't to be read, with the reason. Blank ones are left out always, dark
    ones unless keep_all.
    """
    wanted = np.array([i for i in range(stack.shape[0]) if i not in excluded], np.intp)
    hot = hot_pixels(stack, wanted)
    reasons = dict(excluded)
    binned, sections, statistics, repaired = [], [], [], {}
    for done, section in enumerate(wanted.tolist()):
        image, said, blank = read_image(stack, section, hot)
        if blank:
            reasons[section] = blank
        else:
            binned.append(fourier.binned(image, binning, threads))
            sections.append(section)
            statistics.append((image.mean(dtype=float), image.std(dtype=float)))
            repaired[section] = said
        progress(done + 1, len(wanted))
    kept = np.array(sections, np.intp)
    if len(kept) and not keep_all:
        mean, deviation = np.array(statistics, np.float64).T
        dark = dark_reasons(tilts[kept], mean, deviation)
        reasons |= {sections[i]: reason for i, reason in dark.items()}
    bright = np.array([i for i, section in enumerate(sections) if section not in reasons], np.intp)
    data = np.stack([binned[i] for i in bright]) if len(bright) else np.zeros((0, 1, 1), np.float32)
    return BinnedImages(data, stack.pixel_size * binning, kept[bright], reasons, repaired)


def read_image(stack: ImageStack, section: int, hot: Mask) -> tuple[Floats, Repaired, str | None]:
    """An image repaired, what was repaired, and why it holds nothing, if so."""
    image, repaired = cleaned(stack.read(section), hot)
    return image, repaired, blank_reason(image, repaired.missing)
