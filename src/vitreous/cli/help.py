"""How --help looks: names on the left, their text on the right, without boxes or colours."""

import shutil
import textwrap
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console

NAMES = 28
"""Columns for the names; longer ones get a line of their own."""

NO_BREAK = "\xa0"


class Help:
    """The help formatter that cyclopts calls: for the usage, the text, and each group.

    It prints by itself: to load rich's console takes a tenth of the time that help may take.
    """

    def render_usage(self, console: object, options: object, usage: object) -> None:
        """Print the first line."""
        print(f"Usage: {usage}")

    def render_description(self, console: object, options: object, text: object) -> None:
        """Print what the command does."""
        for line in plain(text).splitlines():
            print(textwrap.fill(line, width(), subsequent_indent=line[: -len(line.lstrip())]))
        print()

    def __call__(self, console: object, options: object, panel: "HelpPanel") -> None:
        """Print a group of commands or options."""
        if panel.entries:
            print(f"{panel.title}:")
            for entry in panel.entries:
                print("\n".join(rows_of(entry)))
            print()


class NoConsole:
    """Stands where cyclopts would make a console that `Help` doesn't need."""

    options = None

    def print(self, text: object) -> None:
        """Print what isn't help: the version."""
        print(plain(text))


NO_CONSOLE = cast("Console", NoConsole())


def plain(text: object) -> str:
    """The words of one of cyclopts' texts."""
    return str(getattr(text, "primary_renderable", text))


def width() -> int:
    """Columns to fill."""
    return min(shutil.get_terminal_size().columns, 100)


def rows_of(entry: "HelpEntry") -> list[str]:
    """The lines of one command or option."""
    names = "  " + ", ".join(entry.display_labels_with_metavar)
    text = textwrap.wrap(description(entry), max(width() - NAMES, 30))
    text = [line.replace(NO_BREAK, " ") for line in text]
    if len(names) <= NAMES - 2 and text:
        names = f"{names:{NAMES}}{text.pop(0)}"
    return [names, *(" " * NAMES + line for line in text)]


def description(entry: "HelpEntry") -> str:
    """What an option does, which values it takes and which it has if it isn't given."""
    said = [plain(entry.description)]
    if entry.choices:
        said.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.default:
        said.append(f"[default: {entry.default}]".replace(" ", NO_BREAK))
    if entry.required:
        said.append("[required]")
    return " ".join(said).strip()
