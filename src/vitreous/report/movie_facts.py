"""What a page shows of the steps before the alignment: gain, motion, and of the contrast transfer.

Where a series wasn't begun with movies there is none of it.
"""

from dataclasses import dataclass
from pathlib import PurePath


@dataclass(frozen=True, slots=True)
class Gain:
    """How the gain reference was laid onto the movies. picture: JPEG.

    fits: the orientation that the movies fit best, '' where they weren't asked; lead: by how many
    standard errors. correlations: (orientation, how far it explains the movies), the best first.
    """

    reference: str
    orientation: str
    defects: int
    fits: str
    lead: float | None
    is_sure: bool | None
    correlations: tuple[tuple[str, float], ...]
    picture: bytes

    @property
    def agrees(self) -> bool:
        """Whether the movies fit the orientation that was taken, as far as they tell."""
        return not self.is_sure or self.fits == self.orientation


@dataclass(frozen=True, slots=True)
class Moved:
    """The motion of one tilt's movie: track (x, y) of its frames, angstrom; or why there is none.

    number: in the order of acquisition as the .mdoc has it, from 1.
    """

    number: int
    degrees: float
    movie: str
    track: tuple[tuple[float, float], ...] = ()
    path_angstrom: float | None = None
    standard_error_angstrom: float | None = None
    is_local: bool = False
    left_out: str = ""

    @property
    def picture(self) -> str:
        """Path of the picture of its tracks below the folder of the series."""
        return f"motion/{PurePath(self.movie).stem}.png"


@dataclass(frozen=True, slots=True)
class Defocus:
    """The contrast transfer of one tilt; lengths in angstrom; has_rings: else of its neighbours."""

    number: int
    degrees: float
    defocus: float
    deviation: float | None
    resolution: float | None
    score: float
    has_rings: bool


@dataclass(frozen=True, slots=True)
class Transfer:
    """The contrast transfer of a series. picture: JPEG of rings measured and fitted."""

    tilts: tuple[Defocus, ...]
    hand: str
    astigmatism: float
    astigmatism_degrees: float
    resolution: float | None
    has_rings: bool
    picture: bytes
