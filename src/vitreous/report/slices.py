"""Three orthogonal slices of a volume as one picture, for the eye: slabs, low-passed.

xy large, zy to the right of it and xz below, in one scale; z runs to the right and upwards.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image, ImageDraw

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]

SLAB_ANGSTROM = 100.0  # what a slice averages
FINEST_ANGSTROM = 60.0  # period that the Gaussian low-pass halves
DARKEST, BRIGHTEST = 0.7, 99.6  # percentiles inside the field that become black and white
GAP = 8  # pixels between the slices
PAGE_PIXELS = 1400  # the longer side
BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # nm
PAPER, INK = 255, 255  # the page is white, and so is what is written over the slices
EDGE = 20  # grey of a letter's outline


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """Slabs round a voxel: xy (y, x), xz (z, x), zy (y, z), their mean grey value each."""

    xy: Floats
    xz: Floats
    zy: Floats


class SlicesOnTheWay:
    """The slices of a volume that passes by slab after slab of rows; it isn't read again.

    size (x, y, z) voxels; slabs of `slab_angstrom` round the voxel `at` (x, y, z), by default the
    middle.
    """

    def __init__(
        self,
        size: tuple[int, int, int],
        voxel_size: float,
        at: tuple[int, int, int] | None = None,
        slab_angstrom: float = SLAB_ANGSTROM,
    ) -> None:
        thick = max(1, round(slab_angstrom / voxel_size))
        nx, ny, nz = size
        self._x, self._y, self._z = (
            _around(centre, n, thick)
            for centre, n in zip(at or (nx // 2, ny // 2, nz // 2), size, strict=True)
        )
        self.slices = Slices(
            xy=np.zeros((ny, nx), np.float32),
            xz=np.zeros((nz, nx), np.float32),
            zy=np.zeros((ny, nz), np.float32),
        )

    def add(self, row: int, slab: NDArray[np.generic]) -> None:
        """Count rows row, row + 1, ... of the volume: (z, rows, x)."""
        rows = slice(row, row + slab.shape[1])
        self.slices.xy[rows] = slab[self._z].mean(0, dtype=np.float32)
        self.slices.zy[rows] = slab[:, :, self._x].mean(2, dtype=np.float32).T
        inside = slab[:, max(self._y.start - row, 0) : max(self._y.stop - row, 0)]
        share = np.float32(1 / (self._y.stop - self._y.start))
        self.slices.xz[:] += inside.sum(1, dtype=np.float32) * share


def _around(centre: int, n: int, thick: int) -> slice:
    first = int(np.clip(centre - thick // 2, 0, max(n - thick, 0)))
    return slice(first, min(first + thick, n))


def slices_through(
    volume: NDArray[np.generic],
    voxel_size: float,
    at: tuple[int, int, int] | None = None,
    slab_angstrom: float = SLAB_ANGSTROM,
) -> Slices:
    """Slabs of a volume (z, y, x) round the voxel `at` (x, y, z), by default the middle."""
    nz, ny, nx = volume.shape
    passing = SlicesOnTheWay((nx, ny, nz), voxel_size, at, slab_angstrom)
    passing.add(0, volume)
    return passing.slices


def smoothed(image: Floats, voxel_size: float, finest_angstrom: float = FINEST_ANGSTROM) -> Floats:
    """Gaussian low-pass that halves the amplitude of the period `finest_angstrom`."""
    from scipy.ndimage import gaussian_filter

    sigma = np.sqrt(np.log(2) / 2) / np.pi * finest_angstrom / voxel_size
    found: Floats = gaussian_filter(image, sigma, mode="nearest")
    return found


def grey(image: Floats) -> Bytes:
    """0 to 255 by the percentiles of the inner part; row 0 at the bottom, as viewers show MRC."""
    rows, columns = (max(1, n // 10) for n in image.shape)
    inner = image[rows:-rows, columns:-columns] if min(image.shape) > 4 else image
    low, high = np.percentile(inner, (DARKEST, BRIGHTEST))
    share = (image[::-1] - low) / ((high - low) or 1.0)
    return (np.clip(share, 0, 1) * 255).astype(np.uint8)


def write_slices(
    volume: NDArray[np.generic],
    path: Path,
    voxel_size: float,
    at: tuple[int, int, int] | None = None,
) -> None:
    """Write three slices of a volume (z, y, x) as `draw_slices` does."""
    draw_slices(slices_through(volume, voxel_size, at), path, voxel_size)


def draw_slices(found: Slices, path: Path, voxel_size: float) -> None:
    """Write the three slices with their axes and a scale bar as a PNG."""
    arranged(found, voxel_size).save(path, format="PNG", optimize=True)


def arranged(
    found: Slices,
    voxel_size: float,
    side: int = PAGE_PIXELS,
    shown: Callable[[Floats, float], Bytes] | None = None,
) -> "Image.Image":
    """The three slices as one picture, `side` pixels along its longer side, with axes and a bar.

    shown: image, voxel size -> grey values, row 0 at the bottom; by default low-passed, and
    contrasted by their percentiles.
    """
    from PIL import Image, ImageDraw

    (ny, nx), nz = found.xy.shape, found.xz.shape[0]
    scale = (side - GAP) / (max(nx, ny) + nz)
    width, height = (round(n * scale) + GAP for n in (nx + nz, ny + nz))
    page = Image.new("L", (width, height), PAPER)
    draw = ImageDraw.Draw(page)
    letters = max(14, width // 60)
    for image, corner, axes in (
        (found.xy, (0, 0), ("x", "y")),
        (found.zy, (round(nx * scale) + GAP, 0), ("z", "y")),
        (found.xz, (0, round(ny * scale) + GAP), ("x", "z")),
    ):
        rows, columns = image.shape
        panel = Image.fromarray((shown or low_passed)(image, voxel_size))
        size = max(1, round(columns * scale)), max(1, round(rows * scale))
        page.paste(panel.resize(size, Image.Resampling.BICUBIC), corner)
        _axes(draw, (corner[0], corner[1] + size[1]), axes, letters)
    _scale_bar(draw, (round(nx * scale), round(ny * scale)), voxel_size / scale, letters)
    return page


def low_passed(image: Floats, voxel_size: float) -> Bytes:
    """As the eye likes tomograms."""
    return grey(smoothed(image, voxel_size))


def _axes(
    draw: "ImageDraw.ImageDraw", corner: tuple[int, int], names: tuple[str, str], letters: int
) -> None:
    """Two thin arrows with their names in the lower left corner of a slice."""
    x, y = corner[0] + letters // 2, corner[1] - letters // 2
    long, head = 2 * letters, letters // 4
    for width, fill in ((3, EDGE), (1, INK)):
        draw.line([(x, y - long), (x, y), (x + long, y)], fill=fill, width=width)
        draw.line(
            [(x - head, y - long + head), (x, y - long), (x + head, y - long + head)], fill, width
        )
        draw.line(
            [(x + long - head, y - head), (x + long, y), (x + long - head, y + head)], fill, width
        )
    _write(draw, (x + long + head, y), names[0], "lm", letters)
    _write(draw, (x, y - long - head), names[1], "mb", letters)


def _scale_bar(
    draw: "ImageDraw.ImageDraw", size: tuple[int, int], angstrom_per_pixel: float, letters: int
) -> None:
    """A bar of a round length, at most a quarter of the slice, in its lower right corner."""
    fitting = [length for length in BARS if length * 10 / angstrom_per_pixel <= size[0] / 4]
    nanometres = max(fitting, default=BARS[0])
    long, thick = round(nanometres * 10 / angstrom_per_pixel), max(3, letters // 5)
    right, bottom = size[0] - letters, size[1] - letters
    bar = (right - long, bottom - thick, right, bottom)
    draw.rectangle((bar[0] - 1, bar[1] - 1, bar[2] + 1, bar[3] + 1), fill=EDGE)
    draw.rectangle(bar, fill=INK)
    middle = right - long // 2, bottom - thick - letters // 3
    _write(draw, middle, f"{nanometres} nm", "mb", letters)


def _write(
    draw: "ImageDraw.ImageDraw", at: tuple[int, int], text: str, anchor: str, letters: int
) -> None:
    from PIL import ImageFont

    font = ImageFont.load_default(letters)
    draw.text(at, text, INK, font, anchor, stroke_width=1, stroke_fill=EDGE)
