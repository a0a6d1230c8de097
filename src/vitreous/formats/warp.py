"""Warp and M: the XML of a tilt series <-> Alignment.

`<TiltSeries>` has one value a line, for all sections in the order of the stack, in Angles (Warp's
sense: it imports stage angles with their sign changed), AxisAngle, AxisOffsetX, AxisOffsetY
(angstrom), UseTilt (True, False), Dose (before the tilt), MoviePath; attributes LevelAngleX and
LevelAngleY (degrees, of the whole specimen); grids of nodes <Node X Y Z Value>. From the middles
of image and volume (not rounded, angstrom)

    P = Rz(AxisAngle) Ry(-(Angle + LevelAngleY)) Rx(LevelAngleX)
    s = (AxisOffsetX, AxisOffsetY) + I/2 - pixel (n // 2) - movement

movement: GridMovementX and GridMovementY at the place in the image before the movement, x and y in
nodes from edge to edge (0 ... I), the view t of N at depth t / (N - 1); natural cubic splines, an
axis of one node is constant. With the same number as tilt Warp turns the other way than IMOD,
AreTomo and RELION: the angles are negated, the specimen keeps its hand. AreAnglesInverted concerns
the defocus alone, MagnificationCorrection and GridAngle* the particles; GridVolumeWarp* (motion of
the volume) has no place in our record and is named when there is some.

UTF-8 with a byte order mark, decimals with a point.
"""

import logging
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import TypedDict
from xml.parsers.expat import ErrorString

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError
from vitreous.formats.content import read_bytes
from vitreous.formats.facts import NOTHING, Told, settled
from vitreous.formats.numbers import parse_number, shortened
from vitreous.formats.products import write_text
from vitreous.geometry.rotations import rotation_x, view_angles
from vitreous.geometry.splines import natural_spline
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.displacement import Displacement
from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)

Array = NDArray[np.float64]


class Said(TypedDict, total=False):
    """What the file says of its images, as `settled` takes it."""

    pixel_size: float
    image_size: tuple[int, int]


LARGEST_GRID = 1_000_000
VOLUME_WARP = ("GridVolumeWarpX", "GridVolumeWarpY", "GridVolumeWarpZ")
IDENTITY = (1.0, 0.0, 0.0, 1.0)


def volume_centre(size: tuple[int, int, int]) -> tuple[float, float, float]:
    """Voxel (x, y, z) of our origin in Warp's volume of `size`; not rounded."""
    x, y, z = size
    return x / 2, y / 2, z / 2


# -- reading ------------------------------------------------------------------------------------


def read(path: Path, told: Told = NOTHING) -> Alignment:
    """Read the XML of a tilt series. UseTilt False is a left-out section."""
    root = _root(path)
    angles = _values(root, "Angles", path)
    views = len(angles)
    used = _used(root, views, path)
    image = _attribute_numbers(root, "ImageDimensionsAngstrom", 2, path)
    facts = settled(path, told, sections=views, **_said_of_image(root, image, told, path))
    if image is None:
        image = np.array(facts.image_size) * facts.pixel_size
    level_x, level_y = _attribute(root, "LevelAngleX", path), _attribute(root, "LevelAngleY", path)
    offsets = np.stack([_values(root, f"AxisOffset{a}", path, views) for a in "XY"], -1)
    middle = image / 2 - np.asarray(facts.image_size) // 2 * facts.pixel_size
    _name_what_is_left(root, path)

    volume = _attribute_numbers(root, "VolumeDimensionsAngstrom", 3, path)
    sections = np.flatnonzero(used)
    alignment = alignment_from_angles(
        axes_degrees=_values(root, "AxisAngle", path, views)[used],
        tilts_degrees=-(angles + level_y)[used],
        x_tilts_degrees=level_x,
        shifts=(offsets + middle)[used],
        sections=sections,
        section_count=views,
        image_size=facts.image_size,
        pixel_size=facts.pixel_size,
        tilt_offset_degrees=-level_y,
        thickness_angstrom=None if volume is None else float(volume[2]),
    )
    movement = _movement(root, views, image, middle, path)
    if movement is None:
        return alignment
    return replace(alignment, displacement=movement.chosen(sections))


def _root(path: Path) -> ET.Element:
    try:
        root = ET.fromstring(read_bytes(path))
    except ET.ParseError as error:
        line, _ = error.position
        raise FormatError(f"no XML: {ErrorString(error.code)}", path=path, line=line) from None
    except (ValueError, LookupError) as error:
        raise FormatError(f"no XML: {error}", path=path, line=1) from None
    if root.tag != "TiltSeries":
        raise FormatError(
            f"expected <TiltSeries>, found <{root.tag}>",
            path=path,
            line=1,
            hint="Give the XML of a tilt series.",
        )
    return root


def _values(root: ET.Element, name: str, path: Path, count: int | None = None) -> Array:
    """The numbers of a child with one value a line."""
    words = _words(root, name, path, count)
    return np.array([parse_number(word, name, path) for word in words])


def _words(root: ET.Element, name: str, path: Path, count: int | None = None) -> list[str]:
    element = root.find(name)
    words = (element.text or "").split() if element is not None else []
    if not words:
        raise FormatError(f"<{name}> is missing or empty", path=path)
    if count is not None and len(words) != count:
        raise FormatError(f"<{name}> has {len(words)} values, <Angles> {count}", path=path)
    return words


def _used(root: ET.Element, views: int, path: Path) -> NDArray[np.bool_]:
    if root.find("UseTilt") is None:
        return np.ones(views, bool)
    words = [word.lower() for word in _words(root, "UseTilt", path, views)]
    if strange := set(words) - {"true", "false"}:
        raise FormatError(
            f"UseTilt: expected True or False, found {shortened(strange.pop())}", path=path
        )
    used = np.array([word == "true" for word in words])
    if not used.any():
        raise FormatError("UseTilt is False for every tilt", path=path)
    return used


def _attribute(root: ET.Element, name: str, path: Path, missing: float = 0.0) -> float:
    word = root.get(name)
    return missing if not word else parse_number(word.strip(), name, path)


def _attribute_numbers(root: ET.Element, name: str, count: int, path: Path) -> Array | None:
    text = root.get(name)
    if not text:
        return None
    words = text.split(",")
    if len(words) != count:
        raise FormatError(f"{name}: expected {count} numbers, found {shortened(text)}", path=path)
    return np.array([parse_number(word.strip(), name, path) for word in words])


def _said_of_image(root: ET.Element, image: Array | None, told: Told, path: Path) -> Said:
    """Pixel size and size of the images, where the file gives their angstroms.

    The CTF's PixelSize is the movie's; a stack may be binned, so that one who knows better wins.
    """
    if image is None:
        return {}
    pixel_size = told.pixel_size
    if pixel_size is None and told.image_size:
        pixel_size = float(image[0] / told.image_size[0])
    param = root.find("CTF/Param[@Name='PixelSize']")
    if pixel_size is None and param is not None:
        pixel_size = parse_number(param.get("Value", ""), "PixelSize", path)
    if not pixel_size:
        return {}
    size = image / pixel_size
    if told.image_size and np.abs(size - told.image_size).max() <= 1:
        return {"pixel_size": pixel_size}  # Warp rounds binned sizes to even ones
    return {"pixel_size": pixel_size, "image_size": (round(size[0]), round(size[1]))}


def _name_what_is_left(root: ET.Element, path: Path) -> None:
    magnification = _attribute_numbers(root, "MagnificationCorrection", 4, path)
    if magnification is not None and not np.array_equal(magnification, IDENTITY):
        log.warning(
            "%s: MagnificationCorrection %s concerns Warp's particles, not positions; left aside",
            path,
            root.get("MagnificationCorrection"),
        )
    for name in VOLUME_WARP:
        grid = root.find(name)
        values = [] if grid is None else [node.get("Value", "0") for node in grid]
        if any(parse_number(value, name, path) for value in values):
            log.warning("%s: %s (motion of the volume) is left aside", path, name)


def _movement(
    root: ET.Element, views: int, image: Array, middle: Array, path: Path
) -> Displacement | None:
    """GridMovementX and Y as a displacement field of each of all views."""
    grids = [_grid(root, f"GridMovement{axis}", path) for axis in "XY"]
    if not any(grid.any() for grid in grids):
        return None
    height, width = (max(grid.shape[axis] for grid in grids) for axis in (1, 2))
    time = np.linspace(0, 1, views) if views > 1 else np.zeros(1)
    fields = [-_resampled(grid, time, height, width) for grid in grids]
    return Displacement(
        values=np.stack(fields, 1),
        size=(float(image[0]), float(image[1])),
        centre=(float(middle[0]), float(middle[1])),
    )


def _resampled(grid: Array, time: Array, height: int, width: int) -> Array:
    """Nodes (depth, y, x) -> (views, height, width)."""
    if grid.shape == (len(time), height, width):
        return grid
    axes = [time, np.linspace(0, 1, height), np.linspace(0, 1, width)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    return natural_spline(grid, *points.T).reshape(len(time), height, width)


def _grid(root: ET.Element, name: str, path: Path) -> Array:
    """Nodes of a grid, (depth, y, x); one zero where there is none."""
    element = root.find(name)
    if element is None:
        return np.zeros((1, 1, 1))
    shape = [
        _size(element.get(side, "1"), f"{name} {side}", path)
        for side in ("Depth", "Height", "Width")
    ]
    if np.prod(shape) > LARGEST_GRID or len(element) != np.prod(shape):
        raise FormatError(
            f"{name}: {len(element)} nodes, expected {' x '.join(map(str, shape))}", path=path
        )
    grid = np.zeros(shape)
    for node in element:
        place = tuple(_index(node.get(axis, "0"), name, path) for axis in "ZYX")
        if any(i >= n for i, n in zip(place, shape, strict=True)):
            raise FormatError(f"{name}: a node {place} outside of the grid", path=path)
        grid[place] = parse_number(node.get("Value", ""), f"{name} Value", path)
    return grid


def _size(word: str, what: str, path: Path) -> int:
    number = _index(word, what, path)
    if number == 0:
        raise FormatError(f"{what}: expected 1 or more, found 0", path=path)
    return number


def _index(word: str, what: str, path: Path) -> int:
    if not (word.isascii() and word.isdigit() and len(word) < 9):
        raise FormatError(f"{what}: expected a whole number, found {shortened(word)}", path=path)
    return int(word)


# -- writing ------------------------------------------------------------------------------------


def constant_x_tilt(alignment: Alignment) -> float:
    """The X tilt that one LevelAngleX holds for all views."""
    return float(np.mean(alignment.x_tilts_degrees))


def write(
    alignment: Alignment,
    path: Path,
    *,
    source: Path | None = None,
    series: TiltSeries | None = None,
) -> list[Path]:
    """Write the XML of a tilt series; what else an XML `source` holds is kept.

    Left-out sections have UseTilt False and repeat the nearest used view. A constant X tilt goes
    to LevelAngleX, the constant part of the tilts to LevelAngleY. Magnification, stretch and what
    of the X tilts differs from view to view have no place and are left.
    """
    level_x = constant_x_tilt(alignment)
    level_y = -alignment.tilt_offset_degrees
    axes, tilts, _ = view_angles(alignment.rotations @ rotation_x(-level_x))
    size = np.asarray(alignment.image_size)
    middle = (size / 2 - size // 2) * alignment.pixel_size
    offsets = alignment.shifts - middle
    every = np.arange(alignment.section_count)
    nearest = np.abs(every[:, None] - alignment.sections).argmin(1)

    root = _root(source) if source else _new_root(alignment, series)
    root.set("LevelAngleX", _text(level_x))
    root.set("LevelAngleY", _text(level_y))
    root.set("ImageDimensionsAngstrom", ", ".join(map(_text, size * alignment.pixel_size)))
    _set_values(root, "Angles", [_text(-angle - level_y) for angle in tilts[nearest]])
    _set_values(root, "UseTilt", [str(bool(u)) for u in np.isin(every, alignment.sections)])
    _set_values(root, "AxisAngle", [_text(angle) for angle in axes[nearest]])
    for axis, name in enumerate("XY"):
        _set_values(root, f"AxisOffset{name}", [_text(o) for o in offsets[nearest, axis]])
    _set_movement(root, alignment, nearest)

    ET.indent(root, "\t")
    body = ET.tostring(root, encoding="unicode")
    write_text(path, f'\ufeff<?xml version="1.0" encoding="utf-8"?>\n{body}')
    return [path]


def _new_root(alignment: Alignment, series: TiltSeries | None) -> ET.Element:
    """What a file holds beside the alignment, as Warp writes it for a new series."""
    root = ET.Element(
        "TiltSeries",
        DataDirectory="",
        AreAnglesInverted="False",
        PlaneNormal="0, 0, 0",
        LevelAngleX="0",
        LevelAngleY="0",
        Bfactor="0",
        Weight="1",
        MagnificationCorrection="1, 0, 0, 1",
        UnselectFilter="False",
        UnselectManual="",
        CTFResolutionEstimate="0",
    )
    tilts = {tilt.section: tilt for tilt in series.tilts} if series else {}
    every = [tilts.get(section) for section in range(alignment.section_count)]
    for name in ("Angles", "Dose", "UseTilt", "AxisAngle", "AxisOffsetX", "AxisOffsetY"):
        ET.SubElement(root, name)
    _set_values(root, "Dose", [_text((tilt and tilt.pre_exposure) or 0.0) for tilt in every])
    if all(tilt and tilt.movie for tilt in every):
        _set_values(root, "MoviePath", [tilt.movie for tilt in every if tilt])
    ctf = ET.SubElement(root, "CTF")
    ET.SubElement(ctf, "Param", Name="PixelSize", Value=_text(alignment.pixel_size))
    return root


def _set_values(root: ET.Element, name: str, words: list[str]) -> None:
    """One value a line in the child `name`."""
    element = root.find(name)
    if element is None:
        element = ET.SubElement(root, name)
    element.text = "\n".join(words)


def _set_movement(root: ET.Element, alignment: Alignment, nearest: NDArray[np.intp]) -> None:
    """GridMovementX and Y: the fields at nodes over the image, one layer a section."""
    fields = _field_over_image(alignment)
    for axis, name in enumerate("XY"):
        nodes = np.zeros((1, 1, 1)) if fields is None else -fields[nearest, axis]
        grid = root.find(f"GridMovement{name}")
        if grid is None:
            grid = ET.SubElement(root, f"GridMovement{name}")
        grid.clear()
        sides = zip(("Depth", "Height", "Width"), map(str, nodes.shape), strict=True)
        grid.attrib.update(dict(sides), MarginX="0", MarginY="0", MarginZ="0")
        for (z, y, x), value in np.ndenumerate(nodes):
            ET.SubElement(grid, "Node", X=str(x), Y=str(y), Z=str(z), Value=_text(value))


def _field_over_image(alignment: Alignment) -> Array | None:
    """(n, 2, gy, gx) angstrom: the displacement at nodes from edge to edge of the image."""
    moved = alignment.displacement
    if moved is None:
        return None
    size = np.asarray(alignment.image_size) * alignment.pixel_size
    middle = (np.asarray(alignment.image_size) % 2) / 2 * alignment.pixel_size
    if np.allclose(moved.size, size) and np.allclose(moved.centre, middle, atol=1e-6):
        return moved.values
    *_, height, width = moved.values.shape
    axes = [np.linspace(-0.5, 0.5, n) * s + m
            for n, s, m in zip((width, height), size, middle, strict=True)]  # fmt: skip
    nodes = np.stack(np.meshgrid(*axes), -1).reshape(-1, 2)
    seen = moved(np.broadcast_to(nodes, (len(alignment), *nodes.shape)))
    return seen.swapaxes(1, 2).reshape(len(alignment), 2, height, width)


def _text(number: float) -> str:
    """Nine digits, as few characters as they take."""
    return f"{number + 0.0:.10g}"
