"""The header of an MRC file, read tolerantly: what it gets wrong is mended and remarked."""

from dataclasses import dataclass
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
from mrcfile.dtypes import HEADER_DTYPE
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.content import open_plain, unpacking
from vitreous.formats.mrc_extended import parse_extended

HEADER_BYTES = 1024
STANDARD_STAMPS = (b"\x44\x44\0\0", b"\x44\x41\0\0", b"\x11\x11\0\0")
IMOD_STAMP = 1146047817  # "IMOD" at bytes 152-155; the flags follow
IMOD_SIGNED, IMOD_FOUR_BITS = 1, 16
LARGEST_SIDE = 1 << 20  # px; what exceeds it is no MRC header

TYPES = {1: "i2", 2: "f4", 6: "u2", 12: "f2", 101: "u1"}
FOUR_BITS = 101  # the mode of 4-bit pixels, two a byte, the even column in the low half
NOT_READ = {
    3: "complex 16-bit integers",
    4: "complex numbers (a transform)",
    16: "RGB colours",
}
# Columns and rows of super-resolution frames (either way round) that cameras' programs store as
# 4-bit pixels in files of bytes half as wide, by IMOD's mrcfiles.c.
SUPER_RESOLUTION = ((7676, 7680, 11520), (7420, 7424, 8184))


@dataclass(frozen=True, slots=True, eq=False)
class MrcHeader:
    """The header of an MRC file.

    size (x, y, z) voxels; dtype: of a voxel in the file, None for modes that aren't read;
    pixel_size: A/px along x, None where the header has none that can be believed; origin (x, y, z)
    A; axes: which of x, y, z (1, 2, 3) columns, rows and sections are; data_byte: where the voxels
    begin; tilt_angles: (z,) degrees from the extended header, or None; remarks: the oddities met;
    four_bits: a byte holds two pixels of a row, size and dtype are of the pixels.
    """

    size: tuple[int, int, int]
    mode: int
    dtype: np.dtype[Any] | None
    pixel_size: float | None
    ispg: int
    origin: tuple[float, float, float]
    axes: tuple[int, int, int]
    statistics: tuple[float, float, float]
    labels: tuple[str, ...]
    extended_kind: str
    extended_bytes: int
    tilt_angles: NDArray[np.float64] | None
    byte_order: str
    remarks: tuple[str, ...]
    four_bits: bool = False

    @property
    def data_byte(self) -> int:
        """Where the voxels begin."""
        return HEADER_BYTES + self.extended_bytes

    @property
    def row_bytes(self) -> int:
        """How many bytes a row takes."""
        if self.dtype is None:
            raise UnknownFormatError(self.not_read)
        columns = self.size[0]
        return (columns + 1) // 2 if self.four_bits else columns * self.dtype.itemsize

    @property
    def data_bytes(self) -> int:
        """How many bytes the voxels take."""
        return self.row_bytes * prod(self.size[1:])

    @property
    def not_read(self) -> str:
        """Why the voxels can't be read, or nothing."""
        if self.dtype is not None:
            return ""
        held = NOT_READ.get(self.mode, "a type of voxel that is unknown")
        return f"MRC mode {self.mode}, {held}, is not read (yet)"


def looks_like_mrc(start: bytes) -> str | None:
    """'<' or '>' where the first 1024 bytes can be an MRC header, else None."""
    if len(start) < HEADER_BYTES:
        return None
    for order in "<>":
        numbers = np.frombuffer(start[:80], order + "i4")
        size, mode, axes, extended = numbers[:3], numbers[3], numbers[16:19], 0
        extended = int(np.frombuffer(start[92:96], order + "i4")[0])
        if (
            (size > 0).all()
            and (size <= LARGEST_SIDE).all()
            and int(mode) in {0, *TYPES, *NOT_READ}
            and (sorted(axes.tolist()) == [1, 2, 3] or not axes.any())
            and extended >= 0
        ):
            return order
    return None


def read_header(path: Path) -> MrcHeader:
    """Read the header and the extended header, not the voxels."""
    with open_plain(path) as file, unpacking(path):
        start = file.read(HEADER_BYTES)
        if len(start) < HEADER_BYTES:
            raise FormatError(
                f"the file ends inside the MRC header, which has {HEADER_BYTES} bytes",
                path=path,
                byte=len(start),
            )
        order = looks_like_mrc(start)
        if order is None:
            raise FormatError(
                "not an MRC header (size, mode and axes make no sense)",
                path=path,
                byte=0,
            )
        announced = int(np.frombuffer(start[92:96], order + "i4")[0])
        extended = file.read(announced)
    if len(extended) < announced:
        raise FormatError(
            f"the file ends inside the extended header, which has {announced} bytes",
            path=path,
            byte=HEADER_BYTES + len(extended),
        )
    return _parsed(start, extended, order)


def _parsed(start: bytes, extended: bytes, order: str) -> MrcHeader:
    raw = np.frombuffer(start, HEADER_DTYPE.newbyteorder(order))[0]
    mode = int(raw["mode"])
    remarks = _stamp_remarks(start, order)
    size = (int(raw["nx"]), int(raw["ny"]), int(raw["nz"]))
    nint, nreal = np.frombuffer(start[128:132], order + "i2").tolist()
    stamp, flags = np.frombuffer(start[152:160], order + "i4").tolist()
    flags = flags if stamp == IMOD_STAMP else None
    statistics = (float(raw["dmin"]), float(raw["dmax"]), float(raw["dmean"]))

    labels = _labels(raw)
    four_bits = mode == FOUR_BITS
    if mode == 0 and _bytes_hold_two(size, flags, labels):
        four_bits = True
        size = (2 * size[0], *size[1:])
        remarks.append("bytes hold two 4-bit pixels each: the width is twice the header's")
    found = parse_extended(extended, bytes(start[104:108]), nint, nreal, size[2], order)
    if found.tilt_angles is None and found.kind not in ("none", "unknown"):
        remarks.append(f"no tilt angles in the extended header of {len(extended)} bytes")
    pixel_size = _pixel_size(raw, remarks, "xy"[four_bits and mode == 0])
    if pixel_size is None and found.pixel_size is not None:
        pixel_size = found.pixel_size
        remarks.append("pixel size from the extended header")
    axes = tuple(int(raw[name]) for name in ("mapc", "mapr", "maps"))
    if not any(axes):
        remarks.append("axes of columns, rows and sections not stated: x, y, z")
        axes = (1, 2, 3)
    return MrcHeader(
        size=size,
        mode=mode,
        dtype=np.dtype("u1") if four_bits else _voxel_type(mode, order, flags, statistics, remarks),
        pixel_size=pixel_size,
        ispg=int(raw["ispg"]),
        origin=tuple(float(raw["origin"][axis]) for axis in "xyz"),  # type: ignore[arg-type]
        axes=axes,  # type: ignore[arg-type]
        statistics=statistics,
        labels=labels,
        extended_kind=found.kind,
        extended_bytes=len(extended),
        tilt_angles=found.tilt_angles,
        byte_order=order,
        remarks=tuple(remarks),
        four_bits=four_bits,
    )


def _bytes_hold_two(
    size: tuple[int, int, int], imod_flags: int | None, labels: tuple[str, ...]
) -> bool:
    """Whether a file of bytes holds 4-bit pixels: IMOD's flag, or SerialEM's only title."""
    if imod_flags is not None and imod_flags & IMOD_FOUR_BITS:
        return True
    said = len(labels) == 1 and "4 bits packed" in labels[0]
    return said and is_half_of_super_resolution(size[0], size[1])


def is_half_of_super_resolution(columns: int, rows: int) -> bool:
    """Whether an image of bytes is half as wide as a frame that is stored as 4-bit pixels."""
    wide, narrow = SUPER_RESOLUTION
    return any(
        abs(2 * columns - x) <= 2 and abs(rows - y) <= 2
        for xs, ys in ((wide, narrow), (narrow, wide))
        for x in xs
        for y in ys
    )


def _stamp_remarks(start: bytes, order: str) -> list[str]:
    remarks = []
    if start[208:212] != b"MAP ":
        remarks.append("no 'MAP ' at byte 208")
    stamp = start[212:216]
    if stamp not in STANDARD_STAMPS:
        remarks.append(f"odd machine stamp {stamp.hex()}")
    elif (stamp[0] == 0x11) != (order == ">"):
        remarks.append("the machine stamp contradicts the byte order of the numbers")
    return remarks


def _pixel_size(raw: np.void, remarks: list[str], along: str = "x") -> float | None:
    """A/px along x (or y); None with a remark where the header's makes no sense."""
    sampling = [int(raw[name]) for name in ("mx", "my", "mz")]
    cell = [float(raw["cella"][axis]) for axis in "xyz"]
    if along == "y":
        sampling[0], cell[0] = sampling[1], cell[1]
    if sampling[0] <= 0 or cell[0] == 0:
        remarks.append("the header has no pixel size")
        return None
    size = cell[0] / sampling[0]
    if not isfinite(size) or not 0.01 <= size <= 1e5:
        remarks.append(f"the header's pixel size makes no sense: {size:g} A")
        return None
    if size == 1:
        remarks.append("a pixel size of exactly 1 A often means that it wasn't set")
    if sampling[1] > 0 and abs(cell[1] / sampling[1] - size) > 0.01 * size:
        remarks.append(f"the pixel size along y differs: {cell[1] / sampling[1]:g} A")
    return round(size, 6) if size < 100 else size  # float32 noise of the quotient


def _voxel_type(
    mode: int,
    order: str,
    imod_flags: int | None,
    statistics: tuple[float, float, float],
    remarks: list[str],
) -> np.dtype[Any] | None:
    """Type of a voxel. Bytes are signed as IMOD's flag says, else as the header's range shows."""
    if mode in NOT_READ:
        return None
    if mode != 0:
        return np.dtype(order + TYPES[mode])
    if imod_flags is not None:
        return np.dtype("i1" if imod_flags & IMOD_SIGNED else "u1")
    low, high, _ = statistics
    if low >= 0 and high > 127:
        remarks.append("bytes are taken as unsigned: the header's maximum is above 127")
        return np.dtype("u1")
    return np.dtype("i1")


def _labels(raw: np.void) -> tuple[str, ...]:
    used = min(max(int(raw["nlabl"]), 0), 10)
    texts = [bytes(label).decode("latin-1").rstrip("\0 ") for label in raw["label"][:used]]
    return tuple(text for text in texts if text)
