"""Movies, whatever their format: TIFF, MRC, EER; one frame after the other, row 0 the bottom row.

A movie is an `ImageStack` of its frames. Nothing is read before a frame is asked for; threads may
ask at the same time, see `kernels.ahead.read_ahead`.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.eer import EerMovie, is_eer, open_eer
from vitreous.formats.fm_int import integrated_groups, raw_doses, read_fm_int
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


Stored = MrcStack | TiffStack | FourBitMovie


class SummedMovie:
    """A movie whose frames are sums of stored ones; groups: the stored frames of each."""

    def __init__(self, stored: Stored, groups: Sequence[range]) -> None:
        self.path, self.pixel_size, self.groups = stored.path, stored.pixel_size, groups
        self._stored = stored

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, y, x)."""
        _, rows, columns = self._stored.shape
        return len(self.groups), rows, columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel."""
        return np.dtype(np.float32)

    def read(self, index: int) -> NDArray[np.float32]:
        """Frame `index` (y, x)."""
        image = np.zeros(self.shape[1:], np.float32)
        for stored in self.groups[index]:
            image += self._stored.read(stored)
        return image

    def close(self) -> None:
        """Close the file."""
        self._stored.close()


Movie = Stored | EerMovie | SummedMovie


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
    if kind is Kind.TIFF and is_eer(path):
        return open_eer(path, settings, pixel_size, dose)
    stored = _opened_stored(path, kind, settings, pixel_size)
    if settings.fm_int_file is None:
        return stored
    lines = read_fm_int(settings.fm_int_file)
    return SummedMovie(stored, integrated_groups(lines, stored.shape[0]))


def _opened_stored(
    path: Path, kind: Kind, settings: MovieSettings, pixel_size: float | None
) -> Stored:
    if kind is Kind.MRC or (kind is Kind.BINARY and path.suffix in MRC_SUFFIXES):
        return open_stack(path, pixel_size)
    if kind is not Kind.TIFF:
        raise UnknownFormatError(
            f"a movie was expected, this is: {kind.value}",
            path=path,
            hint="Movies are read from TIFF, MRC and EER files.",
        )
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


def raw_frames_of(movie: Movie) -> int:
    """How many frames, of an EER movie raw ones, the file of a movie has."""
    if isinstance(movie, EerMovie):
        return movie.header.raw_frames
    return movie.groups[-1].stop if isinstance(movie, SummedMovie) else movie.shape[0]


def upsampling_of(movie: Movie) -> int:
    """Pixels of a frame along a side of the camera's."""
    return movie.upsampling if isinstance(movie, EerMovie) else 1


def frame_doses(
    movie: Movie, settings: MovieSettings, dose: float | None
) -> NDArray[np.float64] | None:
    """e/A^2 of each frame: of its raw ones, which have the same of the whole movie's `dose`.

    What -FmIntFile says goes before; None where nobody says a dose.
    """
    raw_frames = raw_frames_of(movie)
    of_raw = None
    if settings.fm_int_file is not None:
        of_raw = raw_doses(read_fm_int(settings.fm_int_file), raw_frames)
    if of_raw is None:
        if dose is None:
            return None
        of_raw = np.full(raw_frames, dose / raw_frames)
    if not isinstance(movie, EerMovie | SummedMovie):
        return of_raw
    return np.array([of_raw[group.start : group.stop].sum() for group in movie.groups])


def require_frames(movie: Movie, expected: int) -> None:
    """Raise a `FormatError` where a movie has other than the recorded number of (raw) frames."""
    found = raw_frames_of(movie)
    if found != expected:
        raise FormatError(
            f"{expected} frames were recorded, {found} are in the file",
            path=movie.path,
            hint="Was it copied to the end? Is it the movie of this tilt?",
        )
