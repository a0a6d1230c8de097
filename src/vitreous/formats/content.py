"""The bytes and the text of a file, whatever it is packed in: gzip, bzip2, BOM, CRLF, Latin-1."""

import bz2
import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from vitreous.errors import FormatError, UserError, VitreousError

GIT_LFS = b"version https://git-lfs.github.com/spec/"


def open_plain(path: Path) -> IO[bytes]:
    """The file open for reading, unpacked on the fly where its content is gzip or bzip2.

    A missing or unreadable file is a `UserError`, an empty one or a Git LFS pointer (a few lines
    of text in the place of the data) a `FormatError`.
    """
    try:
        with path.open("rb") as file:
            start = file.read(len(GIT_LFS))
        if start == GIT_LFS:
            raise FormatError(
                "this is a Git LFS pointer, not the data", path=path, hint="Run 'git lfs pull'."
            )
        if not start:
            raise FormatError("the file is empty", path=path, byte=0)
        if start.startswith(b"\x1f\x8b"):
            return cast(IO[bytes], gzip.open(path, "rb"))
        if start.startswith(b"BZh"):
            return bz2.open(path, "rb")
        return path.open("rb")
    except IsADirectoryError:
        raise UserError(f"{path} is a folder: the name of a file is needed here") from None
    except OSError as error:
        raise UserError(f"{path} can't be read: {error.strerror or error}") from error


@contextmanager
def unpacking(path: Path) -> Iterator[None]:
    """What goes wrong when a file of `open_plain` is read, said as ours."""
    try:
        yield
    except VitreousError:
        raise
    except (EOFError, zlib.error, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise UserError(f"{path} can't be read: {error.strerror}") from error
        raise FormatError(
            f"its compression is damaged ({error})", path=path, hint="Copy the file again."
        ) from error


def read_bytes(path: Path, limit: int = -1) -> bytes:
    """The unpacked bytes of a file, or the first `limit` of them."""
    with open_plain(path) as file, unpacking(path):
        return file.read(limit)


def read_text(path: Path) -> str:
    """The text of a file with plain line ends, without a byte order mark.

    UTF-8 or else Latin-1 (microscope logs); UTF-16 where a byte order mark says so.
    """
    return decoded(read_bytes(path), path)


def decoded(raw: bytes, path: Path) -> str:
    """Bytes -> text as `read_text` has it; a zero byte means that it is no text."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = raw.decode("utf-16", errors="replace")
    else:
        zero = raw.find(b"\0")
        if zero >= 0:
            raise FormatError("text was expected, this is binary", path=path, byte=zero)
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError:
            text = raw.decode("latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n")
