"""Settings of the gain reference: how it is turned onto the movies."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from vitreous.records.typed import AsNumber


class GainSettings(BaseModel):
    """How a stored gain reference becomes that of the movies.

    Rotation is done first, then the flip, then the transposition, then the inversion; as seen with
    row 0 at the bottom, after the rows of TIFF and DM files have been turned round.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    rotate: Annotated[
        Literal[0, 1, 2, 3],
        AsNumber,
        Field(description="Quarter turns counter-clockwise (RELION's gain_rot, MotionCor's "
              "RotGain)."),
    ] = 0  # fmt: skip
    flip: Annotated[
        Literal[0, 1, 2],
        AsNumber,
        Field(description="Then 1: upside down, 2: left to right (gain_flip, FlipGain)."),
    ] = 0
    transpose: Annotated[bool, Field(description="Then swap rows and columns.")] = False
    invert: Annotated[
        bool,
        Field(description="Frames are to be divided by this reference (a flat field, EER's sum "
              "image): take mean / reference."),
    ] = False  # fmt: skip
    auto: Annotated[
        bool,
        Field(description="Take the orientation, of 8, that makes the mean of the movies flat."),
    ] = False
    find_defects: Annotated[
        bool, Field(description="Look for hot and dead pixels in the movies.")
    ] = True
    most_movies: Annotated[
        int, Field(ge=1, description="Movies that are looked at, spread over those given.")
    ] = 12

    def looked_at(self, movies: Sequence[Path]) -> list[Path]:
        """At most so many of the movies, evenly from first to last."""
        last, most = len(movies) - 1, self.most_movies
        if last < most:
            return list(movies)
        return [movies[round(k * last / max(1, most - 1))] for k in range(most)]
