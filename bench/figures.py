"""What a truth table is made of."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """One row as measured: the cells after its name, and whether it holds what is asked of it."""

    cells: Sequence[str]
    holds: bool


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its rows by name, the columns of their cells, and the test that holds them."""

    key: str
    title: str
    text: str
    columns: Sequence[str]
    rows: dict[str, Callable[[], Figure]]
    held_by: str
    needs_shared: bool = True


def within(value: float, due: float, unit: str = "") -> Figure:
    """A distance or error beside the most that is allowed."""
    return Figure([f"{value:.2g}{unit}", f"{due:g}{unit}"], value <= due)
