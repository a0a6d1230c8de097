"""AreTomo's form for one stack: stack and angles in, volume out, the .aln beside it."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitreous.align.series import align_series
from vitreous.errors import OutputError, UserError
from vitreous.faces.aretomo_line import Line
from vitreous.faces.aretomo_products import (
    aligned_size,
    write_aligned_series,
    write_imod,
    write_projections,
)
from vitreous.faces.aretomo_settings import (
    ONE_STACK,
    align_settings,
    bin_of,
    ctf_settings,
    dark_sections,
    is_aligned_series,
    raw_input,
    reconstruct_settings,
    require_pixel_size,
    require_sense,
    share_of,
    tilt_offset,
)
from vitreous.faces.quarters import Quarters
from vitreous.formats.alignments import read_alignment, write_alignment
from vitreous.formats.aretomo_layout import ImodVolume
from vitreous.formats.beside import series_name
from vitreous.formats.products import require_no_folder
from vitreous.pipeline.ctf import Images, estimated, say_ctf, write_ctf
from vitreous.pipeline.dose_weighted import DoseWeighted
from vitreous.pipeline.inputs import as_given, opened_raw, opened_stack, require_apart
from vitreous.pipeline.logs import logged_beside
from vitreous.pipeline.steps import say_alignment
from vitreous.pipeline.tomogram import nominal_alignment, write_tomogram
from vitreous.reconstruct.grid import adjusted
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.images import facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.kernels.machine import Share
    from vitreous.records.alignment import Alignment
    from vitreous.records.images import ImageStack

log = logging.getLogger(__name__)


def run_single(line: Line) -> None:
    """Align a stack, unless that is given, and reconstruct it."""
    stack_path, output = line.needed("InMrc"), line.needed("OutMrc")
    require_sense(line)
    require_no_folder(output)
    require_apart(output, stack_path, line.path("AngFile"), line.path("AlnFile"))
    if not output.absolute().parent.is_dir():
        raise OutputError(f"{output} can't be written: the folder doesn't exist. Create it first.")
    kind = line.choice("OutImod", 0, (0, 1, 2, 3))
    share = share_of(line)
    with logged_beside(output):
        stack, series = opened_series(line, stack_path)
        alignment = given_alignment(line, stack, series)
        if alignment is not None and line.number("TiltCor", 0.0) == 1:
            log.warning("-TiltCor is not used: the alignment is given")
        if alignment is None:
            alignment = aligned(line, stack, series, share)
            path = output.with_name(f"{series_name(stack_path)}.aln")
            write_alignment(alignment, path, series=series, aretomo_kernel="2")
            log.info("wrote %s", path)
        estimate_ctf(line, Images(stack_path, stack, series, alignment), output, share)
        thickness = make_volume(line, weighted(line, stack, series), alignment, output, share)
        if kind:
            volume = ImodVolume(thickness, bin_of(line), aligned_size(alignment))
            folder = output.with_name(f"{output.stem}_Imod")
            write_imod(folder, kind, stack_path, stack, alignment, series, volume)


# -- the series -----------------------------------------------------------------------------------


def opened_series(line: Line, path: Path) -> "tuple[MrcStack | TiffStack, TiltSeries]":
    """The stack, and what is known of its tilts."""
    given = raw_input(line, line.path("AngFile"), line.positive("ImgDose"))
    require_pixel_size(path, given)
    if not line.has("TiltRange") or line.has("AngFile"):
        return opened_raw(path, given)
    stack = opened_stack(path, given.pixel_size)
    first, last = line.numbers("TiltRange", ())
    angles = np.linspace(first, last, stack.shape[0])
    tilts = tuple(Tilt(k, float(angle), dose=given.dose_per_tilt) for k, angle in enumerate(angles))
    facts = facts_of(stack)
    series = TiltSeries(series_name(path), tilts, facts.pixel_size, facts.image_size, stack)
    return stack, as_given(series, given)


def weighted(line: Line, stack: "ImageStack", series: TiltSeries) -> "ImageStack":
    """The stack, dose-weighted where AreTomo2 would: with dose, voltage and order known."""
    dose = line.positive("ImgDose")
    if dose is None:
        return stack
    order = [tilt.exposure_index for tilt in series.tilts]
    if not line.positive("Kv"):
        log.warning("-ImgDose without -Kv: the tilts are not dose-weighted")
        return stack
    if any(rank is None for rank in order):
        log.warning(
            "nothing tells the order of acquisition (second column of -AngFile): the tilts are not "
            "dose-weighted"
        )
        return stack
    log.info("the tilts are weighted by their dose, up to %g e/A^2", dose * len(order))
    doses = [dose * (rank + 1) for rank in order if rank is not None]
    return DoseWeighted(stack, doses, line.number("Kv", 300.0))


# -- alignment, volume ----------------------------------------------------------------------------


def given_alignment(line: Line, stack: "ImageStack", series: TiltSeries) -> "Alignment | None":
    """The alignment of -AlnFile, or none at all with -Align 0; None: it has to be found."""
    if (aln := line.path("AlnFile")) is not None:
        log.info("the alignment is %s: nothing is aligned", aln)
        return read_alignment(aln, facts_of(stack), aretomo_kernel="2")
    if line.choice("Align", 1, (0, 1)) == 0:
        log.info("the series is taken as aligned, its tilt axis upright")
        return nominal_alignment(replace(series, nominal_axis_degrees=0.0))
    return None


def aligned(line: Line, stack: "ImageStack", series: TiltSeries, share: "Share") -> "Alignment":
    """The alignment found, with the tilt of the specimen if -TiltCor asks for it."""
    tilts = series.nominal_tilts_degrees
    settings = align_settings(line, dark_sections(line, stack, tilts.tolist()))
    found = align_series(
        stack,
        tilts,
        settings,
        nominal_axis_degrees=series.nominal_axis_degrees,
        threads=share.threads,
        progress=Quarters("aligning"),
    )
    say_alignment(found, series)
    offset = tilt_offset(line, found.extent.along_x)
    log.info(
        "the specimen is tilted by %.2f degrees across the axis, from the images; %s",
        found.extent.along_x,
        f"{offset:+.2f} degrees are added to all tilts" if offset else "no tilt is changed",
    )
    return with_offset(found.alignment, offset)


def estimate_ctf(line: Line, images: Images, output: Path, share: "Share") -> None:
    """Estimate the CTF where AreTomo2 would: with voltage and spherical aberration."""
    if not (line.positive("Kv") and line.positive("Cs")):
        return
    settings = ctf_settings(line)
    try:
        found = estimated(images, settings, share.threads, Quarters("estimating the CTF"))
    except UserError as error:
        log.warning("no CTF: %s", error)
        return
    say_ctf(found, images.name, settings)
    written = write_ctf(found, images, lambda end: output.with_name(f"{output.stem}{end}"))
    log.info("wrote %s", ", ".join(map(str, written)))


def with_offset(alignment: "Alignment", degrees: float) -> "Alignment":
    """A constant more on every tilt angle."""
    settings = ReconstructSettings(tilt_offset=degrees)
    return adjusted(alignment, settings, alignment.image_size)


def make_volume(
    line: Line, stack: "ImageStack", alignment: "Alignment", output: Path, share: "Share"
) -> int:
    """Write the volume and its projections, or the aligned series where it would be so thin.

    Returns the thickness in unbinned pixels.
    """
    if is_aligned_series(line):
        write_aligned_series(output, stack, alignment, bin_of(line))
        return line.whole("VolZ", 0)
    settings = reconstruct_settings(line, alignment, ONE_STACK)
    log.debug("settings: %s", settings.model_dump(exclude_defaults=True))
    watch = Quarters("reconstructing")
    write_tomogram(stack, alignment, settings, output, share=share, progress=watch)
    write_projections(output, settings.axis_order)
    return int(settings.thickness or 0)
