"""The grammar of AreTomo's command lines, and their help.

A name is a '-' and letters, small or capital; its values are all words up to the next name (-1 and
-0.5 are values); whole numbers may be joined by commas; of an option given twice the first counts.
AreTomo passes over names that it doesn't know and values that are too many: here both are errors.
"""

import difflib
import logging
import re
import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import UserError
from vitreous.faces.aretomo_options import OPTIONS, Form, Option

log = logging.getLogger(__name__)

NAMES = {name.lower(): option for option in OPTIONS for name in option.names.split()}
TEXTS = ("FILE", "PATH", "TEXT", "FOLDER", "PREFIX", "A,B")
NAME = re.compile(r"--?[A-Za-z]")
INTRODUCTION = """\
Usage: vitreous aretomo -InMrc STACK -OutMrc VOLUME [OPTIONS]
       vitreous aretomo -InPrefix PATH -InSuffix .mrc -OutDir FOLDER [OPTIONS]

AreTomo's command lines: of AreTomo 1 and 2 (one stack), of AreTomo3 (many series). Options mean
what they mean there, names of both generations are understood; what is done otherwise, or not, is
marked, and said when it is given. docs/aretomo.md tells more.
"""
TITLES: dict[Form, str] = {
    "one stack": "One stack",
    "many series": "Many series",
    "both": "Both",
    "movies": "Movies (-Cmd 0 of .mdoc files)",
}
OF_OTHERS: dict[Form, str] = {
    "one stack": "it belongs to -InMrc and -OutMrc",
    "many series": "it belongs to -InPrefix and -OutDir",
    "movies": "no movies are read here",
}
MARKS = {"differs": "[differs] ", "idle": "[not used] ", "dead": "[dead] ", "refused": "[refused] "}


@dataclass(frozen=True, slots=True)
class Line:
    """A command line: the values of each option that was given, by its key."""

    values: Mapping[str, tuple[str, ...]]

    def has(self, name: str) -> bool:
        """Whether an option was given."""
        return name.lower() in self.values

    def text(self, name: str) -> str | None:
        """The value of an option; None where it wasn't given."""
        words = self.values.get(name.lower(), ())
        return words[0] if words else None

    def path(self, name: str) -> Path | None:
        """The same as a path."""
        text = self.text(name)
        return None if text is None else Path(text)

    def needed(self, name: str) -> Path:
        """The path of an option that can't be done without."""
        path = self.path(name)
        if path is None:
            raise UserError(f"-{name} is needed: see vitreous aretomo --help")
        return path

    def numbers(self, name: str, defaults: tuple[float, ...]) -> tuple[float, ...]:
        """The values of an option as numbers; those that lack are the defaults'."""
        words = [word for text in self.values.get(name.lower(), ()) for word in text.split(",")]
        try:
            given = tuple(float(word) for word in words)
        except ValueError:
            raise UserError(f"-{name} {' '.join(words)}: numbers are expected") from None
        return given + defaults[len(given) :]

    def number(self, name: str, default: float) -> float:
        """The first of these."""
        return self.numbers(name, (default,))[0]

    def whole(self, name: str, default: int) -> int:
        """The same, a whole number."""
        number = self.number(name, default)
        if number != int(number):
            raise UserError(f"-{name} {number:g}: a whole number is expected")
        return int(number)

    def choice(self, name: str, default: int, choices: Sequence[int]) -> int:
        """The same, one of a few."""
        number = self.whole(name, default)
        if number not in choices:
            raise UserError(f"-{name} {number}: choose {', '.join(map(str, choices))}")
        return number

    def positive(self, name: str) -> float | None:
        """A number above 0; None where it wasn't given, or is AreTomo's 0 for 'unknown'."""
        number = self.number(name, 0.0)
        if number < 0:
            raise UserError(f"-{name} {number:g}: it can't be below 0")
        return number or None


def parse(words: Sequence[str]) -> Line:
    """Read a command line; a `UserError` for what isn't known, too much, or not done."""
    values: dict[str, tuple[str, ...]] = {}
    given: list[str] = []
    for word in words:
        if NAME.match(word):
            given.append(word)
            option = named(word)
            is_again = option.key in values
            taken: list[str] = []
            if is_again:
                log.warning("-%s is given twice: the first counts", option.name)
            else:
                values[option.key] = ()
        elif not given:
            raise UserError(f"'{word}' stands before any option")
        else:
            taken.append(word)
            if not is_again:
                values[option.key] = tuple(taken)
    for option in OPTIONS:
        if option.key in values:
            require_values(option, values[option.key])
    return Line(values)


def named(word: str) -> Option:
    """The option of a name."""
    name = word.lstrip("-").lower()
    if name not in NAMES:
        near = difflib.get_close_matches(name, NAMES, 1)
        like = f": is it -{NAMES[near[0]].name}?" if near else ""
        raise UserError(f"{word} is no option of AreTomo's{like}")
    return NAMES[name]


def require_values(option: Option, words: Sequence[str]) -> None:
    """Raise a `UserError` for no value, too many, and for what isn't done here."""
    if not words:
        raise UserError(f"-{option.name} needs a value: {option.values}")
    count = max(len(words), sum(len(word.split(",")) for word in words) if option.most > 1 else 1)
    if count > option.most:
        raise UserError(
            f"-{option.name} {' '.join(words)}: {option.most} value"
            f"{'s' if option.most > 1 else ''} expected ({option.values})"
        )
    require_kind(option, words)
    if option.kind == "refused" and not asks_nothing(option, words):
        raise UserError(f"-{option.name} {' '.join(words)}: {lowered(option.text)}")


def require_kind(option: Option, words: Sequence[str]) -> None:
    """Raise a `UserError` where numbers are expected and aren't there, or others are.

    What is expected the option's `values` say: FILE or the like, 0|1, 0..3, or any numbers.
    """
    if option.values in TEXTS:
        return
    found = Line({option.key: tuple(words)}).numbers(option.name, ())[0]
    is_right = True
    if "|" in option.values:
        is_right = found in [float(choice) for choice in option.values.split("|")]
    elif ends := re.fullmatch(r"(\d+)\.\.(\d+)", option.values):
        is_right = float(ends[1]) <= found <= float(ends[2])
    if not is_right:
        raise UserError(f"-{option.name} {found:g}: {option.values} is expected. {option.text}")


def asks_nothing(option: Option, words: Sequence[str]) -> bool:
    """Whether the values of a refused option are such as switch it off."""
    return words[0].split(",")[0] in option.harmless


def say_understood(line: Line, forms: Sequence[Form]) -> None:
    """Log what was understood, then what is not used, and what is done otherwise.

    forms: those of the options that have a use in this line.
    """
    given = [option for option in OPTIONS if option.key in line.values]
    words = [f"-{option.name} {' '.join(line.values[option.key])}" for option in given]
    log.info("understood: %s", " ".join(words))
    for option in given:
        if option.form not in ("both", *forms):
            log.warning("-%s is not used: %s", option.name, OF_OTHERS[option.form])
        elif option.kind in ("idle", "dead"):
            log.warning("-%s is not used. %s", option.name, option.text)
    if other := [f"-{option.name}" for option in given if option.kind == "differs"]:
        log.info("done otherwise than AreTomo does (--help tells how): %s", ", ".join(other))


def begins_with_movies(line: Line) -> bool:
    """Whether the series of a line are made from movies: -Cmd 0 of .mdoc files."""
    ending = line.text("InSuffix") or line.text("InPrefix") or ""
    return line.whole("Cmd", 0) == 0 and ending.lower().endswith(".mdoc")


def lowered(text: str) -> str:
    """A sentence as a part of another."""
    return text[0].lower() + text[1:].rstrip(".")


# -- help -----------------------------------------------------------------------------------------


def help_page() -> str:
    """All options, with what becomes of them."""
    width = min(shutil.get_terminal_size().columns, 100)
    blocks = [INTRODUCTION]
    for form, title in TITLES.items():
        rows = [row(option, width) for option in OPTIONS if option.form == form]
        blocks.append("\n".join([f"{title}:", *rows]) + "\n")
    return "\n".join(blocks)


def row(option: Option, width: int) -> str:
    """One option: its names and values, its text beside or below."""
    names = " ".join(f"-{name}" for name in option.names.split())
    left = f"  {names} {option.values}"
    text = MARKS.get(option.kind, "") + option.text
    indent = " " * 30
    if len(left) > len(indent) - 2:
        return (
            f"{left}\n{textwrap.fill(text, width, initial_indent=indent, subsequent_indent=indent)}"
        )
    return textwrap.fill(text, width, initial_indent=left.ljust(30), subsequent_indent=indent)
