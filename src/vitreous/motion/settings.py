"""All settings of motion correction: the one place of their names, units, defaults and help."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class MotionSettings(BaseModel):
    """From a movie to its average image."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    # -- frames -----------------------------------------------------------------------------------
    leave_out_first: Annotated[
        int, Field(ge=0, description="Frames at the beginning that are not used.")
    ] = 0
    leave_out_last: Annotated[
        int, Field(ge=0, description="Frames at the end that are not used.")
    ] = 0
    group: Annotated[
        int | None,
        Field(
            ge=1,
            description="Frames aligned as one. Default: as few as bring 0.15 e/A^2 together, 1 "
            "where the dose isn't known.",
        ),
    ] = None

    # -- whole frames -----------------------------------------------------------------------------
    finest: Annotated[
        float,
        Field(
            gt=0,
            description="Finest detail that is used for alignment, angstrom; at least 3 pixels.",
        ),
    ] = 8.0
    coarsest: Annotated[
        float, Field(gt=0, description="Coarsest detail that is used for alignment, angstrom.")
    ] = 250.0
    largest: Annotated[
        float,
        Field(gt=0, description="Largest motion between neighbouring frames, angstrom."),
    ] = 100.0
    b_factor: Annotated[
        float | None,
        Field(
            ge=0,
            description="Weigh frequencies by a B-factor, A^2. Default: by what the movie itself "
            "shows of signal and noise.",
        ),
    ] = None

    # -- local motion -----------------------------------------------------------------------------
    local: Annotated[
        bool, Field(description="Look for motion that differs across the field, too.")
    ] = True
    patch: Annotated[
        float, Field(gt=0, description="Side of the patches it is looked for in, angstrom.")
    ] = 800.0
    proof: Annotated[
        float,
        Field(description="Log evidence that local motion must have before it's corrected."),
    ] = 5.0

    # -- sums -------------------------------------------------------------------------------------
    dose_weighting: Annotated[
        bool, Field(description="Weigh the frames by what the dose leaves, where it's known.")
    ] = True
    unweighted: Annotated[bool, Field(description="Make the sum without dose weighting, too.")] = (
        False
    )
    even_odd: Annotated[
        bool, Field(description="Make the sums of even and of odd frames, too.")
    ] = True
    binning: Annotated[
        int, Field(ge=1, description="Bin the sums by cropping their Fourier transforms.")
    ] = 1
