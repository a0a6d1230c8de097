"""All settings of a reconstruction by Fourier inversion: names, units and help in one place."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import Length


class FourierSettings(BaseModel):
    """From two halves of the aligned tilts' frames to a tomogram (RELION's --fourier)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    voxel_size: Annotated[
        float,
        Field(
            gt=0,
            description="Angstrom; what comes nearest to it is made, for a whole even number of "
            "pixels across the padded image.",
        ),
    ]
    thickness: Annotated[
        Length, Field(description="Height of the tomogram: unbinned pixels or with a unit.")
    ]
    width: Annotated[Length | None, Field(description="Size in x. Default: the image's.")] = None
    height: Annotated[Length | None, Field(description="Size in y. Default: the image's.")] = None
    tilt_offset: Annotated[float, Field(description="Degrees added to every tilt angle.")] = 0.0
    smoothness: Annotated[
        float,
        Field(ge=0, alias="lambda", description="How smooth the signal-to-noise ratios are made."),
    ] = 10.0
    ctf_intact_first_peak: Annotated[
        bool, Field(description="Leave frequencies below the CTF's first peak as they are.")
    ] = False
