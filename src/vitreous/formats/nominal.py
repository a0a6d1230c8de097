"""A raw series as the microscope left it: a stack, and what is said of its tilts nearby.

An alignment that lies beside the stack is never looked at.
"""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from vitreous.errors import UserError
from vitreous.formats.aretomo import TiltList, read_tlt_txt
from vitreous.formats.beside import angles_beside, mdoc_beside, plain_name, series_name
from vitreous.formats.mdoc import Mdoc, Section, read_mdoc
from vitreous.formats.mdoc_series import nominal_axis, summed_exposures, tilt_series
from vitreous.formats.mrc import MrcStack
from vitreous.formats.numbers import parse_number
from vitreous.formats.tiff import TiffStack
from vitreous.records.images import facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)


def raw_series(
    stack_path: Path,
    stack: MrcStack | TiffStack,
    angles: Path | None = None,
    *,
    mdoc: Path | None = None,
    dose_per_tilt: float | None = None,
) -> TiltSeries:
    """Nominal tilts and axis of every section of a stack.

    Angles come from `angles` (.rawtlt, .tlt; perhaps with columns of order and dose), else from
    NAME.rawtlt, the .mdoc (NAME.mrc.mdoc or NAME.mdoc where it isn't named), NAME.tlt, the extended
    header; the axis from the .mdoc, else SerialEM's title in the header. dose_per_tilt (e/A^2) goes
    before the doses of files.
    """
    name = series_name(stack_path)
    mdoc = mdoc or mdoc_beside(stack_path)
    series = None if mdoc is None else _of_mdoc(mdoc, stack_path, stack, dose_per_tilt)
    angles = angles or angles_beside(stack_path, ".rawtlt")
    if angles is not None:
        tilts = _read_angles(angles, stack)
        series = _with_tilts(series, tilts, name, stack, dose_per_tilt)
    elif series is None:
        tilts = _of_stack(stack_path, stack)
        series = _with_tilts(None, tilts, name, stack, dose_per_tilt)
    return _with_axis(series, stack)


def noted_pixel_size(mdoc: Path, image_size: tuple[int, int]) -> float | None:
    """A/px that an .mdoc notes for images (x, y) of this size; None for others, or 1 A.

    Images of another size were cut or binned since, who knows.
    """
    read = read_mdoc(mdoc)
    size = read.get("ImageSize").split()
    if size and size != [str(side) for side in image_size]:
        return None
    sections = read.of("ZValue")
    words = (read.get("PixelSpacing"), sections[0].get("PixelSpacing") if sections else "")
    known = [parse_number(word, "PixelSpacing", mdoc) for word in words if word]
    return known[0] if known and known[0] > 0 and known[0] != 1 else None


def _of_mdoc(
    path: Path, stack_path: Path, stack: MrcStack | TiffStack, dose_per_tilt: float | None
) -> TiltSeries:
    """The series of an .mdoc; of another length than the stack it is an error."""
    log.info("%s: tilts and axis of %s", stack_path, path)
    series = tilt_series(
        read_mdoc(path),
        series_name(stack_path),
        path=path,
        stack=stack,
        dose_per_tilt=dose_per_tilt,
    )
    sections = [tilt.section for tilt in series.tilts]
    if sections != list(range(stack.shape[0])):
        raise UserError(
            f"{path} has {len(sections)} tilts (ZValue {sections[0]} to {sections[-1]}), the "
            f"stack {stack.shape[0]} images: they don't belong together. Give --angles and "
            "move the .mdoc away, or mend it"
        )
    return series


def _of_stack(stack_path: Path, stack: MrcStack | TiffStack) -> TiltList:
    """The angles where neither a .rawtlt nor an .mdoc has them."""
    if aligned := angles_beside(stack_path, ".tlt"):
        return _read_angles(aligned, stack)
    if isinstance(stack, MrcStack) and stack.tilt_angles is not None:
        log.info("%s: tilt angles of its extended header", stack_path)
        return TiltList(stack.tilt_angles)
    raise UserError(
        f"{stack_path}: nothing says at which angles its images were taken. Give a list with "
        f"--angles, or put {series_name(stack_path)}.rawtlt or {plain_name(stack_path)}.mdoc "
        "beside it"
    )


def _read_angles(path: Path, stack: MrcStack | TiffStack) -> TiltList:
    listed = read_tlt_txt(path)
    if len(listed.tilts) != stack.shape[0]:
        raise UserError(
            f"{path} has {len(listed.tilts)} angles, the stack {stack.shape[0]} images: they don't "
            "belong together"
        )
    log.info("%d tilt angles of %s", len(listed.tilts), path)
    return listed


def _with_tilts(
    series: TiltSeries | None,
    listed: TiltList,
    name: str,
    stack: MrcStack | TiffStack,
    dose_per_tilt: float | None,
) -> TiltSeries:
    """A series at these angles; of the .mdoc's, if there is one, the rest stands.

    Orders and doses that are listed with the angles go before the .mdoc's. Without an order of
    acquisition what a tilt saw before is unknown.
    """
    facts = facts_of(stack)
    angles = [float(tilt) for tilt in listed.tilts]
    if series is None:
        every = tuple(Tilt(k, tilt, dose=dose_per_tilt) for k, tilt in enumerate(angles))
        series = TiltSeries(name, every, facts.pixel_size, facts.image_size, stack)
    known = zip(series.tilts, angles, strict=True)
    every = tuple(replace(tilt, nominal_tilt_degrees=angle) for tilt, angle in known)
    return replace(series, tilts=_with_order(every, listed, dose_per_tilt))


def _with_order(
    tilts: tuple[Tilt, ...], listed: TiltList, dose_per_tilt: float | None
) -> tuple[Tilt, ...]:
    """The tilts with the order and doses of a list, if it has them; one number for all is none."""
    if listed.order is None or len(set(listed.order.tolist())) != len(tilts):
        return tilts
    order = np.argsort(np.argsort(listed.order)).tolist()
    doses = [tilt.dose for tilt in tilts]
    if dose_per_tilt is None and listed.dose is not None:
        doses = listed.dose.tolist()
    before = summed_exposures(doses, order)
    return tuple(
        replace(tilt, exposure_index=rank, dose=dose, pre_exposure=earlier)
        for tilt, rank, dose, earlier in zip(tilts, order, doses, before, strict=True)
    )


def _with_axis(series: TiltSeries, stack: MrcStack | TiffStack) -> TiltSeries:
    """The axis of SerialEM's title in the header, where nothing better is known."""
    if series.nominal_axis_degrees is not None:
        return replace(series, nominal_axis_source=".mdoc")
    if not isinstance(stack, MrcStack):
        return series
    titles = Mdoc((), tuple(Section("T", label) for label in stack.header.labels))
    axis = nominal_axis(titles)
    source = "" if axis is None else "header of the stack"
    return replace(series, nominal_axis_degrees=axis, nominal_axis_source=source)
