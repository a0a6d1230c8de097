"""All settings of an alignment: the one place of their names, units, defaults and help."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import TiltList


class AlignSettings(BaseModel):
    """From a raw tilt series to its alignment, without markers."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    exclude_tilts: Annotated[
        TiltList, Field(description="Tilts to leave out besides dark ones, from 1: 3,12-14.")
    ] = ""
    keep_all: Annotated[
        bool,
        Field(
            description="Keep dark tilts, and those that show nothing of what the others do; only "
            "blank ones are left out then."
        ),
    ] = False
    axis_range: Annotated[
        float,
        Field(
            ge=0,
            le=90,
            description="Degrees from the nominal tilt axis within which it is searched; 90: in "
            "all directions.",
        ),
    ] = 90.0
    tilt_axis_fixed: Annotated[
        bool,
        Field(description="Keep the nominal tilt axis as it is, in all tilts: it is neither "
              "searched nor refined."),
    ] = False  # fmt: skip
    level: Annotated[bool, Field(description="Turn the specimen so that its slab lies flat.")] = (
        False
    )
    work_pixel: Annotated[
        float,
        Field(gt=0, description="Pixel size, angstrom, to which images are binned for matching."),
    ] = 15.0
    threshold: Annotated[
        float,
        Field(
            ge=0,
            description="What stands out of the tomogram, in standard deviations: less where the "
            "sample is crowded.",
        ),
    ] = 1.5
    largest_shift: Annotated[
        float,
        Field(gt=0, le=0.5, description="Largest jump between tilts, as a part of the field."),
    ] = 0.4
    rounds: Annotated[
        int, Field(ge=1, description="Rounds of patches and bundle adjustment at most.")
    ] = 10
