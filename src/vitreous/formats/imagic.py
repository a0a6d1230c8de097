"""IMAGIC's pairs of .hed (headers) and .img (grey values), as EMAN2 writes and reads them.

A header has 256 words of 4 bytes: 13 rows, 14 columns, 15 the type ('REAL', 'PACK', 'INTG'), 65 to
67 EMAN2's az, alt, phi (IMAGIC's alpha, beta, gamma), 69 the byte order, 123 to 125 A/px (EMAN2's
own use). The last row of an image comes first in the file.
"""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.content import read_bytes
from vitreous.geometry.euler import eman2_matrix

Floats = NDArray[np.float32]

HEADER_BYTES = 1024
TYPES = {b"REAL": "f4", b"PACK": "u1", b"INTG": "i2"}
LARGEST_SIDE = 1 << 20  # more means that the bytes are in the other order


class ImagicImages:
    """The images of an IMAGIC pair, read one at a time; `path` may be either of the two."""

    def __init__(self, path: Path) -> None:
        self.path = path.with_suffix(".img")
        self._head_path = path.with_suffix(".hed")
        raw = read_bytes(self._head_path)
        if len(raw) < HEADER_BYTES or len(raw) % HEADER_BYTES:
            raise FormatError(
                f"{len(raw)} bytes: whole headers of {HEADER_BYTES} were expected",
                path=self._head_path,
                byte=len(raw),
            )
        self.count = len(raw) // HEADER_BYTES
        order = "<" if 0 < int.from_bytes(raw[48:52], "little") < LARGEST_SIDE else ">"
        shape = (self.count, HEADER_BYTES // 4)
        self._words = np.frombuffer(raw, f"{order}i4").reshape(shape)
        self._numbers = np.frombuffer(raw, f"{order}f4").reshape(shape)
        kind = raw[56:60]
        if kind not in TYPES:
            raise FormatError(
                f"pixels of type {kind!r}: REAL, PACK and INTG are read",
                path=self._head_path,
                byte=56,
            )
        self._dtype = np.dtype(order + TYPES[kind])
        rows, columns = int(self._words[0, 12]), int(self._words[0, 13])
        if min(rows, columns) < 1 or max(rows, columns) >= LARGEST_SIDE:
            raise FormatError(f"images of {columns} x {rows}", path=self._head_path, byte=48)
        self._shape = (rows, columns)
        expected = self.count * rows * columns * self._dtype.itemsize
        if not self.path.is_file():
            raise UserError(f"{self.path} is missing: {self._head_path} has the headers only")
        found = self.path.stat().st_size
        if found < expected:
            raise FormatError(
                f"{expected} bytes expected for {self.count} images, {found} found",
                path=self.path,
                byte=found,
                hint="Was it copied to the end?",
            )

    @property
    def size(self) -> tuple[int, ...]:
        """(y, x) of an image."""
        return self._shape

    @property
    def pixel_size(self) -> float:
        """A/px; 1 where it isn't stated."""
        found = float(self._numbers[0, 122])
        return found if np.isfinite(found) and found > 0 else 1.0

    def header(self, index: int, keys: Collection[str] | None = None) -> dict[str, object]:
        """The orientation, [R t] (3, 4), and the pixel size."""
        transform = np.zeros((3, 4))
        transform[:, :3] = eman2_matrix(*self._numbers[index, 64:67].astype(np.float64))
        return {"xform.projection": transform, "apix_x": self.pixel_size}

    def read(self, index: int) -> Floats:
        """Image `index` (y, x)."""
        rows, columns = self._shape
        size = rows * columns
        offset = index * size * self._dtype.itemsize
        values = np.fromfile(self.path, self._dtype, size, offset=offset)
        return values.reshape(rows, columns)[::-1].astype(np.float32)
