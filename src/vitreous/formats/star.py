"""STAR files: tables of text, as RELION reads and writes them.

A file is a series of blocks `data_NAME`, each with a table: either a loop

    loop_
    _rlnTomoName #1
    _rlnTomoSizeX #2
    TS_01  4000
    TS_02  4000

or, for one row, pairs `_rlnTomoName TS_01`. NAME is the rest of its line, blanks too. Values are
words; blanks need quotes ('...' or "..."). A line is a row. Read are also: CRLF, comments anywhere,
blocks without a name or with the same name, labels with any or no number, loops without rows, words
that CIF reserves ($TMP), several tables in a block, and mmCIF. A row with fewer values than labels
is filled up with empty ones (job files do that), one with more is an error. Values stay strings:
'00255' is a name.

The grammar is gemmi's CIF; `_as_cif` mends beforehand what RELION's dialect has beyond it.
"""

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import numpy as np
from gemmi import cif
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.content import read_text
from vitreous.formats.numbers import parse_number, shortened
from vitreous.formats.products import write_text

log = logging.getLogger(__name__)

Array = NDArray[np.float64]

WORDS = re.compile(r"""'(?:[^']|'(?=\S))*'(?!\S)|"(?:[^"]|"(?=\S))*"(?!\S)|\#.*|\S+""")
COMMENT = re.compile(r"\s+#\s.*")
RESERVED = re.compile(r"[$_;]|data_|loop_|save_|stop_|global_", re.IGNORECASE)
POSITION = re.compile(r"^\w*:?(\d+):(\d+)(?:\(\d+\))?:? *")


@dataclass(frozen=True, slots=True)
class Table:
    """One table: column label (without the leading underscore) -> values, all of one length.

    comments: the lines before its block, without '#'. row_lines: line of each row in the file it
    was read from, for messages.
    """

    name: str
    columns: dict[str, list[str]]
    is_loop: bool = True
    comments: tuple[str, ...] = ()
    path: Path | None = field(default=None, compare=False)
    line: int | None = field(default=None, compare=False)
    row_lines: tuple[int, ...] = field(default=(), compare=False)

    def __len__(self) -> int:
        """Number of rows."""
        return len(next(iter(self.columns.values()), ()))

    def __contains__(self, label: str) -> bool:
        return label in self.columns

    def texts(self, label: str) -> list[str]:
        """One column as it stands."""
        if label not in self.columns:
            raise FormatError(
                f"table {self.name!r} has no column {label}",
                path=self.path,
                line=self.line,
                hint=f"It has {', '.join(self.columns)}.",
            )
        return self.columns[label]

    def numbers(self, label: str) -> Array:
        """One column of finite numbers, (rows,)."""
        words = enumerate(self.texts(label))
        return np.array([parse_number(w, label, self.path, self.line_of(i)) for i, w in words])

    def vectors(self, label: str, length: int) -> Array:
        """One column of bracketed vectors [a,b,c,d], (rows, length)."""
        rows = []
        for i, word in enumerate(self.texts(label)):
            parts = word.strip("[]").split(",")
            if len(parts) != length:
                raise FormatError(
                    f"{label}: expected {length} numbers [a,b,...], found {shortened(word)}",
                    path=self.path,
                    line=self.line_of(i),
                )
            rows.append([parse_number(p, label, self.path, self.line_of(i)) for p in parts])
        return np.array(rows, np.float64).reshape(-1, length)

    def rows(self) -> Iterator[dict[str, str]]:
        """Row by row, label -> value."""
        for values in zip(*self.columns.values(), strict=True):
            yield dict(zip(self.columns, values, strict=True))

    def line_of(self, row: int) -> int | None:
        """Line of a row in the file."""
        return self.row_lines[row] if row < len(self.row_lines) else self.line


def read_star(path: Path) -> list[Table]:
    """All tables of a file in their order."""
    return parse_star(read_text(path), path)


def table_named(tables: Sequence[Table], name: str, path: Path) -> Table:
    """The first table of that name."""
    for table in tables:
        if table.name == name:
            return table
    raise FormatError(
        f"no table data_{name}", path=path, line=1, hint=f"It has {names_of(tables)}."
    )


def names_of(tables: Sequence[Table]) -> str:
    """The names of tables as a message lists them."""
    return ", ".join(f"data_{table.name}" for table in tables) or "no tables"


def parse_star(text: str, path: Path | None = None) -> list[Table]:
    """The same for text at hand."""
    mended = _as_cif(text, path)
    is_ascii = mended.text.isascii()
    try:
        document = cif.read_string(mended.text if is_ascii else _to_ascii(mended.text))
    except (ValueError, RuntimeError) as error:
        raise _refusal(str(error), path) from error
    if len(document) != len(mended.blocks):
        raise FormatError("a block header amid values", path=path, line=1)
    tables = []
    for block, (name, comments) in zip(document, mended.blocks, strict=True):
        for columns, is_loop, line in _tables(block):
            if not is_ascii:
                columns = {_from_ascii(t): [*map(_from_ascii, v)] for t, v in columns.items()}
            rows = tuple(mended.rows.get(line, ()))
            tables.append(Table(name, columns, is_loop, comments, path, line, rows))
    if not tables:
        raise FormatError(
            "no tables", path=path, line=1, hint="A STAR file has blocks 'data_NAME' with labels."
        )
    return tables


def _tables(block: cif.Block) -> Iterator[tuple[dict[str, list[str]], bool, int]]:
    """(columns, is a loop, line) of each table in a block; neighbouring pairs are one table."""
    pairs: dict[str, list[str]] = {}
    first_line = 0
    for item in block:
        if item.pair:
            label, value = cast(tuple[str, str], item.pair)
            first_line = first_line if pairs else item.line_number
            pairs[label[1:]] = [_plain(value)]
        elif item.loop:
            if pairs:
                yield pairs, False, first_line
                pairs = {}
            loop = item.loop
            values = [_plain(value) for value in loop.values]
            columns = {t[1:]: values[i :: loop.width()] for i, t in enumerate(loop.tags)}
            yield columns, True, item.line_number
    if pairs:
        yield pairs, False, first_line


def _plain(value: str) -> str:
    """A word without its quotes."""
    return value if value[0] not in "\"';" else cif.as_string(value)


def _to_ascii(text: str) -> str:
    """CIF knows ASCII only: 'é' -> '&#233;'."""
    return text.replace("&", "&#38;").encode("ascii", "xmlcharrefreplace").decode()


def _from_ascii(word: str) -> str:
    return re.sub(r"&#(\d+);", lambda match: chr(int(match[1])), word)


def _refusal(said: str, path: Path | None) -> FormatError:
    """What gemmi says ('string:7:12(140): unterminated string') with the line in its place."""
    place = POSITION.match(said)
    what = said[place.end() :] if place else said
    return FormatError(what, path=path, line=int(place[1]) if place else 1)


# -- RELION's dialect ---------------------------------------------------------------------------


@dataclass
class _Mended:
    """Text that CIF's grammar accepts, with as many lines; what it lost is kept beside it.

    blocks: name and comments of each; rows: line of a loop_ -> lines of its rows.
    """

    text: str
    blocks: list[tuple[str, tuple[str, ...]]]
    rows: dict[int, list[int]]


def _as_cif(text: str, path: Path | None) -> _Mended:
    """Give every block a name of its own, every row all its values, quotes to reserved words."""
    blocks: list[tuple[str, tuple[str, ...]]] = []
    rows: dict[int, list[int]] = {}
    comments: list[str] = []
    out = []
    loop, width = 0, 0  # line of the loop we are in, number of its labels
    parted = False  # by an empty line from what came before
    by_lines = not _is_mmcif(text)
    in_text = False  # between the semicolons of mmCIF
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not by_lines and line.startswith(";"):
            in_text = not in_text
        elif in_text:
            pass
        elif not stripped or stripped.startswith("#"):
            if stripped.strip("# "):
                comments.append(stripped.lstrip("#").strip())
            line = ""
        elif stripped.lower().startswith("data_") and (
            width < 2 or parted or len(stripped.split()) == 1
        ):
            blocks.append((COMMENT.sub("", stripped)[5:], tuple(comments)))
            line, comments, loop, width = f"data_{len(blocks)}", [], 0, 0
        elif stripped.lower() == "loop_":
            loop, width, rows[number] = number, 0, []
            line = "loop_"
        elif stripped.startswith("_"):
            if loop and rows[loop]:
                loop, width = 0, 0
            width += 1
            line = _label(stripped, by_lines, bool(loop))
        elif by_lines and loop:
            rows[loop].append(number)
            line = _row(stripped, width, path, number)
        parted = not stripped or (parted and not line)
        out.append(line)
    return _Mended("\n".join(out), blocks, rows)


def _is_mmcif(text: str) -> bool:
    """Dotted labels: rows may run over lines there, texts stand between semicolons."""
    return re.search(r"^_\w+\.\w", text, re.MULTILINE) is not None


def _label(line: str, by_lines: bool, in_loop: bool) -> str:
    """'_rlnX #1 ' -> '_rlnX'; of a pair the value gets its quotes."""
    if not by_lines:
        return line
    label, *rest = WORDS.findall(line)
    values = [] if in_loop else [_quoted(w) for w in rest if not w.startswith("#")]
    if not in_loop and not values:
        values = ['""']
    return " ".join([label, *values])


def _row(line: str, width: int, path: Path | None, number: int) -> str:
    if any(mark in line for mark in "'\"#"):
        words = [word for word in WORDS.findall(line) if not word.startswith("#")]
    else:
        words = line.split()
    if len(words) > width:
        raise FormatError(
            f"expected {width} value{'s'[: width != 1]}, found {len(words)}: {shortened(line)}",
            path=path,
            line=number,
            hint="Values with blanks need quotes.",
        )
    if len(words) < width:
        log.warning("%s:%d: %d of %d values, the rest is taken as empty", path, number, len(words),
                    width)  # fmt: skip
        words += ['""'] * (width - len(words))
    return " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """A word as CIF takes it: quotes round what it reserves."""
    if word[0] in "\"'" and len(word) > 1 and word[-1] == word[0]:
        return word
    if word[0] in "\"'" or RESERVED.match(word):
        return f'"{word}"' if '"' not in word else f"'{word}'"
    return word


# -- writing ------------------------------------------------------------------------------------


def write_star(path: Path, tables: Sequence[Table]) -> None:
    """Write tables in RELION's layout."""
    write_text(path, star_text(tables))


def star_text(tables: Sequence[Table]) -> str:
    """The file's text: fields right-aligned in 12 (numbers) or 10 columns, as RELION does."""
    out = []
    for table in tables:
        out += ["", *(f"# {comment}" for comment in table.comments), "", f"data_{table.name}", ""]
        if table.is_loop:
            out += ["loop_ "]
            out += [f"_{label} #{i} " for i, label in enumerate(table.columns, 1)]
            out += ["".join(f"{_field(v)} " for v in r.values()) for r in table.rows()]
        else:
            width = max(map(len, table.columns)) + 13
            out += [f"{'_' + t:<{width}}{_field(v[0])}" for t, v in table.columns.items()]
        out += [" "]
    return "\n".join([*out, ""])


def _field(value: str) -> str:
    try:
        float(value)
    except ValueError:
        return f"{_for_relion(value):>10}"
    return f"{value:>12}"


def _for_relion(value: str) -> str:
    """A value with the quotes that it needs."""
    if "\n" in value:
        raise UserError(f"a STAR table can't hold a text of several lines: {shortened(value)}")
    if value and not re.search(r"\s", value) and value[0] not in "#\"'_":
        return value
    for quote in "\"'" if '"' not in value else "'\"":
        if not re.search(rf"{quote}\s", value):  # before a blank it would end the value
            return f"{quote}{value}{quote}"
    raise UserError(f"a STAR table can't hold both kinds of quotes before blanks: {value}")
