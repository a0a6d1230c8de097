"""The contrast transfer of one image: what the optics did to it."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Ctf:
    """Defocus in angstrom, underfocus positive, at the specimen's origin.

    defocus_u belongs to the direction astigmatism_degrees (from +x towards +y), defocus_v to the
    one across it. amplitude_contrast: share of 1; b_factor (A^2) damps as exp(-B k^2 / 4), k in
    1/A; scale multiplies it, a tilt's share of the signal. A point at height h along the beam has
    defocus - hand h, hand +1 or -1.
    """

    defocus_u: float
    defocus_v: float
    astigmatism_degrees: float = 0.0
    voltage_kv: float = 300.0
    spherical_aberration_mm: float = 2.7
    amplitude_contrast: float = 0.07
    phase_shift_degrees: float = 0.0
    b_factor: float = 0.0
    scale: float = 1.0
    hand: int = 1

    @property
    def defocus(self) -> float:
        """Mean of both directions."""
        return (self.defocus_u + self.defocus_v) / 2

    @property
    def astigmatism(self) -> float:
        """Difference of the two directions, angstrom."""
        return self.defocus_u - self.defocus_v

    def at_height(self, height: float) -> "Ctf":
        """The transfer for what lies `height` angstrom along the beam from the origin."""
        change = -self.hand * height
        return replace(self, defocus_u=self.defocus_u + change, defocus_v=self.defocus_v + change)


@dataclass(frozen=True, slots=True)
class CtfFit:
    """The contrast transfer of one image as it was found, and how far it can be trusted.

    section: 0-based, in the stack. deviation, phase_deviation: standard deviations of the defocus,
    angstrom, and of the phase shift, degrees. score: correlation of the rings with the fit, 0 to 1;
    resolution: period to which rings are seen, angstrom. Without `has_rings` the defocus is that of
    the neighbouring exposures.
    """

    section: int
    tilt_degrees: float
    ctf: Ctf
    deviation: float
    phase_deviation: float
    score: float
    resolution: float
    has_rings: bool
