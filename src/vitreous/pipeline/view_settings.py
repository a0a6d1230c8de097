"""What `vitreous view` shows of a volume."""

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class ViewSettings(BaseModel):
    """Slices, and what is known of how the volume was made."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    at: Annotated[
        tuple[int, int, int] | None,
        Field(description="Voxel x y z where the slices of a picture cross, from 1. Default: the "
              "middle."),
    ] = None  # fmt: skip
    slab: Annotated[
        float | None,
        Field(
            gt=0, description="Angstrom that a slice averages. Default: 100, less in small maps."
        ),
    ] = None
    low_pass: Annotated[
        float | None,
        Field(ge=0, description="Period in angstrom that is shown at half its amplitude; 0: as it "
              "is. Default: 60, less in small maps."),
    ] = None  # fmt: skip
    alignment: Annotated[
        Path | None,
        Field(description="Alignment of the tilts it was made of, for the sampled region. Default: "
              "what the manifest beside it names."),
    ] = None  # fmt: skip
    stack: Annotated[
        Path | None,
        Field(description="The stack that was aligned, where the alignment doesn't tell its size."),
    ] = None
    pixel_size: Annotated[
        float | None,
        Field(gt=0, alias="pixel", description="Angstrom a voxel, before what the header has."),
    ] = None
