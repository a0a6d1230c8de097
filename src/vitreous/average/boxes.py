"""Particles cut out of the tilt images: a transform and its weight for each particle and tilt.

Per tilt and particle: the box round the pixel nearest to where the particle is seen; outside a
circle it fades to nothing; its transform, cropped to the box of the map, with the particle's centre
at its origin; times the contrast transfer at the particle's height, the damage of the dose and, for
dark matter, -1. The weight is the square of the transfer, so that sums over many boxes divided by
one another are the least-squares map (RELION's Reconstruct particle, step by step).
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.average.optics import Optics, Spectra
from vitreous.average.tilted import BoxSettings, ParticleStacks, TiltedParticles
from vitreous.kernels.cpu.boxes import cut_boxes
from vitreous.records.alignment import Alignment

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

EDGE = 5  # pixels over which a circle's edge fades
MOST_BYTES = 64 << 20  # of boxes at a time


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Some particles in one tilt: data and weights (n, b, b // 2 + 1), rows in FFT order, b padded.

    index, sections (n,): which particle in which section of the series; matrices (n, 3, 3): from
    the particle's map to the image and the height; radii (n,): up to which frequency, in steps of
    1 / b, they hold anything. done: the share of the tomogram's boxes that they complete.
    """

    index: NDArray[np.intp]
    sections: NDArray[np.intp]
    matrices: Array
    data: Spectra
    weights: Floats
    radii: NDArray[np.intp]
    done: float


def boxes_of(tilted: TiltedParticles, settings: BoxSettings) -> Iterator[Boxes]:
    """All boxes of a tomogram, tilt by tilt, some particles at a time.

    One image is held at a time. A particle nearer to an image's edge than half a box isn't in it.
    """
    images, alignment, particles = tilted.images, tilted.alignment, tilted.particles
    assert not isinstance(images, ParticleStacks)
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
        optics = Optics.of(tilted, int(section), settings)
        image = repaired(np.asarray(images.read(int(section)), np.float32), tilted, int(section))
        if settings.whiten:
            optics = optics.whitened(image, settings)
        turned = with_height(alignment, view) @ particles.rotations
        for start in range(0, len(inside), at_once):
            index = inside[start : start + at_once]
            spectra, turns = _cut(image, seen[index], settings)
            change = -optics.hand * tilted.defocus_slope * heights[view, index]
            data, weights = optics.applied(spectra, turns, change, settings)
            yield Boxes(
                index,
                np.full(len(index), section),
                turned[index],
                data,
                weights,
                np.full(len(index), optics.radius),
                (view + 1) / len(alignment),
            )


def repaired(image: Floats, tilted: TiltedParticles, section: int) -> Floats:
    """The image with its mean where it is NaN or infinite, which is said."""
    finite = np.isfinite(image)
    holes = image.size - int(np.count_nonzero(finite))
    if not holes:
        return image
    log.warning(
        "%s, section %d: %d NaN or infinite pixels were replaced by the image's mean",
        tilted.particles.tomogram,
        section + 1,
        holes,
    )
    mean = image[finite].mean() if holes < image.size else 0.0
    return np.where(finite, image, np.float32(mean))


def visible(tilted: TiltedParticles, settings: BoxSettings) -> NDArray[np.bool_]:
    """(views, particles): which particles are found in which of the alignment's views."""
    alignment, particles = tilted.alignment, tilted.particles
    if isinstance(tilted.images, ParticleStacks):
        if particles.visible is None:
            return np.ones((len(alignment), len(particles)), bool)
        return particles.visible.T[alignment.sections]
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
    margin = settings.reach
    size = np.array(tilted.alignment.image_size)
    inside = np.all((seen > margin) & (seen < size - margin), axis=-1)
    shown = tilted.particles.visible
    return inside if shown is None else inside & shown[:, section]


def with_height(alignment: Alignment, view: int) -> Array:
    """(3, 3): the map of a view with the height along the beam as third row."""
    rows = alignment.projections[view]
    height = alignment.rotations[view, 2] * alignment.magnifications[view]
    return np.vstack([rows, height])


def _cut(image: Floats, seen: Array, settings: BoxSettings) -> tuple[Spectra, Array]:
    """Transforms of boxes round `seen` (n, 2), and the turns that centre the particles."""
    from scipy import fft

    size = settings.unbinned
    corners = np.floor(seen + 0.5).astype(np.intp) - size // 2
    window, beyond = circle(size) if settings.circle else everything(size)
    boxes = np.empty((len(seen), size, size), np.float32)
    cut_boxes(image, corners, window, beyond, boxes)
    wide = settings.padding * size
    turns = centred_turns(seen, corners, settings)
    return fft.rfft2(boxes, s=(wide, wide), axes=(1, 2), overwrite_x=True), turns


def centred_turns(seen: Array, corners: NDArray[np.intp], settings: BoxSettings) -> Array:
    """(n, 2) turns of the phase per step of frequency that bring `seen` to the origin.

    Whole pixels of the box count in its own steps, what remains in those of the cropped one.
    """
    half = settings.unbinned // 2
    centres = (seen - corners) / settings.binning - settings.size // 2
    turns: Array = half / (settings.padding * settings.unbinned) + centres / settings.padded
    return turns


def circle(size: int, reach: int | None = None) -> tuple[Floats, NDArray[np.bool_]]:
    """(window, beyond) of a box: 1 inside its circle, fading to 0 at it; what lies beyond it.

    reach: radius of the circle; None: the inscribed one.
    """
    y, x = np.ogrid[:size, :size]
    distance = np.hypot(x - size // 2, y - size // 2)
    reach = size // 2 if reach is None else reach
    window = np.clip((reach - distance) / EDGE, 0, 1)
    return (0.5 - 0.5 * np.cos(np.pi * window)).astype(np.float32), distance > reach


def everything(size: int) -> tuple[Floats, NDArray[np.bool_]]:
    """The same without a circle."""
    return np.ones((size, size), np.float32), np.zeros((size, size), bool)
