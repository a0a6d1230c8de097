"""What is done to each image of a stack on its way into another."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import AsNumber

StackMode = Literal["keep", "float32", "float16", "int16", "uint16", "int8"]


class RestackSettings(BaseModel):
    """Geometry, then grey values; the order of work is that of the fields.

    Bytes are grey values 0 to 255 here, whatever sign they are stored with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    # -- geometry ---------------------------------------------------------------------------------
    bin: Annotated[int, Field(ge=1, description="Pixels joined along each side.")] = 1
    shrink: Annotated[
        float | None, Field(ge=1, description="Make images smaller by this factor, filtered.")
    ] = None
    antialias: Annotated[
        Literal[0, 1, 2, 3, 4, 5, 6],
        AsNumber,
        Field(description="Filter of --shrink: 1 box, 2 Blackman, 3 triangle, 4 Mitchell, 5 "
              "Lanczos 2, 6 Lanczos 3."),
    ] = 6  # fmt: skip
    rotate: Annotated[
        float | None, Field(description="Turn by degrees counter-clockwise, after transforms.")
    ] = None
    expand: Annotated[
        float | None, Field(gt=0, description="Enlarge by interpolation, after transforms.")
    ] = None
    linear: Annotated[bool, Field(description="Interpolate linearly, not cubically.")] = False
    size: Annotated[
        tuple[int, int] | None, Field(description="Columns and rows of the output.")
    ] = None
    offset: Annotated[
        tuple[float, float],
        Field(description="Move the middle of the output, unbinned pixels of the input."),
    ] = (0.0, 0.0)
    fill: Annotated[
        float | None, Field(description="Grey value of what lies outside. Default: the mean.")
    ] = None
    taper: Annotated[
        int, Field(ge=0, description="Pixels over which images run into what was filled.")
    ] = 0
    taper_inside: Annotated[
        bool, Field(description="Taper the images' own edges, not their continuation.")
    ] = False

    # -- grey values ------------------------------------------------------------------------------
    multiply: Annotated[float, Field(description="Multiplies each grey value.")] = 1.0
    add: Annotated[float, Field(description="Added then.")] = 0.0
    scale_to: Annotated[
        tuple[float, float] | None,
        Field(description="Stretch the range of the whole input to this one."),
    ] = None
    mean_and_sd: Annotated[
        tuple[float, float] | None,
        Field(description="Mean and standard deviation that each image is given."),
    ] = None
    equalize: Annotated[
        Literal[0, 1, 2, 3, 4],
        AsNumber,
        Field(description="Make images alike (newstack's -float): 1 stretch each to the whole "
              "range, 2 the same mean and SD in the whole range, 3 shift to the same mean, 4 shift "
              "and stretch all by the same."),
    ] = 0  # fmt: skip
    mode: Annotated[StackMode, Field(description="Type of a pixel in the output.")] = "keep"
