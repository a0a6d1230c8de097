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


Angles = Annotated[
    Path | None,
    Field(description="Tilt angles (.tlt, .rawtlt) where they are not beside the .xf or stack."),
]
PixelSize = Annotated[
    float | None,
    Field(
        gt=0, alias="pixel", description="Angstrom a pixel of the stack, where its header is wrong."
    ),
]
TiltAxis = Annotated[
    float | None,
    Field(
        description="Nominal tilt axis, degrees counter-clockwise from the image's y axis. "
        "Default: what the .mdoc or the header says."
    ),
]


class RawInput(BaseModel):
    """What is known of a raw stack, where the files don't say it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    angles: Angles = None
    tilt_axis: TiltAxis = None
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


class SeriesInput(AlignmentFacts):
    """What is known of raw series: their alignment, or as much as finding it takes."""

    alignment: Annotated[
        Path | None,
        Field(
            description="The alignment: IMOD .xf (angles beside it) or .tlt, AreTomo .aln, RELION "
            "STAR, Warp .xml, EMAN2 .json. Default: found from the images."
        ),
    ] = None
    tilt_axis: TiltAxis = None

    def with_alignment(self, alignment: Path) -> AlignmentInput:
        """The same with an alignment at hand."""
        facts = self.model_dump(exclude={"alignment", "tilt_axis"})
        return AlignmentInput(alignment=alignment, **facts)

    def aligned_as(self, alignment: Path) -> AlignmentInput:
        """The same with an alignment that we found: its angles are in its file."""
        return AlignmentInput(alignment=alignment, pixel_size=self.pixel_size)


def opened(
    stack_path: Path, given: AlignmentInput, settings: "ReconstructSettings"
) -> "tuple[MrcStack | TiffStack, Alignment]":
    """A stack and the alignment that belongs to it (or to the larger image it is a part of)."""
    from vitreous.formats.alignments import read_alignment
    from vitreous.records.images import StackFacts
    from vitreous.records.typed import excluded_sections

    stack = opened_stack(stack_path, given.pixel_size)
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
    stack_path: Path, given: SeriesInput | RawInput
) -> "tuple[MrcStack | TiffStack, TiltSeries]":
    """A raw stack, and what the microscope says of its tilts."""
    from dataclasses import replace

    from vitreous.formats.nominal import raw_series

    stack = opened_stack(stack_path, given.pixel_size)
    series = raw_series(stack_path, stack, given.angles)
    if given.tilt_axis is not None:
        series = replace(series, nominal_axis_degrees=given.tilt_axis)
    return stack, series


def opened_stack(stack_path: Path, pixel_size: float | None) -> "MrcStack | TiffStack":
    """A stack; what is odd about it is said."""
    from vitreous.formats.images import open_images

    stack = open_images(stack_path, pixel_size)
    for remark in stack.header.remarks:
        odd = "pixel size" in remark and pixel_size is None
        log.log(logging.WARNING if odd else logging.DEBUG, "%s: %s", stack_path, remark)
    return stack


def require_apart(output: Path, *inputs: Path | None) -> None:
    """Raise a `UserError` where an output would replace one of the files it is made of."""
    from vitreous.errors import UserError

    for path in inputs:
        if path is not None and path.exists() and output.exists() and output.samefile(path):
            raise UserError(f"{output} is an input ({path}): give the output another name")
