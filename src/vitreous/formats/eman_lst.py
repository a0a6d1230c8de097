"""EMAN2's lists of images, .lst: `index <tab> file <tab> {json}` a line.

`#LSX` files have lines of one length, padded with blanks, named in their third line; `#LST` files
have not. File names are relative to the working folder, or else to the list's own. The JSON's keys
stand before those of the image's header; a Transform is {"__class__": "Transform", "matrix":
"[12 numbers]"}.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError
from vitreous.formats.content import read_text
from vitreous.formats.eman_hdf import HdfImages, Value

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: an image of a file, and what the list says of it."""

    index: int
    path: Path
    told: dict[str, Value]


def read_lst(path: Path) -> list[Entry]:
    """All entries of a list."""
    lines = read_text(path).split("\n")
    if not lines[0].startswith(("#LSX", "#LST")):
        raise FormatError("a list of images begins with #LSX", path=path, line=1)
    entries = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        words = line.rstrip().split("\t", 2)
        if len(words) < 2 or not words[0].strip().isdigit():
            raise FormatError(
                f"expected 'index <tab> file', found {line[:60].rstrip()!r}", path=path, line=number
            )
        told = _told(words[2], path, number) if len(words) > 2 and words[2].strip() else {}
        entries.append(Entry(int(words[0]), _placed(words[1].strip(), path), told))
    if not entries:
        raise FormatError("the list is empty", path=path, line=len(lines))
    return entries


def _placed(name: str, path: Path) -> Path:
    """Where a named file is: in the working folder, or else beside the list."""
    here = Path(name)
    beside = path.parent / name
    return beside if not here.exists() and beside.exists() else here


def _told(text: str, path: Path, line: int) -> dict[str, Value]:
    try:
        record = json.loads(text)
        if not isinstance(record, dict):
            raise ValueError("no {...}")
        return {key: _value(value) for key, value in record.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise FormatError(f"no JSON: {error}", path=path, line=line) from None


def _value(value: object) -> Value:
    """A JSON value; a Transform becomes (3, 4)."""
    if isinstance(value, dict):
        if value.get("__class__") != "Transform":
            raise ValueError(f"objects of class {value.get('__class__')!r} are not read")
        return np.array(json.loads(str(value["matrix"])), np.float64).reshape(3, 4)
    if isinstance(value, list):
        return np.array(value)
    if isinstance(value, int | float | str | bool):
        return value
    raise ValueError(f"{value!r} is not read")


class LstImages:
    """The images of a list, read one at a time; the files stay open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._entries = read_lst(path)
        self._files: dict[Path, HdfImages] = {}
        self.count = len(self._entries)

    @property
    def size(self) -> tuple[int, ...]:
        """(y, x) of the first image."""
        return self._file(0).size

    @property
    def pixel_size(self) -> float:
        """A/px of the first image."""
        return self._file(0).pixel_size

    def header(self, index: int, keys: Collection[str] | None = None) -> dict[str, Value]:
        """The image's header, or some keys of it, and over it what the list says."""
        entry = self._entries[index]
        return {**self._file(index).header(entry.index, keys), **entry.told}

    def told(self, index: int) -> frozenset[str]:
        """The keys that the list itself gives."""
        return frozenset(self._entries[index].told)

    def read(self, index: int) -> Floats:
        """Image `index` (y, x)."""
        return self._file(index).read(self._entries[index].index)

    def _file(self, index: int) -> HdfImages:
        path = self._entries[index].path
        if path not in self._files:
            self._files[path] = HdfImages(path)
        return self._files[path]
