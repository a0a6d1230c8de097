"""Gatan's DigitalMicrograph images, DM3 and DM4: a tree of tags, of which we want the image.

Numbers of the tree are big-endian, 4 bytes wide in DM3 and 8 in DM4; the data follow the byte order
that the head states. Rows are stored top first; what we hand out has the bottom row first.
"""

import struct
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.content import read_bytes

FOLDER, DATA = 20, 21
STRUCT, TEXT, ARRAY = 15, 18, 20
TYPES = {
    2: "i2",
    3: "i4",
    4: "u2",
    5: "u4",
    6: "f4",
    7: "f8",
    8: "u1",
    9: "i1",
    10: "u1",
    11: "i8",
    12: "u8",
}
DEEPEST = 64  # folders in folders; more is no file of Gatan's
ANGSTROM = {"nm": 10.0, "µm": 1e4, "um": 1e4, "Å": 1.0, "A": 1.0, "pm": 0.01}

Name = tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class DmImage:
    """data (..., y, x), the bottom row first, or (x,) of a spectrum; pixel_size A or None.

    Axes of length 1 are left out. Pixels are numbers, complex ones, or colours (a struct).
    """

    data: NDArray[np.generic]
    pixel_size: float | None


@dataclass(frozen=True, slots=True)
class _Tag:
    """Where a tag's data stand: the numbers that tell their type, and the byte they begin at."""

    info: tuple[int, ...]
    byte: int


def read_dm(path: Path) -> DmImage:
    """The last image of a DM3 or DM4 file: the first, if there are two, is a thumbnail."""
    tree = _Tree(read_bytes(path), path)
    images = [name for name, tag in tree.tags.items() if _is_image(name, tag)]
    if not images:
        raise FormatError("no image in this DM file", path=path, byte=len(tree.raw))
    return DmImage(_pixels(tree, images[-1]), _pixel_size(tree, images[-1][:-1]))


def _is_image(name: Name, tag: _Tag) -> bool:
    return name[-2:] == ("ImageData", "Data") and tag.info[0] == ARRAY


def _pixels(tree: "_Tree", name: Name) -> NDArray[np.generic]:
    tag = tree.tags[name]
    kind, count = _element(tree, tag), tag.info[-1]
    sides: list[int] = []
    while (side := tree.number((*name[:-1], "Dimensions", str(len(sides))))) is not None:
        sides.append(int(side))
    if not sides or prod(sides) != count or min(sides) < 1:
        raise FormatError(
            f"an image of {' x '.join(map(str, sides)) or 'no'} pixels has {count} values",
            path=tree.path,
            byte=tag.byte,
        )
    axes = [side for side in sides[::-1] if side > 1] or [1]
    pixels = np.frombuffer(tree.raw, kind, count, tag.byte).reshape(axes)
    if pixels.ndim > 1:
        pixels = pixels[..., ::-1, :]
    return np.ascontiguousarray(pixels, dtype=kind.newbyteorder("="))


def _element(tree: "_Tree", tag: _Tag) -> np.dtype[np.generic]:
    """Type of a pixel: a number, or a struct of two (complex) or four (colours)."""
    info = tag.info[1:-1]
    if len(info) == 1 and info[0] in TYPES:
        return np.dtype(tree.order + TYPES[info[0]])
    if info[0] == STRUCT:
        fields = [tree.order + TYPES[kind] for kind in info[4::2] if kind in TYPES]
        if len(fields) == info[2] == 2 and fields[0] == fields[1] and fields[0][1] == "f":
            return np.dtype(f"{tree.order}c{2 * int(fields[0][2])}")
        if len(fields) == info[2] > 0:
            return np.dtype([(f"field {k}", kind) for k, kind in enumerate(fields)])
    raise UnknownFormatError("a DM image of an unknown type of pixel", path=tree.path)


def _pixel_size(tree: "_Tree", image: Name) -> float | None:
    along_x = (*image, "Calibrations", "Dimension", "0")
    scale, unit = tree.number((*along_x, "Scale")), tree.text((*along_x, "Units"))
    size = (scale or 0) * ANGSTROM.get(unit.strip(), 0.0)
    return size if 0.01 <= size <= 1e5 else None


@dataclass(slots=True)
class _Tree:
    """The tags of a file by their path; a folder without a name is called by its number."""

    raw: bytes
    path: Path
    order: str = "<"
    tags: dict[Name, _Tag] = field(default_factory=dict)
    _wide: bool = False
    _at: int = 0

    def __post_init__(self) -> None:
        version = self._int(4)
        if version not in (3, 4):
            raise FormatError("not a DM3 or DM4 file", path=self.path, byte=0)
        self._wide = version == 4
        self._count()
        self.order = "<" if self._int(4) == 1 else ">"
        self._folder(())

    def number(self, name: Name) -> float | None:
        """A single number; None where there is none of that name."""
        tag = self.tags.get(name)
        if tag is None or tag.info[0] not in TYPES:
            return None
        value: float = np.frombuffer(self.raw, self.order + TYPES[tag.info[0]], 1, tag.byte)[0]
        return value

    def text(self, name: Name) -> str:
        """A text; '' where there is none of that name."""
        tag = self.tags.get(name)
        if tag is None or tag.info[:2] != (ARRAY, 4):
            return ""
        text = self.raw[tag.byte : tag.byte + 2 * tag.info[2]]
        return text.decode("utf-16-le" if self.order == "<" else "utf-16-be", "replace")

    def _folder(self, name: Name) -> None:
        if len(name) > DEEPEST:
            raise FormatError("folders in folders without end", path=self.path, byte=self._at)
        self._skip(2)
        for index in range(self._count()):
            kind = self._int(1)
            length = self._int(2)
            called = self._take(length).decode("latin-1") or str(index)
            if self._wide:
                self._skip(8)
            if kind == FOLDER:
                self._folder((*name, called))
            elif kind == DATA:
                self._data((*name, called))
            else:
                raise FormatError(f"a tag of kind {kind}", path=self.path, byte=self._at)

    def _data(self, name: Name) -> None:
        if self._take(4) != b"%%%%":
            raise FormatError("expected '%%%%' before data", path=self.path, byte=self._at - 4)
        count = self._count()
        info = tuple(self._count() for _ in range(count)) if count < 1 << 16 else ()
        if not info:
            raise FormatError("data without a type", path=self.path, byte=self._at)
        self.tags[name] = _Tag(info, self._at)
        self._skip(self._bytes_of(info))

    def _bytes_of(self, info: tuple[int, ...]) -> int:
        match info:
            case (kind,) if kind in TYPES:
                return int(TYPES[kind][1])
            case (kind, *rest) if kind == STRUCT and len(rest) >= 2:
                fields = info[4 : 4 + 2 * info[2] : 2]
                return sum(self._bytes_of((field,)) for field in fields)
            case (kind, *rest) if kind == ARRAY and len(rest) >= 2:
                return self._bytes_of(info[1:-1]) * info[-1]
            case (kind, length) if kind == TEXT:
                return 2 * length
        raise FormatError(f"data of an unknown type {info[:4]}", path=self.path, byte=self._at)

    # -- the bytes ----------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        start = self._at
        self._skip(count)
        return self.raw[start : self._at]

    def _skip(self, count: int) -> None:
        if count < 0 or self._at + count > len(self.raw):
            raise FormatError(
                "the file ends inside its tags",
                path=self.path,
                byte=len(self.raw),
                hint="Was it copied to the end?",
            )
        self._at += count

    def _int(self, size: int) -> int:
        return int.from_bytes(self._take(size), "big")

    def _count(self) -> int:
        """A number as wide as this version has them."""
        value: int = struct.unpack(
            ">q" if self._wide else ">i", self._take(8 if self._wide else 4)
        )[0]
        return value
