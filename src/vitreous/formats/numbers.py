"""Columns of numbers in text: angle lists (.tlt, .rawtlt, .xtilt) and transforms (.xf)."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, pairwise
from math import isfinite
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError
from vitreous.formats.content import read_text

Array = NDArray[np.float64]


def read_columns(path: Path, columns: int | None, what: str, widths: Sequence[int] = ()) -> Array:
    """A file of numbers -> (n, columns); empty lines are skipped.

    columns: how many a line must have; None takes the first line's count for all. what: the thing
    a line holds, for messages ("tilt angle"). widths: of the fixed columns that a line is cut
    into where its numbers have run together (IMOD's %12.7f).
    """
    return parse_columns(enumerate(read_text(path).split("\n"), 1), columns, what, path, widths)


def parse_columns(
    lines: Iterable[tuple[int, str]],
    columns: int | None,
    what: str,
    path: Path | None = None,
    widths: Sequence[int] = (),
) -> Array:
    """The same for lines at hand, given as (line number, text)."""
    rows = []
    for number, line in lines:
        words = line.split()
        if not words:
            continue
        if columns is None:
            columns = len(words)
        if len(words) != columns and widths:
            words = cut(line, widths) or words
        if len(words) != columns:
            raise FormatError(
                f"{what}: expected {columns} number{'s'[: columns != 1]}, "
                f"found {len(words)}: {shortened(line)}",
                path=path,
                line=number,
            )
        rows.append([parse_number(word, what, path, number) for word in words])
    if not rows:
        raise FormatError(f"{what}: the file holds no numbers", path=path, line=1)
    return np.array(rows, np.float64)


def parse_number(word: str, what: str, path: Path | None = None, line: int | None = None) -> float:
    """One finite number with a decimal point."""
    try:
        value = float(word)
    except ValueError:
        value = float("nan")
    if isfinite(value) and "_" not in word:
        return value
    hint = ""
    if "," in word:
        hint = "Write numbers with a decimal point, not a comma."
    elif "*" in word:
        hint = "The number was too long for the program that wrote it."
    raise FormatError(
        f"{what}: expected a number, found {shortened(word)}", path=path, line=line, hint=hint
    )


def cut(line: str, widths: Sequence[int]) -> list[str]:
    """A line cut into columns of the given widths; empty where it isn't laid out that way."""
    words = [line[start:end].strip() for start, end in pairwise([0, *accumulate(widths)])]
    return words if all(words) and not line[sum(widths) :].strip() else []


def shortened(text: str, most: int = 60) -> str:
    """Text of a file as a message quotes it."""
    text = text.strip()
    return repr(text if len(text) <= most else text[:most] + "...")
