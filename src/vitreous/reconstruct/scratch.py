"""Images that don't fit into memory: an array in a file without a name, gone when we are."""

import mmap
import os
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import OutputError

Floats = NDArray[np.float32]


class ScratchArray:
    """A float32 array on disk that is used like one in memory.

    folder: where its file lies, the system's temporary folder by default. The file has no name, so
    that not even a killed process leaves it behind; its room is taken at once, so that a full disk
    is an `OutputError` now and not a crash later.
    """

    def __init__(self, shape: tuple[int, ...], folder: Path | None = None) -> None:
        self.folder = Path(tempfile.gettempdir()) if folder is None else folder
        size = 4 * int(np.prod(shape, dtype=np.int64))
        try:
            with tempfile.TemporaryFile(dir=self.folder) as file:
                os.posix_fallocate(file.fileno(), 0, size)
                self._map = mmap.mmap(file.fileno(), size)
        except OSError as error:
            raise OutputError(
                f"{self.folder}: no room for a scratch file of {size / 1e9:.3g} GB: "
                f"{error.strerror}. Give another folder with --scratch, or more memory"
            ) from error
        self.array: Floats = np.frombuffer(self._map, np.float32).reshape(shape)

    def forget(self) -> None:
        """Give the memory of what was read or written back; it stays on disk."""
        self._map.madvise(mmap.MADV_DONTNEED)
