"""One series of AreTomo3's form: aligned and reconstructed as a project has it, named as theirs."""

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitreous.align.settings import AlignSettings
from vitreous.errors import UserError
from vitreous.faces.aretomo_line import Line
from vitreous.faces.aretomo_products import aligned_size, write_imod
from vitreous.faces.aretomo_settings import (
    MANY_SERIES,
    align_settings,
    bin_of,
    dark_sections,
    raw_input,
    reconstruct_settings,
    require_pixel_size,
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
from vitreous.formats.aretomo_layout import ImodVolume, metrics_row, write_global_log
from vitreous.formats.beside import is_mdoc, mdoc_beside, plain_name
from vitreous.formats.families import AretomoKernel
from vitreous.formats.images import image_facts
from vitreous.formats.products import atomic
from vitreous.kernels.machine import Share
from vitreous.pipeline import series as steps
from vitreous.pipeline.inputs import RawInput, SeriesInput, opened_raw
from vitreous.pipeline.intake import Source
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.tomogram import nominal_alignment
from vitreous.pipeline.watching import ignore_watch
from vitreous.reconstruct.grid import adjusted
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack, facts_of
from vitreous.records.tilt_series import TiltSeries

PROJECT = "vitreous"


@dataclass(frozen=True, slots=True)
class Made:
    """How a series ended: its line of the metrics; is_new: something had to be made."""

    metrics: str
    is_new: bool


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """The alignment of a series, and the .aln that holds it.

    offset: of an alignment that the project found, the degrees that -TiltCor added to its tilts.
    """

    alignment: Alignment
    aln: Path
    offset: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """A series at work: its stack, what is known of its tilts, where the products go."""

    line: Line
    name: str
    folder: Path
    path: Path
    stack: ImageStack
    tilts: TiltSeries
    given: RawInput
    share: Share

    @property
    def aln(self) -> Path:
        """OUTDIR/NAME.aln."""
        return self.product(".aln")

    def product(self, ending: str) -> Path:
        """OUTDIR/NAME + ending."""
        return self.folder / f"{self.name}{ending}"

    def job(self, stack: Path, alignment: Path | None = None, also: str = "") -> Job:
        """The series, or a further volume of it (`also`), as our project has it."""
        kernel: AretomoKernel | None = None if alignment is None else MANY_SERIES.kernel
        facts = self.given.model_dump(exclude={"angles", "tilt_axis"} if alignment else set())
        given = SeriesInput(**facts, alignment=alignment, aretomo_kernel=kernel)
        source = Source(f"{self.name}{also}", stack, None if alignment else mdoc_beside(stack))
        project = self.folder / PROJECT
        return Job(project, source, given, AlignSettings(), ReconstructSettings())


def make_series(line: Line, name: str, path: Path, folder: Path) -> Made:
    """Do for one series what -Cmd says."""
    series = opened_series(line, name, stack_of(path, name, folder), folder)
    command, is_kept = line.whole("Cmd", 0), line.choice("Resume", 0, (0, 1)) == 1
    is_new = False
    if command in (0, 1) and line.choice("Align", 1, (0, 1)) == 0:
        geometry = unaligned(series)
    elif command in (0, 1):
        geometry, is_new = align(series, is_kept)
    elif command == 2:
        geometry = as_written(series, series.aln)
    else:
        geometry = turned(series, is_kept)
    thickness = 0
    if line.whole("VolZ", MANY_SERIES.thickness_px) != 0:
        is_made, thickness = volumes(series, geometry, is_kept)
        is_new |= is_made
    if command == 4:
        link(geometry.aln, series.aln)
    return Made(lay_out(series, geometry.alignment, thickness), is_new)


# -- what there is --------------------------------------------------------------------------------


def stack_of(path: Path, name: str, folder: Path) -> Path:
    """The stack of a series: the file itself, or OUTDIR/NAME.mrc of an .mdoc."""
    if not is_mdoc(path):
        return path
    stack = folder / f"{name}.mrc"
    if not stack.is_file():
        raise UserError(f"{stack} isn't there: the stack of {path.name}, which -Cmd 0 makes")
    return stack


def opened_series(line: Line, name: str, path: Path, folder: Path) -> Series:
    """The stack and its tilts: of NAME_TLT.txt beside it or in OUTDIR, else as everywhere here."""
    listed = [place / f"{name}_TLT.txt" for place in (path.parent, folder)]
    angles = next((each for each in listed if each.is_file()), None)
    facts, total = image_facts(path), line.positive("TotalDose")
    given = raw_input(line, angles, total and total / facts.sections)
    require_pixel_size(path, given)
    stack, tilts = opened_raw(path, given)
    share = share_of(line, line.path("TmpDir"))
    return Series(line, name, folder, path, stack, tilts, given, share)


# -- alignment ------------------------------------------------------------------------------------


def align(series: Series, is_kept: bool) -> tuple[Geometry, bool]:
    """Align, and write NAME.aln with the offset of -TiltCor; the second: it had to be done."""
    dark = dark_sections(series.line, series.stack, series.tilts.nominal_tilts_degrees.tolist())
    job = replace(series.job(series.path), align=align_settings(series.line, dark))
    forget(job, "align", is_kept)
    is_new = steps.align(job, series.share, ignore_watch)
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


def turned(series: Series, is_kept: bool) -> Geometry:
    """NAME.aln with its axis turned by 180 degrees, in a file of our own until the volume is made.

    That is the mirror image: the other hand. With -Resume a file that was turned stays so.
    """
    require_aln(series.aln)
    path = series.folder / PROJECT / series.name / "turned" / f"{series.name}.aln"
    if is_kept and path.exists() and path.read_bytes() == series.aln.read_bytes():
        return as_written(series, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_aln(path, with_other_hand(read_aln(series.aln), MANY_SERIES.kernel))
    return as_written(series, path)


# -- volumes --------------------------------------------------------------------------------------


def volumes(series: Series, geometry: Geometry, is_kept: bool) -> tuple[bool, int]:
    """Make NAME_Vol and its like; whether any had to be made, and the unbinned thickness."""
    is_new = False
    main, *others = wanted(series, geometry)
    for also, stack, settings in (main, *others):
        job = series.job(stack, geometry.aln, also)
        if not also and geometry.offset is not None:
            job = series.job(stack)  # of the project's own alignment, so that its pages tell of it
            settings = settings.model_copy(update={"tilt_offset": geometry.offset})
        job = replace(job, reconstruct=settings)
        forget(job, "reconstruct", is_kept)
        is_new |= steps.reconstruct(job, series.share, ignore_watch)
        steps.write_page(job)
        link(job.folder("reconstruct").product(".mrc"), series.product(f"{also}_Vol.mrc"))
    return is_new, int(main[2].thickness or 0)


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


def forget(job: Job, step: str, is_kept: bool) -> None:
    """Without -Resume what was made before counts no more."""
    if not is_kept:
        job.folder(step).manifest.unlink(missing_ok=True)


def link(source: Path, target: Path) -> None:
    """Give a product a second name; a copy where the disk knows no links."""
    if target.exists() and target.samefile(source):
        return
    with atomic(target) as part:
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)


# -- layout ---------------------------------------------------------------------------------------


def lay_out(series: Series, alignment: Alignment, thickness_px: int) -> str:
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
    return metrics_row(series.name, aln, series.tilts)
