"""The plots of the pages as pictures, for where no SVG can stand."""

from typing import TYPE_CHECKING

from vitreous.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Frame, Plot, plain, ticks

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Colour = tuple[int, int, int]

PLAIN = str.maketrans({"\u00d7": "x", "\u00c5": "A", "\u2212": "-"})  # Pillow's font lacks them
LETTERS = 11.5  # units of the drawing, as on the pages
PAPER, INK, SOFT, PALE = (255, 255, 255), (29, 35, 41), (91, 102, 112), (223, 227, 230)
COLOURS = {
    "first": (31, 111, 178),
    "second": (194, 102, 12),
    "third": (43, 122, 75),
    "bad": (179, 38, 30),
}


def plot_picture(plot: Plot, width: int) -> "Image.Image":
    """A plot `width` pixels wide, with the same layout as its SVG."""
    from PIL import Image, ImageDraw

    scale = width / WIDTH
    page = Image.new("RGB", (width, round(HEIGHT * scale)), PAPER)
    pen = _Pen(ImageDraw.Draw(page), scale)
    frame = Frame.round_all(plot)
    _axes(pen, page, frame, plot)
    for mark in plot.marks:
        colour = COLOURS.get(mark.look, SOFT)
        if mark.level:
            y = frame.at_y(mark.at)
            pen.line([(LEFT, y), (WIDTH - RIGHT, y)], colour)
            pen.text((WIDTH - RIGHT, y - 3), mark.name, "rs")
        else:
            x = frame.at_x(mark.at)
            pen.line([(x, TOP), (x, HEIGHT - BOTTOM)], colour)
    for curve in plot.curves:
        points = [(frame.at_x(x), frame.at_y(y)) for x, y in zip(curve.x, curve.y, strict=True)]
        pen.line(points, _colour(curve.look), 1.6)
    _legend(pen, plot)
    return page


class _Pen:
    """Draws in the units of the drawing."""

    def __init__(self, draw: "ImageDraw.ImageDraw", scale: float) -> None:
        from PIL import ImageFont

        self._draw, self._scale = draw, scale
        self._font = ImageFont.load_default(LETTERS * scale)

    def line(self, points: list[tuple[float, float]], colour: Colour, width: float = 1.0) -> None:
        """A line through points."""
        scaled = [(x * self._scale, y * self._scale) for x, y in points]
        self._draw.line(scaled, colour, max(1, round(width * self._scale)), joint="curve")

    def text(self, at: tuple[float, float], text: str, anchor: str, colour: Colour = SOFT) -> None:
        """Letters, placed as Pillow's anchors say."""
        self._draw.text(
            (at[0] * self._scale, at[1] * self._scale),
            text.translate(PLAIN),
            colour,
            self._font,
            anchor,
        )

    def length(self, text: str) -> float:
        """How far a text runs."""
        return self._draw.textlength(text.translate(PLAIN), self._font) / self._scale


def _axes(pen: _Pen, page: "Image.Image", frame: Frame, plot: Plot) -> None:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for value in ticks(*frame.x):
        x = frame.at_x(value)
        pen.line([(x, bottom), (x, bottom + 4)], SOFT)
        pen.text((x, bottom + 16), plain(value), "ms")
    for value in ticks(*frame.y):
        y = frame.at_y(value)
        pen.line([(LEFT, y), (right, y)], PALE)
        pen.text((LEFT - 6, y), plain(value), "rm")
    pen.line([(LEFT, bottom), (right, bottom)], SOFT)
    pen.text(((LEFT + right) / 2, HEIGHT - 6), plot.x_name, "ms")
    _upright(page, plot.y_name)


def _upright(page: "Image.Image", name: str) -> None:
    """The name of the y axis, from below to above."""
    from PIL import Image, ImageDraw

    scale = page.width / WIDTH
    strip = Image.new("RGB", (round((HEIGHT - TOP - BOTTOM) * scale), round(16 * scale)), PAPER)
    across = _Pen(ImageDraw.Draw(strip), scale)
    across.text((strip.width / scale / 2, 8), name, "mm")
    page.paste(strip.rotate(90, expand=True), (round(2 * scale), round(TOP * scale)))


def _legend(pen: _Pen, plot: Plot) -> None:
    """Names of curves on the right, of upright marks on the left, above the plot."""
    named = [(curve.name, _colour(curve.look)) for curve in plot.curves if curve.name]
    x = float(WIDTH - RIGHT)
    for name, colour in reversed(named if len(named) > 1 else []):
        x -= pen.length(name)
        pen.text((x, 16), name, "ls")
        pen.line([(x - 15, 12), (x - 4, 12)], colour, 2)
        x -= 24
    x = float(LEFT)
    for mark in plot.marks:
        if mark.name and not mark.level:
            pen.line([(x, 12), (x + 16, 12)], COLOURS.get(mark.look, SOFT))
            pen.text((x + 22, 16), mark.name, "ls")
            x += 34 + pen.length(mark.name)


def _colour(look: str) -> Colour:
    return next((colour for name, colour in COLOURS.items() if name in look), SOFT)
