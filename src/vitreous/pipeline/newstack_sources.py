"""The images of a tilt series, found and named: single files, stacks, an .mdoc, a STAR, a list."""

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitreous.errors import FormatError, UserError, VitreousError
from vitreous.formats.beside import mdoc_beside
from vitreous.formats.images import open_images
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.mdoc_series import tilt_series
from vitreous.formats.mrc import MrcStack
from vitreous.formats.star import Table, read_star
from vitreous.formats.tiff import TiffStack
from vitreous.formats.tilt_names import number_in_name, tilt_in_name
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)

Stack = MrcStack | TiffStack

IMAGES = (".mrc", ".st", ".tif", ".tiff", ".mrcs")
HALVES = re.compile(r"_(evn|odd|even|ps|ctf)$", re.IGNORECASE)  # never an image of the whole
EVEN_AND_ODD = (("_EVN", "_ODD"), ("_even", "_odd"))
OTHERS = re.compile(r"_(evn|odd|even|ps|ctf|unweighted|nodw|dws?)$", re.IGNORECASE)
"""Endings of what is made of a movie beside its image."""
MOST_LOST = 0.3  # of the tilts, more and the series is not worth a stack


@dataclass(frozen=True, slots=True, eq=False)
class Taken:
    """One image: its file and section there (from 0), and what is known of its tilt.

    even, odd: files of the same image from half of its frames.
    """

    path: Path
    section: int
    tilt: Tilt
    even: Path | None = None
    odd: Path | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """The images of a series in the order they were given, and what is known of all of them."""

    images: tuple[Taken, ...]
    nominal_axis_degrees: float | None = None
    voltage_kv: float | None = None


def of_files(
    files: Iterable[tuple[Path, Sequence[int] | None]],
    angles: Sequence[float] | None = None,
    pixel_size: float | None = None,
) -> Gathered:
    """Images of single files and stacks, of each the given sections (None: all).

    Angles come from `angles`, one an image, else from the .mdoc beside a stack, from its extended
    header, from its name.
    """
    images: list[Taken] = []
    axis = voltage = None
    for path, sections in without_others(list(files)):
        stack = open_images(path, pixel_size or 1.0)
        series = _beside(path, stack)
        for section in range(stack.shape[0]) if sections is None else sections:
            if not 0 <= section < stack.shape[0]:
                raise UserError(f"{path} has {stack.shape[0]} sections, there is no {section}")
            angle = angles[len(images)] if angles and len(images) < len(angles) else None
            tilt = _tilt_of(path, stack, series, section, angle)
            images.append(_with_halves(Taken(path, section, replace(tilt, section=len(images)))))
        if series is not None:
            axis, voltage = series.nominal_axis_degrees, series.voltage_kv
    if angles is not None and len(angles) != len(images):
        raise UserError(f"{len(angles)} angles are given for {len(images)} images")
    if not images:
        raise UserError("no images are named")
    return Gathered(_ranked(images), axis, voltage)


Entry = tuple[Path, Sequence[int] | None]


def without_others(files: Sequence[Entry]) -> list[Entry]:
    """The files less halves and other sums of images among them: a pattern takes them all."""
    stems = {(path.parent, path.stem) for path, _ in files}
    kept = [
        (path, sections)
        for path, sections in files
        if not OTHERS.search(path.stem) or (path.parent, OTHERS.sub("", path.stem)) not in stems
    ]
    if len(kept) < len(files):
        log.info(
            "%d files are halves or other sums of images named too: not images of their own",
            len(files) - len(kept),
        )
    return kept


def _beside(path: Path, stack: Stack) -> TiltSeries | None:
    """What the .mdoc beside a stack says, if it fits."""
    mdoc = mdoc_beside(path)
    if mdoc is None or stack.shape[0] < 2:
        return None
    series = tilt_series(read_mdoc(mdoc), path.name, path=mdoc, stack=stack)
    if [tilt.section for tilt in series.tilts] != list(range(stack.shape[0])):
        log.warning("%s is of another stack: not used", mdoc)
        return None
    return series


def _tilt_of(
    path: Path, stack: Stack, series: TiltSeries | None, section: int, angle: float | None
) -> Tilt:
    """What is known of one image; a `UserError` where nothing tells its angle."""
    known = None if series is None else series.tilts[section]
    in_header = stack.tilt_angles if isinstance(stack, MrcStack) else None
    if angle is None and known is not None:
        return known
    if angle is None and in_header is not None:
        angle = float(in_header[section])
    if angle is None and stack.shape[0] == 1:
        angle = tilt_in_name(path.name)
    if angle is None:
        raise UserError(
            f"{path}: neither its name nor its header tells a tilt angle. Give --mdoc, or a list "
            "with --angles"
        )
    if known is not None:
        return replace(known, nominal_tilt_degrees=angle)
    number = number_in_name(path.name) if stack.shape[0] == 1 else None
    return Tilt(section, angle, exposure_index=number)


def _ranked(images: Sequence[Taken]) -> tuple[Taken, ...]:
    """The images with orders of acquisition that count from 0, where all have one."""
    orders = [image.tilt.exposure_index for image in images]
    if any(order is None for order in orders) or len(set(orders)) != len(orders):
        return tuple(
            replace(image, tilt=replace(image.tilt, exposure_index=None)) for image in images
        )
    ranks = {order: rank for rank, order in enumerate(sorted(orders))}  # type: ignore[type-var]
    return tuple(
        replace(image, tilt=replace(image.tilt, exposure_index=ranks[order]))
        for image, order in zip(images, orders, strict=True)
    )


# -- .mdoc ----------------------------------------------------------------------------------------


def of_mdoc(mdoc: Path, candidates: Sequence[Path], pixel_size: float | None = None) -> Gathered:
    """The images of a series' movies, by an .mdoc; candidates: files, among them their averages.

    An image belongs to the movie whose name its own begins with. A single stack with as many
    sections as the .mdoc has tilts is taken section by section. Tilts without an image are named.
    """
    series = tilt_series(read_mdoc(mdoc), mdoc.stem, path=mdoc, pixel_size=pixel_size or 1.0)
    whole = candidates[0] if len(candidates) == 1 else None
    if whole is not None and open_images(whole, 1.0).shape[0] == len(series.tilts):
        found = [Taken(whole, k, tilt) for k, tilt in enumerate(series.tilts)]
        return _gathered(found, series)
    if not any(tilt.movie for tilt in series.tilts):
        raise UserError(f"{mdoc} names no movies: give the stack whose tilts it lists")
    images, missing = [], []
    for tilt in series.tilts:
        path = image_of(tilt.movie, candidates) if tilt.movie else None
        if path is None:
            missing.append(f"{tilt.movie or 'a record without a movie'}")
        else:
            images.append(Taken(path, 0, tilt))
    require_most(len(series.tilts), missing, mdoc)
    return _gathered(images, series)


def _gathered(images: Sequence[Taken], series: TiltSeries) -> Gathered:
    numbered = tuple(
        _with_halves(replace(image, tilt=replace(image.tilt, section=k)))
        for k, image in enumerate(images)
    )
    return Gathered(numbered, series.nominal_axis_degrees, series.voltage_kv)


def image_of(movie: str, candidates: Sequence[Path]) -> Path | None:
    """The image made of a movie: its name begins with the movie's; the shortest one is taken."""
    stem = Path(movie).stem
    matching = [
        path
        for path in candidates
        if re.match(re.escape(stem) + r"(?![0-9A-Za-z])", path.name)
        and path.suffix.lower() in IMAGES
        and not HALVES.search(path.stem)
    ]
    return min(matching, key=lambda path: (len(path.name), path.name), default=None)


def require_most(count: int, lost: Sequence[str], where: Path) -> None:
    """Name the tilts that are lost; a `UserError` where they are too many."""
    for name in lost[:5]:
        log.warning("%s: no image of %s, its tilt is left out", where, name)
    if len(lost) > 5:
        log.warning("%s: %d more tilts have no image", where, len(lost) - 5)
    if len(lost) > MOST_LOST * count:
        raise UserError(
            f"{where}: {len(lost)} of {count} tilts have no image, the first {lost[0]}. Name the "
            "folder of the averages with --folder, or the files themselves"
        )


# -- STAR -----------------------------------------------------------------------------------------


def of_star(star: Path) -> Gathered:
    """The images that a RELION table of tilts names, one a row, with angle and pre-exposure."""
    tables = read_star(star)
    table = next((t for t in tables if "rlnMicrographName" in t), None)
    if table is None:
        raise FormatError("no table with rlnMicrographName", path=star, line=1)
    prior = _numbers(table, "rlnMicrographPreExposure")
    order = sorted(range(len(table)), key=lambda k: (prior[k] or 0.0, k)) if any(prior) else None
    images = []
    for k, row in enumerate(table.rows()):
        section, path = _named(row["rlnMicrographName"], star)
        angle = row.get("rlnTomoNominalStageTiltAngle")
        known = tilt_in_name(path.name) if angle is None else float(angle)
        if known is None:
            raise UserError(f"{star}: row {k + 1} tells no tilt angle of {path.name}")
        halves = [
            _named(row[label], star)[1] if row.get(label) else None
            for label in ("rlnMicrographNameEven", "rlnMicrographNameOdd")
        ]
        tilt = Tilt(
            k,
            known,
            exposure_index=number_in_name(path.name) if order is None else order.index(k),
            pre_exposure=prior[k],
            movie=Path(row.get("rlnMicrographMovieName", "")).name,
        )
        images.append(_with_halves(Taken(path, section, tilt, *halves)))
    axis = _numbers(table, "rlnTomoNominalTiltAxisAngle")
    voltages = [t.numbers("rlnVoltage")[0] for t in tables if "rlnVoltage" in t and len(t)]
    voltage = float(voltages[0]) if voltages else None
    return Gathered(_ranked(images), axis[0] if axis else None, voltage)


def _numbers(table: Table, label: str) -> list[float | None]:
    if label not in table:
        return [None] * len(table)
    return [float(value) for value in table.numbers(label)]


def _named(word: str, star: Path) -> tuple[int, Path]:
    """(section from 0, file) of '3@stack.mrc' or 'image.mrc', there or beside the STAR file."""
    number, at, name = word.rpartition("@")
    for path in (Path(name), star.parent / name, star.parent / Path(name).name):
        if path.is_file():
            return (int(number) - 1 if at else 0), path
    raise UserError(f"{star} names {name}, which isn't there: start in RELION's project folder")


# -- halves ---------------------------------------------------------------------------------------


def _with_halves(image: Taken) -> Taken:
    """The image with the files of its even and odd frames, where both lie beside it."""
    if image.even is not None and image.odd is not None:
        return image
    for endings in EVEN_AND_ODD:
        even, odd = (image.path.with_stem(image.path.stem + ending) for ending in endings)
        if even.is_file() and odd.is_file():
            return replace(image, even=even, odd=odd)
    return replace(image, even=None, odd=None)


def readable(images: Sequence[Taken], where: Path) -> list[Taken]:
    """The images that can be opened; the others are named, and too many of them are an error."""
    good, bad = [], []
    for image in images:
        try:
            stack = open_images(image.path, 1.0)
        except VitreousError as error:
            log.warning("left out: %s", error)
            bad.append(image.path.name)
            continue
        if isinstance(stack, MrcStack | TiffStack):
            stack.close()
        good.append(image)
    if len(bad) > MOST_LOST * len(images):
        raise UserError(f"{where}: {len(bad)} of {len(images)} images can't be read: see above")
    return good
