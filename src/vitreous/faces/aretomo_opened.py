"""A series of AreTomo3's form, opened: what every step of it needs."""

from dataclasses import dataclass
from pathlib import Path

from vitreous.align.settings import AlignSettings
from vitreous.errors import UserError
from vitreous.faces.aretomo_line import Line
from vitreous.faces.aretomo_settings import (
    MANY_SERIES,
    raw_input,
    require_pixel_size,
)
from vitreous.formats.beside import is_mdoc, mdoc_beside
from vitreous.formats.families import AretomoKernel
from vitreous.formats.images import image_facts
from vitreous.formats.mrc import MrcStack
from vitreous.formats.tiff import TiffStack
from vitreous.kernels.machine import Share
from vitreous.pipeline.inputs import RawInput, SeriesInput, opened_raw
from vitreous.pipeline.intake import Source
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.project import StepFolder
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.tilt_series import TiltSeries

PROJECT = "vitreous"


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
    """A series at work: its stack, what is known of its tilts, where the products go.

    is_kept: what is done already stays (-Resume).
    """

    line: Line
    name: str
    folder: Path
    path: Path
    stack: MrcStack | TiffStack
    tilts: TiltSeries
    given: RawInput
    share: Share
    is_kept: bool

    @property
    def aln(self) -> Path:
        """OUTDIR/NAME.aln."""
        return self.product(".aln")

    def product(self, ending: str) -> Path:
        """OUTDIR/NAME + ending."""
        return self.folder / f"{self.name}{ending}"

    def forget(self, folder: StepFolder) -> None:
        """Without -Resume what a step made before counts no more."""
        if not self.is_kept:
            folder.manifest.unlink(missing_ok=True)

    def job(self, stack: Path, alignment: Path | None = None, also: str = "") -> Job:
        """The series, or a further volume of it (`also`), as our project has it."""
        kernel: AretomoKernel | None = None if alignment is None else MANY_SERIES.kernel
        facts = self.given.model_dump(exclude={"angles", "tilt_axis"} if alignment else set())
        given = SeriesInput(**facts, alignment=alignment, aretomo_kernel=kernel)
        source = Source(f"{self.name}{also}", stack, None if alignment else mdoc_beside(stack))
        project = self.folder / PROJECT
        return Job(project, source, given, AlignSettings(), ReconstructSettings())


def stack_of(path: Path, name: str, folder: Path) -> Path:
    """The stack of a series: the file itself, or OUTDIR/NAME.mrc of an .mdoc."""
    if not is_mdoc(path):
        return path
    stack = folder / f"{name}.mrc"
    if not stack.is_file():
        raise UserError(f"{stack} isn't there: the stack of {path.name}, which -Cmd 0 makes")
    return stack


def opened_series(
    line: Line, name: str, path: Path, folder: Path, share: Share, is_kept: bool
) -> Series:
    """The stack and its tilts: of NAME_TLT.txt beside it or in OUTDIR, else as everywhere here."""
    listed = [place / f"{name}_TLT.txt" for place in (path.parent, folder)]
    angles = next((each for each in listed if each.is_file()), None)
    facts, total = image_facts(path), line.positive("TotalDose")
    given = raw_input(line, angles, total and total / facts.sections)
    require_pixel_size(path, given)
    stack, tilts = opened_raw(path, given)
    return Series(line, name, folder, path, stack, tilts, given, share, is_kept)
