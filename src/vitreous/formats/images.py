"""A stack of images, whatever its format."""

from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import UnknownFormatError
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import MrcStack, open_stack
from vitreous.formats.mrc_header import read_header
from vitreous.formats.tiff import TiffStack, open_tiff_stack, read_tiff_header

MRC_SUFFIXES = (".mrc", ".st", ".mrcs", ".ali", ".rec", ".map")  # say what a broken file was to be


def open_images(path: Path, pixel_size: float | None = None) -> MrcStack | TiffStack:
    """Open an MRC or TIFF stack by its content; pixel_size (A/px) goes before the file's."""
    kind = kind_of(path)
    if kind is Kind.MRC or (kind is Kind.BINARY and path.suffix in MRC_SUFFIXES):
        return open_stack(path, pixel_size)
    if kind is Kind.TIFF:
        return open_tiff_stack(path, pixel_size)
    raise UnknownFormatError(
        f"a stack of images was expected, this is: {kind.value}",
        path=path,
        hint="Stacks are read from MRC and TIFF files.",
    )


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What the header of a stack says: images, size (x, y) px, pixel_size A/px, None: unknown.

    is_volume: the header says that it is none of images. has_angles: the tilts are in it.
    """

    sections: int
    size: tuple[int, int]
    pixel_size: float | None
    is_volume: bool = False
    has_angles: bool = False


def image_facts(path: Path) -> ImageFacts:
    """Read the header of a stack; its images may be anything."""
    if kind_of(path) is Kind.TIFF:
        tiff = read_tiff_header(path)
        sections, rows, columns = tiff.shape
        return ImageFacts(sections, (columns, rows), tiff.pixel_size)
    header = read_header(path)
    x, y, sections = header.size
    has_angles = header.tilt_angles is not None
    return ImageFacts(sections, (x, y), header.pixel_size, header.ispg > 0, has_angles)
