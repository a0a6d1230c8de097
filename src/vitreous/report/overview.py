"""All that is shown of one volume: a picture, or a page with sliders."""

from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

from vitreous.kernels.fsc import ShellCorrelation
from vitreous.report.facts import Plane, Sheet
from vitreous.report.frames import Frames, FramesOnTheWay, contrasted, write_frames
from vitreous.report.fsc import fsc_plot
from vitreous.report.plot_pictures import INK, PAPER, PLAIN, plot_picture
from vitreous.report.plots import Plot
from vitreous.report.sampled import relative_power, shown_power, shown_share
from vitreous.report.slices import Bytes, Floats, Slices, arranged, grey, smoothed

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

WIDE, MARGIN, LETTERS = 1400, 20, 20  # px
HALF = (WIDE - MARGIN) // 2
POWER = 440  # px of the power's picture
ORANGE = (240, 140, 30)


@dataclass(frozen=True, slots=True)
class Compared:
    """An FSC: between what, and over which part of the volumes; '' is all."""

    curve: ShellCorrelation
    between: str
    part: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Overview:
    """What is known of a volume after one pass.

    size (x, y, z) voxels; slab and finest: angstrom that a slice averages, and its low-pass;
    sampled: share of the tilts that see a voxel, or of the voxels that hold data along a ray, as
    sampled_as says; tilts: the range in degrees.
    """

    name: str
    size: tuple[int, int, int]
    voxel_size: float
    facts: tuple[tuple[str, str], ...]
    slices: Slices
    projections: Slices
    frames: FramesOnTheWay
    slab: float
    finest: float
    sampled: Slices
    sampled_as: str
    tilts: tuple[float, float] | None = None
    fsc: Compared | None = None

    @property
    def sentence(self) -> str:
        """Size and voxel, in one line."""
        size = " \u00d7 ".join(map(str, self.size))
        return f"{size} voxels of {self.voxel_size:.4g} \u00c5"


# -- picture --------------------------------------------------------------------------------------


def picture_of(seen: Overview) -> "Image.Image":
    """Slices above, projections and the sampled region below them, then the power and the FSC."""
    from PIL import Image, ImageDraw

    look = partial(_as_slice, finest=seen.finest)
    slices = arranged(seen.slices, seen.voxel_size, WIDE, look)
    projections = arranged(seen.projections, seen.voxel_size, HALF, look)
    sampled = arranged(seen.sampled, _voxel_of_sampled(seen), HALF, shown_share)
    plot = plot_picture(_plot_of(seen.fsc), HALF) if seen.fsc else None
    row = LETTERS + MARGIN
    second = row + slices.height + row
    third = second + max(projections.height, sampled.height) + row
    low = max(POWER, plot.height if plot else 0)
    page = Image.new("RGB", (WIDE + 2 * MARGIN, third + low + MARGIN), PAPER)
    draw = ImageDraw.Draw(page)
    right = MARGIN + HALF + MARGIN
    for image, at, title in (
        (slices, (MARGIN, row), f"{seen.name}: {seen.sentence}"),
        (projections, (MARGIN, second), "Projections along z, x, y"),
        (sampled, (right, second), f"Sampled region: {seen.sampled_as}"),
        (_power_picture(seen), (MARGIN, third), _power_title(seen)),
    ):
        page.paste(image, at)
        _write(draw, (at[0], at[1] - LETTERS - 6), title)
    if plot and seen.fsc:
        page.paste(plot, (right, third))
        _write(draw, (right, third - LETTERS - 6), _fsc_title(seen.fsc))
    return page


def _as_slice(image: Floats, voxel_size: float, finest: float) -> Bytes:
    return grey(smoothed(image, voxel_size, finest) if finest else image)


def _voxel_of_sampled(seen: Overview) -> float:
    """The region may be known on every n-th voxel only."""
    return seen.voxel_size * seen.size[0] / seen.sampled.xy.shape[1]


def _power_picture(seen: Overview) -> "Image.Image":
    """kx to the right, kz upwards; the first and last tilt as lines."""
    from PIL import Image, ImageDraw

    greys = shown_power(relative_power(seen.frames.xz))
    picture = Image.fromarray(greys).resize((POWER, POWER)).convert("RGB")
    draw = ImageDraw.Draw(picture)
    for tilt in seen.tilts or ():
        cos, sin = np.cos(np.deg2rad(tilt)), np.sin(np.deg2rad(tilt))
        reach = POWER / 2 / max(abs(cos), abs(sin))
        ends = [
            (POWER / 2 + sign * cos * reach, POWER / 2 - sign * sin * reach) for sign in (-1, 1)
        ]
        draw.line(ends, ORANGE, 2)
    return picture


def _power_title(seen: Overview) -> str:
    period = 2 * seen.frames.pixel_size
    of_tilts = f", tilts {seen.tilts[0]:.0f} to {seen.tilts[1]:.0f}\u00b0" if seen.tilts else ""
    return f"Power in kx, kz to 1/{period:.3g} \u00c5{of_tilts}"


def _fsc_title(fsc: Compared) -> str:
    return f"FSC {fsc.between}" + (f", {fsc.part}" if fsc.part else "")


def _plot_of(fsc: Compared) -> Plot:
    return fsc_plot([("", fsc.curve)], _fsc_title(fsc))


def _write(draw: "ImageDraw.ImageDraw", at: tuple[int, int], text: str) -> None:
    from PIL import ImageFont

    draw.text(at, text.translate(PLAIN), INK, ImageFont.load_default(LETTERS))


# -- page -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Figure:
    """A picture with its title and what it shows, for those who can't see it."""

    title: str
    said: str
    png: bytes


def planes_of(seen: Overview) -> tuple[Plane, ...]:
    """The sliders' slices along z, y and x."""
    axes = (("xy", "z", ("x", "y")), ("xz", "y", ("x", "z")), ("zy", "x", ("z", "y")))
    of = {"xy": seen.frames.xy, "xz": seen.frames.xz, "zy": seen.frames.zy}
    lengths = dict(zip("xyz", seen.size, strict=True))
    return tuple(
        Plane(name, along, shown, _sheet(of[name], seen), of[name].voxels, lengths[along])
        for name, along, shown in axes
    )


def _sheet(frames: Frames, seen: Overview) -> Sheet:
    jpeg = BytesIO()
    greys = contrasted(frames, seen.frames.pixel_size, seen.finest)
    return Sheet(**write_frames(greys, jpeg), jpeg=jpeg.getvalue())


def figures_of_view(seen: Overview) -> tuple[Figure, ...]:
    """Projections, the sampled region and the power as pictures for a page."""
    look = partial(_as_slice, finest=seen.finest)
    return tuple(
        Figure(title, said, _png(image))
        for title, said, image in (
            (
                "Projections along z, x, y",
                "the mean of the volume along each axis",
                arranged(seen.projections, seen.voxel_size, HALF, look),
            ),
            (
                f"Sampled region: {seen.sampled_as}",
                "light where all was seen, black where nothing was",
                arranged(seen.sampled, _voxel_of_sampled(seen), HALF, shown_share),
            ),
            (
                _power_title(seen),
                "power over the mean of its ring; dark is what no tilt sampled",
                _power_picture(seen),
            ),
        )
    )


def fsc_figure(fsc: Compared) -> tuple[str, str]:
    """Title and drawing."""
    return _fsc_title(fsc), _plot_of(fsc).svg()


def _png(image: "Image.Image") -> bytes:
    written = BytesIO()
    image.save(written, format="PNG", optimize=True)
    return written.getvalue()
