"""A picture of a movie's motion: the way of the whole specimen, and local ways across the field.

Ways begin at an open circle and grow darker. On the left one unit is the same along both axes; on
the right each way lies where it was seen, enlarged as the caption says.
"""

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vitreous.formats.products import atomic
from vitreous.records.motion import Motion

if TYPE_CHECKING:
    from PIL import ImageDraw, ImageFont

Array = NDArray[np.float64]
Colour = tuple[int, int, int]

SIDE, GAP, TITLE, CAPTION = 560, 36, 40, 52  # px
FIRST: Colour = (150, 190, 235)
LAST: Colour = (20, 45, 95)
GREY: Colour = (225, 225, 225)
INK: Colour = (40, 40, 40)
PLACES = 6  # local ways along a side
STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)  # angstrom between lines


def write_motion_picture(path: Path, motion: Motion, name: str) -> None:
    """Write the picture (PNG) of a movie called `name`."""
    from PIL import Image, ImageDraw, ImageFont

    page = Image.new("RGB", (2 * SIDE + 3 * GAP, TITLE + SIDE + CAPTION), (255, 255, 255))
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(15)
    draw.text((GAP, 12), name, INK, ImageFont.load_default(18))
    below = TITLE + SIDE + 8
    left, right = (GAP, TITLE), (2 * GAP + SIDE, TITLE)
    draw.text((GAP, below), _draw_whole(draw, left, motion, font), INK, font)
    draw.text((right[0], below), _draw_local(draw, right, motion), INK, font)
    with atomic(path) as part:
        page.save(part, "PNG")


def _draw_whole(
    draw: "ImageDraw.ImageDraw",
    corner: tuple[int, int],
    motion: Motion,
    font: "ImageFont.FreeTypeFont | ImageFont.ImageFont",
) -> str:
    """The way of the whole frame on a grid; returns the caption."""
    ways = motion.displacements
    middle = (ways.min(0) + ways.max(0)) / 2
    extent = max(float(np.ptp(ways, axis=0).max()), 4 * (motion.standard_error or 0.0), 0.5)
    scale = 0.85 * SIDE / extent
    step = next((s for s in STEPS if s * 7 >= extent), STEPS[-1])
    draw.rectangle((*corner, corner[0] + SIDE, corner[1] + SIDE), outline=GREY)
    x0, y0 = corner[0] + SIDE / 2, corner[1] + SIDE / 2
    for axis in (0, 1):
        half = SIDE / 2 / scale
        lines = np.arange(
            np.ceil((middle[axis] - half) / step), np.floor((middle[axis] + half) / step) + 1
        )
        for value in lines * step:
            at = (value - middle[axis]) * scale
            ends = (
                (x0 + at, corner[1], x0 + at, corner[1] + SIDE)
                if axis == 0
                else (corner[0], y0 - at, corner[0] + SIDE, y0 - at)
            )
            draw.line(ends, fill=GREY)
            place = (ends[0] + 3, corner[1] + SIDE - 18) if axis == 0 else (ends[0] + 3, ends[1])
            draw.text(place, f"{value:g}", (150, 150, 150), font)
    points = [(x0 + x * scale, y0 - y * scale) for x, y in ways - middle]
    _way(draw, points, 3)
    if motion.standard_error is not None:
        for x, y in points:
            _circle(draw, (x, y), max(2.0, motion.standard_error / np.sqrt(2) * scale), LAST)
    error = "nothing measured" if motion.standard_error is None else f"{motion.standard_error:.2f}"
    return (
        f"{len(ways)} of {motion.frame_count} frames, way {motion.path_length:.1f} A, "
        f"standard error {error} A\nwhole frame: displacement of the specimen, angstrom; circles: "
        "one sigma an axis"
    )


def _draw_local(draw: "ImageDraw.ImageDraw", corner: tuple[int, int], motion: Motion) -> str:
    """Local ways where they were seen; returns the caption."""
    columns, rows = motion.image_size
    shown = SIDE / max(columns, rows)
    wide, high = columns * shown, rows * shown
    draw.rectangle((*corner, corner[0] + wide, corner[1] + high), outline=GREY)
    if motion.local is None:
        if motion.log_evidence is None:
            return "local motion was not looked for"
        return (
            f"local motion is not proven by this movie (log evidence {motion.log_evidence:.1f}): "
            "\nnone is corrected"
        )
    axis = (np.arange(PLACES) + 0.5) / PLACES
    points = np.stack(np.meshgrid(axis * columns, axis * rows), -1).reshape(-1, 2)
    ways = (motion.at(points) - motion.displacements[:, None]).transpose(1, 0, 2)
    largest = float(np.linalg.norm(ways, axis=-1).max())
    enlarged = 0.45 * min(wide, high) / PLACES / max(largest, 1e-3)
    for (x, y), way in zip(points, ways, strict=True):
        middle = corner[0] + x * shown, corner[1] + high - y * shown
        _way(draw, [(middle[0] + dx * enlarged, middle[1] - dy * enlarged) for dx, dy in way], 2)
    times = enlarged * motion.pixel_size / shown
    return (
        f"local motion up to {largest:.2f} A (log evidence {motion.log_evidence or 0:.0f}), "
        f"standard error {motion.local.standard_error:.2f} A\nenlarged {times:.0f} times; row 0 is "
        "at the bottom"
    )


def _way(draw: "ImageDraw.ImageDraw", points: list[tuple[float, float]], width: int) -> None:
    for n, (start, end) in enumerate(itertools.pairwise(points), 1):
        share = n / (len(points) - 1)
        colour = tuple(round(a + (b - a) * share) for a, b in zip(FIRST, LAST, strict=True))
        draw.line((*start, *end), fill=colour, width=width)
    _circle(draw, points[0], 4, INK)


def _circle(
    draw: "ImageDraw.ImageDraw", at: tuple[float, float], radius: float, colour: Colour
) -> None:
    x, y = at
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=colour)
