"""What the microscope recorded: the tilts of one specimen position."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.records.images import ImageStack

NOTHING: Mapping[str, str] = MappingProxyType({})


def named_tilt(section: int, degrees: float) -> str:
    """A tilt as people count it: section 39 is 'tilt 40 (57.0 degrees)'."""
    return f"tilt {section + 1} ({round(degrees, 1) + 0.0:.1f} degrees)"


@dataclass(frozen=True, slots=True)
class Tilt:
    """One image of a series.

    section: its 0-based place in the stack. nominal_tilt_degrees: the stage's reading, never
    changed by alignment. exposure_index: 0-based order of acquisition. dose: e/A^2 of this tilt;
    pre_exposure: e/A^2 before it (its own dose not counted). extra: fields of the source that we
    don't interpret, kept to be written back.
    """

    section: int
    nominal_tilt_degrees: float
    exposure_index: int | None = None
    dose: float | None = None
    pre_exposure: float | None = None
    movie: str = ""
    acquired: datetime | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: NOTHING)


@dataclass(frozen=True, slots=True)
class TiltSeries:
    """A series: its tilts in section order, and what holds for all of them.

    image_size (x, y) px; pixel_size A/px; nominal_axis_degrees: tilt axis counter-clockwise from
    the image's y axis, as the microscope states it; nominal_axis_source: where that was read.
    """

    name: str
    tilts: tuple[Tilt, ...]
    pixel_size: float
    image_size: tuple[int, int]
    stack: ImageStack | None = None
    nominal_axis_degrees: float | None = None
    nominal_axis_source: str = ""
    voltage_kv: float | None = None
    spherical_aberration_mm: float | None = None
    amplitude_contrast: float | None = None
    extra: Mapping[str, str] = field(default_factory=lambda: NOTHING)

    def __post_init__(self) -> None:
        sections = [tilt.section for tilt in self.tilts]
        if sections != sorted(set(sections)):
            raise UserError(f"series {self.name}: sections of the tilts must rise: {sections}")
        if self.stack is not None and self.stack.shape[0] <= max(sections, default=-1):
            raise UserError(
                f"series {self.name}: the stack has {self.stack.shape[0]} sections, "
                f"but tilts up to section {sections[-1] + 1} are listed"
            )

    @property
    def nominal_tilts_degrees(self) -> NDArray[np.float64]:
        """(n,) stage angles in section order."""
        return np.array([tilt.nominal_tilt_degrees for tilt in self.tilts], np.float64)
