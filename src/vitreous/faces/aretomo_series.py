"""One series of AreTomo3's form: aligned and reconstructed as a project has it, named as theirs."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitreous.errors import UserError
from vitreous.faces.aretomo_ctf import estimate_ctf, turn_ctf
from vitreous.faces.aretomo_line import Line, begins_with_movies
from vitreous.faces.aretomo_movies import make_stack
from vitreous.faces.aretomo_opened import PROJECT, Geometry, Series, opened_series, stack_of
from vitreous.faces.aretomo_products import aligned_size, link, write_imod
from vitreous.faces.aretomo_settings import (
    MANY_SERIES,
    align_settings,
    bin_of,
    dark_sections,
    reconstruct_settings,
    share_of,
    tilt_offset,
    whole_bin,
)
from vitreous.formats.alignments import read_alignment, write_alignment
from vitreous.formats.aretomo import (
    TiltList,
    read_aln,
    with_other_hand,
    write_aln,
    write_tlt_txt,
)
from vitreous.formats.aretomo_layout import (
    CtfOfSeries,
    ImodVolume,
    metrics_row,
    untilted_row,
    write_global_log,
)
from vitreous.formats.beside import plain_name
from vitreous.pipeline import series as steps
from vitreous.pipeline.tomogram import nominal_alignment
from vitreous.reconstruct.grid import adjusted
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import facts_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Made:
    """How a series ended: its line of the metrics; is_new: something had to be made."""

    metrics: str
    is_new: bool


def make_series(line: Line, name: str, path: Path, folder: Path) -> Made:
    """Do for one series what -Cmd says."""
    command, is_kept = line.whole("Cmd", 0), line.choice("Resume", 0, (0, 1)) == 1
    share = share_of(line, line.path("TmpDir"))
    is_new = False
    if begins_with_movies(line):
        is_new = make_stack(line, name, path, folder, folder / PROJECT, share, is_kept)
    series = opened_series(line, name, stack_of(path, name, folder), folder, share, is_kept)
    geometry, is_aligned = geometry_of(series, command)
    ctf, is_estimated = None, False
    if command in (0, 1, 3):
        try:
            ctf, is_estimated = estimate_ctf(series, geometry.alignment)
        except UserError as error:
            if command == 3:
                raise
            log.warning("no CTF: %s", error)
    thickness, is_made = 0, False
    if command != 3 and line.whole("VolZ", MANY_SERIES.thickness_px) != 0:
        thickness, is_made = volumes(series, geometry)
    if command == 4 and geometry.aln.read_bytes() != series.aln.read_bytes():
        link(geometry.aln, series.aln)
        turn_ctf(series)
    table = series.product("_CTF.txt")
    if command in (2, 4) and table.exists():
        ctf = untilted_row(table, series.tilts.nominal_tilts_degrees)
    metrics = lay_out(series, geometry.alignment, thickness, ctf)
    return Made(metrics, is_new or is_aligned or is_estimated or is_made)


def geometry_of(series: Series, command: int) -> tuple[Geometry, bool]:
    """The alignment that -Cmd works with, and whether it had to be found."""
    if command in (0, 1) and series.line.choice("Align", 1, (0, 1)) == 0:
        return unaligned(series), False
    if command in (0, 1):
        return align(series)
    if command == 4:
        return turned(series), False
    return as_written(series, series.aln), False


# -- alignment ------------------------------------------------------------------------------------


def align(series: Series) -> tuple[Geometry, bool]:
    """Align, and write NAME.aln with the offset of -TiltCor; the second: it had to be done."""
    dark = dark_sections(series.line, series.stack, series.tilts.nominal_tilts_degrees.tolist())
    job = replace(series.job(series.path), align=align_settings(series.line, dark))
    series.forget(job.folder("align"))
    is_new = steps.run_step(job, "align", series.share)
    folder = job.folder("align")
    found = read_alignment(folder.product(".star"), facts_of(series.stack))
    along_x = folder.read_manifest()["slab"]["along_x_degrees"]
    offset = tilt_offset(series.line, along_x)
    alignment = adjusted(found, ReconstructSettings(tilt_offset=offset), found.image_size)
    write_alignment(alignment, series.aln, series=series.tilts, aretomo_kernel=MANY_SERIES.kernel)
    return Geometry(alignment, series.aln, offset), is_new


def unaligned(series: Series) -> Geometry:
    """The geometry of a series that is aligned already, as NAME.aln."""
    alignment = nominal_alignment(replace(series.tilts, nominal_axis_degrees=0.0))
    write_alignment(alignment, series.aln, series=series.tilts, aretomo_kernel=MANY_SERIES.kernel)
    return Geometry(alignment, series.aln)


def as_written(series: Series, aln: Path) -> Geometry:
    """The alignment of an existing .aln."""
    require_aln(aln)
    kernel = MANY_SERIES.kernel
    return Geometry(read_alignment(aln, facts_of(series.stack), aretomo_kernel=kernel), aln)


def require_aln(aln: Path) -> None:
    """Raise a `UserError` where there is no such file."""
    if not aln.is_file():
        raise UserError(f"{aln} isn't there: -Cmd 1 makes it")


def turned(series: Series) -> Geometry:
    """NAME.aln with its axis turned by 180 degrees, in a file of our own until the volume is made.

    That is the mirror image: the other hand. With -Resume a file that was turned stays so.
    """
    require_aln(series.aln)
    path = series.folder / PROJECT / series.name / "turned" / f"{series.name}.aln"
    if series.is_kept and path.exists() and path.read_bytes() == series.aln.read_bytes():
        return as_written(series, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aln(path, with_other_hand(read_aln(series.aln), MANY_SERIES.kernel))
    return as_written(series, path)


# -- volumes --------------------------------------------------------------------------------------


def volumes(series: Series, geometry: Geometry) -> tuple[int, bool]:
    """Make NAME_Vol and its like; the unbinned thickness, and whether any had to be made."""
    is_new = False
    main, *others = wanted(series, geometry)
    table = table_of_ctfs(series) if main[2].needs_ctf else None
    for also, stack, settings in (main, *others):
        job = series.job(stack, geometry.aln, also)
        if not also and geometry.offset is not None:
            job = series.job(stack)  # of the project's own alignment, so that its pages tell of it
            settings = settings.model_copy(update={"tilt_offset": geometry.offset})
        if table is None:
            settings = settings.model_copy(update={"ctf": "none"})
        job = replace(job, reconstruct=settings, ctf_table=table)
        series.forget(job.folder("reconstruct"))
        is_new |= steps.run_step(job, "reconstruct", series.share)
        steps.write_page(job)
        link(job.folder("reconstruct").product(".mrc"), series.product(f"{also}_Vol.mrc"))
    return int(main[2].thickness or 0), is_new


def table_of_ctfs(series: Series) -> Path | None:
    """The CTFs that -CorrCTF corrects for: NAME_CTF.txt; None, and said, where there are none."""
    command = series.line.whole("Cmd", 0)
    if command == 4:
        raise UserError("-CorrCTF with -Cmd 4: turn the axis first, then correct with -Cmd 2")
    table = series.product("_CTF.txt")
    if table.exists():
        return table
    why = "-Kv isn't given" if not series.line.positive("Kv") else "no rings were seen"
    log.warning("volumes are not corrected for the CTF: %s", why)
    return None


def wanted(series: Series, geometry: Geometry) -> list[tuple[str, Path, ReconstructSettings]]:
    """Ending, stack and settings of each volume; NAME_Vol is the first."""
    line = series.line
    _, second, third = line.numbers("AtBin", (1.0, 0.0, 0.0))
    settings = reconstruct_settings(line, geometry.alignment, MANY_SERIES)
    found = [("", series.path, settings)]
    if line.choice("SplitSum", 1, (0, 1)):
        found += [(also, half, settings) for also, half in halves(series.path)]
    for also, binning, is_wbp in (("_2ND", second, True), ("_3RD", third, False)):
        if binning >= 1:
            other = reconstruct_settings(
                line, geometry.alignment, MANY_SERIES, is_wbp=is_wbp, binning=whole_bin(binning)
            )
            found.append((also, series.path, other))
    return found


def halves(stack: Path) -> list[tuple[str, Path]]:
    """NAME_EVN and NAME_ODD beside a stack, where both are there."""
    name = plain_name(stack)
    base, dot, suffix = name.rpartition(".")
    found = [(also, stack.with_name(f"{base}{also}{dot}{suffix}")) for also in ("_EVN", "_ODD")]
    return found if all(path.is_file() for _, path in found) else []


# -- layout ---------------------------------------------------------------------------------------


def lay_out(
    series: Series, alignment: Alignment, thickness_px: int, ctf: CtfOfSeries | None
) -> str:
    """Write what lies beside NAME.aln and the volumes; returns the line of the metrics."""
    line, tilts = series.line, series.tilts.tilts
    order = [tilt.exposure_index for tilt in tilts]
    doses = [tilt.dose for tilt in tilts]
    listed = TiltList(series.tilts.nominal_tilts_degrees)
    if None not in order:
        listed = replace(listed, order=np.array(order, np.intp) + 1)
        if None not in doses:
            listed = replace(listed, dose=np.array(doses, np.float64))
    own_list = series.product("_TLT.txt")
    if series.given.angles is None or not own_list.exists():
        write_tlt_txt(own_list, listed)
    aln = read_aln(series.aln)
    write_global_log(
        series.folder / f"{series.name}_Log" / f"{series.name}_AT_GL.csv", aln, series.tilts
    )
    if kind := line.choice("OutImod", 0, (0, 1, 2, 3)):
        volume = ImodVolume(thickness_px, bin_of(line), aligned_size(alignment))
        folder = series.product("_Imod")
        write_imod(folder, kind, series.path, series.stack, alignment, series.tilts, volume)
    return metrics_row(series.name, aln, series.tilts, ctf)
