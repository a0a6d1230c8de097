"""MRC images, stacks and volumes (.mrc .st .mrcs .map .rec .ali), read and written.

Reading is tolerant (`mrc_header`), writing follows MRC2014 to the letter.
"""

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from io import BufferedReader
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import DTypeLike, NDArray

from vitreous.errors import FormatError, OutputError, UnknownFormatError, UserError
from vitreous.formats.content import open_plain, unpacking
from vitreous.formats.mrc_extended import AGARD_REALS, agard_bytes
from vitreous.formats.mrc_header import (
    HEADER_BYTES,
    IMOD_SIGNED,
    IMOD_STAMP,
    MrcHeader,
    read_header,
)
from vitreous.formats.products import atomic, output_error
from vitreous.formats.stored import as_stored, our_label
from vitreous.records.volume import Grid, Volume

MODES = {"int8": 0, "int16": 1, "float32": 2, "uint16": 6, "float16": 12}


class MrcStack:
    """The sections of an MRC file, read one at a time; threads may share it.

    `pixel_size` may differ from the header's, which is kept in `header`.
    """

    def __init__(self, path: Path, header: MrcHeader, pixel_size: float, fd: int) -> None:
        self.path, self.header, self.pixel_size = path, header, pixel_size
        self._fd = fd
        self._close = weakref.finalize(self, os.close, fd)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        nx, ny, nz = self.header.size
        return nz, ny, nx

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel as `read` gives it, in this machine's byte order."""
        assert self.header.dtype is not None
        return self.header.dtype.newbyteorder("=")

    @property
    def labels(self) -> tuple[str, ...]:
        """What the header says of the file."""
        return self.header.labels

    @property
    def chunk_rows(self) -> tuple[int, int]:
        """Any section and row is read by itself."""
        return 1, 1

    @property
    def tilt_angles(self) -> NDArray[np.float64] | None:
        """(sections,) degrees from the extended header, or None."""
        return self.header.tilt_angles

    def read(self, index: int) -> NDArray[np.generic]:
        """Section `index` (y, x)."""
        sections = self.shape[0]
        if not 0 <= index < sections:
            raise UserError(f"{self.path} has {sections} sections, there is no number {index + 1}")
        image = _read_sections(self._fd, self.header, self.path, index, 1)[0]
        return image.astype(self.dtype, copy=False)

    def block(self, sections: slice, rows: slice) -> NDArray[np.generic]:
        """Voxels (sections, rows, x)."""
        first, last, _ = sections.indices(self.shape[0])
        if rows.indices(self.shape[1]) == (0, self.shape[1], 1):
            found = _read_sections(self._fd, self.header, self.path, first, last - first)
        else:
            found = _read_rows(self._fd, self.header, self.path, range(first, last), rows)
        return found.astype(self.dtype, copy=False)

    def close(self) -> None:
        """Close the file; also done when the stack is no longer used."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_stack(path: Path, pixel_size: float | None = None) -> MrcStack:
    """Open a stack; pixel_size (A/px) goes before the header's.

    A file that is shorter than its header says is a `FormatError`, a header without a pixel size
    and none given a `UserError`.
    """
    header = read_header(path)
    if header.not_read:
        raise UnknownFormatError(header.not_read, path=path)
    known = pixel_size or header.pixel_size
    if known is None:
        reason = next((r for r in header.remarks if "pixel size" in r), "no pixel size")
        raise UserError(f"{path}: {reason}; give it with --pixel (angstrom)")
    require_whole(path, header)
    return MrcStack(path, header, known, _plain_descriptor(path))


def require_whole(path: Path, header: MrcHeader) -> None:
    """Raise a `FormatError` where the file ends before its voxels do."""
    expected = header.data_byte + header.data_bytes
    found = _plain_length(path, expected)
    if found < expected:
        at = max(found - header.data_byte, 0) * header.size[2] // header.data_bytes
        raise FormatError(
            f"the file ends in section {at + 1} of {header.size[2]}: {expected} bytes expected "
            f"({'x'.join(map(str, header.size))} of mode {header.mode}), {found} found",
            path=path,
            byte=found,
            hint="Was it copied to the end, or is it still being written?",
        )


def _plain_length(path: Path, enough: int) -> int:
    """Unpacked bytes of a file; counting a packed one stops when there are enough."""
    with open_plain(path) as file, unpacking(path):
        return file.seek(0, os.SEEK_END) if isinstance(file, BufferedReader) else file.seek(enough)


def _plain_descriptor(path: Path) -> int:
    """A file descriptor of the unpacked bytes; a packed file goes to an unnamed temporary one."""
    with open_plain(path) as file, unpacking(path):
        if isinstance(file, BufferedReader):
            return os.dup(file.fileno())
        try:
            with tempfile.TemporaryFile() as unpacked:
                shutil.copyfileobj(file, unpacked, 1 << 20)
                unpacked.flush()
                return os.dup(unpacked.fileno())
        except OSError as error:
            if error.errno is None:  # the packed file's fault
                raise
            raise output_error(Path(tempfile.gettempdir()) / path.name, error) from error


def _read_sections(
    fd: int, header: MrcHeader, path: Path, first: int, count: int
) -> NDArray[np.generic]:
    """(count, y, x) voxels of the sections from `first` on, in the file's byte order."""
    _, rows, _ = header.size
    start = header.data_byte + first * rows * header.row_bytes
    return _read_lines(fd, header, path, start, (count, rows))


def _read_rows(
    fd: int, header: MrcHeader, path: Path, sections: range, rows: slice
) -> NDArray[np.generic]:
    """(section, row, x) some rows of some sections, in the file's byte order."""
    of_all = header.size[1]
    first, last, _ = rows.indices(of_all)
    starts = [
        header.data_byte + (section * of_all + first) * header.row_bytes for section in sections
    ]
    return np.concatenate(
        [_read_lines(fd, header, path, start, (1, last - first)) for start in starts]
    )


def _read_lines(
    fd: int, header: MrcHeader, path: Path, start: int, shape: tuple[int, int]
) -> NDArray[np.generic]:
    """(*shape, x) voxels that follow one another from byte `start` on."""
    columns = header.size[0]
    if not header.four_bits:
        lines: NDArray[np.generic] = np.empty((*shape, columns), header.dtype)
        _read_into(fd, lines, start, path)
        return lines
    packed = np.empty((*shape, header.row_bytes), np.uint8)
    _read_into(fd, packed, start, path)
    return unpacked_four_bits(packed)[..., :columns]


def unpacked_four_bits(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Bytes (..., columns) -> pixels (..., 2 columns), the low half of a byte before the high."""
    pixels = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.uint8)
    pixels[..., 0::2] = packed & 15
    pixels[..., 1::2] = packed >> 4
    return pixels


def _read_into(fd: int, image: NDArray[Any], offset: int, path: Path) -> None:
    view = image.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        count = os.preadv(fd, [view[done:]], offset + done)
        if count == 0:
            raise FormatError("the file became shorter while it was read", path=path, byte=offset)
        done += count


def read_volume(path: Path, pixel_size: float | None = None) -> Volume:
    """Read a volume (z, y, x), turned to that order where its axes stand otherwise.

    Its grid has the house's centre, size // 2: the header's origin is not a rotation centre.
    """
    with open_stack(path, pixel_size) as stack:
        header = stack.header
        data = _read_sections(stack._fd, header, path, 0, header.size[2])
    axes = [header.axes.index(axis) for axis in (3, 2, 1)]  # file axes that are z, y, x
    data = np.ascontiguousarray(data.transpose([2 - axis for axis in axes]), data.dtype)
    nz, ny, nx = data.shape
    grid = Grid((nx, ny, nz), stack.pixel_size, (nx // 2, ny // 2, nz // 2))
    return Volume(data.astype(stack.dtype, copy=False), grid)


# -- writing --------------------------------------------------------------------------------------


class MrcWriter:
    """Writes an MRC file block by block, from any thread; whole at the end or not at all.

    with MrcWriter(path, shape, voxel_size) as writer: writer.write((z, y, x), block)

    shape (z, y, x); every voxel is written once. Integer types are rounded and cut to their
    range, float16 to its own; scaling is the caller's. is_stack: sections are images, not the
    planes of a volume. tilt_angles (z,) go to an extended header of floats.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        voxel_size: float,
        dtype: DTypeLike = np.float32,
        labels: Sequence[str] = (),
        is_stack: bool = False,
        tilt_angles: NDArray[np.float64] | None = None,
    ) -> None:
        self.path, self.shape, self.voxel_size = path, shape, voxel_size
        name = np.dtype(dtype).name
        if name not in MODES:
            raise UserError(f"MRC holds {', '.join(MODES)}, not {name}")
        self.mode, self.dtype = MODES[name], np.dtype(dtype).newbyteorder("<")
        self.labels, self.is_stack = tuple(labels), is_stack
        self._extended = b"" if tilt_angles is None else agard_bytes(tilt_angles)
        self._data_byte = HEADER_BYTES + len(self._extended)
        self._statistics = RunningStatistics()
        self._exit = ExitStack()
        self._fd = -1

    def __enter__(self) -> Self:
        needed = self._data_byte + prod(self.shape) * self.dtype.itemsize
        part = self._exit.enter_context(atomic(self.path))
        try:
            self._fd = os.open(part, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o666)
            self._exit.callback(os.close, self._fd)
            _reserve(self._fd, needed)
        except OSError as error:
            with suppress(OSError):  # on a read-only disk even what isn't there can't go
                part.unlink()  # so that its own bytes count as free
            refused = output_error(self.path, error, needed)
            self._exit.__exit__(OutputError, refused, None)
            raise refused from error
        return self

    @property
    def chunk_rows(self) -> tuple[int, int]:
        """Any section and row is written by itself."""
        return 1, 1

    def write(self, corner: tuple[int, int, int], block: NDArray[Any]) -> None:
        """Write a block (z, y, x) whose first voxel is `corner` (z, y, x)."""
        _, ny, nx = self.shape
        z, y, x = corner
        for plane in block:
            voxels = as_stored(plane, self.dtype)
            start = self._data_byte + ((z * ny + y) * nx + x) * self.dtype.itemsize
            if voxels.shape[1] == nx:
                _write_at(self._fd, voxels, start)
            else:
                for row in voxels:
                    _write_at(self._fd, row, start)
                    start += nx * self.dtype.itemsize
            self._statistics.add(voxels)
            z += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            with self._exit:
                if self._statistics.count != prod(self.shape):
                    raise OutputError(
                        f"{self.path}: only {self._statistics.count} of {prod(self.shape)} voxels "
                        "were written; nothing is kept"
                    )
                os.pwrite(self._fd, self._header() + self._extended, 0)
        else:
            self._exit.__exit__(kind, error, trace)

    def _header(self) -> bytes:
        header = np.zeros((), HEADER_DTYPE.newbyteorder("<"))
        nz, ny, nx = self.shape
        header["nx"], header["ny"], header["nz"], header["mode"] = nx, ny, nz, self.mode
        header["mx"], header["my"], header["mz"] = nx, ny, 1 if self.is_stack else nz
        for axis, sampling in zip("xyz", ("mx", "my", "mz"), strict=True):
            header["cella"][axis] = header[sampling] * self.voxel_size
        for angle in ("alpha", "beta", "gamma"):
            header["cellb"][angle] = 90
        header["mapc"], header["mapr"], header["maps"] = 1, 2, 3
        header["dmin"], header["dmax"] = self._statistics.low, self._statistics.high
        header["dmean"], header["rms"] = self._statistics.mean, self._statistics.deviation
        header["ispg"] = 0 if self.is_stack else 1
        header["nversion"], header["map"], header["machst"] = 20141, b"MAP ", (0x44, 0x44, 0, 0)
        labels = (our_label(), *self.labels)[:10]
        header["nlabl"] = len(labels)
        header["label"][: len(labels)] = [_label(text) for text in labels]

        raw = bytearray(header.tobytes())
        if self._extended:
            raw[92:96] = len(self._extended).to_bytes(4, "little")
            raw[104:108] = b"AGAR"
            raw[130:132] = AGARD_REALS.to_bytes(2, "little")
        if self.mode == 0:
            raw[152:160] = np.array([IMOD_STAMP, IMOD_SIGNED], "<i4").tobytes()
        return bytes(raw)


class RunningStatistics:
    """Minimum, maximum, mean and standard deviation of planes added from any thread.

    Sums are taken about a value near the mean, which keeps float32 exact enough.
    """

    def __init__(self) -> None:
        self.count = 0
        self.low, self.high = float("inf"), float("-inf")
        self._about: float | None = None
        self._sum = self._squares = 0.0
        self._lock = threading.Lock()

    def add(self, plane: NDArray[Any]) -> None:
        """Count the values of a plane."""
        values = plane.astype(np.float32, copy=False)
        with self._lock:
            if self._about is None:
                self._about = float(np.float32(values.mean(dtype=np.float64)))
        low, high = float(values.min()), float(values.max())
        apart = np.subtract(values, np.float32(self._about)).ravel()
        total, squares = float(apart.sum()), float(np.einsum("i,i->", apart, apart))
        with self._lock:
            self.count += plane.size
            self.low, self.high = min(self.low, low), max(self.high, high)
            self._sum += total
            self._squares += squares

    @property
    def mean(self) -> float:
        """Mean of all values."""
        return (self._about or 0.0) + self._sum / max(self.count, 1)

    @property
    def deviation(self) -> float:
        """Root mean square about the mean."""
        count = max(self.count, 1)
        return float(np.sqrt(max(self._squares / count - (self._sum / count) ** 2, 0)))


def _label(text: str) -> bytes:
    return text.encode("ascii", "replace")[:80].ljust(80)


def _reserve(fd: int, size: int) -> None:
    """Take the space of the whole file now, so that a full disk shows before the work."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(fd, 0, size)
    else:
        os.ftruncate(fd, size)


def _write_at(fd: int, values: NDArray[Any], offset: int) -> None:
    view = values.reshape(-1).view(np.uint8).data
    done = 0
    while done < len(view):
        done += os.pwrite(fd, view[done:], offset + done)
