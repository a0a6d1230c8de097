"""Plots as SVG text that stands in a page and takes its colours from the page's style."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from vitreous.report.numbers import MINUS

WIDTH, HEIGHT = 360, 220  # units of the drawing
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 26, 40  # margins
TICKS = 5  # about as many on an axis
NICE = (1, 2, 5, 10)  # steps between ticks, times a power of ten
ROOM = 0.06  # of the range, above and below what is drawn
RADIUS = 3.2
LETTER = 5.8  # width of a letter of a legend, about


@dataclass(frozen=True, slots=True)
class Curve:
    """Values y at x. look: classes of the style ('line', 'dots', and a colour 'first', 'second').

    told: what each dot says when pointed at. name: for the legend; empty: not in it.
    """

    x: Sequence[float]
    y: Sequence[float]
    look: str
    name: str = ""
    told: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Mark:
    """A straight line all through the plot: at an x, or at a y if `level`; with its name."""

    at: float
    name: str
    look: str = "first"
    level: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """What is drawn: band (first and last x), marks and curves over it.

    caption: what is seen, for those who can't see it. from_zero: y begins at 0.
    """

    caption: str
    x_name: str
    y_name: str
    curves: tuple[Curve, ...]
    marks: tuple[Mark, ...] = ()
    band: tuple[float, float] | None = None
    from_zero: bool = False

    def svg(self) -> str:
        """The drawing; empty where there is nothing to draw."""
        if not any(len(curve.x) for curve in self.curves):
            return ""
        frame = Frame.round_all(self)
        parts = [
            *frame.axes(self.x_name, self.y_name),
            *(frame.band(*self.band) if self.band else ()),
            *(part for mark in self.marks for part in frame.mark(mark)),
            *(part for curve in self.curves for part in frame.curve(curve)),
            *legend([(curve.name, curve.look) for curve in self.curves if curve.name]),
            *legend_of_marks([mark for mark in self.marks if mark.name and not mark.level]),
        ]
        opening = (
            f'<svg class="plot" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'aria-label="{escape(self.caption)}">'
        )
        return "\n".join([opening, *parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class Frame:
    """From values to places in the drawing: x and y from low to high."""

    x: tuple[float, float]
    y: tuple[float, float]

    @classmethod
    def round_all(cls, plot: Plot) -> "Frame":
        """The frame that holds all curves and marks of a plot."""
        x = [value for curve in plot.curves for value in curve.x]
        y = [value for curve in plot.curves for value in curve.y]
        x += [mark.at for mark in plot.marks if not mark.level]
        y += [mark.at for mark in plot.marks if mark.level]
        return cls(_roomy(x), _roomy([*y, 0.0], below=0.0) if plot.from_zero else _roomy(y))

    def at_x(self, value: float) -> float:
        """Where an x lies."""
        low, high = self.x
        return round(LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT), 1)

    def at_y(self, value: float) -> float:
        """Where a y lies; up is up."""
        low, high = self.y
        return round(HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM), 1)

    def axes(self, x_name: str, y_name: str) -> Iterator[str]:
        """Ticks with their numbers, thin lines across, and the names of the axes."""
        bottom, right, middle = HEIGHT - BOTTOM, WIDTH - RIGHT, (TOP + HEIGHT - BOTTOM) / 2
        for value in ticks(*self.x):
            x = self.at_x(value)
            yield f'<line class="tick" x1="{x}" x2="{x}" y1="{bottom}" y2="{bottom + 4}"/>'
            yield f'<text class="x" x="{x}" y="{bottom + 16}">{plain(value)}</text>'
        for value in ticks(*self.y):
            y = self.at_y(value)
            yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y}" y2="{y}"/>'
            yield f'<text class="y" x="{LEFT - 6}" y="{y + 4}">{plain(value)}</text>'
        yield f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
        yield f'<text class="x" x="{(LEFT + right) / 2}" y="{HEIGHT - 6}">{escape(x_name)}</text>'
        yield (
            f'<text class="x" transform="translate(12 {middle}) rotate(-90)">{escape(y_name)}'
            "</text>"
        )

    def band(self, first: float, last: float) -> Iterator[str]:
        """A shaded stretch of x."""
        left, right = (self.at_x(min(max(at, self.x[0]), self.x[1])) for at in (first, last))
        yield (
            f'<rect class="band" x="{left}" y="{TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"/>'
        )

    def mark(self, mark: Mark) -> Iterator[str]:
        """A line across, with its name at the upper end or the right."""
        if mark.level:
            y = self.at_y(mark.at)
            yield (
                f'<line class="mark {mark.look}" x1="{LEFT}" x2="{WIDTH - RIGHT}" '
                f'y1="{y}" y2="{y}"/>'
            )
            yield f'<text class="y" x="{WIDTH - RIGHT}" y="{y - 4}">{escape(mark.name)}</text>'
            return
        x = self.at_x(mark.at)
        yield (
            f'<line class="mark {mark.look}" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        )

    def curve(self, curve: Curve) -> Iterator[str]:
        """A line, or dots."""
        points = [(self.at_x(x), self.at_y(y)) for x, y in zip(curve.x, curve.y, strict=True)]
        if "line" in curve.look:
            listed = " ".join(f"{x},{y}" for x, y in points)
            yield f'<polyline class="{curve.look}" points="{listed}"/>'
            return
        told = curve.told or [""] * len(points)
        for (x, y), text in zip(points, told, strict=True):
            title = f"<title>{escape(text)}</title>" if text else ""
            yield f'<circle class="{curve.look}" cx="{x}" cy="{y}" r="{RADIUS}">{title}</circle>'


def legend(entries: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A dot and a name for each look, above the plot on the right; none where there is but one."""
    if len(entries) < 2:
        return
    x = float(WIDTH - RIGHT)
    for name, look in reversed(entries):
        x -= LETTER * len(name)
        yield f'<text class="legend" x="{x:.1f}" y="16">{escape(name)}</text>'
        yield f'<circle class="{look}" cx="{x - 8:.1f}" cy="12" r="{RADIUS}"/>'
        x -= 24


def legend_of_marks(marks: Sequence[Mark]) -> Iterator[str]:
    """A short line and a name for each, above the plot on the left."""
    x = float(LEFT)
    for mark in marks:
        yield f'<line class="mark {mark.look}" x1="{x}" x2="{x + 16}" y1="12" y2="12"/>'
        yield f'<text class="legend" x="{x + 22}" y="16">{escape(mark.name)}</text>'
        x += 40 + LETTER * len(mark.name)


def plain(value: float) -> str:
    """The number on an axis, with a true minus sign."""
    return f"{value:g}".replace("-", MINUS)


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high."""
    rough = (high - low) / TICKS
    power = 10.0 ** np.floor(np.log10(rough))
    step = power * min(nice for nice in NICE if nice * power >= rough * (1 - 1e-9))
    first, last = int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9))
    return [round(count * step, 12) for count in range(first, last + 1)]


def _roomy(values: Sequence[float], below: float = ROOM) -> tuple[float, float]:
    """The range of the values with some room; never empty."""
    low, high = min(values), max(values)
    span = (high - low) or abs(high) or 1.0
    return low - below * span, high + ROOM * span
