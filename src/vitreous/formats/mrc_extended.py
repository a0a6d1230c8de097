"""Extended headers of MRC files: a stage angle and a pixel size for each section."""

from dataclasses import dataclass

import numpy as np
from mrcfile.dtypes import get_ext_header_dtype
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Bytes that each bit of a SerialEM header's `nreal` announces for a section (IMOD's mrc_format):
# angle, piece coordinates, stage, magnification, intensity, dose, then reserved ones.
SERIALEM_BYTES = (2, 6, 4, 2, 2, 4, 2, 4, 2, 4, 2)
FEI_SECTIONS = 1024  # FEI's first layout: 1024 sections of 32 floats, however many there are
FEI_PIXEL = 11  # place of the pixel size (m) among its floats
AGARD_REALS = 32  # floats a section in what AreTomo and we write


@dataclass(frozen=True, slots=True, eq=False)
class ExtendedHeader:
    """What an extended header holds: angles (sections,) in degrees and a pixel size (A) or None."""

    kind: str
    tilt_angles: Array | None = None
    pixel_size: float | None = None


NONE = ExtendedHeader("none")


def parse_extended(
    raw: bytes, exttyp: bytes, nint: int, nreal: int, sections: int, order: str
) -> ExtendedHeader:
    """The bytes after the main header; nint and nreal from its bytes 128-131, order '<' or '>'.

    A kind that isn't known, or a header too short for its sections, gives no angles.
    """
    if not raw:
        return NONE
    if exttyp in (b"FEI1", b"FEI2"):
        return _fei(raw, exttyp, sections, order)
    if nreal > 0 and _flagged_bytes(nreal) == nint:
        return _serialem(raw, nint, nreal, sections, order)
    if exttyp in (b"SERI", b"AGAR", b"\0\0\0\0") and nint >= 0 and nreal > 0:
        return _agard(raw, nint, nreal, sections, order)
    return ExtendedHeader(exttyp.decode("latin-1").strip("\0 ") or "unknown")


def agard_bytes(tilt_angles: Array) -> bytes:
    """Angles as an extended header of 32 floats a section, the first being the angle."""
    table = np.zeros((len(tilt_angles), AGARD_REALS), "<f4")
    table[:, 0] = tilt_angles
    return table.tobytes()


def _flagged_bytes(flags: int) -> int:
    return sum(size for bit, size in enumerate(SERIALEM_BYTES) if flags >> bit & 1)


def _serialem(raw: bytes, nint: int, flags: int, sections: int, order: str) -> ExtendedHeader:
    if not flags & 1 or len(raw) < nint * sections:
        return ExtendedHeader("SerialEM")
    rows = np.frombuffer(raw[: nint * sections], np.uint8).reshape(sections, nint)
    hundredths = np.ascontiguousarray(rows[:, :2]).view(order + "i2")[:, 0]
    return ExtendedHeader("SerialEM", _believable(hundredths / 100))


def _agard(raw: bytes, nint: int, nreal: int, sections: int, order: str) -> ExtendedHeader:
    width = nint + nreal
    kind = f"{nreal} floats a section (Agard)"
    if len(raw) < 4 * width * sections:
        return ExtendedHeader(kind)
    table = np.frombuffer(raw, order + "f4", count=width * sections).reshape(sections, width)
    pixel_size = None
    if len(raw) == 4 * width * FEI_SECTIONS and width == AGARD_REALS:
        kind = "FEI, 1024 sections of 32 floats"
        metres = float(table[0, FEI_PIXEL])
        pixel_size = metres * 1e10 if 0 < metres < 1e-6 else None
    return ExtendedHeader(kind, _believable(table[:, nint].astype(np.float64)), pixel_size)


def _fei(raw: bytes, exttyp: bytes, sections: int, order: str) -> ExtendedHeader:
    kind = exttyp.decode()
    layout = get_ext_header_dtype(exttyp, order)
    size = int.from_bytes(raw[:4], "little" if order == "<" else "big")
    if size < layout.itemsize or len(raw) < size * sections:
        return ExtendedHeader(kind)
    rows = np.frombuffer(raw[: size * sections], np.uint8).reshape(sections, size)
    table = np.ascontiguousarray(rows[:, : layout.itemsize]).view(layout)[:, 0]
    metres = float(table["Pixel size X"][0])
    return ExtendedHeader(
        kind,
        _believable(table["Alpha tilt"].astype(np.float64)),
        metres * 1e10 if 0 < metres < 1e-6 else None,
    )


def _believable(angles: Array) -> Array | None:
    """Angles of a stage; all zero or out of range means that nobody wrote them."""
    if not np.isfinite(angles).all() or np.abs(angles).max() > 180:
        return None
    return angles if len(angles) == 1 or angles.any() else None
