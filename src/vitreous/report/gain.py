"""A picture to judge a gain reference by: the movies without it, the gain, the movies with it.

Above the whole field, below a corner pixel by pixel, each in its own contrast.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SIDE = 420  # px of a panel
CORNER = 84  # px of the camera that the lower panels show, five times enlarged
GAP, CAPTION = 12, 22
DARKEST, BRIGHTEST = 1.0, 99.0  # percentiles


def write_gain_picture(path: Path, gain: Floats, mean: Floats | None) -> None:
    """Write the picture (PNG); gain and mean of the raw movies (y, x), row 0 at the bottom."""
    from PIL import Image, ImageDraw

    from vitreous.formats.products import atomic

    shown = [("gain reference", gain)]
    if mean is not None:
        shown = [("mean of the movies", mean), *shown, ("mean times gain", mean * gain)]
    width = len(shown) * (SIDE + GAP) + GAP
    below = GAP + CAPTION + len(_whole(gain)) + GAP
    page = Image.new("L", (width, below + CAPTION + len(_corner(gain)) + GAP), 255)
    draw = ImageDraw.Draw(page)
    for column, (name, image) in enumerate(shown):
        x = GAP + column * (SIDE + GAP)
        for y, part, text in (
            (GAP, _whole(image), name),
            (below, _corner(image), f"{name}, a corner"),
        ):
            draw.text((x, y), text, fill=0)
            page.paste(Image.fromarray(_greys(part)), (x, y + CAPTION))
    with atomic(path) as part_of_file:
        page.save(part_of_file, "PNG")


def _whole(image: Floats) -> Floats:
    """The field, averaged down to a panel."""
    times = max(1, -(-max(image.shape) // SIDE))
    rows, columns = (n // times for n in image.shape)
    small: Floats = (
        image[: rows * times, : columns * times].reshape(rows, times, columns, times).mean((1, 3))
    )
    return small


def _corner(image: Floats) -> Floats:
    times = SIDE // CORNER
    part = image[:CORNER, :CORNER]
    return np.repeat(np.repeat(part, times, 0), times, 1)


def _greys(image: Floats) -> Bytes:
    low, high = np.percentile(image, (DARKEST, BRIGHTEST))
    share = (image[::-1] - low) / max(high - low, 1e-9)
    return (share.clip(0, 1) * 255).astype(np.uint8)
