"""A raw series as the microscope left it: a stack, and what is said of its tilts nearby.

An alignment that lies beside the stack is never looked at.
"""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats import imod
from vitreous.formats.mdoc import Mdoc, Section, read_mdoc
from vitreous.formats.mdoc_series import nominal_axis, tilt_series
from vitreous.formats.mrc import MrcStack
from vitreous.formats.tiff import TiffStack
from vitreous.records.images import facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)


def raw_series(
    stack_path: Path, stack: MrcStack | TiffStack, angles: Path | None = None
) -> TiltSeries:
    """Nominal tilts and axis of every section of a stack.

    Angles come from `angles` (.rawtlt, .tlt), else from NAME.rawtlt, NAME.mrc.mdoc or NAME.mdoc,
    NAME.tlt, the extended header; the axis from the .mdoc, else SerialEM's title in the header.
    """
    name = stack_path.name.removesuffix(".gz").removesuffix(".bz2")
    stem = Path(name).stem
    of_mdoc = _of_mdoc(stack_path, name, stem, stack)
    raw, aligned = (stack_path.with_name(f"{stem}{end}") for end in (".rawtlt", ".tlt"))
    if angles is not None or raw.is_file():
        tilts = _read_angles(angles or raw, stack)
        return _with_axis(_with_tilts(of_mdoc, tilts, stem, stack), stack)
    if of_mdoc is not None:
        return _with_axis(of_mdoc, stack)
    if aligned.is_file():
        tilts = _read_angles(aligned, stack)
    elif isinstance(stack, MrcStack) and stack.tilt_angles is not None:
        log.info("%s: tilt angles of its extended header", stack_path)
        tilts = stack.tilt_angles
    else:
        raise UserError(
            f"{stack_path}: nothing says at which angles its images were taken. Give a list with "
            f"--angles, or put {raw.name} or {name}.mdoc beside it"
        )
    return _with_axis(_with_tilts(None, tilts, stem, stack), stack)


def _of_mdoc(
    stack_path: Path, name: str, stem: str, stack: MrcStack | TiffStack
) -> TiltSeries | None:
    """The series of the .mdoc beside a stack, if there is one; of another length it is an error."""
    for mdoc_name in (f"{name}.mdoc", f"{stem}.mdoc"):
        path = stack_path.with_name(mdoc_name)
        if not path.is_file():
            continue
        log.info("%s: tilts and axis of %s", stack_path, path)
        series = tilt_series(read_mdoc(path), stem, path=path, stack=stack)
        sections = [tilt.section for tilt in series.tilts]
        if sections != list(range(stack.shape[0])):
            raise UserError(
                f"{path} has {len(sections)} tilts (ZValue {sections[0]} to {sections[-1]}), the "
                f"stack {stack.shape[0]} images: they don't belong together. Give --angles and "
                "move the .mdoc away, or mend it"
            )
        return series
    return None


def _read_angles(path: Path, stack: MrcStack | TiffStack) -> NDArray[np.float64]:
    tilts = imod.read_angles(path)
    if len(tilts) != stack.shape[0]:
        raise UserError(
            f"{path} has {len(tilts)} angles, the stack {stack.shape[0]} images: they don't belong "
            "together"
        )
    log.info("%d tilt angles of %s", len(tilts), path)
    return tilts


def _with_tilts(
    series: TiltSeries | None,
    tilts: NDArray[np.float64],
    name: str,
    stack: MrcStack | TiffStack,
) -> TiltSeries:
    """A series at these angles; of the .mdoc's, if there is one, the rest stands."""
    facts = facts_of(stack)
    if series is None:
        every = tuple(Tilt(section, float(tilt)) for section, tilt in enumerate(tilts))
        return TiltSeries(name, every, facts.pixel_size, facts.image_size, stack)
    known = zip(series.tilts, tilts, strict=True)
    every = tuple(replace(tilt, nominal_tilt_degrees=float(angle)) for tilt, angle in known)
    return replace(series, tilts=every)


def _with_axis(series: TiltSeries, stack: MrcStack | TiffStack) -> TiltSeries:
    """The axis of SerialEM's title in the header, where nothing better is known."""
    if series.nominal_axis_degrees is not None or not isinstance(stack, MrcStack):
        return series
    titles = Mdoc((), tuple(Section("T", label) for label in stack.header.labels))
    return replace(series, nominal_axis_degrees=nominal_axis(titles))
