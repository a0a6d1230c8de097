"""Lists of files and sections as IMOD takes them: -fileinlist, '0-5,8'."""

import re
from pathlib import Path

from vitreous.errors import FormatError
from vitreous.formats.content import read_text
from vitreous.formats.numbers import shortened

ALL = "/"


def parse_list(text: str) -> list[int]:
    """'0-3,7,9-8' -> 0 1 2 3 7 9 8; a range may run downwards."""
    numbers: list[int] = []
    for part in text.replace(" ", "").split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not found:
            raise ValueError(f"{shortened(text)} is no list of numbers such as 0-5,8")
        first, last = int(found[1]), int(found[2] or found[1])
        step = 1 if last >= first else -1
        numbers += range(first, last + step, step)
    return numbers


def read_file_list(path: Path) -> list[tuple[Path, list[int] | None]]:
    """Files and their sections (from 0; None: all): a count, then a line each for name and list.

    Names are relative to the folder of the list. A list of names alone is taken, too.
    """
    lines = [line.strip() for line in read_text(path).split("\n")]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise FormatError("the list of files is empty", path=path, line=1)
    if not lines[0].isdigit():
        return [(path.parent / line, None) for line in lines if line]
    count = int(lines[0])
    if len(lines) not in (1 + 2 * count, 2 * count):  # the last list may be left out
        raise FormatError(
            f"{count} files are announced, so {1 + 2 * count} lines expected, {len(lines)} found",
            path=path,
            line=1,
            hint="A line with the file's name is followed by one with its sections, or '/'.",
        )
    entries: list[tuple[Path, list[int] | None]] = []
    for k in range(count):
        sections = lines[2 + 2 * k] if 2 + 2 * k < len(lines) else ALL
        try:
            listed = None if sections in ("", ALL) else parse_list(sections)
        except ValueError as error:
            raise FormatError(str(error), path=path, line=3 + 2 * k) from None
        entries.append((path.parent / lines[1 + 2 * k], listed))
    return entries
