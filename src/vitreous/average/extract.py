"""Particles out of tilt images: stacks of their tilts, or volumes with weights, for refinement.

Boxes are cut wider than what is kept, multiplied by transfer and dose, and cropped in real space,
so that what the transfer has spread comes back into them. A volume is the sum of the tilts in the
transform of the cropped box, not divided; beside it the sums of the squared transfers and of the
shares of each point.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.average.boxes import Boxes, boxes_of, circle
from vitreous.average.extract_settings import ExtractSettings
from vitreous.average.optics import Optics
from vitreous.average.tilted import BoxSettings, TiltedParticles
from vitreous.kernels.insertion import SliceGrid, folded, insert

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectra = NDArray[np.complex64]

MOST_BYTES = 256 << 20  # of particles at a time


@dataclass(frozen=True, slots=True, eq=False)
class Extracted:
    """One particle: index among its tomogram's; sections (n,) that show it; images (n, crop, crop).

    Of a volume: volume (z, y, x) and weights (2 z, y, x // 2 + 1), first the squared transfers,
    then the shares, in FFT order.
    """

    index: int
    sections: NDArray[np.intp]
    images: Floats
    volume: Floats | None = None
    weights: Floats | None = None


def kept(settings: ExtractSettings) -> int:
    """Side of what is kept, binned pixels."""
    return settings.crop or settings.box


def extraction_boxes(settings: ExtractSettings) -> BoxSettings:
    """How boxes are cut for an extraction."""
    return BoxSettings(
        size=settings.box,
        binning=settings.binning,
        ctf=settings.ctf,
        circle=settings.circle_precrop,
        whiten=settings.whiten,
        invert=settings.dark,
        cutoff=None,
        margin=kept(settings) * settings.binning / 2,
    )


def extracted(tilted: TiltedParticles, settings: ExtractSettings) -> Iterator[Extracted]:
    """Each particle of a tomogram that a tilt shows, some at a time."""
    each = len(tilted.alignment) * kept(settings) ** 2 * 4
    if settings.form == "volumes":
        each += len(tilted.alignment) * settings.box**2 * 8
    at_once = max(1, MOST_BYTES // each)
    for start in range(0, len(tilted.particles), at_once):
        index = np.arange(start, min(start + at_once, len(tilted.particles)))
        yield from _extracted_some(tilted, settings, index)


def _extracted_some(
    tilted: TiltedParticles, settings: ExtractSettings, index: NDArray[np.intp]
) -> Iterator[Extracted]:
    some = replace(tilted, particles=tilted.particles.chosen(index))
    found: dict[int, list[tuple[int, Floats, Floats, Array]]] = {}
    for boxes in boxes_of(some, extraction_boxes(settings)):
        images = cropped_images(boxes, settings)
        for k, particle in enumerate(boxes.index):
            part = int(boxes.sections[k]), images[k], boxes.weights[k], boxes.matrices[k]
            found.setdefault(int(particle), []).append(part)
    for particle in sorted(found):
        parts = sorted(found[particle], key=lambda part: part[0])
        sections = np.array([part[0] for part in parts])
        if len(sections) < settings.min_tilts:
            continue
        images = np.stack([part[1] for part in parts])
        if settings.form == "stacks":
            yield Extracted(int(index[particle]), sections, images)
            continue
        weights, matrices = np.stack([p[2] for p in parts]), np.stack([p[3] for p in parts])
        whole = particle, sections, images, weights, matrices
        yield _volume(some, settings, int(index[particle]), *whole)


def cropped_images(boxes: Boxes, settings: ExtractSettings) -> Floats:
    """(n, crop, crop): boxes in real space, faded outside the circle that is kept.

    For volumes the whole box, 0 outside what is kept.
    """
    from scipy import fft

    size, side = settings.box, kept(settings)
    factor = np.float32(size / settings.binning if settings.form == "stacks" else size)
    images = fft.irfft2(boxes.data, s=(size, size), axes=(1, 2)) * factor
    images = np.fft.fftshift(images, axes=(1, 2))
    first = size // 2 - side // 2
    part = slice(first, first + side)
    if settings.circle_crop:
        window, beyond = circle(size, size // 2 - (size - side) // 2)
        if beyond.any():
            images -= images[:, beyond].mean(1)[:, None, None]
        images *= window
    return images[:, part, part] if settings.form == "stacks" else images


def _volume(
    tilted: TiltedParticles,
    settings: ExtractSettings,
    index: int,
    particle: int,
    sections: NDArray[np.intp],
    images: Floats,
    weights: Floats,
    matrices: Array,
) -> Extracted:
    """The sum of a particle's tilts in the transform of what is kept."""
    from scipy import fft

    size, side = settings.box, kept(settings)
    shape = (side, side, side)
    slices = fft.rfft2(np.fft.ifftshift(images, axes=(1, 2)), axes=(1, 2)) / np.float32(size)
    particles = tilted.particles
    to_box = particles.rotations[particle].T @ particles.boxes[particle]
    turned = matrices @ (np.eye(3) if settings.apply_orientations else to_box)
    inside = reached(tilted, settings, sections)
    shares = np.array([np.linalg.norm(m[0]) * np.linalg.norm(m[1]) for m in turned])
    factors = (shares * (side / size) ** 2).astype(np.float32)
    sums = []
    for held in (weights * inside, inside.astype(np.float32)):
        grid = SliceGrid.empty(shape)
        insert(
            grid,
            np.where(inside, slices, 0).astype(np.complex64),
            turned,
            "trilinear",
            columns=size,
            weights=np.maximum(held, np.finfo(np.float32).tiny * inside),
            factors=factors,
        )
        sums.append(folded(grid))
    scale = size / (side * np.sqrt(settings.binning)) * side**1.5
    volume = np.fft.fftshift(fft.irfftn(sums[0].data, s=shape)) * np.float32(scale)
    both = np.concatenate([sums[0].weight, sums[1].weight])
    return Extracted(index, sections, images, volume, both)


def reached(
    tilted: TiltedParticles, settings: ExtractSettings, sections: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """(n, box, box // 2 + 1): frequencies that the dose has left, within the circle."""
    cut = replace(extraction_boxes(settings), cutoff=settings.dose_cutoff)
    return np.stack([Optics.of(tilted, int(s), cut).inside for s in sections])
