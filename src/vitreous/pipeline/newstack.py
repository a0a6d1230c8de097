"""A tilt series' images into one stack in order of angle, with all that others want beside it."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.align.dark import blank_reason, dark_reasons
from vitreous.errors import UserError
from vitreous.formats.aretomo import TiltList, write_tlt_txt
from vitreous.formats.images import open_images
from vitreous.formats.mdoc import write_mdoc
from vitreous.formats.mdoc_series import as_mdoc, titles
from vitreous.formats.mrc import MODES, MrcWriter
from vitreous.formats.products import write_text
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.newstack_sources import Gathered, Taken, readable
from vitreous.pipeline.restack import (
    Source,
    output_pixel_size,
    output_shape,
    output_type,
    restacked,
)
from vitreous.pipeline.restack_settings import RestackSettings
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)

SAME_TILT = 0.1  # degrees between an image and its repetition
TITLE = "tilt series, images joined"
OF_THE_RECORD = ("MinMaxMean", "PixelSpacing", "UncroppedSize")  # not of what we write


@dataclass(frozen=True, slots=True, eq=False)
class StackMade:
    """The files that were written, the stack first, and the series as it lies in it."""

    files: tuple[Path, ...]
    series: TiltSeries


def make_stack(
    gathered: Gathered,
    output: Path,
    settings: NewstackSettings | None = None,
    restack: RestackSettings | None = None,
    *,
    pixel_size: float | None = None,
    tilt_axis: float | None = None,
    progress: Progress = ignore_progress,
) -> StackMade:
    """Write OUT.st with its .mdoc and .rawtlt, lists of order and dose, and the half stacks.

    What is left out, and why, is logged.
    """
    settings, restack = settings or NewstackSettings(), restack or RestackSettings()
    images = readable(gathered.images, output)
    if settings.retaken == "last":
        images = without_retaken(images)
    if settings.dark == "leave-out":
        images = without_dark(images)
    images = ordered(images, settings.order)
    size = _pixel_size(images, pixel_size)
    notes: list[str] = []
    series = _series(images, gathered, output, restack, size, tilt_axis)
    _write(output, [(i.path, i.section) for i in images], series, restack, size, notes, progress)
    files = [output, *write_beside(output, series, notes, restack, images)]
    if settings.halves:
        files += write_halves(output, images, series, restack, size)
    return StackMade(tuple(files), series)


# -- which, and in which order --------------------------------------------------------------------


def without_retaken(images: Sequence[Taken]) -> list[Taken]:
    """The images less those that were taken again at their angle: the last exposure is kept."""
    kept = []
    for k, image in enumerate(images):
        again = [
            other
            for j, other in enumerate(images)
            if abs(other.tilt.nominal_tilt_degrees - image.tilt.nominal_tilt_degrees) < SAME_TILT
            and _when(other.tilt, j) > _when(image.tilt, k)
        ]
        if again:
            log.warning(
                "%s: its tilt of %.2f degrees was taken again, %s is used",
                _called(image),
                image.tilt.nominal_tilt_degrees,
                _called(max(again, key=lambda other: _when(other.tilt, images.index(other)))),
            )
        else:
            kept.append(image)
    return kept


def _when(tilt: Tilt, place: int) -> tuple[int, int]:
    """Order of acquisition, else the place in the list."""
    return (place if tilt.exposure_index is None else tilt.exposure_index), place


def _called(image: Taken) -> str:
    """A single image by its file, others with their section."""
    return f"{image.path.name}, section {image.section + 1}" if image.section else image.path.name


def without_dark(images: Sequence[Taken]) -> list[Taken]:
    """The images less those that show nothing; each is said with its reason."""
    means, deviations = np.zeros((2, len(images)))
    reasons: dict[int, str] = {}
    for k, image in enumerate(images):
        grey = open_images(image.path, 1.0).read(image.section).astype(np.float32)
        finite = grey[np.isfinite(grey)]
        blank = blank_reason(grey, grey.size - finite.size)
        if blank is not None:
            reasons[k] = blank
        else:
            means[k], deviations[k] = finite.mean(dtype=np.float64), finite.std(dtype=np.float64)
    lit = [k for k in range(len(images)) if k not in reasons]
    if len(lit) > 2:
        angles = np.array([images[k].tilt.nominal_tilt_degrees for k in lit])
        found = dark_reasons(angles, means[lit], deviations[lit])
        reasons |= {lit[k]: reason for k, reason in found.items()}
    for k, reason in sorted(reasons.items()):
        angle = images[k].tilt.nominal_tilt_degrees
        log.warning("%s (%.2f degrees) is left out: %s", _called(images[k]), angle, reason)
    if len(reasons) == len(images):
        raise UserError("all images are blank or dark: nothing is left for a stack")
    return [image for k, image in enumerate(images) if k not in reasons]


def ordered(images: Sequence[Taken], order: str) -> list[Taken]:
    """The images by angle (equal ones as acquired), as acquired, or as they are."""
    if order == "given":
        return list(images)
    places = {id(image): k for k, image in enumerate(images)}
    if order == "angle":
        return sorted(
            images,
            key=lambda i: (i.tilt.nominal_tilt_degrees, _when(i.tilt, places[id(i)])),
        )
    if any(image.tilt.exposure_index is None for image in images):
        raise UserError("the order of acquisition isn't known: give the series' .mdoc with --mdoc")
    return sorted(images, key=lambda image: image.tilt.exposure_index or 0)


# -- the stacks -----------------------------------------------------------------------------------


def _pixel_size(images: Sequence[Taken], given: float | None) -> float:
    """A/px of the images, as given or as the first says; others that differ are named."""
    if given is not None:
        return given
    first = open_images(images[0].path).pixel_size
    for image in images[1:]:
        if image.path != images[0].path:
            other = open_images(image.path).pixel_size
            if abs(other - first) > 1e-3 * first:
                raise UserError(
                    f"{image.path} has {other:g} A/px, {images[0].path} {first:g}: they are not of "
                    "one series; --pixel says what all have"
                )
    return first


def _series(
    images: Sequence[Taken],
    gathered: Gathered,
    output: Path,
    restack: RestackSettings,
    pixel_size: float,
    tilt_axis: float | None,
) -> TiltSeries:
    """The series as it will lie in the stack."""
    first = Source(open_images(images[0].path, pixel_size), images[0].section)
    rows, columns = output_shape(first, restack)
    return TiltSeries(
        name=output.stem,
        tilts=tuple(replace(image.tilt, section=k) for k, image in enumerate(images)),
        pixel_size=output_pixel_size(pixel_size, restack),
        image_size=(columns, rows),
        nominal_axis_degrees=gathered.nominal_axis_degrees if tilt_axis is None else tilt_axis,
        voltage_kv=gathered.voltage_kv,
    )


def _write(
    output: Path,
    places: Sequence[tuple[Path, int]],
    series: TiltSeries,
    restack: RestackSettings,
    pixel_size: float,
    notes: list[str],
    progress: Progress = ignore_progress,
) -> None:
    """Write one stack of the series; notes gets 'min max mean' of each image."""
    stacks = {path: open_images(path, pixel_size) for path, _ in places}
    sources = [Source(stacks[path], section) for path, section in places]
    for path, stack in stacks.items():
        if stack.shape[1:] != sources[0].stack.shape[1:]:
            log.warning(
                "%s has %d x %d pixels, not %d x %d as the first: it is cut or filled",
                path,
                *stack.shape[:0:-1],
                *sources[0].stack.shape[:0:-1],
            )
    write_sources(
        output,
        sources,
        restack,
        labels=titles(series, TITLE),
        tilts=series.nominal_tilts_degrees,
        notes=notes,
        progress=progress,
    )


def write_sources(
    output: Path,
    sources: Sequence[Source],
    restack: RestackSettings,
    *,
    labels: Sequence[str] = (),
    tilts: NDArray[np.float64] | None = None,
    notes: list[str] | None = None,
    progress: Progress = ignore_progress,
) -> None:
    """Write images into a stack; notes, if given, gets 'min max mean' of each."""
    with MrcWriter(
        output,
        (len(sources), *output_shape(sources[0], restack)),
        output_pixel_size(sources[0].stack.pixel_size, restack),
        output_type(sources[0].stack, restack),
        labels=labels,
        is_stack=True,
        tilt_angles=tilts,
    ) as writer:
        images = restacked(sources, restack)
        for section, image in enumerate(images if notes is None else _noted(images, notes)):
            writer.write((section, 0, 0), image[None])
            progress(section + 1, len(sources))


def _noted(
    images: Iterator[NDArray[np.generic]], notes: list[str]
) -> Iterator[NDArray[np.generic]]:
    for image in images:
        grey = image.astype(np.float32, copy=False)
        notes.append(f"{grey.min():g} {grey.max():g} {grey.mean(dtype=np.float64):g}")
        yield image


def write_halves(
    output: Path,
    images: Sequence[Taken],
    series: TiltSeries,
    restack: RestackSettings,
    pixel_size: float,
) -> list[Path]:
    """Write OUT_EVN and OUT_ODD where every image has both halves; returns the files."""
    lacking = [image for image in images if image.even is None or image.odd is None]
    if lacking:
        if len(lacking) < len(images):
            log.warning(
                "no half stacks: %s and %d others have no even and odd sums",
                lacking[0].path.name,
                len(lacking) - 1,
            )
        return []
    files = []
    for ending, paths in (
        ("_EVN", [image.even for image in images]),
        ("_ODD", [image.odd for image in images]),
    ):
        half = output.with_stem(output.stem + ending)
        places = [
            (path, image.section)
            for path, image in zip(paths, images, strict=True)
            if path is not None
        ]
        _write(half, places, series, restack, pixel_size, [])
        files.append(half)
    return files


# -- beside it ------------------------------------------------------------------------------------


def write_beside(
    output: Path,
    series: TiltSeries,
    notes: Sequence[str],
    restack: RestackSettings,
    images: Sequence[Taken],
) -> list[Path]:
    """Write the .mdoc, the .rawtlt and the lists of order and dose; returns the files."""
    first = open_images(images[0].path, 1.0)
    mode = MODES[output_type(first, restack).name]
    told = replace(
        series,
        tilts=tuple(
            replace(tilt, extra=_extra(tilt, note, series.pixel_size))
            for tilt, note in zip(series.tilts, notes, strict=True)
        ),
    )
    mdoc = output.with_name(f"{output.name}.mdoc")
    write_mdoc(mdoc, as_mdoc(told, output.name, mode, TITLE))

    angles = output.with_suffix(".rawtlt")
    write_text(angles, "".join(f"{t.nominal_tilt_degrees:7.2f}\n" for t in series.tilts))
    table = output.with_name(f"{output.stem}_TLT.txt")
    files = [mdoc, angles, table]
    orders = [tilt.exposure_index for tilt in series.tilts]
    known = [order for order in orders if order is not None]
    doses = [tilt.dose for tilt in series.tilts if tilt.dose is not None]
    has_order, has_doses = len(known) == len(orders), len(doses) == len(orders)
    write_tlt_txt(
        table,
        TiltList(
            series.nominal_tilts_degrees,
            np.array(known, np.intp) + 1 if has_order else None,
            np.array(doses, np.float64) if has_order and has_doses else None,
        ),
    )
    if has_order:
        order_list = output.with_name(f"{output.stem}_order.csv")
        by_time = sorted(series.tilts, key=lambda tilt: tilt.exposure_index or 0)
        lines = (f"{(t.exposure_index or 0) + 1},{t.nominal_tilt_degrees:.2f}\n" for t in by_time)
        write_text(order_list, "".join(lines))
        files.append(order_list)
    before = [tilt.pre_exposure for tilt in series.tilts if tilt.pre_exposure is not None]
    if len(before) == len(orders):
        dose_list = output.with_name(f"{output.stem}_dose.txt")
        write_text(dose_list, "".join(f"{dose:.4f}\n" for dose in before))
        files.append(dose_list)
    return files


def _extra(tilt: Tilt, note: str, pixel_size: float) -> dict[str, str]:
    """What the microscope noted, with what is of our image in place of the record's."""
    kept = {key: value for key, value in tilt.extra.items() if key not in OF_THE_RECORD}
    return {"PixelSpacing": f"{pixel_size:g}", "MinMaxMean": note} | kept
