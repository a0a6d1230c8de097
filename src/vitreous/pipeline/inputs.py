"""What a series is made from: its stack, its alignment or nominal tilts, what no file says."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.reconstruct.settings import ReconstructSettings
    from vitreous.records.alignment import Alignment
    from vitreous.records.tilt_series import TiltSeries


log = logging.getLogger(__name__)

SAME_AXIS = 1.0  # degrees
UNSET = 1.0  # angstrom: what programs write that know no pixel size


Angles = Annotated[
    Path | None,
    Field(description="Tilt angles (.tlt, .rawtlt) where they are not beside the .xf or stack."),
]
PixelSize = Annotated[
    float | None,
    Field(
        gt=0,
        alias="pixel",
        description="Angstrom a pixel, where the stack's header is wrong or has none.",
    ),
]


class MicroscopeInput(BaseModel):
    """How the microscope was set, where the files don't say it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    tilt_axis: Annotated[
        float | None,
        Field(
            description="Nominal tilt axis, degrees counter-clockwise from the image's y axis. "
            "Default: what the .mdoc or the header says."
        ),
    ] = None
    kv: Annotated[
        float | None, Field(gt=0, le=2000, description="Voltage, kV. Default: what the .mdoc says.")
    ] = None
    cs: Annotated[
        float | None,
        Field(ge=0, le=20, description="Spherical aberration, mm; for CTFs and RELION."),
    ] = None
    amplitude_contrast: Annotated[
        float | None,
        Field(ge=0, le=1, description="Share of it in the contrast; for CTFs and RELION."),
    ] = None
    dose_per_tilt: Annotated[
        float | None,
        Field(gt=0, description="Electrons/A^2 of each tilt. Default: what the .mdoc says."),
    ] = None


class RawInput(MicroscopeInput):
    """What is known of a raw stack, where the files don't say it."""

    angles: Angles = None
    pixel_size: PixelSize = None


class AlignmentFacts(BaseModel):
    """What the file of an alignment leaves unsaid."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    angles: Angles = None
    x_tilts: Annotated[
        Path | None, Field(description="X tilts (.xtilt) where they are not beside the .xf.")
    ] = None
    pixel_size: PixelSize = None
    tomogram: Annotated[
        str | None, Field(description="Which tomogram of a set of many (RELION).")
    ] = None
    aretomo_kernel: Annotated[
        Literal["2", "3"] | None,
        Field(description="AreTomo's generation: 3 from AreTomo3 2.1.4 on, 2 before (default)."),
    ] = None


class AlignmentInput(AlignmentFacts):
    """Where the alignment of a stack is, and what its file leaves unsaid."""

    alignment: Annotated[
        Path,
        Field(
            description="The alignment: IMOD .xf (angles beside it) or .tlt, AreTomo .aln, RELION "
            "STAR, Warp .xml, EMAN2 .json."
        ),
    ]


class MovieInput(BaseModel):
    """Where the movies of a session lie, and what their gain reference is."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    begin_with: Annotated[
        Literal["auto", "movies", "stacks"],
        Field(description="What series with movies and a stack are made of. auto: of the movies, "
              "where they are found."),
    ] = "auto"  # fmt: skip
    movies: Annotated[
        Path | None,
        Field(description="Folder with the movies that the .mdoc files name. Default: found near "
              "them, by their exact names."),
    ] = None  # fmt: skip
    gain: Annotated[
        Path | None,
        Field(description="Gain reference of the movies (MRC, TIFF, DM3, DM4, .gain). Default: "
              "the one that lies beside them."),
    ] = None  # fmt: skip
    no_gain: Annotated[
        bool, Field(description="The movies are corrected for the gain already, or need none.")
    ] = False
    defects: Annotated[
        Path | None,
        Field(description="Defects of the camera: a text of 'x y width height', or a map."),
    ] = None


class SeriesInput(MicroscopeInput, MovieInput, AlignmentFacts):
    """What is known of raw series: their alignment, or as much as finding it takes."""

    alignment: Annotated[
        Path | None,
        Field(
            description="The alignment: IMOD .xf (angles beside it) or .tlt, AreTomo .aln, RELION "
            "STAR, Warp .xml, EMAN2 .json. Default: found from the images."
        ),
    ] = None
    estimate_ctf: Annotated[
        bool | None,
        Field(
            description="Estimate the contrast transfer of the aligned tilts. Default: of series "
            "begun with movies; of stacks that we align where voltage, --cs and "
            "--amplitude-contrast are known."
        ),
    ] = None

    def with_alignment(self, alignment: Path) -> AlignmentInput:
        """The same with an alignment at hand."""
        facts = self.model_dump(include=set(AlignmentFacts.model_fields))
        return AlignmentInput(alignment=alignment, **facts)

    def aligned_as(self, alignment: Path) -> AlignmentInput:
        """The same with an alignment that we found: its angles are in its file."""
        return AlignmentInput(alignment=alignment, pixel_size=self.pixel_size)


# -- opened ----------------------------------------------------------------------------------------


def opened(
    stack_path: Path,
    given: AlignmentInput,
    settings: "ReconstructSettings",
    mdoc: Path | None = None,
) -> "tuple[MrcStack | TiffStack, Alignment]":
    """A stack and the alignment that belongs to it (or to the larger image it is a part of)."""
    from vitreous.formats.alignments import read_alignment
    from vitreous.records.images import StackFacts
    from vitreous.records.typed import excluded_sections

    stack = opened_stack(stack_path, given.pixel_size, mdoc)
    sections, rows, columns = stack.shape
    facts = StackFacts(sections, settings.full_image or (columns, rows), stack.pixel_size)
    alignment = read_alignment(
        given.alignment,
        facts,
        angles=given.angles,
        x_tilts=given.x_tilts,
        left_out=excluded_sections(settings.exclude_tilts, sections),
        tomogram=given.tomogram,
        aretomo_kernel=given.aretomo_kernel,
    )
    return stack, alignment


def opened_raw(
    stack_path: Path, given: SeriesInput | RawInput, mdoc: Path | None = None
) -> "tuple[MrcStack | TiffStack, TiltSeries]":
    """A raw stack, and what the microscope says of its tilts; what contradicts itself is said.

    mdoc: where it isn't named like the stack.
    """
    from vitreous.formats.beside import mdoc_beside
    from vitreous.formats.nominal import raw_series

    mdoc = mdoc or mdoc_beside(stack_path)
    stack = opened_stack(stack_path, given.pixel_size, mdoc)
    series = raw_series(
        stack_path, stack, given.angles, mdoc=mdoc, dose_per_tilt=given.dose_per_tilt
    )
    compare_pixel_sizes(series.name, stack, given.pixel_size, mdoc)
    return stack, as_given(series, given)


def opened_stack(
    stack_path: Path, pixel_size: float | None = None, mdoc: Path | None = None
) -> "MrcStack | TiffStack":
    """A stack; what is odd about it is said.

    Its pixel size is the one given, else the header's, else the .mdoc's, which is read where the
    header has none, or 1 A, as programs write that know none.
    """
    from vitreous.formats.beside import mdoc_beside
    from vitreous.formats.images import image_facts, open_images
    from vitreous.formats.nominal import noted_pixel_size

    if pixel_size is None and (mdoc := mdoc or mdoc_beside(stack_path)):
        facts = image_facts(stack_path)
        if facts.pixel_size in (None, UNSET):
            pixel_size = noted_pixel_size(mdoc, facts.size)
            if pixel_size is not None:
                log.info("%s: %g A/px of %s", stack_path, pixel_size, mdoc)
    stack = open_images(stack_path, pixel_size)
    for remark in stack.header.remarks:
        odd = "pixel size" in remark and pixel_size is None
        log.log(logging.WARNING if odd else logging.DEBUG, "%s: %s", stack_path, remark)
    return stack


def as_given(series: "TiltSeries", given: MicroscopeInput) -> "TiltSeries":
    """A series with what is given put before what its files say."""
    from dataclasses import replace

    def settled(
        what: str, value: float | None, noted: float | None, same: float = 0.0
    ) -> float | None:
        if value is None or noted is None:
            return noted if value is None else value
        if differ(value, noted) and abs(value - noted) > same:
            log.warning("%s: %s %g is given, the files say %g", series.name, what, value, noted)
        return value

    return replace(
        series,
        nominal_axis_degrees=settled(
            "tilt axis", given.tilt_axis, series.nominal_axis_degrees, SAME_AXIS
        ),
        nominal_axis_source=(
            series.nominal_axis_source if given.tilt_axis is None else "option --tilt-axis"
        ),
        voltage_kv=settled("a voltage (kV) of", given.kv, series.voltage_kv),
        spherical_aberration_mm=settled("Cs", given.cs, series.spherical_aberration_mm),
        amplitude_contrast=settled(
            "amplitude contrast", given.amplitude_contrast, series.amplitude_contrast
        ),
    )


def compare_pixel_sizes(
    name: str, stack: "MrcStack | TiffStack", given: float | None, mdoc: Path | None
) -> None:
    """Warn where the option, the header and the .mdoc have different pixel sizes."""
    from vitreous.formats.nominal import noted_pixel_size

    _, rows, columns = stack.shape
    own = stack.header.pixel_size
    said = {
        "--pixel": given,
        "its header": None if own == UNSET else own,
        "its .mdoc": None if mdoc is None else noted_pixel_size(mdoc, (columns, rows)),
    }
    known = {source: size for source, size in said.items() if size}
    if any(differ(size, stack.pixel_size) for size in known.values()):
        listed = ", ".join(f"{size:g} of {source}" for source, size in known.items())
        log.warning(
            "%s: pixel sizes differ: %s; %g A is taken (--pixel says another)",
            name, listed, stack.pixel_size,
        )  # fmt: skip


def differ(one: float, other: float) -> bool:
    """Whether two numbers differ by more than rounding: 1 %."""
    return abs(one - other) > 0.01 * max(abs(one), abs(other))


def unsaid(stack_path: Path, given: SeriesInput, mdoc: Path | None = None) -> list[str]:
    """What can't be done without and neither files nor options say, with the option's name.

    Of files that can't be read nothing is missing: the step that reads them tells why.
    """
    from vitreous.errors import VitreousError
    from vitreous.formats.beside import angles_beside, mdoc_beside
    from vitreous.formats.images import image_facts
    from vitreous.formats.nominal import noted_pixel_size

    mdoc = mdoc or mdoc_beside(stack_path)
    try:
        facts = image_facts(stack_path)
        noted = mdoc and noted_pixel_size(mdoc, facts.size)
    except VitreousError:
        return []
    missing = [] if given.pixel_size or facts.pixel_size or noted else ["pixel size (--pixel)"]
    angles = given.alignment or given.angles or mdoc or facts.has_angles
    if not (angles or any(angles_beside(stack_path, end) for end in (".rawtlt", ".tlt"))):
        missing.append("tilt angles (--angles, or NAME.rawtlt beside the stack)")
    return missing


def require_apart(output: Path, *inputs: Path | None) -> None:
    """Raise a `UserError` where an output would replace one of the files it is made of."""
    from vitreous.errors import UserError

    for path in inputs:
        if path is not None and path.exists() and output.exists() and output.samefile(path):
            raise UserError(f"{output} is an input ({path}): give the output another name")
