"""A movie's frames as they are to be added up: times the gain, defects filled."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.ahead import read_ahead
from vitreous.motion.defects import Defects
from vitreous.records.images import ImageStack

Floats = NDArray[np.float32]


class CorrectedFrames:
    """A movie (an image stack) times a gain (y, x), where given; pixels of gain 0 are filled."""

    def __init__(
        self, movie: ImageStack, gain: Floats | None = None, defects: Defects | None = None
    ) -> None:
        if gain is not None and gain.shape != movie.shape[1:]:
            raise UserError(
                f"the movie's frames have {movie.shape[2]} x {movie.shape[1]} pixels, the gain "
                f"{gain.shape[1]} x {gain.shape[0]}"
            )
        self._movie, self._gain, self._defects = movie, gain, defects

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, y, x)."""
        return self._movie.shape

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Of a corrected frame."""
        return np.dtype(np.float32)

    @property
    def pixel_size(self) -> float:
        """A/px."""
        return self._movie.pixel_size

    def read(self, index: int) -> Floats:
        """Frame `index` (y, x)."""
        raw = self._movie.read(index)
        if self._gain is None:
            frame = raw.astype(np.float32)
        else:
            frame = np.multiply(raw, self._gain, dtype=np.float32)
        if self._defects is not None:
            self._defects.fill(frame)
        return frame


def frames_of(
    movie: ImageStack, numbers: NDArray[np.intp], threads: int
) -> Iterable[NDArray[np.generic]]:
    """Frames of a movie one after the other; with several threads the next is read meanwhile."""
    wanted = [int(number) for number in numbers]
    return read_ahead(movie, wanted) if threads > 1 else map(movie.read, wanted)
