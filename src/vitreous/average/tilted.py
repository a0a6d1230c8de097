"""What averaging is handed: particles of a tomogram with their images, and how boxes are cut."""

from collections.abc import Callable
from dataclasses import dataclass

from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.particles import Particles


@dataclass(frozen=True, slots=True, eq=False)
class ParticleStacks:
    """Boxes that were cut out before: each particle's tilts as a stack of its own.

    open_stack: row of the particle set -> its stack of `size`^2 images, one for each section that
    is visible or for each of all, in the order of `sections`. premultiplied: images are multiplied
    by the transfer already. Contrast is as it is to be in the map.
    """

    open_stack: Callable[[int], ImageStack]
    sections: tuple[int, ...]
    size: int
    premultiplied: bool


@dataclass(frozen=True, slots=True, eq=False)
class TiltedParticles:
    """Particles of one tomogram and the images that show them.

    images: all sections of the tilt series, or a stack of boxes for each particle. ctfs, at the
    specimen's origin, and doses, e/A^2 before each tilt, by section. defocus_slope: how strongly
    defocus follows height (1 in theory).
    b_factor_per_dose (A^2 per e/A^2): where above 0, it replaces the usual curve of damage.
    """

    images: ImageStack | ParticleStacks
    alignment: Alignment
    particles: Particles
    ctfs: tuple[Ctf | None, ...]
    doses: tuple[float | None, ...] | None = None
    defocus_slope: float = 1.0
    b_factor_per_dose: float = 0.0


@dataclass(frozen=True, slots=True)
class BoxSettings:
    """How boxes are cut: their size in binned pixels, the binning, and what is done to them.

    padding: the transform is that of a box so many times as wide, 0 outside. cutoff: frequencies of
    which the dose leaves less than this share are left out, and the corners; None: nothing is.
    circle: fade the box outside its inscribed circle. ctf: with transfer and dose, else images as
    they are. margin: unbinned pixels that a particle must be away from an image's edge; None: half
    the box.
    """

    size: int
    binning: float = 1.0
    padding: int = 1
    ctf: bool = True
    circle: bool = True
    whiten: bool = False
    invert: bool = True
    cutoff: float | None = 0.01
    margin: float | None = None

    @property
    def reach(self) -> float:
        """Unbinned pixels that must lie between a particle's centre and the image's edge."""
        return self.size * self.binning / 2 if self.margin is None else self.margin

    @property
    def unbinned(self) -> int:
        """Pixels of the tilt image that a box spans."""
        return int(self.binning * self.size + 0.5)

    @property
    def padded(self) -> int:
        """Binned pixels of the box that is transformed."""
        return self.padding * self.size
