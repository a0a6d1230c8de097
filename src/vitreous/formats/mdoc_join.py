"""One series of several .mdoc files, or of none: an .mdoc for each movie, parts of a series, names.

What comes out is the .mdoc that the series would have had, its sections numbered as acquired.
"""

import logging
from collections.abc import Sequence
from pathlib import Path

from vitreous.errors import VitreousError
from vitreous.formats.beside import image_name
from vitreous.formats.mdoc import Fields, Mdoc, Section
from vitreous.formats.mdoc_series import acquisition_order, base_name, stated_exposures
from vitreous.formats.tilt_names import number_in_name, tilt_in_name

log = logging.getLogger(__name__)

MOVIE = "SubFramePath"
PRIOR = "PriorRecordDose"


def joined(parts: Sequence[tuple[Path, Mdoc]]) -> Mdoc:
    """The .mdoc of a series from those of its movies, or of parts taken one after the other.

    Head and titles are those of the first. An .mdoc that doesn't name its movie is named like it.
    """
    parts = sorted(parts, key=lambda part: (number_in_name(image_name(part[0])) or 0, part[0]))
    sections = [section for path, mdoc in parts for section in _records(path, mdoc)]
    order = acquisition_order(sections, parts[0][0])
    in_time = [section for _, section in sorted(zip(order, sections, strict=True), key=_rank)]
    if not _rises(in_time):
        log.warning(
            "%s and %d more: the doses before each image (%s) begin anew, they are summed instead",
            parts[0][0].name,
            len(parts) - 1,
            PRIOR,
        )
        in_time = [_without(section, PRIOR) for section in in_time]
    titles = parts[0][1].of("T")
    numbered = (Section("ZValue", f"{z}", s.fields, s.line) for z, s in enumerate(in_time))
    return Mdoc(parts[0][1].head, (*titles, *numbered))


def of_names(movies: Sequence[str]) -> Mdoc:
    """The .mdoc of movies whose names alone tell angle and order: x_003_-6.00.tif."""
    numbers = [number_in_name(name) for name in movies]
    ordered = sorted(zip(numbers, movies, strict=True), key=lambda pair: (pair[0] or 0, pair[1]))
    return Mdoc(
        (),
        tuple(
            Section("ZValue", f"{z}", (("TiltAngle", f"{tilt_in_name(name):g}"), (MOVIE, name)))
            for z, (_, name) in enumerate(ordered)
        ),
    )


def movie_of(path: Path, mdoc: Mdoc) -> str:
    """The movie that an .mdoc is of: as it says, else as it is named."""
    return base_name(mdoc.of("FrameSet")[0].get(MOVIE)) or image_name(path)


def _records(path: Path, mdoc: Mdoc) -> list[Section]:
    """The images of one .mdoc; each of a movie names it."""
    if not mdoc.of("FrameSet"):
        return list(mdoc.of("ZValue"))
    (record, *_) = mdoc.of("FrameSet")
    fields: Fields = record.fields
    if not record.get(MOVIE):
        fields = (*fields, (MOVIE, image_name(path)))
    voltage = mdoc.get("Voltage")
    if voltage and not record.get("Voltage"):
        fields = (*fields, ("Voltage", voltage))
    return [Section(record.kind, record.name, fields, record.line)]


def _rank(pair: tuple[int, Section]) -> int:
    return pair[0]


def _rises(in_time: Sequence[Section]) -> bool:
    """Whether the stated doses never fall; true where there are none."""
    try:
        stated = stated_exposures(in_time) or []
    except VitreousError:
        return True  # whoever reads the series tells where the number is broken
    known = [dose or 0.0 for dose in stated]
    return known == sorted(known)


def _without(section: Section, key: str) -> Section:
    kept = tuple(field for field in section.fields if field[0].lower() != key.lower())
    return Section(section.kind, section.name, kept, section.line)
