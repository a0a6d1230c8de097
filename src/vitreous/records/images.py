"""Stacks of images: on disk or in memory, one image at a time."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError


class ImageStack(Protocol):
    """Anything that hands out images (y, x) one by one; `shape` is (sections, y, x)."""

    @property
    def shape(self) -> tuple[int, int, int]: ...

    @property
    def dtype(self) -> np.dtype[np.generic]: ...

    @property
    def pixel_size(self) -> float: ...

    def read(self, index: int) -> NDArray[np.generic]: ...


@dataclass(frozen=True, slots=True, eq=False)
class ArrayStack:
    """An image stack in memory: `data` (sections, y, x), `pixel_size` in A/px."""

    data: NDArray[np.generic]
    pixel_size: float

    def __post_init__(self) -> None:
        if self.data.ndim != 3:
            raise UserError(f"a stack has 3 axes (section, y, x), this array has {self.data.ndim}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        sections, rows, columns = self.data.shape
        return sections, rows, columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel as stored."""
        return self.data.dtype

    def read(self, index: int) -> NDArray[np.generic]:
        """Image `index` (y, x)."""
        image: NDArray[np.generic] = self.data[index]
        return image


@dataclass(frozen=True, slots=True)
class StackFacts:
    """What an alignment file leaves unsaid: the stack it belongs to.

    sections: images in the original stack; image_size (x, y) px; pixel_size A/px.
    """

    sections: int
    image_size: tuple[int, int]
    pixel_size: float


def facts_of(stack: ImageStack) -> StackFacts:
    """The facts of a stack at hand."""
    sections, rows, columns = stack.shape
    return StackFacts(sections, (columns, rows), stack.pixel_size)
