"""What a truth table is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row as measured: the cells after its name, and whether it holds what is asked of it."""

    cells: Sequence[str]
    holds: bool


EVERYTHING = (
    "src/**/*.py",
    "src/**/*.cu",
    "tests/**/*.py",
    "bench/figures*.py",
)
"""All sources that a figure may depend on."""


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its rows by name, the columns of their cells, and the test that holds them.

    summary: name of a last row, and how it follows from the others. made_from: sources; where one
    has changed, the rows are measured again.
    """

    key: str
    title: str
    text: str
    columns: Sequence[str]
    rows: dict[str, Callable[[], Figure]]
    held_by: str
    needs_shared: bool = True
    summary: tuple[str, Callable[[Sequence[Figure]], Figure]] | None = None
    made_from: Sequence[str] = EVERYTHING


def within(value: float, due: float, unit: str = "") -> Figure:
    """A distance or error beside the most that is allowed."""
    return Figure([f"{value:.2g}{unit}", f"{due:g}{unit}"], value <= due)
