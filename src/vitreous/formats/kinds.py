"""The kind of a file, told from its content: names and suffixes lie."""

import json
import re
from collections import Counter
from enum import Enum
from pathlib import Path

from vitreous.errors import FormatError
from vitreous.formats.content import decoded, read_bytes

ENOUGH = 1 << 16  # bytes that decide
MOSTLY = 0.8  # share of lines that must fit: broken files are to be told too
DYNAMO_COLUMNS = 26  # the least that a Dynamo table has


class Kind(Enum):
    """Kinds of files that we know by sight; the value names it."""

    MRC = "MRC image, stack or volume"
    TIFF = "TIFF images"
    DM = "Gatan DigitalMicrograph image"
    EM = "EM image"
    HDF5 = "HDF5 container"
    OME_ZARR = "OME-Zarr multiscale volume"
    IMOD_MODEL = "IMOD model"
    MDOC = "mdoc, metadata of images"
    ANGLES = "list of numbers, one a line (tilt angles, doses)"
    ANGLE_TABLE = "AreTomo's table of tilts (angle, order, dose)"
    XF = "IMOD transforms (xf)"
    LOCAL_XF = "IMOD local alignment"
    MIDAS = "IMOD midas transforms"
    ZFACTORS = "two columns of numbers (IMOD Z factors)"
    DEFOCUS = "IMOD defocus file"
    RESIDUALS = "IMOD residuals"
    FIDUCIALS = "IMOD fiducial positions (xyz)"
    ALIGN_LOG = "IMOD tiltalign log"
    COMMANDS = "IMOD command file"
    AUTODOC = "IMOD autodoc or directives"
    ETOMO = "eTomo project (edf)"
    ALN = "AreTomo alignment (aln)"
    STAR = "STAR tables"
    MMCIF = "mmCIF"
    WARP_XML = "Warp tilt series (xml)"
    XML = "XML"
    EMAN_LST = "EMAN2 list of images (lst)"
    EMAN_JSON = "EMAN2 tilt series (json)"
    JSON = "JSON"
    CTF_TABLE = "CTFFIND-like table of defocus"
    MARKERS = "PyTom markers"
    PROTOMO = "Protomo tilt series"
    PEET = "PEET parameters"
    DYNAMO = "Dynamo table"
    CSV = "comma-separated table"
    TABLE = "table of numbers"
    TEXT = "text"
    BINARY = "binary data"


def kind_of(path: Path) -> Kind:
    """Tell the kind of a file; packed files are looked into.

    Empty files, Git LFS pointers and damaged packing are a `FormatError`.
    """
    if path.is_dir() and _is_ome_zarr(path):
        return Kind.OME_ZARR
    start = read_bytes(path, ENOUGH)
    binary = _binary_kind(start)
    if binary is not None:
        return binary
    try:
        text = decoded(start, path)
    except FormatError:
        return Kind.BINARY
    whole = len(start) < ENOUGH
    return _text_kind(text if whole else text.rpartition("\n")[0], path)


def _is_ome_zarr(path: Path) -> bool:
    from vitreous.formats.ome_zarr import is_ome_zarr

    return is_ome_zarr(path)


def _binary_kind(start: bytes) -> Kind | None:
    from vitreous.formats.mrc_header import looks_like_mrc

    if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        return Kind.TIFF
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return Kind.HDF5
    if start.startswith(b"IMODV1."):
        return Kind.IMOD_MODEL
    if looks_like_mrc(start):
        return Kind.MRC
    if _is_dm(start):
        return Kind.DM
    if _is_em(start):
        return Kind.EM
    return None


def _is_dm(start: bytes) -> bool:
    """Version 3 or 4, size of the root, byte order 0 or 1; all big-endian."""
    version = int.from_bytes(start[:4], "big")
    order_at = {3: 8, 4: 12}.get(version)
    if order_at is None or len(start) < order_at + 4:
        return False
    return int.from_bytes(start[order_at : order_at + 4], "big") in (0, 1)


def _is_em(start: bytes) -> bool:
    """Machine, two bytes of nothing, type; then three sizes in the machine's order."""
    if len(start) < 512 or start[0] > 6 or start[3] not in (1, 2, 4, 5, 8, 9):
        return False
    order = "little" if start[0] in (1, 6) else "big"
    sizes = [int.from_bytes(start[i : i + 4], order) for i in (4, 8, 12)]  # type: ignore[arg-type]
    return all(0 < size < 1 << 20 for size in sizes)


# -- text -----------------------------------------------------------------------------------------

FIRST_LINES = (
    (r"#\s*AreTomo Alignment", Kind.ALN),
    (r"#\s*MarkerIndex", Kind.MARKERS),
    (r"#\s*Output from (CTFFind|vitreous)|#\s*Columns: #1\b", Kind.CTF_TABLE),
    (r"\d+\s+residuals\s*$", Kind.RESIDUALS),
    (r".*\bPix:.*\bDim:", Kind.FIDUCIALS),
    (r"At minimum tilt|Beam tilt angle", Kind.ALIGN_LOG),
    (r"#LS[XT]", Kind.EMAN_LST),
    (r"%", Kind.PEET),
)
ANY_LINE = (
    (r"\[(ZValue|FrameSet|MontSection|Image)\s*=", Kind.MDOC),
    (r"\$\w|#+.*command file to run", Kind.COMMANDS),
    (r"Setup\.\w+(\.\w+)*=", Kind.ETOMO),
    (r"(setupset|runtime|comparam)\.", Kind.AUTODOC),
    (r"\[\[?[ \t]*\w[\w \t]*=.*\]", Kind.AUTODOC),
    (r"(max|units|mountrule)\.\S+[ \t]*=", Kind.AUTODOC),  # eTomo's cpu.adoc
    (r"(PixelSpacing|ImageFile)[ \t]*=", Kind.MDOC),  # one that ends before its first section
    (r"view +rotation +tilt +deltilt", Kind.ALIGN_LOG),
    (r"TILT SERIES\b", Kind.PROTOMO),
)
WARP_ROOT = re.compile(r"<TiltSeries\b")
NUMBER = re.compile(r"[-+]?(\d+[.,]?\d*|[.,]\d+|\*+)(e[-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)


def _text_kind(text: str, path: Path) -> Kind:
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    first = lines[0] if lines else ""
    if first.startswith("<"):
        return Kind.WARP_XML if WARP_ROOT.search(text) else Kind.XML
    if first.startswith("{"):
        return _json_kind(path)
    if star := _star_kind(lines):
        return star
    for pattern, kind in FIRST_LINES:
        if re.match(pattern, first, re.IGNORECASE):
            return kind
    if numbers := _numbers_kind(lines):
        return numbers
    for pattern, kind in ANY_LINE:
        if re.search(rf"^[ \t]*(?:{pattern})", text, re.MULTILINE | re.IGNORECASE):
            return kind
    commas = Counter(line.count(",") for line in lines)
    if len(lines) > 1 and len(commas) == 1 and 0 not in commas:
        return Kind.CSV
    return Kind.TEXT


def _json_kind(path: Path) -> Kind:
    try:
        content = json.loads(decoded(read_bytes(path), path))
    except (ValueError, RecursionError):
        return Kind.JSON
    return Kind.EMAN_JSON if "tlt_params" in content else Kind.JSON


def _star_kind(lines: list[str]) -> Kind | None:
    """A block, then labels or a loop; labels with a point in them are mmCIF's."""
    content = [line for line in lines if not line.startswith("#")]
    if len(content) < 2 or not content[0].startswith("data_"):
        return None
    if not content[1].startswith(("_", "loop_", "data_")):
        return None
    is_mmcif = any(re.match(r"_\w+\.\w", line) for line in content)
    return Kind.MMCIF if is_mmcif else Kind.STAR


def _numbers_kind(lines: list[str]) -> Kind | None:
    """Lines of numbers, most of them of the same length; a few broken ones don't hide it."""
    rows = [line.split() for line in lines if not line.startswith("#")]
    numeric = [row for row in rows if all(NUMBER.fullmatch(word) for word in row)]
    if not numeric or len(numeric) < MOSTLY * len(rows):
        return None
    first = numeric[0]
    widths = Counter(map(len, numeric))
    usual, count = widths.most_common(1)[0]
    if len(first) in (7, 8, 9) and widths[len(first)] < len(numeric) and first[0].isdigit():
        return Kind.LOCAL_XF
    if len(first) == 6 and usual in (5, 7, 8) and first[0].isdigit() and first[1].isdigit():
        return Kind.DEFOCUS
    if len(first) == 1 and {1, 6} <= set(widths):
        return Kind.MIDAS
    if count < MOSTLY * len(numeric):
        return Kind.TABLE
    if usual == 3:
        return Kind.ANGLE_TABLE if all(row[1].isdigit() for row in numeric) else Kind.TABLE
    if usual >= DYNAMO_COLUMNS:
        return Kind.DYNAMO
    return {1: Kind.ANGLES, 2: Kind.ZFACTORS, 6: Kind.XF}.get(usual, Kind.TABLE)
