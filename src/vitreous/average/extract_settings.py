"""All settings of an extraction of particles: the one place of their names, units and help."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class ExtractSettings(BaseModel):
    """From particles in tilt series to a file for each particle."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    form: Annotated[
        Literal["stacks", "volumes"],
        Field(
            description="stacks: each particle's tilts as images; volumes: summed up in 3D, with "
            "weights."
        ),
    ] = "stacks"
    box: Annotated[int, Field(ge=8, description="Side of the box that is cut, binned pixels.")] = (
        128
    )
    crop: Annotated[
        int | None,
        Field(ge=4, description="Side of what is kept, binned pixels. Default: the box."),
    ] = None
    binning: Annotated[
        float, Field(ge=1, alias="bin", description="Pixels joined along each axis, 1.5 too.")
    ] = 1.0
    max_dose: Annotated[
        float | None, Field(gt=0, description="Leave out tilts after so many e/A^2. Default: none.")
    ] = None
    min_tilts: Annotated[
        int, Field(ge=1, description="Leave out particles that fewer tilts show.")
    ] = 1
    ctf: Annotated[bool, Field(description="Multiply by CTF and dose weight.")] = True
    dark: Annotated[
        bool, Field(description="Particles are darker than ice; they come out bright.")
    ] = True
    circle_crop: Annotated[bool, Field(description="Fade outside the circle that is kept.")] = True
    circle_precrop: Annotated[
        bool, Field(description="Fade the box outside its circle before the transform too.")
    ] = False
    whiten: Annotated[bool, Field(description="Flatten the noise of each tilt first.")] = False
    dose_cutoff: Annotated[
        float,
        Field(
            ge=0,
            lt=1,
            description="Volumes: leave out frequencies of which the dose leaves a lesser share.",
        ),
    ] = 0.01
    apply_orientations: Annotated[
        bool, Field(description="Turn volumes by the particles' angles, which become 0.")
    ] = False
    float16: Annotated[bool, Field(description="Write half-precision files.")] = False
