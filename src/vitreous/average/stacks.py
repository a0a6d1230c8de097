"""Particles whose boxes were cut out before: pseudo-subtomograms as stacks of tilts."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from vitreous.average.boxes import Boxes, centred_turns, circle, everything, with_height
from vitreous.average.optics import Optics
from vitreous.average.tilted import BoxSettings, ParticleStacks, TiltedParticles
from vitreous.errors import UserError
from vitreous.kernels.cpu.boxes import cut_boxes

Floats = NDArray[np.float32]


def stacked_boxes(tilted: TiltedParticles, settings: BoxSettings) -> Iterator[Boxes]:
    """All boxes of a tomogram's particles, particle by particle, out of their own stacks."""
    stacks, alignment, particles = tilted.images, tilted.alignment, tilted.particles
    assert isinstance(stacks, ParticleStacks)
    stored = replace(settings, binning=1.0, invert=False)
    heights = alignment.heights(particles.positions)
    views = {int(section): view for view, section in enumerate(alignment.sections)}
    optics = {section: Optics.of(tilted, section, settings) for section in views}
    turned = {section: with_height(alignment, view) for section, view in views.items()}
    for i, rotation in enumerate(particles.rotations):
        sections, images = _images_of(tilted, stacks, i)
        used = [k for k, section in enumerate(sections) if section in views]
        if not used:
            continue
        spectra, turns = _transformed(images[used], stored)
        data, weights = [], []
        for k, spectrum in zip(used, spectra, strict=True):
            here = optics[sections[k]]
            change = -here.hand * tilted.defocus_slope * heights[views[sections[k]], [i]]
            one, weight = here.applied(spectrum[None], turns, change, stored)
            if stacks.premultiplied and settings.ctf:
                one = here.bare().applied(spectrum[None], turns, change, stored)[0]
            data.append(one)
            weights.append(weight)
        chosen = [sections[k] for k in used]
        yield Boxes(
            np.full(len(used), i),
            np.array(chosen),
            np.stack([turned[section] @ rotation for section in chosen]),
            np.concatenate(data),
            np.concatenate(weights),
            np.array([optics[section].radius for section in chosen]),
            (i + 1) / len(particles),
        )


def _images_of(
    tilted: TiltedParticles, stacks: ParticleStacks, particle: int
) -> tuple[list[int], Floats]:
    """(sections, images) of a particle's stack, only those that show it."""
    shown = tilted.particles.visible
    every = list(stacks.sections)
    seen = [s for s in every if shown is None or shown[particle, s]]
    stack = stacks.open_stack(int(tilted.particles.rows[particle]))
    count, rows, columns = stack.shape
    name = tilted.particles.names[particle]
    if (rows, columns) != (stacks.size, stacks.size):
        raise UserError(
            f"the images of {name} are {columns} x {rows} px, those of its optics group "
            f"{stacks.size} px"
        )
    if count == len(seen):
        at = dict(zip(seen, range(count), strict=True))
    elif count == len(every):
        at = dict(zip(every, range(count), strict=True))
    else:
        raise UserError(
            f"the stack of {name} has {count} images; the series has {len(every)} tilts, of which "
            f"{len(seen)} show it"
        )
    images = np.stack([np.asarray(stack.read(at[section]), np.float32) for section in seen])
    if not np.isfinite(images).all():
        raise UserError(f"the images of {name} hold NaN or infinite pixels")
    return seen, images


def _transformed(images: Floats, settings: BoxSettings):  # type: ignore[no-untyped-def]
    """Transforms of boxes whose particle is at their centre, and the turns that centre it."""
    from scipy import fft

    size = images.shape[1]
    window, beyond = circle(size) if settings.circle else everything(size)
    boxes = np.empty_like(images)
    origin = np.zeros((1, 2), np.intp)
    for image, box in zip(images, boxes, strict=True):
        cut_boxes(image, origin, window, beyond, box[None])
    wide = settings.padding * size
    turns = centred_turns(np.full((1, 2), size // 2), np.zeros((1, 2), np.intp), settings)
    return fft.rfft2(boxes, s=(wide, wide), axes=(1, 2)), turns
