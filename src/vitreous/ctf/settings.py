"""All settings of CTF estimation: the one place of their names, units, defaults and help."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vitreous.records.typed import Hand


class CtfSettings(BaseModel):
    """From images to their contrast transfer."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    # -- what is looked for -----------------------------------------------------------------------
    defocus: Annotated[
        tuple[float, float],
        Field(description="Least and most underfocus that is looked for, angstrom."),
    ] = (5000.0, 85000.0)
    astigmatism: Annotated[
        float, Field(ge=0, description="Largest difference of the two directions, angstrom.")
    ] = 1500.0
    phase_plate: Annotated[
        bool, Field(description="Look for a phase shift too, which drifts slowly over the series.")
    ] = False
    hand: Annotated[
        Hand | None,
        Field(
            description="1: what is higher along z is less underfocused; -1: more. Default: found "
            "from the images."
        ),
    ] = None
    jump: Annotated[
        float,
        Field(
            gt=0,
            description="Change of defocus between one exposure and the next, angstrom (one "
            "sigma). It helps to choose the ring, it doesn't pull the value.",
        ),
    ] = 1500.0

    # -- spectra ----------------------------------------------------------------------------------
    low: Annotated[
        float, Field(gt=0, description="Longest period that is looked at, angstrom.")
    ] = 35.0
    high: Annotated[
        float,
        Field(gt=0, description="Shortest period, angstrom; it ends earlier where the rings do."),
    ] = 5.5
    tile: Annotated[
        float, Field(ge=200, description="Side of the tiles whose spectra are taken, angstrom.")
    ] = 1000.0
    keep_beads: Annotated[
        bool, Field(description="Don't mask gold beads before spectra are taken.")
    ] = False

    @model_validator(mode="after")
    def _in_order(self) -> "CtfSettings":
        if not 0 < self.defocus[0] < self.defocus[1]:
            low, high = self.defocus
            raise ValueError(f"--defocus {low:g} {high:g}: give the least first, above 0")
        if self.high >= self.low:
            raise ValueError(f"--high {self.high:g} has to be a shorter period than --low")
        return self
