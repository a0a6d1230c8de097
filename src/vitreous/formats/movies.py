"""Movies, whatever their format: TIFF, MRC, EER; one frame after the other, row 0 the bottom row.

A movie is an `ImageStack` of its frames. Nothing is read before a frame is asked for; threads may
ask at the same time, see `kernels.ahead.read_ahead`.
"""

import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.eer import EerMovie, is_eer, open_eer
from vitreous.formats.images import MRC_SUFFIXES
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.mrc import MrcStack, open_stack, unpacked_four_bits
from vitreous.formats.mrc_header import is_half_of_super_resolution
from vitreous.formats.tiff import TiffStack, open_tiff_stack

log = logging.getLogger(__name__)


class FourBitMovie:
    """A TIFF movie whose bytes hold two pixels each, the even column in the low half."""

    def __init__(self, stack: TiffStack) -> None:
        self.path, self.pixel_size, self._stack = stack.path, stack.pixel_size, stack

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, y, x)."""
        frames, rows, columns = self._stack.shape
        return frames, rows, 2 * columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel."""
        return self._stack.dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Frame `index` (y, x)."""
        return unpacked_four_bits(self._stack.read(index).astype(np.uint8, copy=False))

    def close(self) -> None:
        """Close the file."""
        self._stack.close()


Movie = MrcStack | TiffStack | FourBitMovie | EerMovie


def open_movie(
    path: Path,
    settings: MovieSettings | None = None,
    pixel_size: float | None = None,
    dose: float | None = None,
) -> Movie:
    """Open a movie by its content.

    pixel_size (A/px) goes before the file's, in EER movies it is that of the camera's pixels; dose:
    e/A^2 of the whole movie, for EER frames of a given dose.
    """
    settings = settings or MovieSettings()
    kind = kind_of(path)
    if kind is Kind.MRC or (kind is Kind.BINARY and path.suffix in MRC_SUFFIXES):
        return open_stack(path, pixel_size)
    if kind is not Kind.TIFF:
        raise UnknownFormatError(
            f"a movie was expected, this is: {kind.value}",
            path=path,
            hint="Movies are read from TIFF, MRC and EER files.",
        )
    if is_eer(path):
        return open_eer(path, settings, pixel_size, dose)
    stack = open_tiff_stack(path, pixel_size)
    return FourBitMovie(stack) if _has_four_bits(stack, settings) else stack


def _has_four_bits(stack: TiffStack, settings: MovieSettings) -> bool:
    _, rows, columns = stack.shape
    if stack.dtype != np.uint8 or settings.four_bits == "no":
        return False
    if settings.four_bits == "yes":
        return True
    if not is_half_of_super_resolution(columns, rows):
        return False
    log.info(
        "%s: bytes of %d x %d are taken as 4-bit pixels, two a byte, of %d x %d",
        stack.path,
        columns,
        rows,
        2 * columns,
        rows,
    )
    return True


def require_frames(movie: Movie, expected: int) -> None:
    """Raise a `FormatError` where a movie has other than the recorded number of (raw) frames."""
    found = movie.header.raw_frames if isinstance(movie, EerMovie) else movie.shape[0]
    if found != expected:
        raise FormatError(
            f"{expected} frames were recorded, {found} are in the file",
            path=movie.path,
            hint="Was it copied to the end? Is it the movie of this tilt?",
        )
