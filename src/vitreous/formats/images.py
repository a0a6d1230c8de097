"""A stack of images, whatever its format."""

from pathlib import Path

from vitreous.errors import UnknownFormatError
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import MrcStack, open_stack
from vitreous.formats.tiff import TiffStack, open_tiff_stack

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
