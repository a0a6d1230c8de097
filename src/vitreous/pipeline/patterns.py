"""Files as a command line names them: paths, and patterns that no shell has opened."""

from collections.abc import Iterable
from pathlib import Path

from vitreous.errors import UserError


def files_of(words: Iterable[str], what: str) -> list[Path]:
    """Paths and patterns -> files, those of a pattern by name; `what` they are, for the message."""
    paths: list[Path] = []
    for word in words:
        if Path(word).exists():
            paths.append(Path(word))
            continue
        anchor = Path(word).anchor
        found = sorted(Path(anchor or ".").glob(word.removeprefix(anchor)))
        if not found:
            raise UserError(f"no {what} are named {word}")
        paths += found
    return list(dict.fromkeys(paths))
