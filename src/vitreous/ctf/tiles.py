"""From an image to power spectra: tiles under a Hann window, meaned where they lie alike.

Tiles of equal distance from the tilt axis see the specimen at one height; they make a group. In a
field of a few tiles the outermost lie half beyond it: a Hann window sees hardly anything at its
rim, so tiles that end with the field would leave a third of it unused.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.fourier import cropped, forward, good_size, inverse

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

COARSEST = 2.7  # angstrom a pixel: rings beyond 6 A aren't seen
BLOCK = 16  # px: sides are cut to a multiple, so that eighths of them are even
OUTLIER = 5.0  # standard deviations at which counts are clipped
OVERLAP = 3  # tiles in the length of one
OVERLAP_OF_MANY, MANY = 2, 7  # ... where the field is that many tiles wide
FADE = 50.0  # angstrom: a field that ended sharply would spread low frequencies over all rings
GROUP = 0.25  # of a tile: width of a group
FEWEST_RINGS = 14  # of a tile's spectrum: one for each band in which their height is told
SECTORS = 12  # of 180 degrees


# -- the image ------------------------------------------------------------------------------------


def prepared(image: NDArray[np.generic], pixel_size: float) -> tuple[Floats, float]:
    """(the image with its outliers clipped and in pixels of about 2.5 A, their size)."""
    whole = np.array(image, np.float32)
    finite = np.isfinite(whole)
    if not finite.all():
        whole[~finite] = whole[finite].mean() if finite.any() else 0
    mean, deviation = whole.mean(dtype=float), whole.std(dtype=float)
    np.clip(whole, mean - OUTLIER * deviation, mean + OUTLIER * deviation, out=whole)
    eighths = eighths_for(pixel_size)
    return coarser(whole, eighths), pixel_size * 8 / eighths


def eighths_for(pixel_size: float) -> int:
    """How many eighths of their frequencies images keep."""
    return min(8, int(np.ceil(8 * pixel_size / COARSEST)))


def coarser(image: Floats, eighths: int) -> Floats:
    """The image in pixels 8 / eighths times as large; its edges are cut so that this goes."""
    if eighths == 8:
        return image
    rows, columns = (_fitting(n) for n in image.shape)
    top, left = image.shape[0] // 2 - rows // 2, image.shape[1] // 2 - columns // 2
    spectrum = forward(image[top : top + rows, left : left + columns])
    small = rows * eighths // 8, columns * eighths // 8
    return inverse(cropped(spectrum, columns, small), small)


def _fitting(n: int) -> int:
    """The largest multiple of BLOCK <= n whose transform is quick."""
    size = n // BLOCK * BLOCK
    while good_size(size) != size:
        size -= BLOCK
    return size


# -- tiles ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Polar:
    """The Fourier pixels of a tile (side, side) in sectors of 180 degrees and rings of one pixel.

    places: sector and ring of those `used`, counted on; pixels (sector, ring): how many there are;
    k (ring,) in 1/A, root mean square; azimuth (sector,) in radians, of the middle.
    """

    side: int
    pixel_size: float
    used: NDArray[np.bool_]
    places: Indices
    pixels: Array
    k: Array
    azimuth: Array

    def means(self, power: Floats) -> Array:
        """Half spectrum (side, side // 2 + 1) -> mean power (sector, ring)."""
        sums = np.bincount(self.places, power[self.used], self.pixels.size)
        return sums.reshape(self.pixels.shape) / self.pixels


def polar_grid(side: int, pixel_size: float, low: float, high: float) -> Polar:
    """Rings from the period `low` to `high`, angstrom, of tiles of `side` pixels."""
    ky, kx = np.meshgrid(np.fft.fftfreq(side), np.fft.rfftfreq(side), indexing="ij")
    ring = np.rint(np.hypot(kx, ky) * side).astype(int)
    turn = np.arctan2(ky, kx) % np.pi / np.pi
    sector = np.minimum(turn * SECTORS, SECTORS - 1).astype(int)
    first = max(2, int(np.ceil(side * pixel_size / low)))
    last = int(min(side // 2 - 1, side * pixel_size / high))
    used = (ring >= first) & (ring <= last) & (kx > 0)
    rings = last - first + 1
    if rings < FEWEST_RINGS:
        raise UserError(
            f"pixels of {pixel_size:g} A are too coarse for the contrast transfer: its rings are "
            f"looked for from {low:g} to {high:g} A"
        )
    places = (sector * rings + ring - first)[used]
    pixels = np.bincount(places, minlength=SECTORS * rings).reshape(SECTORS, rings)
    squared = np.bincount((ring - first)[used], (kx**2 + ky**2)[used]) / pixels.sum(0)
    return Polar(
        side=side,
        pixel_size=pixel_size,
        used=used,
        places=places,
        pixels=np.maximum(pixels, 1).astype(np.float64),
        k=np.sqrt(squared) / pixel_size,
        azimuth=(np.arange(SECTORS) + 0.5) * np.pi / SECTORS,
    )


def tile_side(shape: tuple[int, int], pixel_size: float, tile: float) -> int:
    """Pixels: even, quick to transform, no more than the image has."""
    side = min(good_size(round(tile / pixel_size)), min(shape))
    return side - side % 2


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """A tile along one axis of the image: pixels first to last (excluded) lie in the field.

    values (pixel,): of the window there; start: where the tile begins, maybe before pixel 0;
    middle: centre of mass of the squared window, pixels; share: of a whole window's square.
    """

    start: int
    first: int
    last: int
    values: Floats
    middle: float
    share: float

    @property
    def inside(self) -> slice:
        """The field's part of the tile."""
        return slice(self.first - self.start, self.last - self.start)


def windows(n: int, side: int, fade: float) -> list[Window]:
    """Tiles of `side` along an axis of n pixels, evenly; over `fade` pixels the field sets in.

    They reach half a tile beyond it, less where it is hardly wider than one: a field of one tile
    has one tile, and so no lever that could tell its hand. Where they are many the rim is a small
    part of the field, and they end with it.
    """
    hann = np.hanning(side + 2)[1:-1]
    from_edge = np.minimum(np.arange(n), np.arange(n)[::-1]) + 0.5
    lit = np.sin(np.pi / 2 * np.minimum(from_edge / fade, 1)) ** 2
    are_many = n >= MANY * side
    beyond = 0 if are_many else min(side, n - side) // 2
    overlap = OVERLAP_OF_MANY if are_many else OVERLAP
    span = n - side + 2 * beyond
    count = overlap * span // side + 1
    steps = (np.arange(count) - (count - 1) / 2) * span / max(count - 1, 1)
    found = []
    for start in ((n - side) / 2 + steps).round().astype(int).tolist():
        first, last = max(start, 0), min(start + side, n)
        values = hann[first - start : last - start] * lit[first:last]
        squared = values**2
        middle = float(squared @ np.arange(first, last) / squared.sum())
        share = float(squared.sum() / (hann @ hann))
        found.append(Window(start, first, last, values.astype(np.float32), middle, share))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class TilePower:
    """Spectra of one image's tiles, meaned in groups.

    mean (group, sector, ring); tiles (group,): how many they are, those at the field's rim by their
    share in it; seen (group, 2): where, in angstrom from the image's centre.
    """

    mean: Array
    tiles: Array
    seen: Array


@dataclass(slots=True, eq=False)
class _Group:
    """Sums over tiles: of power, of shares, of places weighted by these."""

    power: Floats
    tiles: float = 0.0
    seen: Array = field(default_factory=lambda: np.zeros(2))


def tile_power(image: Floats, grid: Polar, axis: Array) -> TilePower:
    """Spectra of an image; axis (x, y): unit vector across the tilt axis.

    An image of one value counts as white noise of one tile.
    """
    rows, columns = image.shape
    found: dict[int, _Group] = {}
    for down, along, spectrum in _spectra(image, grid):
        at = np.array([along.middle - columns // 2, down.middle - rows // 2])
        index = round(float(at @ axis) / (grid.side * GROUP))
        group = found.setdefault(index, _Group(np.zeros(grid.used.shape, np.float32)))
        share = down.share * along.share
        group.power += spectrum.real**2
        group.power += spectrum.imag**2
        group.tiles += share
        group.seen += share * at * grid.pixel_size
    if not found:
        found[0] = _Group(np.ones(grid.used.shape, np.float32), 1.0)
    groups = [found[index] for index in sorted(found)]
    return TilePower(
        mean=np.array([grid.means(group.power) / group.tiles for group in groups]),
        tiles=np.array([group.tiles for group in groups]),
        seen=np.array([group.seen / group.tiles for group in groups]),
    )


def _spectra(image: Floats, grid: Polar) -> Iterator[tuple[Window, Window, NDArray[np.complex64]]]:
    """(rows, columns, half spectrum) of tiles with mean 0 and SD 1; those of one value left out."""
    side = grid.side
    by_row, by_column = (windows(n, side, FADE / grid.pixel_size) for n in image.shape)
    for down in by_row:
        for along in by_column:
            tile = image[down.first : down.last, along.first : along.last]
            deviation = tile.std()
            if deviation > 0:
                whole = np.zeros((side, side), np.float32)
                seen = whole[down.inside, along.inside]
                np.subtract(tile, tile.mean(), out=seen)
                seen *= (down.values / deviation)[:, None]
                seen *= along.values
                yield down, along, forward(whole)
