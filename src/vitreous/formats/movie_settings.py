"""How movies are read: what a file of frames leaves open."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import AsNumber


class MovieSettings(BaseModel):
    """How the frames of a movie are made of what its file holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    eer_group: Annotated[
        int | None,
        Field(ge=1, description="Raw frames of an EER movie that make a frame. Default: eight "
              "frames a movie, or as --eer-dose says."),
    ] = None  # fmt: skip
    eer_dose: Annotated[
        float | None,
        Field(gt=0, description="e/A^2 in a frame of an EER movie, where the dose is known."),
    ] = None
    eer_join_rest: Annotated[
        bool,
        Field(description="Count raw frames of an EER movie that are too few for another frame "
              "into the last one, in place of leaving them out."),
    ] = False  # fmt: skip
    fm_int_file: Annotated[
        Path | None,
        Field(description="MotionCor's -FmIntFile: lines of 'FRAMES SIZE [DOSE]', raw frames of a "
              "movie that are summed in groups of SIZE, e/A^2 of each. Goes before --eer-group, "
              "--eer-dose and the dose of a movie."),
    ] = None  # fmt: skip
    eer_upsampling: Annotated[
        Literal[1, 2, 4],
        AsNumber,
        Field(description="Pixels of an EER frame along a side of the camera's: 1, 2 or 4."),
    ] = 1
    four_bits: Annotated[
        Literal["auto", "yes", "no"],
        Field(description="Whether a byte of a TIFF movie holds two 4-bit pixels. auto: if it is "
              "half as wide as a super-resolution frame."),
    ] = "auto"  # fmt: skip
