"""The grammar of IMOD's options (its PIP package)."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from vitreous.errors import UserError

STANDARD_INPUT = "standardinput"


@dataclass(frozen=True, slots=True)
class Option:
    """An option: its names, ours first; whether a value follows; refused: why it isn't done."""

    names: str
    has_value: bool = True
    refused: str = ""

    @property
    def name(self) -> str:
        """The first of its names."""
        return self.names.split()[0]


@dataclass(frozen=True, slots=True)
class Line:
    """A command line: name -> its values in their order, and words that are no options."""

    values: Mapping[str, list[str]] = field(default_factory=dict)
    words: tuple[str, ...] = ()

    def last(self, name: str) -> str | None:
        """The value of an option; None where it isn't there."""
        return self.values[name][-1] if name in self.values else None

    def numbers(self, name: str, count: int) -> tuple[float, ...] | None:
        """`count` numbers parted by commas or blanks."""
        text = self.last(name)
        if text is None:
            return None
        words = re.split(r"[,\s]+", text.strip())
        try:
            numbers = tuple(float(word) for word in words)
        except ValueError:
            numbers = ()
        if len(numbers) != count:
            plural = "s" if count > 1 else ""
            raise UserError(f"-{name} {text}: {count} number{plural} expected")
        return numbers


def parse(words: Sequence[str], options: Sequence[Option], standard_input: Iterable[str]) -> Line:
    """Read a command line by the options of its program."""
    values: dict[str, list[str]] = {}
    others: list[str] = []
    waiting = iter(words)
    for word in waiting:
        if not re.match(r"-[A-Za-z]", word):
            others.append(word)
            continue
        name = word[1:]
        if STANDARD_INPUT.startswith(name.lower()) and len(name) > 2:
            _add_lines(standard_input, options, values)
            continue
        option = named(name, options)
        if not option.has_value:
            values.setdefault(option.name, []).append("1")
            continue
        value = next(waiting, None)
        if value is None:
            raise UserError(f"-{option.name} needs a value")
        values.setdefault(option.name, []).append(value)
    return Line(values, tuple(others))


def _add_lines(
    lines: Iterable[str], options: Sequence[Option], values: dict[str, list[str]]
) -> None:
    """Lines 'Name value', comments after '#'; 'DONE' ends them."""
    for line in lines:
        text = line.partition("#")[0].strip()
        if text.upper() == "DONE":
            return
        if text:
            name, *value = re.split(r"[\s=]+", text, maxsplit=1)
            option = named(name, options)
            values.setdefault(option.name, []).append(value[0] if value else "1")


def named(name: str, options: Sequence[Option]) -> Option:
    """The option of a name, cut short or not; a `UserError` for none, several, or a refused one."""
    wanted = name.lower()
    names = {option: option.names.lower().split() for option in options}
    exact = [option for option in options if wanted in names[option]]
    begun = [option for option in options if any(n.startswith(wanted) for n in names[option])]
    found = exact or begun
    if not found:
        raise UserError(f"-{name} is no option of this program that is known here")
    if len(found) > 1:
        several = ", ".join(f"-{option.name}" for option in found)
        raise UserError(f"-{name} can be {several}: write more of it")
    if found[0].refused:
        raise UserError(f"-{found[0].name} isn't done here: {found[0].refused}")
    return found[0]
