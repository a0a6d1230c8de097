"""Products appear whole or not at all: temporary name, fsync, rename."""

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from vitreous.errors import OutputError

MEANING = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your disk quota is used up",
    errno.EFBIG: "the file is larger than this system allows (ulimit -f, or the kind of disk)",
    errno.EACCES: "no permission to write there",
    errno.EPERM: "no permission to write there",
    errno.EROFS: "the disk is read-only",
    errno.ENOENT: "the folder doesn't exist",
    errno.ENOTDIR: "a part of the path is a file, not a folder",
    errno.EISDIR: "a folder of this name stands there",
    errno.ENAMETOOLONG: "the name is too long",
}
WAY_OUT = {
    errno.EACCES: "Choose another place for the output, or ask for permission.",
    errno.EPERM: "Choose another place for the output, or ask for permission.",
    errno.EROFS: "Choose another place for the output.",
    errno.ENOENT: "Create it first.",
    errno.EISDIR: "Give the output another name.",
}


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what is written to it becomes `path` if all went well.

    What was there before stays until the new is whole on the disk, and stays if the body fails.
    An `OSError` about the temporary file becomes an `OutputError`.
    """
    require_no_folder(path)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as written:
            os.fsync(written.fileno())
        part.replace(path)
    except OSError as error:
        if isinstance(error, OutputError) or error.filename not in (None, str(part), part):
            raise
        _remove(part)  # so that its own bytes count as free
        raise output_error(path, error) from error
    finally:
        _remove(part)


@contextmanager
def atomic_folder(path: Path, is_one: Callable[[Path], bool]) -> Iterator[Path]:
    """A new temporary folder beside `path`, which becomes `path` if all went well.

    A folder of this name is replaced where `is_one` says that it is such a product, and only once
    the new one is whole on the disk; anything else of this name is an `OutputError`.
    """
    require_replaceable(path, is_one)
    part, old = (path.with_name(f".{path.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        part.mkdir()
        yield part
        for written in part.rglob("*"):
            if written.is_file():
                with written.open("rb") as file:
                    os.fsync(file.fileno())
        if path.exists():
            path.replace(old)
        part.replace(path)
    except OSError as error:
        inside = error.filename is None or str(part) in str(error.filename)
        if isinstance(error, OutputError) or not inside:
            raise
        shutil.rmtree(part, ignore_errors=True)  # so that its own bytes count as free
        raise output_error(path, error) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if old.exists() and not path.exists():
            old.replace(path)
        shutil.rmtree(old, ignore_errors=True)


def require_replaceable(path: Path, is_one: Callable[[Path], bool]) -> None:
    """Raise an `OutputError` where something stands at `path` that is no such product."""
    if path.exists() and not (path.is_dir() and is_one(path)):
        raise OutputError(
            f"{path} stands there and is something else: give the output another name"
        )


def require_no_folder(path: Path) -> None:
    """Raise an `OutputError` where a folder has the name of a product, or no one may look."""
    try:
        in_the_way = path.is_dir()
    except OSError as error:
        raise output_error(path, error) from error
    if in_the_way:
        raise output_error(path, IsADirectoryError(errno.EISDIR, "Is a directory"))


def write_text(path: Path, text: str) -> None:
    """Write a small text file, UTF-8, its line ends as they are in `text`."""
    with atomic(path) as part:
        part.write_bytes(text.encode())


def output_error(path: Path, error: OSError, needed: int | None = None) -> OutputError:
    """What the system says -> a message with the place, the reason and the way out.

    needed: bytes that the product takes, where that is known.
    """
    meaning = MEANING.get(error.errno or 0, error.strerror or str(error))
    way_out = WAY_OUT.get(error.errno or 0, "")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        size = f"{readable(needed)} are needed and " if needed is not None else ""
        way_out = f"{size and size[0].upper() + size[1:]}{readable(free_bytes(path))} are free."
        way_out += " Make room, or choose another place for the output."
    return OutputError(f"{path} can't be written: {meaning}. {way_out}".rstrip())


def free_bytes(path: Path) -> int:
    """Bytes free to us on the disk of an existing folder's file."""
    return shutil.disk_usage(path.parent).free


def readable(count: int) -> str:
    """1234567890 -> '1.23 GB'."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count} bytes"


def _remove(part: Path) -> None:
    try:
        part.unlink()
    except OSError:  # renamed already, or never made
        return
