"""How --help looks: names on the left, their text on the right, without boxes or colours."""

import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cyclopts.help import HelpEntry, HelpPanel
    from rich.console import Console, ConsoleOptions

NAMES = 28
"""Columns for the names; longer ones get a line of their own."""

NO_BREAK = "\xa0"


class Help:
    """The help formatter that cyclopts calls: first for the usage, then for each group."""

    def __call__(self, console: "Console", options: "ConsoleOptions", panel: "HelpPanel") -> None:
        """Print a group of commands or options."""
        if panel.entries:
            rows = [row for entry in panel.entries for row in rows_of(entry, options.max_width)]
            write(console, "\n".join([f"{panel.title}:", *rows, ""]))

    def render_usage(self, console: "Console", options: "ConsoleOptions", usage: object) -> None:
        """Print the first line."""
        write(console, f"Usage: {usage}")


def write(console: "Console", text: str) -> None:
    """Print text as it stands: rich must not wrap or colour it."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def rows_of(entry: "HelpEntry", width: int) -> list[str]:
    """The lines of one command or option."""
    names = "  " + ", ".join(entry.display_labels_with_metavar)
    text = textwrap.wrap(description(entry), max(width - NAMES, 30))
    text = [line.replace(NO_BREAK, " ") for line in text]
    if len(names) <= NAMES - 2 and text:
        names = f"{names:{NAMES}}{text.pop(0)}"
    return [names, *(" " * NAMES + line for line in text)]


def description(entry: "HelpEntry") -> str:
    """What an option does, which values it takes and which it has if it isn't given."""
    said = [str(getattr(entry.description, "primary_renderable", ""))]
    if entry.choices:
        said.append(f"[choices: {', '.join(entry.choices)}]")
    if entry.default:
        said.append(f"[default: {entry.default}]".replace(" ", NO_BREAK))
    if entry.required:
        said.append("[required]")
    return " ".join(said).strip()
