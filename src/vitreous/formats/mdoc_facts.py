"""What an .mdoc tells of a series, what follows from it, what is guessed, what is lacking.

Each fact is found as `mdoc_series.tilt_series` finds it; a broken value is a fact that is missing.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from vitreous.errors import VitreousError
from vitreous.formats.mdoc import Mdoc, Section
from vitreous.formats.mdoc_series import (
    SAME_TILT,
    acquired,
    acquisition_order,
    axis_title,
    base_name,
    dose_from_rate,
    nominal_axis,
    own_dose,
    stated_exposures,
)
from vitreous.formats.numbers import parse_number

OTHERS = ("montage", "list of images")

How = Literal["complete", "derived", "guessed", "missing"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known of a series, or not; said: in words, with where it is from."""

    name: str
    how: How
    said: str


def facts_of(mdoc: Mdoc, path: Path | None = None) -> list[Fact]:
    """The facts of a tilt series, a movie, or a movie over a whole series; of others what they are.

    A movie over a series is taken piece by piece.
    """
    if mdoc.kind in OTHERS:
        counts = {kind: len(mdoc.of(kind)) for kind in ("ZValue", "MontSection", "Image")}
        said = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
        return [
            Fact("of a", "complete", f"{mdoc.kind} ({said})"),
            *(Fact("title", "complete", title.strip()) for title in mdoc.titles),
            Fact("tilts", "missing", "this is no tilt series"),
        ]
    records = mdoc.of("ZValue") if mdoc.kind != "movie" else mdoc.of("FrameSet")
    found: list[Fact] = []
    for name, tell in FACTS.items():
        try:
            how, said = tell(mdoc, records, path)
        except VitreousError as error:
            how, said = "missing", str(error)
        found.append(Fact(name, how, said))
    return found


Told = tuple[How, str]


def _tilts(_: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    angles = numbers(records, "TiltAngle", path)
    if len(angles) < len(records):
        return "missing", f"TiltAngle in {len(angles)} of {len(records)} sections"
    if len(records) == 1:
        return "complete", f"{angles[0]:.1f} degrees"
    return "complete", f"{len(angles)}, {min(angles):.1f} to {max(angles):.1f} degrees"


def _repeated(_: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    angles = sorted(numbers(records, "TiltAngle", path))
    pairs = pairwise(angles)
    count = sum(later - earlier < SAME_TILT for earlier, later in pairs)
    return "complete", f"{count}; the last exposure is used" if count else "none"


def _order(_: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    dates = sum(acquired(record, path) is not None for record in records)
    acquisition_order(records, path)
    if dates == len(records):
        return "complete", "DateTime"
    if dates:
        return "derived", f"DateTime in {dates} of {len(records)} sections, others as they stand"
    if all(record.get("TimeStamp") for record in records):
        return "derived", "TimeStamp"
    return "guessed", "as the sections stand (no DateTime)"


def _dose(_: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    stated = [dose for dose in numbers(records, "ExposureDose", path) if dose]
    doses = [dose for record in records if (dose := own_dose(record, path))]
    if doses and len(doses) == len(records):
        return "complete" if len(stated) == len(records) else "derived", _each(doses, "e/A^2") + (
            "" if len(stated) == len(records) else " (FrameDosesAndNumber)"
        )
    if doses:
        return "missing", f"known of {len(doses)} of {len(records)} images: --dose-per-tilt says it"
    rates = [dose for record in records if (dose := dose_from_rate(record, path))]
    if rates and len(rates) == len(records):
        return "guessed", _each(rates, "e/A^2") + " (the camera's rate: a lower bound)"
    return "missing", "no dose: --dose-per-tilt says it"


def _before(mdoc: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    stated = stated_exposures(records, path)
    if stated:
        known = [dose or 0.0 for dose in stated]
        return "complete", f"PriorRecordDose, {min(known):.3g} to {max(known):.3g} e/A^2"
    how, _ = _dose(mdoc, records, path)
    if how == "missing":
        return "missing", "no doses to sum"
    if len(records) == 1:
        return "missing", "unknown"
    return "guessed" if how == "guessed" else "derived", "summed in the order of acquisition"


def _axis(mdoc: Mdoc, _: Sequence[Section], path: Path | None) -> Told:
    axis, title = nominal_axis(mdoc, path), axis_title(mdoc)
    if axis is None:
        return "missing", "it will be searched for, or --tilt-axis says it"
    if title is None:
        return "derived", f"{axis:.1f} degrees (RotationAngle)"
    if title.is_tomography_5:
        return "derived", f"{axis:.1f} degrees (Tomography 5: title and RotationAngle together)"
    return "complete", f"{axis:.1f} degrees (title)"


def _pixel_size(mdoc: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    sizes = numbers((*_head(mdoc), *records[:1], *mdoc.of("FrameSet")), "PixelSpacing", path)
    if not sizes or sizes[0] <= 0:
        return "missing", "no PixelSpacing: --pixel says it"
    return "complete", f"{sizes[0]:g} A"


def _voltage(mdoc: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    voltages = numbers((*_head(mdoc), *records[:1]), "Voltage", path)
    return ("complete", f"{voltages[0]:g} kV") if voltages else ("missing", "--kv says it")


def _image_size(mdoc: Mdoc, _: Sequence[Section], __: Path | None) -> Told:
    size = mdoc.get("ImageSize").split()
    return ("complete", f"{' x '.join(size)} px") if len(size) == 2 else ("missing", "no ImageSize")


def _movies(mdoc: Mdoc, records: Sequence[Section], _: Path | None) -> Told:
    sections = mdoc.of("FrameSet") or records
    named = [movie for record in sections if (movie := base_name(record.get("SubFramePath")))]
    if not named:
        return "missing", "no movies are named"
    if len(named) < len(sections):
        return "missing", f"named by {len(named)} of {len(sections)} sections"
    return "complete", named[0] if len(named) == 1 else f"{len(named)}, {named[0]} to {named[-1]}"


def _frames(mdoc: Mdoc, records: Sequence[Section], path: Path | None) -> Told:
    sections = mdoc.of("FrameSet") or records
    stated = numbers(sections, "NumSubFrames", path)
    if len(stated) == len(sections):
        return "complete", _each(stated, "frames")
    return "missing", "no NumSubFrames"


def _gain(mdoc: Mdoc, records: Sequence[Section], _: Path | None) -> Told:
    named = gain_of(mdoc)
    return ("complete", named) if named else ("missing", "no GainReference is named")


FACTS: dict[str, Callable[[Mdoc, Sequence[Section], Path | None], Told]] = {
    "tilts": _tilts,
    "taken again": _repeated,
    "order": _order,
    "dose": _dose,
    "dose before": _before,
    "tilt axis": _axis,
    "pixel size": _pixel_size,
    "voltage": _voltage,
    "image size": _image_size,
    "movies": _movies,
    "frames": _frames,
    "gain": _gain,
}
"""What is asked of every .mdoc, in the order in which it is told."""


def gain_of(mdoc: Mdoc) -> str:
    """The gain reference that an .mdoc names, without its folder."""
    named = (section.get("GainReference") for section in mdoc.sections)
    return base_name(mdoc.get("GainReference") or next(filter(None, named), ""))


def numbers(records: Sequence[Section], key: str, path: Path | None) -> list[float]:
    """The values of a key, of the sections that have it."""
    return [
        parse_number(text, f"[{record.kind} = {record.name}] {key}", path, record.line)
        for record in records
        if (text := record.get(key))
    ]


def _head(mdoc: Mdoc) -> tuple[Section, ...]:
    return (Section("head", "of the file", mdoc.head, 1),)


def _each(values: Sequence[float], unit: str) -> str:
    low, high = min(values), max(values)
    same = high - low <= 0.005 * high
    return f"{low:.4g} {unit}" if same else f"{low:.4g} to {high:.4g} {unit}"
