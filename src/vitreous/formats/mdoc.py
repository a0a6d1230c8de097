"""SerialEM's and Tomography's .mdoc: what the microscope noted of each image.

Text of `key = value` lines: first those of the whole file, then sections `[ZValue = 0]` with their
own. A title is a section `[T = text]` without lines, in files of frames a line `T = text`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitreous.errors import FormatError
from vitreous.formats.content import decoded, read_bytes
from vitreous.formats.numbers import shortened
from vitreous.formats.products import write_text

SECTION = re.compile(r"\[\s*([^=\[\]]+?)\s*=\s?(.*)\]\s*")
COMMENT = "#"

Fields = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Section:
    """`[kind = name]` and its lines, in order; line: where it stands in its file."""

    kind: str
    name: str
    fields: Fields = ()
    line: int = field(default=0, compare=False)

    def get(self, key: str) -> str:
        """The value of a key, its case aside; '' where it is missing or empty."""
        return lookup(self.fields, key)


@dataclass(frozen=True, slots=True)
class Mdoc:
    """A whole .mdoc: head, then sections, titles among them, all in the file's order."""

    head: Fields
    sections: tuple[Section, ...]
    newline: str = "\n"

    def get(self, key: str) -> str:
        """A value of the head; '' where it is missing."""
        return lookup(self.head, key)

    def of(self, kind: str) -> tuple[Section, ...]:
        """The sections of one kind ("ZValue", "FrameSet", "MontSection", "Image")."""
        return tuple(s for s in self.sections if s.kind.lower() == kind.lower())

    @property
    def titles(self) -> tuple[str, ...]:
        """Texts of the titles."""
        bare = [value for key, value in self.head if key.upper() == "T"]
        return (*bare, *(section.name for section in self.of("T")))

    @property
    def kind(self) -> str:
        """What the file is of: a tilt series, a movie, a frame tilt series, a montage, images."""
        if self.of("FrameSet"):
            return "frame tilt series" if self.of("ZValue") else "movie"
        if self.of("MontSection") or self.get("Montage") == "1":
            return "montage"
        return "tilt series" if self.of("ZValue") else "list of images"


def lookup(fields: Iterable[tuple[str, str]], key: str) -> str:
    """The first value of a key, its case aside; '' where there is none."""
    wanted = key.lower()
    return next((value.strip() for name, value in fields if name.lower() == wanted), "")


def read_mdoc(path: Path) -> Mdoc:
    """Read an .mdoc; whatever keys it has are kept."""
    raw = read_bytes(path)
    return parse_mdoc(decoded(raw, path), path, "\r\n" if b"\r\n" in raw else "\n")


def parse_mdoc(text: str, path: Path | None = None, newline: str = "\n") -> Mdoc:
    """The same for text at hand (plain line ends)."""
    head: list[tuple[str, str]] = []
    fields = head
    sections: list[tuple[str, str, list[tuple[str, str]], int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped:
            continue
        if opened := SECTION.fullmatch(line):
            fields = []
            sections.append((opened[1], opened[2], fields, number))
        elif stripped.startswith(COMMENT):
            fields.append((COMMENT, stripped[1:]))
        elif "=" in line and not stripped.startswith("="):
            key, value = line.split("=", 1)
            fields.append((key.strip(), value.removeprefix(" ")))
        else:
            raise FormatError(
                f"expected 'key = value' or '[kind = name]', found {shortened(line)}",
                path=path,
                line=number,
            )
    if not sections:
        raise FormatError(
            "an .mdoc has sections such as [ZValue = 0], this has none", path=path, line=1
        )
    return Mdoc(
        tuple(head), tuple(Section(k, n, tuple(f), at) for k, n, f, at in sections), newline
    )


def write_mdoc(path: Path, mdoc: Mdoc) -> None:
    """Write an .mdoc as SerialEM lays it out."""
    write_text(path, format_mdoc(mdoc))


def format_mdoc(mdoc: Mdoc) -> str:
    """An .mdoc as text, with its own line ends."""
    blocks = [_lines(mdoc.head)] if mdoc.head else []
    blocks += [[f"[{s.kind} = {s.name}]", *_lines(s.fields)] for s in mdoc.sections]
    end = mdoc.newline
    return (2 * end).join(end.join(block) for block in blocks) + end


def _lines(fields: Fields) -> list[str]:
    return [f"{COMMENT}{value}" if key == COMMENT else f"{key} = {value}" for key, value in fields]


def as_mapping(fields: Fields) -> Mapping[str, str]:
    """Lines as a mapping; of keys that stand twice the first counts."""
    mapping: dict[str, str] = {}
    for key, value in fields:
        mapping.setdefault(key, value.strip())
    return mapping
