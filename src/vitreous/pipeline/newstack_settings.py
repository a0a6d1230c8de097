"""Which images go into a tilt series' stack, and in which order."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class NewstackSettings(BaseModel):
    """The choice and the order of a series' images."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    order: Annotated[
        Literal["angle", "acquisition", "given"],
        Field(description="Order in the stack: by tilt angle, as acquired, or as given."),
    ] = "angle"
    retaken: Annotated[
        Literal["last", "keep"],
        Field(description="Of tilts taken twice at an angle take the last one, or keep all."),
    ] = "last"
    dark: Annotated[
        Literal["keep", "leave-out"],
        Field(description="What becomes of images that are blank or far too dark."),
    ] = "keep"
    halves: Annotated[
        bool,
        Field(description="Make stacks of even and of odd frames, too, where every image has both "
              "(NAME_EVN and NAME_ODD)."),
    ] = True  # fmt: skip
