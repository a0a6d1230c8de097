"""The particles of a set with the tilt series that show them, checked before any work begins."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.average.boxes import visible
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import box_settings, symmetry_group
from vitreous.average.tilted import ParticleStacks, TiltedParticles
from vitreous.errors import UserError
from vitreous.formats import relion
from vitreous.formats.facts import NOTHING, PartialFacts
from vitreous.formats.images import open_images
from vitreous.formats.relion_ctf import read_ctfs, read_doses
from vitreous.formats.relion_needs import require_columns
from vitreous.formats.relion_particles import (
    OptimisationSet,
    ParticleSet,
    Trajectories,
    particles_of,
    read_particle_set,
    visible_of,
)
from vitreous.formats.relion_sets import Tomogram, find, read_tomograms, sections_of
from vitreous.pipeline.tomogram_set import WHOLE, opened_series
from vitreous.records.images import ImageStack
from vitreous.records.particles import Particles

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StackFiles:
    """Row of a particle set -> the file of its stack; whether the transfer is applied there."""

    paths: dict[int, Path]
    premultiplied: bool


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The particles of one tomogram, and the tomogram as its set has it."""

    tomogram: Tomogram
    particles: Particles
    stack_files: StackFiles | None
    views: int
    section_count: int
    image_size: tuple[int, int]
    pixel_size: float
    left_out: dict[int, str]

    def opened(self, settings: AverageSettings) -> TiltedParticles:
        """With the images that show them."""
        return _tilted(self.tomogram, self.particles, self.stack_files, settings)


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """All that goes into an average: by tomogram, the files it came from, the settings that fit."""

    files: OptimisationSet
    particle_set: ParticleSet
    settings: AverageSettings
    each: tuple[Source, ...]
    pixel_size: float

    @property
    def has_half_sets(self) -> bool:
        """The particles are divided into half sets."""
        return self.particle_set.has_half_sets

    @property
    def count(self) -> int:
        """How many particles are averaged."""
        return sum(len(source.particles) for source in self.each)

    @property
    def left_out(self) -> dict[int, str]:
        """Row of the particle set -> why the particle isn't averaged."""
        return {row: why for source in self.each for row, why in source.left_out.items()}


def opened(
    files: OptimisationSet, settings: AverageSettings, *, margin: float | None = None
) -> Sources:
    """Read particles and tomograms; what doesn't fit is told before any work begins.

    margin: unbinned pixels that a particle must be away from an image's edge; None: half the box.
    """
    symmetry_group(settings)
    particle_set = read_particle_set(files.particles)
    settings = fitting(settings, particle_set)
    names = particle_set.tomograms
    tomograms = read_tomograms(files.tomograms, names)
    trajectories = None if files.trajectories is None else Trajectories(files.trajectories)
    each = tuple(
        _source(tomogram, particle_set, trajectories, settings, margin) for tomogram in tomograms
    )
    _tell_aberrations(particle_set)
    sources = Sources(files, particle_set, settings, each, _pixel_size(each[0].tomogram))
    _require_seen(sources, settings)
    return sources


def _source(
    tomogram: Tomogram,
    particle_set: ParticleSet,
    trajectories: Trajectories | None,
    settings: AverageSettings,
    margin: float | None,
) -> Source:
    """The particles of a tomogram; those that no tilt shows are left out."""
    if tomogram.size is None:
        raise UserError(
            f"{tomogram.path}: {tomogram.name} has no rlnTomoSizeX, Y, Z, which say where "
            "coordinates count from: reconstruct the tomogram first"
        )
    pixel_size = _pixel_size(tomogram)
    _require_optics(particle_set, tomogram, pixel_size)
    particles = particles_of(particle_set, tomogram.name, tomogram.size, pixel_size)
    files = stack_files(particle_set, particles) if settings.images == "stacks" else None
    tilted = _tilted(tomogram, particles, files, settings)
    told = PartialFacts(sections=tilted.alignment.section_count)
    sections, total = sections_of(tomogram.tilts, told, tomogram.path)
    shown = visible_of(particle_set, particles, sections, total)
    tracks = None if trajectories is None else trajectories.of(particles, sections, total)
    particles = replace(particles, visible=shown, tracks=tracks)
    tilted = replace(tilted, particles=particles)
    seen = visible(tilted, replace(box_settings(settings), margin=margin)).any(0)
    lost = {int(row): "no tilt shows the whole box" for row in particles.rows[~seen]}
    kept = particles.chosen(np.flatnonzero(seen))
    alignment = tilted.alignment
    return Source(
        tomogram,
        kept,
        files,
        len(alignment),
        alignment.section_count,
        alignment.image_size,
        pixel_size,
        lost,
    )


def _tilted(
    tomogram: Tomogram, particles: Particles, files: StackFiles | None, settings: AverageSettings
) -> TiltedParticles:
    """The particles with what shows them."""
    images: ImageStack | ParticleStacks
    if files is not None:
        require_columns(tomogram, ctf=settings.ctf, halves=False)
        told = PartialFacts(image_size=NO_IMAGE)
        alignment = relion.alignment_of(tomogram, tomogram.path, told, directions_only=True)
        sections, total = sections_of(tomogram.tilts, NOTHING, tomogram.path)
        ctfs = read_ctfs(tomogram, sections, total) if settings.ctf else ()
        doses = read_doses(tomogram, sections, total)
        images = stacks_of(files, sections, settings.box)
    else:
        series = opened_series(tomogram, ctf=settings.ctf, halves=False, scaled_by_tilt=False)
        images, alignment = series.images[WHOLE], series.alignment
        ctfs, doses = series.ctfs, series.doses
    slope = tomogram.number("rlnTomoDefocusSlope")
    return TiltedParticles(
        images,
        alignment,
        particles,
        ctfs or (None,) * alignment.section_count,
        doses,
        1.0 if slope is None else slope,
        tomogram.number("rlnCtfBfactorPerElectronDose") or 0.0,
    )


def stacks_of(files: StackFiles, sections: NDArray[np.intp], size: int) -> ParticleStacks:
    """The particles' own stacks, opened one by one."""

    def open_stack(row: int) -> ImageStack:
        return open_images(files.paths[row])

    return ParticleStacks(open_stack, tuple(map(int, sections)), size, files.premultiplied)


def stack_files(particle_set: ParticleSet, particles: Particles) -> StackFiles:
    """Where the stacks of some particles lie; those that aren't there are told together."""
    names = particle_set.particles.texts("rlnImageName")
    paths, lost = {}, []
    for row in map(int, particles.rows):
        try:
            paths[row] = find(names[row], particle_set.path)
        except UserError:
            lost.append(names[row])
    if lost:
        raise UserError(
            f"{particle_set.path}: {len(lost)} stacks of particles are missing, the first is "
            f"{lost[0]}. Paths are relative to RELION's project folder: start there."
        )
    optics = particle_set.optics
    flags = () if optics is None else optics.columns.get("rlnCtfDataAreCtfPremultiplied", ())
    return StackFiles(paths, bool(flags) and all(float(flag) for flag in flags))


def fitting(settings: AverageSettings, particle_set: ParticleSet) -> AverageSettings:
    """With stacks: the box and binning that they have."""
    if settings.images == "tilts":
        return settings
    optics = particle_set.optics
    if optics is None or not particle_set.are_stacks:
        raise UserError(
            f"{particle_set.path}: its particles are no stacks of tilts (rlnTomoSubTomosAre2DStacks"
            " and data_optics say which are): cut them out of the tilt images"
        )
    sizes = {label: set(optics.numbers(label)) for label in STACK_OPTICS}
    if mixed := [label for label, values in sizes.items() if len(values) > 1]:
        raise UserError(f"{particle_set.path}: optics groups differ in {', '.join(mixed)}")
    box, binning = (values.pop() for values in sizes.values())
    return settings.model_copy(update={"box": int(box), "binning": float(binning)})


def _pixel_size(tomogram: Tomogram) -> float:
    if tomogram.pixel_size is None:
        raise UserError(f"{tomogram.path}: {tomogram.name} has no rlnTomoTiltSeriesPixelSize")
    return tomogram.pixel_size


STACK_OPTICS = ("rlnImageSize", "rlnTomoSubtomogramBinning")
NO_IMAGE = (2, 2)  # px: nothing is cut out of images
ABERRATIONS = ("rlnOddZernike", "rlnEvenZernike", "rlnBeamTiltX", "rlnBeamTiltY")
SHARED_OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnTomoTiltSeriesPixelSize")


def _require_optics(particle_set: ParticleSet, tomogram: Tomogram, pixel_size: float) -> None:
    """Particles and tomograms must tell the same of the microscope."""
    optics = particle_set.optics
    if optics is None:
        return
    for label in SHARED_OPTICS:
        said = pixel_size if label.endswith("PixelSize") else tomogram.number(label)
        if label not in optics or said is None:
            continue
        for row, value in enumerate(optics.numbers(label)):
            if abs(value - said) > 1e-3 * max(1.0, abs(said)):
                raise UserError(
                    f"{particle_set.path}:{optics.line_of(row)}: {label} is {value:g} there and "
                    f"{said:g} for {tomogram.name} in {tomogram.path}: they must agree"
                )


def _tell_aberrations(particle_set: ParticleSet) -> None:
    """What an optics table has beyond the CTF isn't applied: said."""
    optics = particle_set.optics
    for label in ABERRATIONS if optics is not None else ():
        words = optics.columns.get(label, ()) if optics is not None else ()
        if any(float(part) for word in words for part in word.strip("[]").split(",") if part):
            log.warning("%s: %s isn't applied", particle_set.path, label)


def _require_seen(sources: Sources, settings: AverageSettings) -> None:
    if not sources.count:
        raise UserError(
            f"no particle of {sources.files.particles} is seen: in no tilt a box of "
            f"{settings.box} px at bin {settings.binning:g} fits round any of them"
        )


def require_half_sets(sources: Sources) -> None:
    """Raise a `UserError` where particles are divided into half sets of which one is empty."""
    for half in (1, 2) if sources.has_half_sets else ():
        if not any((source.particles.half_sets == half).any() for source in sources.each):
            raise UserError(
                f"{sources.files.particles}: half set {half} (rlnRandomSubset) is empty: "
                "divide the particles again, or take the column away"
            )
