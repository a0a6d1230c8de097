"""Gain references and defects as files: MRC, TIFF, DM3, DM4, EER's .gain; lists 'x y w h'.

What is handed out has row 0 at the bottom, as our movies have: rows of TIFF and DM files are turned
round. EER's .gain is a TIFF file in the order of its movies' rows, and EER rows aren't turned.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.content import read_text
from vitreous.formats.dm import read_dm
from vitreous.formats.images import MRC_SUFFIXES
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import open_stack
from vitreous.formats.numbers import parse_columns
from vitreous.formats.products import write_text
from vitreous.formats.tiff import open_tiff_stack

EER_GAIN = ".gain"
Floats = NDArray[np.float32]


def read_gain(path: Path) -> Floats:
    """A gain reference (y, x) as stored, the bottom row first."""
    kind = kind_of(path)
    image: NDArray[np.generic]
    if kind is Kind.MRC or (kind is Kind.BINARY and path.suffix in MRC_SUFFIXES):
        with open_stack(path, pixel_size=1.0) as stack:
            image = _only_section(path, stack.shape[0], stack.read(0))
    elif kind is Kind.TIFF:
        pages = open_tiff_stack(path, pixel_size=1.0)
        image = _only_section(path, pages.shape[0], pages.read(0))
        pages.close()
        if path.suffix.lower() == EER_GAIN:
            image = image[::-1]
    elif kind is Kind.DM:
        image = read_dm(path).data
        if image.ndim != 2:
            raise FormatError(f"a gain reference has 2 axes, this image {image.ndim}", path=path)
    else:
        raise UnknownFormatError(
            f"a gain reference was expected, this is: {kind.value}",
            path=path,
            hint="Gains are read from MRC, TIFF, DM3, DM4 and EER's .gain files.",
        )
    if image.dtype.kind not in "iuf":
        raise UnknownFormatError("a gain reference of complex or coloured pixels", path=path)
    gain = np.ascontiguousarray(image, np.float32)
    if not np.isfinite(gain).all():
        raise FormatError(
            f"{np.count_nonzero(~np.isfinite(gain))} values of the gain are no numbers", path=path
        )
    return gain


def _only_section(path: Path, count: int, image: NDArray[np.generic]) -> NDArray[np.generic]:
    if count != 1:
        raise FormatError(
            f"a gain reference is one image, this file holds {count}",
            path=path,
            hint="Is it a movie?",
        )
    return image


# -- defects --------------------------------------------------------------------------------------


def read_defects(path: Path) -> NDArray[np.intp]:
    """(n, 4) rectangles x, y, width, height from a text, the first pixel being 0, 0.

    SerialEM's own defect file (CameraSizeX, BadColumns, ...) is another language and refused.
    """
    text = read_text(path)
    if "CameraSize" in text or "BadColumns" in text:
        raise UnknownFormatError(
            "this is SerialEM's list of defects, which is not read (yet)",
            path=path,
            hint="Lines 'x y width height' are read, and maps as MRC or TIFF.",
        )
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if not lines:
        return np.empty((0, 4), np.intp)
    boxes = parse_columns(lines, 4, "defect 'x y width height'", path)
    if (boxes != np.rint(boxes)).any() or (boxes < 0).any():
        raise FormatError("defects are whole numbers of pixels, none below 0", path=path)
    return boxes.astype(np.intp)


def write_defects(path: Path, boxes: NDArray[np.intp]) -> None:
    """Write rectangles (n, 4) as lines 'x y width height'."""
    write_text(path, "".join(f"{x} {y} {w} {h}\n" for x, y, w, h in boxes))
