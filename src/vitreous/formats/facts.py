"""What an alignment file and its user say of the stack, brought together and checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vitreous.errors import UserError
from vitreous.records.images import StackFacts

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PartialFacts:
    """Facts of a stack as far as they are known; None is what nobody said."""

    sections: int | None = None
    image_size: tuple[int, int] | None = None
    pixel_size: float | None = None


Told = StackFacts | PartialFacts
"""What is known of the stack from elsewhere: its header, or options of the command line."""

NOTHING = PartialFacts()


def settled(
    path: Path,
    told: Told,
    *,
    sections: int | None = None,
    image_size: tuple[int, int] | None = None,
    pixel_size: float | None = None,
) -> StackFacts:
    """The facts from what the file `path` says (the keywords) and what is told.

    What neither says, or both differently, is a `UserError`. A pixel size that differs by less
    than 1 % is rounding: the file's stands, for its shifts were counted with it.
    """
    if sections is not None and told.sections not in (None, sections):
        raise miscounted(path, sections, told.sections)
    if image_size and told.image_size and tuple(told.image_size) != tuple(image_size):
        raise UserError(
            f"{path} is for images of {image_size[0]} x {image_size[1]} px, the stack's have "
            f"{told.image_size[0]} x {told.image_size[1]}. Give the stack that it was made for, "
            "in the same binning."
        )
    if pixel_size and told.pixel_size and abs(told.pixel_size / pixel_size - 1) > 1e-2:
        raise UserError(
            f"{path} says {pixel_size:g} A/px, the stack {told.pixel_size:g}. Give the stack that "
            "it was made for, or say the stack's pixel size (--pixel) if its header is wrong."
        )
    found = StackFacts(
        _known(path, "how many images", "sections", sections, told.sections),
        _known(path, "the size of the images", "size", image_size, told.image_size),
        _known(path, "the pixel size", "pixel size", pixel_size, told.pixel_size),
    )
    if found.pixel_size <= 0:
        raise UserError(f"{path}: a pixel size of {found.pixel_size:g} A can't be")
    return found


def _known(path: Path, what: str, option: str, said: T | None, told: T | None) -> T:
    value = said if said is not None else told
    if value is None:
        raise UserError(f"{path} doesn't say {what}: give the stack, or its {option}")
    return value


def miscounted(
    path: Path, views: int, sections: int | None, said_by: str = "the stack"
) -> UserError:
    """A file with another number of views than the stack has sections."""
    meaning = (
        "Were views left out when it was made? Then say which (--exclude-tilts), or give "
        "the stack that was aligned."
        if views < (sections or 0)
        else "Is it of another stack, or was the stack cut afterwards?"
    )
    return UserError(f"{path} has {views} views, but {said_by} has {sections} sections. {meaning}")
