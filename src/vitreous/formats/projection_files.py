"""Files of projections: images one at a time, and what is known of each.

EMAN2's HDF and lists, IMAGIC pairs, and MRC stacks; a RELION STAR file names images itself
(`3@stack.mrcs`). Where the images carry no orientations, a STAR file or a table of angles gives
them. A header here is a mapping with EMAN2's keys; `xform.projection` is [R t] (3, 4): R maps the
volume to the image, t (px) moves the image's content so that it is centred.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.eman_hdf import HdfImages
from vitreous.formats.eman_lst import LstImages
from vitreous.formats.imagic import ImagicImages
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import MrcStack, open_stack
from vitreous.formats.mrc_header import read_header
from vitreous.formats.numbers import read_columns
from vitreous.formats.star import Table, read_star
from vitreous.geometry.euler import eman2_matrix, relion_matrix

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
AngleTable = Literal["eman2", "relion"]

IMAGIC_SUFFIXES = (".img", ".hed")


class ProjectionFile(Protocol):
    """Images (y, x), or one volume (z, y, x), with their headers."""

    path: Path
    count: int

    @property
    def size(self) -> tuple[int, ...]: ...

    @property
    def pixel_size(self) -> float: ...

    def header(self, index: int, keys: Collection[str] | None = None) -> Mapping[str, Any]: ...

    def read(self, index: int) -> Floats: ...


def open_projections(path: Path) -> ProjectionFile:
    """Open a file of projections by its content."""
    if path.suffix in IMAGIC_SUFFIXES:
        return ImagicImages(path)
    kind = kind_of(path)
    if kind is Kind.HDF5:
        return HdfImages(path)
    if kind is Kind.EMAN_LST:
        return LstImages(path)
    if kind is Kind.STAR:
        return StarImages(path)
    if kind is Kind.MRC:
        return MrcImages(path)
    raise UnknownFormatError(
        f"projections were expected, this is: {kind.value}",
        path=path,
        hint="They are read from EMAN2's HDF and .lst, MRC stacks, IMAGIC and RELION's STAR.",
    )


class MrcImages:
    """An MRC stack: images without headers."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stack = open_stack(path, None if read_header(path).pixel_size else 1.0)
        self.count = self._stack.shape[0]

    @property
    def size(self) -> tuple[int, ...]:
        """(y, x)."""
        return self._stack.shape[1:]

    @property
    def pixel_size(self) -> float:
        """A/px; 1 where it isn't stated, as in EMAN2."""
        return float(self._stack.pixel_size)

    def header(self, index: int, keys: Collection[str] | None = None) -> Mapping[str, Any]:
        """Nothing is known of an image."""
        return {}

    def read(self, index: int) -> Floats:
        """Image `index` (y, x)."""
        return self._stack.read(index).astype(np.float32)


class StarImages:
    """The images of RELION's particles, `number@stack`, with the orientations beside them."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._table = images_table(path)
        names = self._table.texts("rlnImageName")
        self._places = [self._place(name, row) for row, name in enumerate(names)]
        self._stacks: dict[Path, MrcStack] = {}
        self.count = len(self._places)
        self._transforms = star_transforms(path, self.pixel_size)

    def _place(self, name: str, row: int) -> tuple[int, Path]:
        number, at, stack = name.partition("@")
        if not at or not number.isdigit() or int(number) < 1:
            raise FormatError(
                f"rlnImageName {name!r} isn't NUMBER@STACK",
                path=self.path,
                line=self._table.line_of(row),
            )
        here, beside = Path(stack), self.path.parent / stack
        return int(number) - 1, beside if not here.exists() and beside.exists() else here

    def _stack(self, index: int) -> MrcStack:
        path = self._places[index][1]
        if path not in self._stacks:
            self._stacks[path] = open_stack(path, None if read_header(path).pixel_size else 1.0)
        return self._stacks[path]

    @property
    def size(self) -> tuple[int, ...]:
        """(y, x) of the first image."""
        return self._stack(0).shape[1:]

    @property
    def pixel_size(self) -> float:
        """A/px of the first stack."""
        return float(self._stack(0).pixel_size)

    def header(self, index: int, keys: Collection[str] | None = None) -> Mapping[str, Any]:
        """The orientation."""
        return {"xform.projection": self._transforms[index]}

    def read(self, index: int) -> Floats:
        """Image `index` (y, x)."""
        return self._stack(index).read(self._places[index][0]).astype(np.float32)


def images_table(path: Path) -> Table:
    """The table of a STAR file that holds the images' angles."""
    for table in read_star(path):
        if "rlnAngleRot" in table:
            return table
    raise FormatError("no table has rlnAngleRot: no orientations of images", path=path, line=1)


def star_transforms(path: Path, pixel_size: float) -> Array:
    """(n, 3, 4) [R t] of RELION's angles and origins."""
    table = images_table(path)
    names = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
    transforms = np.zeros((len(table), 3, 4))
    transforms[:, :, :3] = relion_matrix(*(table.numbers(name) for name in names))
    for axis, letter in enumerate("XY"):
        if f"rlnOrigin{letter}Angst" in table:
            transforms[:, axis, 3] = table.numbers(f"rlnOrigin{letter}Angst") / pixel_size
        elif f"rlnOrigin{letter}" in table:
            transforms[:, axis, 3] = table.numbers(f"rlnOrigin{letter}")
    return transforms


def read_transforms(path: Path, pixel_size: float, angles: AngleTable = "eman2") -> Array:
    """(n, 3, 4) [R t] of a STAR file, or of a table: three angles, and if given shifts x, y (px).

    The angles of a table are EMAN2's az, alt, phi or RELION's rot, tilt, psi.
    """
    if kind_of(path) is Kind.STAR:
        return star_transforms(path, pixel_size)
    numbers = read_columns(path, None, "angles")
    if numbers.shape[1] not in (3, 5):
        raise FormatError(
            f"{numbers.shape[1]} numbers a line: expected three angles, or them and two shifts",
            path=path,
            line=1,
        )
    matrix = eman2_matrix if angles == "eman2" else relion_matrix
    transforms = np.zeros((len(numbers), 3, 4))
    transforms[:, :, :3] = matrix(*numbers[:, :3].T)
    if numbers.shape[1] == 5:
        transforms[:, :2, 3] = numbers[:, 3:]
    return transforms


def require_images(file: ProjectionFile) -> None:
    """Raise a `UserError` where a file holds a volume, not images."""
    if len(file.size) != 2:
        size = " x ".join(map(str, file.size[::-1]))
        raise UserError(f"{file.path} holds a volume of {size}: angles of its sections are needed")
