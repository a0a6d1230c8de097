"""TIFF stacks: many pages, any compression that imagecodecs has, ImageJ's stacks too; written LZW.

TIFF stores the top row first, MRC the bottom one. Row 0 of what we read is the bottom row, as in
IMOD, SerialEM and RELION, so that one alignment fits both.
"""

import logging
import struct
import threading
import weakref
from collections.abc import Iterable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from io import SEEK_END, BufferedReader, BytesIO
from pathlib import Path
from typing import IO, Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError, UserError, VitreousError
from vitreous.formats.content import open_plain, read_bytes, unpacking
from vitreous.formats.products import atomic

# What it logs of a file is in its own words; what matters we raise or remark.
logging.getLogger("tifffile").addFilter(lambda record: False)

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
EER_COMPRESSIONS = (65000, 65001, 65002)
ANGSTROM = {"a": 1.0, "angstrom": 1.0, "å": 1.0, "pm": 0.01, "nm": 10.0, "micron": 1e4, "um": 1e4}
CM, INCH = 1e8, 2.54e8  # angstrom
# What tifffile raises on damaged files, found by fuzzing.
DAMAGE = (
    tifffile.TiffFileError,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)


@dataclass(frozen=True, slots=True)
class TiffHeader:
    """shape (sections, y, x); pixel_size A/px or None; remarks: the oddities met."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    pixel_size: float | None
    compression: str
    kind: str
    remarks: tuple[str, ...]


class TiffStack:
    """The pages of a TIFF file, read one at a time; threads unpack theirs at the same time."""

    def __init__(
        self, path: Path, file: tifffile.TiffFile, handle: IO[bytes], header: TiffHeader
    ) -> None:
        self.path, self.header = path, header
        self.pixel_size = header.pixel_size or 0.0
        self._close = weakref.finalize(self, handle.close)
        self._series = file.series[0]
        self._pages = [page for series in _alike(file) for page in series.pages]
        file.filehandle.set_lock(True)  # where only reading has to take turns
        self._whole: NDArray[Any] | None = None
        self._lock = threading.Lock()

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel, in this machine's byte order."""
        return self.header.dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Section `index` (y, x), the bottom row first."""
        sections, rows, columns = self.shape
        if not 0 <= index < sections:
            raise UserError(f"{self.path} has {sections} sections, there is no number {index + 1}")
        try:
            image = self._page(index)
            return np.ascontiguousarray(image.reshape(rows, columns)[::-1], self.dtype)
        except DAMAGE as error:
            raise FormatError(
                f"section {index + 1} of {sections} can't be unpacked ({error})", path=self.path
            ) from error

    def close(self) -> None:
        """Close the file; also done when the stack is no longer used."""
        self._close()

    def _page(self, index: int) -> NDArray[Any]:
        if len(self._pages) == self.shape[0]:
            page = self._pages[index]
            assert page is not None
            return page.asarray(maxworkers=1)
        with self._lock:
            if self._whole is None:  # ImageJ: one page, the others follow without a directory
                self._whole = np.asarray(self._series.asarray()).reshape(self.shape)
        return self._whole[index]


def open_tiff_stack(path: Path, pixel_size: float | None = None) -> TiffStack:
    """Open a TIFF stack; pixel_size (A/px) goes before the file's, which is often a printer's."""
    stack = _opened(path)
    if not pixel_size and stack.header.pixel_size is None:
        raise UserError(f"{path} has no pixel size; give it with --pixel (angstrom)")
    stack.pixel_size = pixel_size or stack.pixel_size
    return stack


def read_tiff_header(path: Path) -> TiffHeader:
    """What the file says of its pages."""
    with closing(_opened(path)) as stack:
        return stack.header


def write_tiff_stack(path: Path, images: Iterable[NDArray[Any]], pixel_size: float) -> None:
    """Write images (y, x), the bottom row first, as the pages of a TIFF file (LZW)."""
    per_cm = (CM / pixel_size, CM / pixel_size)
    with atomic(path) as part, tifffile.TiffWriter(part) as writer:
        for image in images:
            writer.write(
                image[::-1],
                photometric="minisblack",
                compression="lzw",
                resolution=per_cm,
                resolutionunit="CENTIMETER",
                contiguous=False,
                metadata=None,
            )


def _opened(path: Path) -> TiffStack:
    with open_plain(path) as plain, unpacking(path):
        is_plain, start = isinstance(plain, BufferedReader), plain.read(4)
        length = plain.seek(0, SEEK_END)
        handle = path.open("rb") if is_plain else BytesIO(read_bytes(path))
    with ExitStack() as on_failure:
        on_failure.callback(handle.close)
        if start not in TIFF_STARTS:
            raise FormatError("not a TIFF file", path=path, byte=0)
        try:
            file = tifffile.TiffFile(handle)
            stack = TiffStack(path, file, handle, _header(path, file, length))
        except VitreousError:
            raise
        except DAMAGE as error:
            what = f"not a whole TIFF file ({error})"
            raise FormatError(what, path=path, byte=length) from error
        on_failure.pop_all()
        return stack


def _header(path: Path, file: tifffile.TiffFile, length: int) -> TiffHeader:
    if not file.pages:
        raise FormatError("the TIFF file has no pages", path=path, byte=length)
    page = file.pages.first
    if int(page.compression) in EER_COMPRESSIONS:
        raise UnknownFormatError("an EER movie: events, not a stack of images", path=path)
    series = file.series[0]
    if page.samplesperpixel != 1 or series.dtype is None:
        raise UnknownFormatError("a TIFF file in colour, which is not read", path=path)
    rows, columns = page.imagelength, page.imagewidth
    _require_whole(path, file, length)
    remarks = []
    alike = _alike(file)
    if len(file.series) > len(alike):
        others = len(file.series) - len(alike)
        remarks.append(f"{others} more images of another size or type are left out")
    return TiffHeader(
        shape=(sum(int(np.prod(s.shape)) for s in alike) // (rows * columns), rows, columns),
        dtype=series.dtype.newbyteorder("="),
        pixel_size=_pixel_size(file),
        compression=tifffile.COMPRESSION(page.compression).name.lower(),
        kind="ImageJ" if file.is_imagej else "OME" if file.is_ome else "plain",
        remarks=tuple(remarks),
    )


def _alike(file: tifffile.TiffFile) -> list[tifffile.TiffPageSeries]:
    """The first series of pages and those that go on with it: the same size, the same type."""
    first = file.series[0]
    return [s for s in file.series if s.shape[-2:] == first.shape[-2:] and s.dtype == first.dtype]


def require_last_page(path: Path, file: tifffile.TiffFile, length: int) -> None:
    """Raise a `FormatError` where the last page that is here announces another.

    tifffile takes the pages before it for the whole file.
    """
    place = file.pages.next_page_offset
    handle = file.filehandle
    handle.seek(place or 0)
    following = handle.read(file.tiff.offsetsize)
    if any(following) or len(following) < file.tiff.offsetsize:
        raise FormatError(
            f"the file ends after page {len(file.pages)}, but another is announced",
            path=path,
            byte=length,
            hint="Was it copied to the end?",
        )


def _require_whole(path: Path, file: tifffile.TiffFile, length: int) -> None:
    require_last_page(path, file, length)
    pages = (page for series in _alike(file) for page in series.pages)
    for number, page in enumerate(pages, 1):
        if page is None:
            raise FormatError(f"page {number} is missing", path=path)
        ends = [a + b for a, b in zip(page.dataoffsets, page.databytecounts, strict=False)]
        if not ends or max(ends) > length:
            raise FormatError(
                f"the file ends inside page {number}: {max(ends, default=0)} bytes expected, "
                f"{length} found",
                path=path,
                byte=length,
                hint="Was it copied to the end?",
            )


def _pixel_size(file: tifffile.TiffFile) -> float | None:
    """A/px from the resolution tags; None for what is a printer's or missing."""
    page = file.pages.first
    resolution = page.tags.valueof("XResolution")
    if not resolution or not resolution[0] or not resolution[1]:
        return None
    length = resolution[1] / resolution[0]
    if file.is_imagej:
        unit = str((file.imagej_metadata or {}).get("unit", "")).lower().strip()
        size = length * ANGSTROM.get(unit.replace("µ", "u").replace("\\u00b5", "u"), 0)
    else:
        size = length * (CM if page.tags.valueof("ResolutionUnit") == 3 else INCH)
    return size if 0.01 <= size <= 1e5 else None
