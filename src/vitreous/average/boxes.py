"""Particles cut out of the tilt images: a transform and its weight for each particle and tilt.

Per tilt and particle: the box round the pixel nearest to where the particle is seen; outside a
circle it fades to nothing; its transform, cropped to the box of the map, with the particle's centre
at its origin; times the contrast transfer at the particle's height, the damage of the dose and, for
dark matter, -1. The weight is the square of the transfer, so that sums over many boxes divided by
one another are the least-squares map (RELION's Reconstruct particle, step by step).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.model import phase, phase_per_defocus
from vitreous.kernels.cpu.boxes import cut_boxes, transfer_boxes
from vitreous.kernels.dose import remaining_amplitude
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import ImageStack
from vitreous.records.particles import Particles

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

EDGE = 5  # pixels over which a circle's edge fades
MOST_BYTES = 64 << 20  # of boxes at a time
USUAL_KV = 300.0


@dataclass(frozen=True, slots=True, eq=False)
class TiltedParticles:
    """Particles of one tomogram and the images that show them.

    images: all sections of the tilt series, dark matter; ctfs, at the specimen's origin, and
    doses, e/A^2 before each tilt, by section. defocus_slope: how strongly defocus follows height
    (1 in theory).
    b_factor_per_dose (A^2 per e/A^2): where above 0, it replaces the usual curve of damage.
    """

    images: ImageStack
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
    which the dose leaves less than this share are left out. circle: fade the box outside its
    inscribed circle. ctf: with transfer and dose, else images as they are.
    """

    size: int
    binning: float = 1.0
    padding: int = 1
    ctf: bool = True
    circle: bool = True
    whiten: bool = False
    invert: bool = True
    cutoff: float = 0.01

    @property
    def unbinned(self) -> int:
        """Pixels of the tilt image that a box spans."""
        return int(self.binning * self.size + 0.5)

    @property
    def padded(self) -> int:
        """Binned pixels of the box that is transformed."""
        return self.padding * self.size


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Some particles in one tilt: data and weights (n, b, b // 2 + 1), rows in FFT order, b padded.

    index (n,): which of the particles; matrices (n, 3, 3): from the particle's map to the image and
    the height; radius: up to which frequency, in steps of 1 / b, they hold anything.
    """

    index: NDArray[np.intp]
    section: int
    matrices: Array
    data: Spectra
    weights: Floats
    radius: int


def boxes_of(tilted: TiltedParticles, settings: BoxSettings) -> Iterator[Boxes]:
    """All boxes of a tomogram, tilt by tilt, some particles at a time.

    One image is held at a time. A particle nearer to an image's edge than half a box isn't in it.
    """
    alignment, particles = tilted.alignment, tilted.particles
    places = None if particles.tracks is not None else alignment.pixels(particles.positions)
    heights = alignment.heights(particles.positions)
    at_once = max(1, MOST_BYTES // (8 * settings.unbinned**2))
    for view, section in enumerate(alignment.sections):
        seen = (
            places[view]
            if places is not None
            else alignment.pixels(particles.positions_in(int(section)))[view]
        )
        inside = np.flatnonzero(_inside(seen, tilted, int(section), settings))
        if not len(inside):
            continue
        optics = _Optics.of(tilted, int(section), settings)
        image = np.asarray(tilted.images.read(int(section)), np.float32)
        if settings.whiten:
            optics = optics.whitened(image, settings)
        turned = _with_height(alignment, view) @ particles.rotations
        for start in range(0, len(inside), at_once):
            index = inside[start : start + at_once]
            spectra, turns = _cut(image, seen[index], settings)
            change = -optics.hand * tilted.defocus_slope * heights[view, index]
            data, weights = optics.applied(spectra, turns, change, settings)
            yield Boxes(index, int(section), turned[index], data, weights, optics.radius)


def visible(tilted: TiltedParticles, settings: BoxSettings) -> NDArray[np.bool_]:
    """(views, particles): which particles `boxes_of` finds in which of the alignment's views."""
    alignment, particles = tilted.alignment, tilted.particles
    return np.stack(
        [
            _inside(
                alignment.pixels(particles.positions_in(int(section)))[view],
                tilted,
                int(section),
                settings,
            )
            for view, section in enumerate(alignment.sections)
        ]
    )


def _inside(
    seen: Array, tilted: TiltedParticles, section: int, settings: BoxSettings
) -> NDArray[np.bool_]:
    margin = settings.size * settings.binning / 2
    size = np.array(tilted.alignment.image_size)
    inside = np.all((seen > margin) & (seen < size - margin), axis=-1)
    shown = tilted.particles.visible
    return inside if shown is None else inside & shown[:, section]


def _with_height(alignment: Alignment, view: int) -> Array:
    """(3, 3): the map of a view with the height along the beam as third row."""
    rows = alignment.projections[view]
    height = alignment.rotations[view, 2] * alignment.magnifications[view]
    return np.vstack([rows, height])


def _cut(image: Floats, seen: Array, settings: BoxSettings) -> tuple[Spectra, Array]:
    """Transforms of boxes round `seen` (n, 2), and the turns that centre the particles."""
    from scipy import fft

    size, half = settings.unbinned, settings.unbinned // 2
    corners = np.floor(seen + 0.5).astype(np.intp) - half
    window, beyond = circle(size) if settings.circle else _open(size)
    boxes = np.empty((len(seen), size, size), np.float32)
    cut_boxes(image, corners, window, beyond, boxes)
    centres = (seen - corners) / settings.binning - settings.size // 2
    wide = settings.padding * size
    turns = half / wide + centres / settings.padded
    return fft.rfft2(boxes, s=(wide, wide), axes=(1, 2), overwrite_x=True), turns


def circle(size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """(window, beyond) of a box: 1 inside its circle, fading to 0 at it; what lies beyond it."""
    y, x = np.ogrid[:size, :size]
    distance = np.hypot(x - size // 2, y - size // 2)
    reach = size // 2
    window = np.clip((reach - distance) / EDGE, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * window)).astype(np.float32), distance > reach


def _open(size: int) -> tuple[Floats, NDArray[np.bool_]]:
    return np.ones((size, size), np.float32), np.zeros((size, size), bool)


@dataclass(frozen=True, slots=True, eq=False)
class _Optics:
    """What one tilt does to all its particles, on (size, size // 2 + 1) frequencies.

    phase (radians) at the origin's height, per_defocus (radians/A), amplitude of the transfer;
    whitening: a factor of data and weights, None without.
    """

    phase: Floats
    per_defocus: Floats
    amplitude: Floats
    radius: int
    hand: int
    whitening: Floats | None = None

    @classmethod
    def of(cls, tilted: TiltedParticles, section: int, settings: BoxSettings) -> "_Optics":
        size = settings.padded
        steps_y = np.fft.fftfreq(size, 1 / size)[:, None]
        steps_x = np.arange(size // 2 + 1)[None]
        distance = np.hypot(steps_x, steps_y)
        step = 1 / (size * settings.binning * tilted.alignment.pixel_size)
        known = tilted.ctfs[section]
        voltage_kv = USUAL_KV if known is None else known.voltage_kv
        left = _left_by_dose(tilted, section, distance * step, voltage_kv)
        inside = (left > settings.cutoff) & (distance <= size / 2)
        radius = 1 + int(np.flatnonzero(inside[0]).max(initial=0))
        if not settings.ctf or known is None:
            flat = np.zeros(distance.shape, np.float32)
            return cls(np.full_like(flat, np.pi / 2), flat, np.ones_like(flat), radius, 1)
        damping = known.scale * np.exp(-known.b_factor / 4 * (distance * step) ** 2)
        return cls(
            phase(known, steps_x * step, steps_y * step).astype(np.float32),
            phase_per_defocus(known.voltage_kv, (distance * step) ** 2).astype(np.float32),
            np.where(inside, left * damping, 0).astype(np.float32),
            radius,
            known.hand,
        )

    def applied(
        self, spectra: Spectra, turns: Array, defocus: Array, settings: BoxSettings
    ) -> tuple[Spectra, Floats]:
        """(data, weights) of boxes whose defocus differs from the origin's by `defocus` (n,)."""
        shape = len(spectra), *self.amplitude.shape
        data, weights = np.empty(shape, np.complex64), np.empty(shape, np.float32)
        unitary = 1 / (settings.padding * settings.unbinned * settings.binning)
        transfer_boxes(
            _pairs(spectra),
            turns,
            -unitary if settings.invert else unitary,
            self.phase,
            self.per_defocus,
            defocus,
            self.amplitude,
            _pairs(data),
            weights,
        )
        if self.whitening is not None:
            data *= self.whitening
            weights *= self.whitening
        return data, weights

    def whitened(self, image: Floats, settings: BoxSettings) -> "_Optics":
        """The same with the whitening of the image's noise, found from its power spectrum."""
        size = settings.padded
        radius = np.hypot(np.arange(size // 2 + 1)[None], np.fft.fftfreq(size, 1 / size)[:, None])
        profile = whitening_profile(image, settings.unbinned)
        factor = np.interp(radius / settings.padding, np.arange(len(profile)), profile).astype(
            np.float32
        )
        return _Optics(self.phase, self.per_defocus, self.amplitude, self.radius, self.hand, factor)


def _pairs(values: Spectra) -> Floats:
    """Complex numbers as pairs of float32, the same memory."""
    return values.view(np.float32).reshape(*values.shape, 2)


def _left_by_dose(
    tilted: TiltedParticles, section: int, frequency: Array, voltage_kv: float
) -> Array:
    dose = None if tilted.doses is None else tilted.doses[section]
    if dose is None:
        return np.ones_like(frequency)
    if tilted.b_factor_per_dose > 0:
        return np.asarray(np.exp(-tilted.b_factor_per_dose * dose / 4 * frequency**2))
    return remaining_amplitude(frequency, dose, voltage_kv)


def whitening_profile(image: Floats, size: int) -> Array:
    """1 / sqrt of the mean power per shell of blocks of size^2, overlapping by half; 0 for none."""
    from scipy import fft

    step = size // 2
    rows, columns = image.shape
    power = np.zeros((size, size // 2 + 1))
    blocks = 0
    for y in range(0, rows - size + 1, step):
        for x in range(0, columns - size + 1, step):
            spectrum = fft.rfft2(image[y : y + size, x : x + size].astype(np.float64)) / size
            power += np.abs(spectrum) ** 2
            blocks += 1
    radius = np.hypot(np.arange(size // 2 + 1)[None], np.fft.fftfreq(size, 1 / size)[:, None])
    mean = shell_means(power / max(blocks, 1), radius, size // 2 + 1)
    with np.errstate(divide="ignore"):
        return np.where(mean > 0, 1 / np.sqrt(mean), 0)


def shell_means(values: Array, radius: Array, count: int) -> Array:
    """(count,) means over shells; a value between two shells belongs to both in parts."""
    low = radius.astype(int)
    part = radius - low
    total, weight = np.zeros(count + 1), np.zeros(count + 1)
    for shell, share in ((low, 1 - part), (low + 1, part)):
        inside = shell < count
        total += np.bincount(shell[inside], (share * values)[inside], count + 1)
        weight += np.bincount(shell[inside], share[inside], count + 1)
    return total[:count] / np.where(weight[:count] > 0, weight[:count], 1)
