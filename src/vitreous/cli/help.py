"""How --help looks: names on the left, their text on the right, without boxes or colours.

Our own, since cyclopts' page loads rich and a parser of docstrings: a fifth of the half CPU second
that help may cost.
"""

import shutil
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Literal, Union, cast, get_args, get_origin

if TYPE_CHECKING:
    from cyclopts import App, Argument, Group
    from rich.console import Console

NAMES = 28
"""Columns for the names; longer ones get a line of their own."""

NO_BREAK = "\xa0"

Row = tuple[str, str]
"""A command or an option, and its text."""


class NoConsole:
    """Stands where cyclopts would make a console that we don't need."""

    def print(self, text: object) -> None:
        """Print the version, the one thing that cyclopts still prints."""
        print(getattr(text, "primary_renderable", text))


NO_CONSOLE = cast("Console", NoConsole())


def page(names: Sequence[str], app: "App", common: "Iterable[Argument]") -> str:
    """The help of `app`, called by `names`, with the options that all commands have in common."""
    own = app.assemble_argument_collection() if app.default_command else ()
    options = sorted((one for one in own if one.show), key=lambda one: one.index is None)
    panels: dict[str, list[Row]] = {}
    for name, row in (*command_rows(app), *option_rows(options), *option_rows(common)):
        panels.setdefault(name, []).append(row)
    blocks = [usage([*names, *([] if app.default_command else ["COMMAND"])], options)]
    blocks += [filled(app.help), *(panel(name, rows) for name, rows in panels.items())]
    return "\n\n".join(blocks)


def usage(words: Sequence[str], options: "Sequence[Argument]") -> str:
    """The first line: what a command can't do without."""
    needed = [one for one in options if one.required]
    named = [label(one) for one in needed if one.index is None]
    placed = [label(one) for one in needed if one.index is not None]
    return " ".join(["Usage:", *words, *named, "[OPTIONS]", *placed])


def filled(text: str) -> str:
    """A text whose lines fill the terminal, each indented as it was."""
    return "\n".join(
        textwrap.fill(line, width(), subsequent_indent=line[: len(line) - len(line.lstrip())])
        for line in text.strip("\n").splitlines()
    )


def panel(name: str, rows: Iterable[Row]) -> str:
    """A group of commands or options under its name."""
    lines = [f"{name}:"]
    for names, text in rows:
        wrapped = textwrap.wrap(text, max(width() - NAMES, 30))
        first = f"  {names}"
        if len(first) <= NAMES - 2 and wrapped:
            first = f"{first:{NAMES}}{wrapped.pop(0)}"
        lines += [first, *(" " * NAMES + line for line in wrapped)]
    return "\n".join(lines).replace(NO_BREAK, " ")


def width() -> int:
    """Columns to fill."""
    return min(shutil.get_terminal_size().columns, 100)


def command_rows(app: "App") -> Iterator[tuple[str, Row]]:
    """What an app has besides options, each with the name of its group."""
    names: dict[int, list[str]] = {}
    for name in sorted(app, key=lambda name: name.startswith("-")):
        names.setdefault(id(app[name]), []).append(name)
    for same in names.values():
        if (found := app[same[0]]).show:
            group = "Instead of a command" if same[0].startswith("-") else "Commands"
            yield group, (", ".join(same), found.help)


def option_rows(options: "Iterable[Argument]") -> Iterator[tuple[str, Row]]:
    """Options, each with the name of its group."""
    for option in options:
        if option.show:
            (group, *_) = cast("tuple[Group, ...]", option.parameter.group)
            yield group.name, (label(option), description(option))


def label(option: "Argument") -> str:
    """STACK, or '--size, -s INT INT'."""
    if option.index is not None:
        return option.name.lstrip("-").upper()
    return f"{', '.join(option.names)} {placeholder(option.hint)}".strip()


def placeholder(hint: object) -> str:
    """What stands for a value of a type: PATH, INT INT, FLOAT..., nothing for a flag."""
    kind, parts = get_origin(hint), get_args(hint)
    if kind is Annotated:
        return placeholder(parts[0])
    if kind is Literal:
        return "CHOICE"
    if kind in (Union, UnionType):
        return "|".join(placeholder(part) for part in parts if part is not type(None))
    if kind is list or parts[1:] == (...,):
        return f"{placeholder(parts[0])}..."
    if kind is tuple:
        return " ".join(placeholder(part) for part in parts)
    return "" if hint is bool else str(getattr(hint, "__name__", hint)).upper()


def description(option: "Argument") -> str:
    """What an option does, which values it takes and which it has if it isn't given."""
    said = [option.parameter.help or ""]
    if choices := option.get_choices():
        said.append(f"[choices: {', '.join(choices)}]")
    if option.show_default:
        default = option.field_info.default
        value = " ".join(map(str, default)) if isinstance(default, tuple) else str(default)
        said.append(f"[default: {value}]".replace(" ", NO_BREAK))
    if option.required:
        said.append("[required]")
    return " ".join(said).strip()
