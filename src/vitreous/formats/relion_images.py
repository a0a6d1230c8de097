"""The tilt images that a tomogram set names, as one stack.

RELION 5 names an image in each row of a table of tilts: a file of its own, or a section of a stack
('000003@ts.mrcs'), the images of even and odd frames beside it. RELION 4, and sets converted from
it, name one stack of all in the set's row. Section numbers are those of `relion_sets.sections_of`.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.facts import NOTHING, PartialFacts
from vitreous.formats.images import image_facts, open_images
from vitreous.formats.relion_sets import Tomogram, find, sections_of

log = logging.getLogger(__name__)

Frames = Literal["all", "even", "odd"]

COLUMNS: dict[Frames, str] = {
    "all": "rlnMicrographName",
    "even": "rlnMicrographNameEven",
    "odd": "rlnMicrographNameOdd",
}
STACK = "rlnTomoTiltSeriesName"
MOST_NAMED = 5  # of what is wrong, in a message


@dataclass(frozen=True, slots=True)
class Source:
    """Where an image lies: a file and its 0-based section there."""

    path: Path
    index: int = 0


@dataclass(frozen=True, slots=True)
class TiltImages:
    """The images of a set's tomogram, an `ImageStack`; a file is open while it is read.

    sources: by section of the series; None where the set leaves a section out.
    """

    name: str
    sources: tuple[Source | None, ...]
    image_size: tuple[int, int]
    pixel_size: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """(sections, y, x)."""
        columns, rows = self.image_size
        return len(self.sources), rows, columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Type of a pixel of the first image."""
        first = next(source for source in self.sources if source is not None)
        return open_images(first.path, self.pixel_size).dtype

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, each once, in the order of sections."""
        return tuple(dict.fromkeys(source.path for source in self.sources if source is not None))

    def read(self, index: int) -> NDArray[np.generic]:
        """Image `index` (y, x)."""
        source = self.sources[index]
        if source is None:
            raise UserError(f"{self.name}: the set has no image of section {index + 1}")
        return open_images(source.path, self.pixel_size).read(source.index)


def open_tilt_images(tomogram: Tomogram, frames: Frames = "all") -> TiltImages:
    """The images of a tomogram, or those of its even or odd frames.

    Files that aren't there, and images of unlike sizes, are a `UserError` that names them all.
    """
    if frames == "all" and STACK in tomogram.row:
        sections, total, sources = _of_one_stack(tomogram)
    else:
        sections, total = sections_of(tomogram.tilts, NOTHING, tomogram.path)
        sources = _of_rows(tomogram, COLUMNS[frames])
    size = _common_size(tomogram, sources)
    by_section: list[Source | None] = [None] * total
    for section, source in zip(sections, sources, strict=True):
        by_section[int(section)] = source
    return TiltImages(
        tomogram.name, tuple(by_section), size, _pixel_size(tomogram, sources[0].path)
    )


def _of_one_stack(tomogram: Tomogram) -> tuple[NDArray[np.intp], int, list[Source]]:
    """(sections, how many there are, source of each row) of a set that names one stack."""
    path = find(tomogram.row[STACK], tomogram.path)
    there = PartialFacts(sections=image_facts(path).sections)
    sections, total = sections_of(tomogram.tilts, there, path)
    return sections, total, [Source(path, int(section)) for section in sections]


def _of_rows(tomogram: Tomogram, column: str) -> list[Source]:
    """Source of each row, by the names in a column."""
    found, lost = [], []
    for name in tomogram.tilts.texts(column):
        numbered = re.fullmatch(r"(\d{1,6})@(.+?)(:mrcs)?", name)
        file, index = (numbered[2], int(numbered[1]) - 1) if numbered else (name, 0)
        try:
            found.append(Source(find(file, tomogram.path), index))
        except UserError:
            lost.append(file)
    if lost:
        raise UserError(
            f"{tomogram.path}: {_counted(len(lost), 'image')} of {tomogram.name} ({column}) "
            f"{'is' if len(lost) == 1 else 'are'} missing: {_listed(lost)}. Paths are relative to "
            "RELION's project folder: start there."
        )
    return found


def _common_size(tomogram: Tomogram, sources: Sequence[Source]) -> tuple[int, int]:
    """(x, y) of every image; what is unlike, short or beyond the end of its stack is an error."""
    facts = {path: image_facts(path) for path in dict.fromkeys(s.path for s in sources)}
    for source in sources:
        if not 0 <= source.index < facts[source.path].sections:
            raise UserError(
                f"{tomogram.name}: image {source.index + 1} of {source.path} is asked for, which "
                f"has {facts[source.path].sections}"
            )
    sizes = [facts[source.path].size for source in sources]
    usual = max(set(sizes), key=sizes.count)
    unlike = [
        f"{source.path} ({size[0]} x {size[1]})"
        for source, size in zip(sources, sizes, strict=True)
        if size != usual
    ]
    if unlike:
        raise UserError(
            f"{tomogram.path}: the images of {tomogram.name} have unlike sizes: most are "
            f"{usual[0]} x {usual[1]} px, not so {_listed(unlike)}. Give images of one size."
        )
    for path in facts:
        open_images(path, tomogram.pixel_size or facts[path].pixel_size or 1.0)
    return usual


def _pixel_size(tomogram: Tomogram, path: Path) -> float:
    """A/px as the set says, which RELION goes by; the header's where it doesn't."""
    said, header = tomogram.pixel_size, image_facts(path).pixel_size
    if said is None and header is None:
        raise UserError(
            f"{tomogram.path}: {tomogram.name} has no rlnTomoTiltSeriesPixelSize, nor does {path}"
        )
    if said and header and abs(header / said - 1) > 1e-2:
        log.warning(
            "%s: the set says %g A/px, the header of %s %g: the set's is taken",
            tomogram.name,
            said,
            path,
            header,
        )
    return said or header or 1.0


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'s' if count != 1 else ''}"


def _listed(things: Sequence[str]) -> str:
    """The first few of a list, and how many more there are."""
    more = f" and {len(things) - MOST_NAMED} more" if len(things) > MOST_NAMED else ""
    return ", ".join(things[:MOST_NAMED]) + more
