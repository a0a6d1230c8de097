"""The particles of a set with the tilt series that show them, checked before any work begins."""

from dataclasses import dataclass, replace

import numpy as np

from vitreous.average.boxes import TiltedParticles, visible
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import box_settings, symmetry_group
from vitreous.errors import UserError
from vitreous.formats.relion_particles import (
    OptimisationSet,
    ParticleSet,
    Trajectories,
    particles_of,
    read_particle_set,
    visible_of,
)
from vitreous.formats.relion_sets import Tomogram, read_tomograms, sections_of
from vitreous.pipeline.tomogram_set import WHOLE, SetSeries, opened_series
from vitreous.records.images import facts_of
from vitreous.records.particles import Particles


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """The particles of one tomogram, and the tomogram as its set has it."""

    tomogram: Tomogram
    particles: Particles
    views: int
    image_size: tuple[int, int]
    left_out: dict[int, str]

    def opened(self, settings: AverageSettings) -> TiltedParticles:
        """With the images that show them."""
        return _tilted(_series(self.tomogram, settings), self.particles)


@dataclass(frozen=True, slots=True, eq=False)
class Sources:
    """All that goes into an average: by tomogram, and the files it came from."""

    files: OptimisationSet
    particle_set: ParticleSet
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


def opened(files: OptimisationSet, settings: AverageSettings) -> Sources:
    """Read particles and tomograms; what doesn't fit is told before any work begins."""
    symmetry_group(settings)
    particle_set = read_particle_set(files.particles)
    names = particle_set.tomograms
    tomograms = read_tomograms(files.tomograms, names)
    trajectories = None if files.trajectories is None else Trajectories(files.trajectories)
    each = tuple(_source(tomogram, particle_set, trajectories, settings) for tomogram in tomograms)
    sources = Sources(files, particle_set, each, _pixel_size(each[0].tomogram))
    _require_sound(sources, settings)
    return sources


def _source(
    tomogram: Tomogram,
    particle_set: ParticleSet,
    trajectories: Trajectories | None,
    settings: AverageSettings,
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
    series = _series(tomogram, settings)
    facts = facts_of(series.images[WHOLE])
    sections, total = sections_of(tomogram.tilts, facts, tomogram.path)
    shown = visible_of(particle_set, particles, sections, total)
    tracks = None if trajectories is None else trajectories.of(particles, sections, total)
    particles = replace(particles, visible=shown, tracks=tracks)
    tilted = _tilted(series, particles)
    seen = visible(tilted, box_settings(settings)).any(0)
    lost = {int(row): "no tilt shows the whole box" for row in particles.rows[~seen]}
    kept = particles.chosen(np.flatnonzero(seen))
    return Source(tomogram, kept, len(tilted.alignment), tilted.alignment.image_size, lost)


def _series(tomogram: Tomogram, settings: AverageSettings) -> SetSeries:
    return opened_series(tomogram, ctf=settings.ctf, halves=False, scaled_by_tilt=False)


def _tilted(series: SetSeries, particles: Particles) -> TiltedParticles:
    tomogram = series.tomogram
    images = series.images[WHOLE]
    slope = tomogram.number("rlnTomoDefocusSlope")
    return TiltedParticles(
        images,
        series.alignment,
        particles,
        series.ctfs or (None,) * images.shape[0],
        series.doses,
        1.0 if slope is None else slope,
        tomogram.number("rlnCtfBfactorPerElectronDose") or 0.0,
    )


def _pixel_size(tomogram: Tomogram) -> float:
    if tomogram.pixel_size is None:
        raise UserError(f"{tomogram.path}: {tomogram.name} has no rlnTomoTiltSeriesPixelSize")
    return tomogram.pixel_size


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


def _require_sound(sources: Sources, settings: AverageSettings) -> None:
    if not sources.count:
        raise UserError(
            f"no particle of {sources.files.particles} is seen: in no tilt a box of "
            f"{settings.box} px at bin {settings.binning:g} fits round any of them"
        )
    if sources.has_half_sets:
        for half in (1, 2):
            if not any((source.particles.half_sets == half).any() for source in sources.each):
                raise UserError(
                    f"{sources.files.particles}: half set {half} (rlnRandomSubset) is empty: "
                    "divide the particles again, or take the column away"
                )
