"""What an .mdoc means: the tilt series, its order of acquisition, doses and tilt axis."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from math import isclose, log2
from pathlib import Path
from statistics import median

from vitreous.errors import FormatError
from vitreous.formats.mdoc import Fields, Mdoc, Section, as_mapping
from vitreous.formats.numbers import parse_number, shortened
from vitreous.records.images import ImageStack, facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DAY_FIRST = re.compile(
    r"(\d{1,2})[-/ ](\w{1,3})[-/ ](\d{4}|\d\d)[T\s]+(\d+):(\d+):(\d+)(?:[.,](\d+))?Z?"
)
YEAR_FIRST = re.compile(r"(\d{4})[-/](\w{1,3})[-/](\d{1,2})[T\s]+(\d+):(\d+):(\d+)(?:[.,](\d+))?Z?")
SAME_TILT = 0.05  # degrees between an image and its repetition
SAME_DOSE = 0.01
DOUBLING_OFF = 0.08  # of a factor 2: images may be cropped by some per cent
SAME_AXIS = 0.11  # degrees, IMOD's header.c

INTERPRETED = ("TiltAngle", "SubFramePath", "DateTime")
OURS_TO_WRITE = (*INTERPRETED, "ExposureDose", "PriorRecordDose")


def tilt_series(
    mdoc: Mdoc,
    name: str,
    *,
    path: Path | None = None,
    stack: ImageStack | None = None,
    pixel_size: float | None = None,
    image_size: tuple[int, int] | None = None,
    dose_per_tilt: float | None = None,
) -> TiltSeries:
    """The tilts of an .mdoc, in section order; path only for messages.

    Size and pixel size come from what is given, then the stack, then the file. A dose that is given
    goes before the file's, and scales the earlier exposures that it states. Images that were taken
    again stay in, see `retaken`; so do records that have no movie.
    """
    if mdoc.kind != "tilt series":
        raise FormatError(
            f"this .mdoc is of a {mdoc.kind}, not of a tilt series",
            path=path,
            line=mdoc.sections[0].line,
            hint="Give the .mdoc of the whole series, with a [ZValue = n] for each tilt.",
        )
    records = _in_section_order(mdoc, path)
    sections = [section for _, section in records]
    order = acquisition_order(sections, path)
    doses = [own_dose(section, path) for section in sections]
    scale = 1.0
    if dose_per_tilt is not None:
        scale = _scale_to(dose_per_tilt, doses, name)
        doses = [dose_per_tilt] * len(sections)
    elif not any(doses):
        doses = [dose_from_rate(section, path) for section in sections]
        if all(doses):
            log.warning("%s: doses are the camera's, which miss what the specimen held back", name)
    before = stated_exposures(sections, path, scale) or summed_exposures(doses, order)
    tilts = tuple(
        Tilt(
            section=z,
            nominal_tilt_degrees=_required(section, "TiltAngle", path),
            exposure_index=order[i],
            dose=doses[i],
            pre_exposure=before[i],
            movie=base_name(section.get("SubFramePath")),
            acquired=acquired(section, path),
            extra=as_mapping(tuple(f for f in section.fields if f[0] not in INTERPRETED)),
        )
        for i, (z, section) in enumerate(records)
    )
    series = TiltSeries(
        name=name,
        tilts=tilts,
        pixel_size=pixel_size or (stack.pixel_size if stack else _pixel_size(mdoc, path)),
        image_size=image_size or (facts_of(stack).image_size if stack else _image_size(mdoc, path)),
        stack=stack,
        nominal_axis_degrees=nominal_axis(mdoc, path),
        voltage_kv=_number(mdoc.get("Voltage") or sections[0].get("Voltage"), "Voltage", path),
        extra=as_mapping(mdoc.head),
    )
    for first, last in retaken(series):
        log.warning(
            "%s: tilt %d (%.1f degrees) was taken again as tilt %d",
            name,
            first + 1,
            tilts[[t.section for t in tilts].index(first)].nominal_tilt_degrees,
            last + 1,
        )
    return series


def retaken(series: TiltSeries) -> list[tuple[int, int]]:
    """(section, section that replaces it): tilts of which a later exposure at the angle exists."""
    pairs = []
    for tilt in series.tilts:
        later = [
            other
            for other in series.tilts
            if (other.exposure_index or 0) > (tilt.exposure_index or 0)
            and abs(other.nominal_tilt_degrees - tilt.nominal_tilt_degrees) < SAME_TILT
        ]
        if later:
            last = max(later, key=lambda other: other.exposure_index or 0)
            pairs.append((tilt.section, last.section))
    return pairs


def _in_section_order(mdoc: Mdoc, path: Path | None) -> list[tuple[int, Section]]:
    records: dict[int, Section] = {}
    for section in mdoc.of("ZValue"):
        if not re.fullmatch(r"\s*\d{1,9}\s*", section.name):
            raise FormatError(
                f"expected [ZValue = number], found {shortened(section.name)}",
                path=path,
                line=section.line,
            )
        z = int(section.name)
        if z in records:
            raise FormatError(
                f"[ZValue = {z}] stands twice, first in line {records[z].line}",
                path=path,
                line=section.line,
            )
        records[z] = section
    return sorted(records.items())


# -- written --------------------------------------------------------------------------------------


def as_mdoc(series: TiltSeries, image_file: str, mode: int, title: str) -> Mdoc:
    """The .mdoc that SerialEM leaves beside the stack of a series.

    image_file: the stack's name, mode: that of its MRC; title: what its first title line says.
    """
    columns, rows = series.image_size
    head = [("PixelSpacing", f"{series.pixel_size:g}")]
    if series.voltage_kv is not None:
        head.append(("Voltage", f"{series.voltage_kv:g}"))
    head += [("ImageFile", image_file), ("ImageSize", f"{columns} {rows}"), ("DataMode", f"{mode}")]
    titled = (Section("T", text) for text in titles(series, title))
    sections = (Section("ZValue", f"{tilt.section}", _fields(tilt)) for tilt in series.tilts)
    return Mdoc(tuple(head), (*titled, *sections))


def titles(series: TiltSeries, title: str) -> list[str]:
    """The title lines of SerialEM's stacks and .mdoc files; the second tells the tilt axis."""
    lines = [f"SerialEM: {title}"]
    if series.nominal_axis_degrees is not None:
        axis = f"    Tilt axis angle = {series.nominal_axis_degrees:.1f}, binning = 1"
        lines.append(f"{axis}  spot = 8  camera = 0")
    return lines


def _fields(tilt: Tilt) -> Fields:
    """The lines of one tilt: what the record says, and what it keeps of elsewhere."""
    fields = [("TiltAngle", f"{tilt.nominal_tilt_degrees:g}")]
    fields += [(key, value) for key, value in tilt.extra.items() if key not in OURS_TO_WRITE]
    if tilt.dose is not None:
        fields.append(("ExposureDose", f"{tilt.dose:g}"))
    if tilt.pre_exposure is not None:
        fields.append(("PriorRecordDose", f"{tilt.pre_exposure:g}"))
    if tilt.movie:
        fields.append(("SubFramePath", tilt.movie))
    if tilt.acquired is not None:
        day = f"{tilt.acquired.day:02d}-{MONTHS[tilt.acquired.month - 1].title()}"
        fields.append(("DateTime", f"{day}-{tilt.acquired:%Y  %H:%M:%S}"))
    return tuple(fields)


# -- order and dose -------------------------------------------------------------------------------


def acquisition_order(sections: Sequence[Section], path: Path | None = None) -> list[int]:
    """0-based rank in time of each section, by DateTime, else TimeStamp, else as they stand.

    A section without a date stays behind its neighbour; ties are kept in the order given.
    """
    dates = [acquired(section, path) for section in sections]
    stamps = [_number(section.get("TimeStamp"), "TimeStamp", path) for section in sections]
    times: list[float | None]
    if any(dates):
        first = min(date for date in dates if date)
        times = [(date - first).total_seconds() if date else None for date in dates]
    else:
        times = list(stamps)
    known: list[float] = []
    for time in times:
        known.append(time if time is not None else known[-1] if known else float("-inf"))
    ties = [0.0 if stamp is None else stamp for stamp in stamps]
    places = sorted(range(len(sections)), key=lambda i: (known[i], ties[i], i))
    return [rank for _, rank in sorted((place, rank) for rank, place in enumerate(places))]


def own_dose(section: Section, path: Path | None = None) -> float | None:
    """e/A^2 of one image: as stated, else the sum over its frames."""
    stated = _number(section.get("ExposureDose"), "ExposureDose", path, section)
    if stated:
        return stated
    frames = _numbers(section, "FrameDosesAndNumber", path)
    summed = sum(dose * count for dose, count in zip(frames[::2], frames[1::2], strict=False))
    return summed or None


def own_frames(mdoc: Mdoc) -> dict[str, int]:
    """Raw frames of each movie, by its name, as far as NumSubFrames says them."""
    return {
        base_name(movie): int(count)
        for section in mdoc.sections
        if (movie := section.get("SubFramePath"))
        and (count := section.get("NumSubFrames")).isdigit()
    }


def dose_from_rate(section: Section, path: Path | None = None) -> float | None:
    """e/A^2 that reached the camera: rate (e/px/s) x time / area of an unbinned pixel.

    A lower bound: what specimen and filter held back is missing.
    """
    rate, time, pixel, binning = (
        _number(section.get(key), key, path, section)
        for key in ("DoseRate", "ExposureTime", "PixelSpacing", "Binning")
    )
    if not (rate and time and pixel):
        return None
    return rate * time / (pixel / (binning or 1)) ** 2


def _scale_to(given: float, doses: Sequence[float | None], name: str) -> float:
    """A dose that is given over what the file says of most tilts; 1 where it says nothing."""
    said = [dose for dose in doses if dose]
    if not said:
        return 1.0
    if not isclose(median(said), given, rel_tol=SAME_DOSE):
        log.warning("%s: %g e/A^2 a tilt are given, the .mdoc says %.3g", name, given, median(said))
    return given / median(said)


def stated_exposures(
    sections: Sequence[Section], path: Path | None = None, scale: float = 1.0
) -> list[float | None] | None:
    """e/A^2 that the specimen had seen before each image, as stated (PriorRecordDose).

    That knows of images that aren't here. None if not all state it, or it is zero throughout.
    """
    prior = [
        _number(section.get("PriorRecordDose"), "PriorRecordDose", path, section)
        for section in sections
    ]
    known = [scale * dose for dose in prior if dose is not None]
    return [*known] if any(known) and len(known) == len(sections) else None


def summed_exposures(doses: Sequence[float | None], order: Sequence[int]) -> list[float | None]:
    """The same, summed in order of acquisition, an image's own dose not counted."""
    if any(dose is None for dose in doses):
        return [None] * len(doses)
    in_time = [doses[i] or 0.0 for i in sorted(range(len(order)), key=order.__getitem__)]
    before = [0.0, *accumulate(in_time)]
    return [before[rank] for rank in order]


# -- single values --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Title:
    """The numbers of a title such as 'Tilt axis angle = 85.3, binning = 4  spot = 8'."""

    axis: float
    is_tomography_5: bool


def nominal_axis(mdoc: Mdoc, path: Path | None = None) -> float | None:
    """Tilt axis in degrees counter-clockwise from the image's y axis, or None.

    SerialEM's title has it so; its RotationAngle counts from x. Tomography 5 writes both in other
    senses, told apart as IMOD's header.c does.
    """
    numbers = [s.get("RotationAngle") for s in mdoc.sections if s.get("RotationAngle")]
    rotation = _number(numbers[0], "RotationAngle", path) if numbers else None
    title = axis_title(mdoc)
    if title is None:
        return None if rotation is None else _wrapped(rotation - 90)
    if not title.is_tomography_5 or rotation is None:
        return None if title.is_tomography_5 else title.axis
    if isclose(-(rotation + 90), title.axis, abs_tol=SAME_AXIS):
        return rotation
    if isclose(rotation - 90, title.axis, abs_tol=SAME_AXIS):
        return title.axis
    if isclose(-(rotation - 90), title.axis, abs_tol=SAME_AXIS):
        return -title.axis
    return None


def axis_title(mdoc: Mdoc) -> Title | None:
    for text in mdoc.titles:
        if found := re.search(r"Tilt\s*axis\s*angle\s*=\s*(-?\d+(?:\.\d*)?)", text, re.IGNORECASE):
            return Title(float(found[1]), "TiltAxisAngle" in text)
    return None


def _wrapped(degrees: float) -> float:
    return (degrees + 180) % 360 - 180


def acquired(section: Section, path: Path | None = None) -> datetime | None:
    """DateTime in the microscope's local time, in any of its spellings; None where it is empty."""
    text = section.get("DateTime")
    if not text:
        return None
    date = parse_date(text)
    if date is None:
        raise FormatError(
            f"[{section.kind} = {section.name}] DateTime: expected a date such as "
            f"'06-Jun-2023  23:19:46', found {shortened(text)}",
            path=path,
            line=section.line,
        )
    return date


def parse_date(text: str) -> datetime | None:
    """'29-Aug-14  21:37:38', '01-Aug-2022 18:58:35', '2022-08-01T18:58:35.25'; English months."""
    text = text.strip()
    if found := YEAR_FIRST.fullmatch(text):
        year, month, day, *clock = found.groups()
    elif found := DAY_FIRST.fullmatch(text):
        day, month, year, *clock = found.groups()
    else:
        return None
    number = MONTHS.index(month.lower()) + 1 if month.lower() in MONTHS else month
    hours, minutes, seconds = map(int, clock[:3])
    fraction = int((clock[3] or "0")[:6].ljust(6, "0"))
    whole_year = int(year) if len(year) == 4 else 2000 + int(year)
    try:
        return datetime(  # noqa: DTZ001 - the file doesn't say in which zone
            whole_year, int(number), int(day), hours, minutes, seconds, fraction
        )
    except ValueError:
        return None


def base_name(path: str) -> str:
    """The last part of a Windows, UNC or POSIX path; blanks inside a name are kept."""
    return re.split(r"[\\/]", path.strip())[-1]


def _pixel_size(mdoc: Mdoc, path: Path | None) -> float:
    (first, *_) = (*mdoc.of("FrameSet"), *mdoc.of("ZValue"))
    known = _number(mdoc.get("PixelSpacing"), "PixelSpacing", path) or _number(
        first.get("PixelSpacing"), "PixelSpacing", path
    )
    if not known or known < 0:
        raise FormatError(
            "the .mdoc has no PixelSpacing", path=path, line=1, hint="Give the pixel size."
        )
    return known


def movie_pixel_size(
    mdoc: Mdoc, movie_size: tuple[int, int], path: Path | None = None
) -> float | None:
    """A/px of movies of `movie_size` (x, y); None where no PixelSpacing is stated.

    PixelSpacing is that of the images of which ImageSize is stated, which may be binned; their
    areas tell by how much. The movies' own .mdoc files state no ImageSize, but their own pixel.
    """
    try:
        spacing = _pixel_size(mdoc, path)
    except FormatError:
        return None
    size = mdoc.get("ImageSize").split()
    if len(size) != 2 or not all(word.isdigit() for word in size):
        return spacing
    doublings = log2((int(size[0]) * int(size[1])) / (movie_size[0] * movie_size[1])) / 2
    if abs(doublings - round(doublings)) < DOUBLING_OFF:
        return spacing * 2.0 ** round(doublings)
    binning = _number(mdoc.of("ZValue")[0].get("Binning"), "Binning", path)
    return spacing / (binning or 1)


def _image_size(mdoc: Mdoc, path: Path | None) -> tuple[int, int]:
    words = mdoc.get("ImageSize").split()
    if len(words) != 2 or not all(re.fullmatch(r"\d{1,9}", word) for word in words):
        raise FormatError(
            f"expected 'ImageSize = x y', found {shortened(mdoc.get('ImageSize'))}",
            path=path,
            line=1,
            hint="Give the stack.",
        )
    return int(words[0]), int(words[1])


def _required(section: Section, key: str, path: Path | None) -> float:
    value = _number(section.get(key), key, path, section)
    if value is None:
        raise FormatError(
            f"[{section.kind} = {section.name}] has no {key}", path=path, line=section.line
        )
    return value


def _number(text: str, key: str, path: Path | None, section: Section | None = None) -> float | None:
    if not text:
        return None
    what = f"[{section.kind} = {section.name}] {key}" if section else key
    return parse_number(text, what, path, section.line if section else None)


def _numbers(section: Section, key: str, path: Path | None) -> list[float]:
    words = section.get(key).replace(",", " ").split()
    what = f"[{section.kind} = {section.name}] {key}"
    return [parse_number(word, what, path, section.line) for word in words]
