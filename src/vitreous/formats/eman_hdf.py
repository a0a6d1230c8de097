"""EMAN2's HDF: stacks of images and volumes with their headers.

/MDF/images has the attribute `imageid_max`, the last index. /MDF/images/N holds the header of
image N as attributes `EMAN.key` and the dataset `image`, (z, y, x) or (y, x). Grey values are
float32, or integers of few bits between two limits (`eman_bits`).

Header values here are int, float, str, bool, arrays of one axis, and (3, 4) arrays for a
Transform [R t], stored row by row as a compound of twelve float32. Values of type float are
stored as float64, np.float32 as float32, as EMAN2 does with what Python and C++ set.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from io import BytesIO
from itertools import chain
from math import prod
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.content import read_bytes
from vitreous.formats.eman_bits import Storage, reduced, restored
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.products import atomic

Floats = NDArray[np.float32]
Value = int | float | str | bool | NDArray[Any] | np.float32
Header = Mapping[str, Value]

IMAGES = "/MDF/images"
KEY = "EMAN."
TRANSFORM = np.dtype([(f"{row}{column}", "<f4") for row in range(3) for column in range(4)])
DATATYPES = {"uint8": 2, "uint16": 4, "float32": 7}
LARGEST_RATIO = 1100  # of what deflate can do: more is a broken size, not data
OLD_HEADER_BYTES = 60_000  # beyond this an attribute needs the storage of HDF5 1.8
ROWS_A_CHUNK = 8


class HdfImages:
    """The images of an EMAN2 HDF file, read one at a time."""

    def __init__(self, path: Path) -> None:
        if kind_of(path) is not Kind.HDF5:
            raise FormatError("this is no HDF5 file", path=path)
        self.path = path
        self._last: tuple[int, h5py.Group] | None = None
        packed = not h5py.is_hdf5(path)
        with _told(path):
            if packed:
                unpacked = read_bytes(path)
                self._bytes = len(unpacked)
                self._file = h5py.File(BytesIO(unpacked), "r")
            else:
                self._bytes = path.stat().st_size
                self._file = h5py.File(path, "r", locking=False)
        try:
            with _told(path):
                if IMAGES not in self._file:
                    raise UnknownFormatError(
                        "an HDF5 file, but not EMAN2's: no /MDF/images", path=path
                    )
                self._images = self._file[IMAGES]
                numbers = [int(name) for name in self._images if name.isdigit()]
                last = self._images.attrs.get("imageid_max")
                self.count = (
                    max(numbers, default=-1) if last is None else int(np.ravel(last)[0])
                ) + 1
            if self.count < 1 or not numbers:
                raise FormatError("there is no image in it", path=path)
        except BaseException:
            self._file.close()
            raise

    @property
    def size(self) -> tuple[int, ...]:
        """(z, y, x) of a volume, (y, x) of an image: the first one's."""
        return self.read_size(0)

    def read_size(self, index: int) -> tuple[int, ...]:
        """The same of image `index`."""
        return self._size(self._dataset(index), index)

    @property
    def pixel_size(self) -> float:
        """A/px of the first image; 1 where it isn't stated, as in EMAN2."""
        return float(self.header(0, ["apix_x"]).get("apix_x", 1.0))

    @property
    def stored_as(self) -> str:
        """The type of the first image's grey values, in words."""
        with self._told(0):
            bits = self._group(0).attrs.get(f"{KEY}stored_renderbits", [0])
            name = self._dataset(0).dtype.name
        return f"{int(np.ravel(bits)[0])} bits in {name}" if np.any(bits) else name

    def header(self, index: int, keys: Collection[str] | None = None) -> dict[str, Value]:
        """The header of an image, or some keys of it, without the storage of its grey values."""
        with self._told(index):
            group = self._group(index)
            if keys is None:
                keys = [name.removeprefix(KEY) for name in group.attrs]
            return {
                key: _value(_stored(group, KEY + key))
                for key in keys
                if not key.startswith("stored_") and h5py.h5a.exists(group.id, (KEY + key).encode())
            }

    def read(self, index: int) -> Floats:
        """Image `index` (y, x), or volume (z, y, x)."""
        dataset = self._dataset(index)
        size = self._size(dataset, index)
        if prod(size) * dataset.dtype.itemsize > LARGEST_RATIO * self._bytes:
            raise self._broken(index, f"a size of {' x '.join(map(str, size))} in so short a file")
        with self._told(index):
            raw = np.asarray(dataset[...])
            bits = int(self._number(index, "stored_renderbits") or 0)
            low = self._number(index, "stored_rendermin")
            high = self._number(index, "stored_rendermax")
        if not 0 <= bits <= 16 or not np.isfinite([low or 0.0, high or 0.0]).all():
            raise self._broken(index, f"{bits} bits between {low} and {high}")
        if bits and low is not None and high is not None:
            return restored(raw, low, high, bits).reshape(size)
        return raw.astype(np.float32).reshape(size)

    def _number(self, index: int, key: str) -> float | None:
        """One number of a header; None where it isn't there."""
        group, name = self._group(index).id, f"{KEY}{key}".encode()
        if not h5py.h5a.exists(group, name):
            return None
        stored = np.empty(1, np.float64)
        h5py.h5a.open(group, name).read(stored)
        return float(stored[0])

    def close(self) -> None:
        """Close the file."""
        self._last = None
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _group(self, index: int) -> h5py.Group:
        """The group of an image; the last one is kept at hand, since HDF5 is slow to find it."""
        if self._last is not None and self._last[0] == index:
            return self._last[1]
        if not 0 <= index < self.count:
            raise UserError(f"{self.path} has {self.count} images, there is no number {index}")
        group = self._images.get(str(index))
        if not isinstance(group, h5py.Group):
            raise self._broken(index, f"it is missing, though the file tells of {self.count}")
        self._last = index, group
        return group

    def _dataset(self, index: int) -> h5py.Dataset:
        with self._told(index):
            group = self._group(index)
            found = group.get("image")
            is_image = isinstance(found, h5py.Dataset) and found.dtype.kind in "iuf"
        if not is_image:
            raise self._broken(index, "it has no grey values")
        return found

    def _size(self, dataset: h5py.Dataset, index: int) -> tuple[int, ...]:
        size = tuple(dataset.shape)
        if not 1 <= len(size) <= 3 or 0 in size:
            raise self._broken(index, f"its grey values have the shape {size}")
        if len(size) == 3 and size[0] == 1:
            return size[1:]
        return (1, *size) if len(size) == 1 else size

    def _told(self, index: int) -> AbstractContextManager[None]:
        return _told(self.path, f"image {index}: ")

    def _broken(self, index: int, what: str) -> FormatError:
        return FormatError(f"image {index}: {what}", path=self.path, hint="Copy the file again.")


@contextmanager
def _told(path: Path, where: str = "") -> Iterator[None]:
    """What HDF5 says of a broken file, said as ours."""
    try:
        yield
    except (FormatError, UserError):
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        reason = str(error.args[0]) if error.args else type(error).__name__
        hint = "Copy the file again."
        if "filter" in reason and "inflate" not in reason:
            hint = "It is compressed by a plug-in of HDF5: rewrite it with gzip (h5repack)."
        raise FormatError(f"{where}HDF5 can't read it ({reason})", path=path, hint=hint) from error


def _stored(group: h5py.Group, name: str) -> Any:
    """An attribute; numbers and Transforms by the short way, h5py's own takes ten times as long."""
    attribute = h5py.h5a.open(group.id, name.encode())
    kind = attribute.get_type()
    if kind.get_class() in (h5py.h5t.INTEGER, h5py.h5t.FLOAT):
        stored = np.empty(attribute.shape, kind.dtype)
    elif kind.get_class() == h5py.h5t.COMPOUND and kind.get_nmembers() == 12:
        stored = np.empty(attribute.shape, TRANSFORM)
    else:
        return group.attrs[name]
    attribute.read(stored)
    return stored


def _value(stored: Any) -> Value:
    """An attribute as h5py gives it -> ours."""
    if isinstance(stored, bytes | str):
        return stored.decode("latin-1") if isinstance(stored, bytes) else stored
    array = np.asarray(stored)
    if array.dtype.names is not None:
        columns = [array[name].ravel()[0] for name in array.dtype.names]
        matrix = np.array(columns, np.float64)
        return matrix.reshape(3, 4) if matrix.size == 12 else matrix
    if array.dtype.kind in "SO":
        first = array.ravel()[0]
        return first.decode("latin-1") if isinstance(first, bytes) else str(first)
    if array.size != 1:
        return array
    number = array.ravel()[0]
    if array.dtype == np.int8 and chr(number) in "TF":
        return bool(chr(number) == "T")
    return float(number) if array.dtype.kind == "f" else int(number)


def read_hdf_volume(path: Path) -> tuple[Floats, dict[str, Value]]:
    """The first image of a file as a volume (z, y, x), and its header."""
    with HdfImages(path) as images:
        data = images.read(0)
        header = images.header(0)
    return (data[None] if data.ndim == 2 else data), header


def write_hdf(
    path: Path,
    images: Iterable[tuple[Floats, Header]],
    storage: Storage = Storage(0),  # noqa: B008
) -> None:
    """Write images or volumes with their headers; `path` is replaced once the new file is whole.

    The file is put together in memory: HDF5 itself does not survive a full disk.
    """
    content = _content(images, storage)
    with atomic(path) as part:
        part.write_bytes(content)


def _content(images: Iterable[tuple[Floats, Header]], storage: Storage) -> bytes:
    items = iter(images)
    first = next(items)
    large = any(np.asarray(value).nbytes > OLD_HEADER_BYTES for value in first[1].values())
    versions = ("v108" if large else "earliest", "latest")
    with h5py.File("map", "w", driver="core", backing_store=False, libver=versions) as file:
        group = file.create_group(IMAGES)
        last = -1
        for last, (data, header) in enumerate(chain([first], items)):
            _write_image(group.create_group(str(last)), data, header, storage)
        group.attrs.create("imageid_max", np.array([last], "<i4"))
        file.flush()
        return bytes(file.id.get_file_image())


def _write_image(group: h5py.Group, data: Floats, header: Header, storage: Storage) -> None:
    values = np.ascontiguousarray(data, np.float32)
    stored: NDArray[Any] = values
    more: dict[str, Value] = {}
    if storage.bits > 0:
        integers = reduced(values, storage)
        stored = integers.integers
        more = {
            "stored_renderbits": integers.bits,
            "stored_rendermax": integers.high,
            "stored_rendermin": integers.low,
            "stored_truncated": integers.truncated,
        }
    if storage.bits >= 0:
        chunk = (1,) * (stored.ndim - 2) + (min(ROWS_A_CHUNK, stored.shape[-2]), stored.shape[-1])
        group.create_dataset(
            "image", data=stored, chunks=chunk, compression="gzip", compression_opts=1
        )
        more["render_compress_level"] = 1
    else:
        group.create_dataset("image", data=stored)
    whole = {**facts_of(values), **header, "datatype": DATATYPES[stored.dtype.name], **more}
    for key in sorted(whole):
        _write_value(group, KEY + key, whole[key])


def facts_of(values: Floats) -> dict[str, Value]:
    """What EMAN2 writes of every image: sizes, statistics, kind. Pixel size 1 where none is given.

    The standard deviations have n - 1.
    """
    flat = values.ravel().astype(np.float64)
    filled = flat[flat != 0]
    return {
        "all_int": int((flat == np.trunc(flat)).all()),
        **{f"apix_{axis}": 1.0 for axis in "xyz"},
        "changecount": 1,
        "is_complex": 0,
        "is_complex_ri": 0,
        "maximum": np.float32(flat.max()),
        "mean": np.float32(flat.mean()),
        "mean_nonzero": np.float32(filled.mean() if filled.size else 0),
        "minimum": np.float32(flat.min()),
        "nx": values.shape[-1],
        "ny": values.shape[-2],
        "nz": values.shape[0] if values.ndim == 3 else 1,
        "sigma": np.float32(flat.std(ddof=1) if flat.size > 1 else 0),
        "sigma_nonzero": np.float32(filled.std(ddof=1) if filled.size > 1 else 0),
        "square_sum": np.float32((flat**2).sum()),
    }


def _write_value(group: h5py.Group, key: str, value: Value) -> None:
    attributes = group.attrs
    if isinstance(value, str):
        _write_text(group, key, value.encode("latin-1", "replace"))
    elif isinstance(value, np.ndarray) and value.shape == (3, 4):
        row = np.zeros(1, TRANSFORM)
        for name, number in zip(TRANSFORM.names or (), value.ravel(), strict=True):
            row[name] = number
        attributes.create(key, row)
    elif isinstance(value, np.ndarray):
        attributes.create(key, value.astype("<i4" if value.dtype.kind in "iub" else "<f4").ravel())
    elif isinstance(value, np.float32):
        attributes.create(key, np.array([value], "<f4"))
    elif isinstance(value, bool | int | np.integer):
        attributes.create(key, np.array([int(value)], "<i4"))
    else:
        attributes.create(key, np.array([value], "<f8"))


def _write_text(group: h5py.Group, key: str, text: bytes) -> None:
    """A string of fixed length that ends with a zero, which h5py's own way leaves out."""
    kind = h5py.h5t.C_S1.copy()
    kind.set_size(len(text) + 1)
    attribute = h5py.h5a.create(group.id, key.encode(), kind, h5py.h5s.create(h5py.h5s.SCALAR))
    attribute.write(np.array(text, f"S{len(text) + 1}"))
