"""OME-Zarr multiscale volumes, version 0.4 (Zarr 2) and 0.5 (Zarr 3).

NAME.zarr/0       the volume (z, y, x), in chunks
         /1, ...  means of 2 x 2 x 2 voxels of the level before, until one chunk holds a level

Voxel 0 of level 0 lies at the origin, as its centre; that of each next level half a new voxel less
half an old one further on. A last plane, row or column that has no neighbour is left out there.
"""

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise, product
from math import prod
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from vitreous.errors import FormatError, OutputError, UserError
from vitreous.formats.products import atomic_folder
from vitreous.formats.stored import as_stored, our_label

if TYPE_CHECKING:
    import zarr

Version = Literal["0.4", "0.5"]

SUFFIX = ".zarr"
METADATA = {"0.4": ".zattrs", "0.5": "zarr.json"}
CHUNK = 128  # voxels along each side
AXES = ("z", "y", "x")
ANGSTROM = {
    "picometer": 0.01,
    "angstrom": 1.0,
    "nanometer": 10.0,
    "micrometer": 1e4,
    "millimeter": 1e7,
    "meter": 1e10,
}


def is_ome_zarr(path: Path) -> bool:
    """Whether a path is named as one, or is a folder that is laid out as one."""
    return path.suffix == SUFFIX or has_metadata(path)


def has_metadata(path: Path) -> bool:
    """Whether a folder has the file that tells what an OME-Zarr holds."""
    return any((path / name).is_file() for name in METADATA.values())


# -- reading --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Level:
    """One resolution: its path in the store, angstrom a voxel (z, y, x), where voxel 0 lies."""

    path: str
    scale: tuple[float, ...]
    translation: tuple[float, ...]


class OmeZarrVolume:
    """The finest level of an OME-Zarr, read block by block; more axes than z, y, x have length 1.

    pixel_size: angstrom a voxel along x; levels from fine to coarse; labels: what a file of ours
    says of itself.
    """

    def __init__(
        self,
        path: Path,
        array: "zarr.Array[Any]",
        pixel_size: float,
        version: str,
        levels: tuple[Level, ...],
        labels: tuple[str, ...],
    ) -> None:
        self.path, self.pixel_size, self.version = path, pixel_size, version
        self.levels, self.labels = levels, labels
        self._array = array

    @property
    def shape(self) -> tuple[int, int, int]:
        """(z, y, x)."""
        z, y, x = self._array.shape[-3:]
        return z, y, x

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a voxel, in this machine's byte order."""
        return np.dtype(self._array.dtype).newbyteorder("=")

    @property
    def chunks(self) -> tuple[int, ...]:
        """Sides (x, y, z) of a chunk."""
        return self._array.chunks[:-4:-1]

    @property
    def chunk_rows(self) -> tuple[int, int]:
        """Sections and rows that lie in one chunk: reading whole ones costs least."""
        sections, rows = self._array.chunks[-3:-1]
        return sections, rows

    def block(self, sections: slice, rows: slice) -> NDArray[np.generic]:
        """Voxels (sections, rows, x)."""
        nz, ny, nx = self.shape
        z, y = sections.indices(nz)[:2], rows.indices(ny)[:2]
        first: tuple[int | slice, ...] = (0,) * (self._array.ndim - 3)
        found = np.empty((z[1] - z[0], y[1] - y[0], nx), self.dtype)
        with _reading(self.path):
            for there, here in _by_chunks((z, y, (0, nx)), self._array.chunks[-3:]):
                found[here] = self._array[first + there]
        return found

    def close(self) -> None:
        """Nothing stays open between reads."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


def open_ome_zarr(path: Path, pixel_size: float | None = None) -> OmeZarrVolume:
    """Open the finest level; pixel_size (A) goes before the file's.

    A store that isn't laid out as OME-Zarr 0.4 or 0.5 is a `FormatError`.
    """
    import zarr

    version, multiscale = _multiscale(path)
    levels = tuple(_levels(path, multiscale))
    with _reading(path):
        array = zarr.open_array(path / levels[0].path, mode="r")
    if len(array.shape) != len(multiscale["axes"]):
        raise FormatError(
            f"level {levels[0].path} has {len(array.shape)} axes, {len(multiscale['axes'])} "
            "are named",
            path=path / METADATA[version],
        )
    if prod(array.shape[:-3]) != 1:
        names = " x ".join(axis["name"] for axis in multiscale["axes"][:-3])
        raise UserError(f"{path} holds {prod(array.shape[:-3])} volumes ({names}), not one")
    size = pixel_size or (levels[0].scale[-1] if _has_unit(multiscale) else None)
    if size is None:
        raise UserError(f"{path}: its axes have no unit of length; give --pixel (angstrom)")
    told = multiscale.get("metadata")
    labels = told.get("labels", ()) if isinstance(told, dict) else ()
    return OmeZarrVolume(path, array, size, version, levels, tuple(map(str, labels)))


def _multiscale(path: Path) -> tuple[Version, dict[str, Any]]:
    """Version and first multiscale image of a store's metadata, with its axes z, y, x last."""
    version: Version = "0.5" if (path / METADATA["0.5"]).is_file() else "0.4"
    file = path / METADATA[version]
    try:
        attributes = json.loads(file.read_text(encoding="utf-8"))
        held = attributes["attributes"]["ome"] if version == "0.5" else attributes
        multiscale: dict[str, Any] = held["multiscales"][0]
        names = [axis["name"] for axis in multiscale["axes"]]
    except FileNotFoundError:
        raise FormatError(
            f"no {METADATA['0.4']} and no {METADATA['0.5']}: not the folder of an OME-Zarr image",
            path=path,
        ) from None
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise FormatError(
            f"not the metadata of an OME-Zarr image ({type(error).__name__}: {error})",
            path=file,
            hint="Versions 0.4 and 0.5 are read.",
        ) from None
    if tuple(names[-3:]) != AXES:
        raise FormatError(f"the axes are {', '.join(names)}; z, y, x are needed last", path=file)
    return version, multiscale


def _levels(path: Path, multiscale: dict[str, Any]) -> Iterator[Level]:
    """The levels with their scales in angstrom (z, y, x)."""
    units = [ANGSTROM.get(axis.get("unit", ""), 1.0) for axis in multiscale["axes"][-3:]]
    whole = _transformation(multiscale, "scale", 1.0)
    try:
        for dataset in multiscale["datasets"]:
            scale = _transformation(dataset, "scale", 1.0)
            translation = _transformation(dataset, "translation", 0.0)
            factors = [unit * of for unit, of in zip(units, whole, strict=True)]
            yield Level(
                str(dataset["path"]),
                tuple(each * factor for each, factor in zip(scale, factors, strict=True)),
                tuple(each * factor for each, factor in zip(translation, factors, strict=True)),
            )
    except (KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"the levels of the image make no sense ({type(error).__name__}: {error})", path=path
        ) from None


def _transformation(of: dict[str, Any], kind: str, otherwise: float) -> list[float]:
    """The last three numbers of a scale or translation."""
    for each in of.get("coordinateTransformations", ()):
        if each["type"] == kind:
            return [float(value) for value in each[kind][-3:]]
    return [otherwise] * 3


def _has_unit(multiscale: dict[str, Any]) -> bool:
    return multiscale["axes"][-1].get("unit") in ANGSTROM


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """What goes wrong inside a store, said as ours: codecs raise what they please."""
    try:
        yield
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise FormatError(
            f"the Zarr store can't be read ({type(error).__name__}: {error})",
            path=path,
            hint="Was it copied to the end?",
        ) from error


def _by_chunks(
    place: Sequence[tuple[int, int]], chunks: Sequence[int]
) -> Iterator[tuple[tuple[slice, ...], tuple[slice, ...]]]:
    """(place in the array, place in the block) of each chunk's part in a block.

    place: (first, last + 1) along each axis. Of many chunks at once zarr leaves some under way
    where one fails, and complains when the program ends.
    """
    parts = []
    for (first, last), chunk in zip(place, chunks, strict=True):
        edges = [first, *range((first // chunk + 1) * chunk, last, chunk), last]
        parts.append([(a, b) for a, b in pairwise(edges) if b > a])
    for part in product(*parts):
        there = tuple(slice(a, b) for a, b in part)
        yield (
            there,
            tuple(
                slice(a - first, b - first) for (a, b), (first, _) in zip(part, place, strict=True)
            ),
        )


# -- writing --------------------------------------------------------------------------------------


class OmeZarrWriter:
    """Writes an OME-Zarr as `MrcWriter` does a file: block by block, whole or not at all.

    shape (z, y, x). Blocks of whole chunks cost least: a part of one is read and written again.
    The coarser levels are made at the end, chunk by chunk.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, int, int],
        voxel_size: float,
        dtype: DTypeLike = np.float32,
        labels: Sequence[str] = (),
        version: Version = "0.4",
    ) -> None:
        self.path, self.shape, self.voxel_size = path, shape, voxel_size
        self.dtype, self.labels, self.version = np.dtype(dtype), tuple(labels), version
        if self.dtype.kind not in "iuf" or self.dtype.itemsize > 4:
            raise UserError(f"{path}: volumes of {self.dtype.name} are not written")
        self._written = 0
        self._lock = threading.Lock()
        self._exit = ExitStack()

    def __enter__(self) -> Self:
        import zarr

        part = self._exit.enter_context(atomic_folder(self.path, has_metadata))
        with self._refusing():
            self._group = zarr.open_group(part, mode="w", zarr_format=2 if self._is_2 else 3)
            self._finest = self._array("0", self.shape)
        return self

    @property
    def chunk_rows(self) -> tuple[int, int]:
        """Sections and rows of a chunk."""
        return CHUNK, CHUNK

    def write(self, corner: tuple[int, int, int], block: NDArray[Any]) -> None:
        """Write a block (z, y, x) whose first voxel is `corner` (z, y, x)."""
        place = [(at, at + n) for at, n in zip(corner, block.shape, strict=True)]
        with self._lock:
            for there, here in _by_chunks(place, self._finest.chunks):
                self._finest[there] = as_stored(block[here], self.dtype)
            self._written += block.size

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is not None:
            self._exit.__exit__(kind, error, trace)
            return
        with self._exit:
            if self._written != prod(self.shape):
                raise OutputError(
                    f"{self.path}: only {self._written} of {prod(self.shape)} voxels were written; "
                    "nothing is kept"
                )
            self._describe(list(self._coarser()))

    @property
    def _is_2(self) -> bool:
        return self.version == "0.4"

    @contextmanager
    def _refusing(self) -> Iterator[None]:
        """Undo what was begun where the beginning fails."""
        try:
            yield
        except BaseException as error:
            self._exit.__exit__(type(error), error, error.__traceback__)
            raise

    def _array(self, name: str, shape: tuple[int, ...]) -> "zarr.Array[Any]":
        if self._is_2:
            how: dict[str, Any] = {"chunk_key_encoding": {"name": "v2", "separator": "/"}}
        else:
            how = {"dimension_names": AXES}
        chunks = tuple(min(CHUNK, n) for n in shape)
        return self._group.create_array(name, shape=shape, dtype=self.dtype, chunks=chunks, **how)

    def _coarser(self) -> Iterator[tuple[int, int, int]]:
        """Make the levels one after the other; each one's factor along z, y and x."""
        finer, factors = self._finest, (1, 1, 1)
        yield factors
        while max(finer.shape) > CHUNK:
            halved = tuple(1 + (n > 1) for n in finer.shape)
            shape = tuple(n // f for n, f in zip(finer.shape, halved, strict=True))
            factors = tuple(f * g for f, g in zip(factors, halved, strict=True))  # type: ignore[assignment]
            name = str(int(finer.basename) + 1)
            coarser = self._array(name, shape)
            for chunk in product(*(range(0, n, CHUNK) for n in shape)):
                ends = [min(at + CHUNK, n) for at, n in zip(chunk, shape, strict=True)]
                there = tuple(map(slice, chunk, ends))
                here = tuple(
                    slice(of.start * f, of.stop * f) for of, f in zip(there, halved, strict=True)
                )
                coarser[there] = as_stored(meaned(np.asarray(finer[here]), halved), self.dtype)
            finer = coarser
            yield factors

    def _describe(self, levels: list[tuple[int, int, int]]) -> None:
        multiscale: dict[str, Any] = {
            "name": self.path.name.removesuffix(SUFFIX).removesuffix(".ome"),
            "axes": [{"name": name, "type": "space", "unit": "angstrom"} for name in AXES],
            "datasets": [
                {
                    "path": str(level),
                    "coordinateTransformations": [
                        {"type": "scale", "scale": [f * self.voxel_size for f in factors]},
                        {
                            "type": "translation",
                            "translation": [(f - 1) / 2 * self.voxel_size for f in factors],
                        },
                    ],
                }
                for level, factors in enumerate(levels)
            ],
            "type": "mean",
            "metadata": {
                "description": "means of 2 x 2 x 2 voxels of the level before",
                "labels": [our_label(), *self.labels],
            },
        }
        if self._is_2:
            self._group.attrs["multiscales"] = [{"version": self.version, **multiscale}]
        else:
            self._group.attrs["ome"] = {"version": self.version, "multiscales": [multiscale]}


def meaned(block: NDArray[np.generic], factors: tuple[int, ...]) -> NDArray[np.float32]:
    """Means of factors (z, y, x) voxels, which divide the block's sides."""
    for axis, factor in enumerate(factors):
        if factor == 2:
            even = (slice(None),) * axis + (slice(0, None, 2),)
            odd = (slice(None),) * axis + (slice(1, None, 2),)
            block = np.add(block[even], block[odd], dtype=np.float32) * np.float32(0.5)
    return block.astype(np.float32, copy=False)
