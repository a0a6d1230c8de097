"""The grammar of RELION's command lines, and their help.

A name is '--' and letters; the word after it is its value, whatever it looks like, unless it is a
switch; of an option given twice the first counts. A name that the program doesn't know, and a
number that can't be read, are errors.
"""

import difflib
import logging
import shlex
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from vitreous.errors import UserError

log = logging.getLogger(__name__)

Kind = Literal["same", "corrected", "idle", "refused"]
"""Done as RELION does; done as it is documented, or should be; nothing to do here; not done."""

MARKS: dict[Kind, str] = {
    "same": "",
    "corrected": "[corrected] ",
    "idle": "[not used] ",
    "refused": "[refused] ",
}


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names; its value for the help, '' of a switch; what becomes of it here.

    four, five: the defaults of RELION 4 and 5; '' where that version doesn't have it.
    """

    names: str
    value: str
    text: str
    kind: Kind = "same"
    four: str = ""
    five: str = ""

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names.split()[0]


@dataclass(frozen=True, slots=True)
class Line:
    """A command line: the value of each option that was given, by its first name."""

    values: Mapping[str, str] = field(default_factory=dict)

    def has(self, name: str) -> bool:
        """Whether an option was given."""
        return name in self.values

    def text(self, name: str) -> str | None:
        """The value of an option; None where it wasn't given."""
        return self.values.get(name)

    def needed(self, name: str) -> str:
        """The value of an option that can't be done without."""
        value = self.text(name)
        if not value:
            raise UserError(f"--{name} is needed: see --help")
        return value

    def path(self, name: str) -> Path | None:
        """The same as a path."""
        value = self.text(name)
        return Path(value) if value else None

    def number(self, name: str) -> float | None:
        """The same as a number."""
        value = self.text(name)
        if value is None:
            return None
        try:
            return float(value)
        except ValueError:
            raise UserError(f"--{name} {value}: a number is expected") from None

    def whole(self, name: str) -> int | None:
        """The same, a whole number."""
        number = self.number(name)
        if number is not None and number != int(number):
            raise UserError(f"--{name} {number:g}: a whole number is expected")
        return None if number is None else int(number)

    def positive(self, name: str) -> float | None:
        """The same, above 0."""
        number = self.number(name)
        if number is not None and not number > 0:
            raise UserError(f"--{name} {number:g}: it must be above 0")
        return number


def parse(words: Sequence[str], options: Sequence[Option]) -> Line:
    """Read a command line; a `UserError` for what isn't known, or not done."""
    named = {name: option for option in options for name in option.names.split()}
    values: dict[str, str] = {}
    waiting = iter(words)
    for word in waiting:
        option = _option(word, named)
        value = next(waiting, None) if option.value else "1"
        if value is None:
            raise UserError(f"--{option.name} needs a value: {option.value}")
        if option.kind == "refused":
            raise UserError(f"--{option.name} isn't done here: {option.text}")
        if option.name in values:
            log.warning("--%s is given twice: the first counts", option.name)
            continue
        values[option.name] = value
    return Line(values)


def written(line: Line, options: Sequence[Option]) -> str:
    """A command line as it would be typed."""
    given = [(option, line.text(option.name)) for option in options]
    return " ".join(
        f"--{option.name} {shlex.quote(value)}" if option.value else f"--{option.name}"
        for option, value in given
        if value is not None
    )


def _option(word: str, named: Mapping[str, Option]) -> Option:
    if not word.startswith("--"):
        raise UserError(f"'{word}' stands by itself: every value has its option before it")
    name = word[2:]
    if name not in named:
        near = difflib.get_close_matches(name, named, 1)
        raise UserError(
            f"--{name} is no option of this program that is known here"
            + (f": is it --{near[0]}?" if near else "")
        )
    return named[name]


# -- help -----------------------------------------------------------------------------------------


def help_page(introduction: str, options: Sequence[Option]) -> str:
    """All options, with what becomes of them."""
    width = min(shutil.get_terminal_size().columns, 100)
    return (
        "\n".join([introduction, "Options:", *(_row(option, width) for option in options)]) + "\n"
    )


def _row(option: Option, width: int) -> str:
    """One option: its names and value, its text beside or below."""
    names = " ".join(f"--{name}" for name in option.names.split())
    left = f"  {names} {option.value}".rstrip()
    text = MARKS[option.kind] + option.text + said_defaults(option)
    indent = " " * 30
    if len(left) > len(indent) - 2:
        below = textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)
        return f"{left}\n{below}"
    return textwrap.fill(text, width, initial_indent=left.ljust(30), subsequent_indent=indent)


def said_defaults(option: Option) -> str:
    """Its defaults, in brackets."""
    if option.four == option.five:
        return f" ({option.four})" if option.four else ""
    both = [("4", option.four), ("5", option.five)]
    return f" ({'; '.join(f'RELION {n}: {value}' for n, value in both if value)})"
