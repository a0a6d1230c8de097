"""Particles cut out of their tilt series: a file for each, and the sets that refinement takes."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from vitreous.average.extract import Extracted, extracted, extraction_boxes, kept
from vitreous.average.extract_settings import ExtractSettings
from vitreous.average.particle_settings import AverageSettings
from vitreous.errors import UserError
from vitreous.formats.facts import PartialFacts
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.relion_particles import (
    ANGLES,
    BOX_ANGLES,
    CENTRED,
    ORIGINS,
    VISIBLE,
    VOXELS,
    OptimisationSet,
    ParticleSet,
    write_optimisation_set,
    write_particle_set,
)
from vitreous.formats.relion_sets import number_text, sections_of
from vitreous.formats.star import Table
from vitreous.geometry.euler import relion_angles
from vitreous.kernels.machine import use_threads
from vitreous.pipeline.particle_sources import Source, Sources, opened
from vitreous.pipeline.tomogram_set import make_folder, require_room
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

FOLDER = "Subtomograms"


@dataclass(frozen=True, slots=True)
class Cut:
    """What an extraction has left: particles, how many were left out."""

    particles: int
    left_out: int


def extract(
    files: OptimisationSet,
    settings: ExtractSettings,
    folder: Path,
    *,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Cut:
    """Cut the particles of an optimisation set out into `folder`.

    Files: Subtomograms/TOMOGRAM/N_stack2d.mrcs, or N_data.mrc and N_weights.mrc, N the particle's
    number in its tomogram; particles.star and optimisation_set.star.
    """
    if kept(settings) > settings.box:
        raise UserError(f"crop {settings.crop} is larger than the box, {settings.box}")
    use_threads(threads)
    make_folder(folder)
    sources = opened(files, _as_average(settings), margin=extraction_boxes(settings).margin)
    require_room(_bytes(sources, settings), folder / "particles.star")
    rows: list[dict[str, str]] = []
    lost = dict(sources.left_out)
    total = sum(source.views for source in sources.each)
    done = 0
    for source in sources.each:
        rows += _cut_tomogram(source, sources.particle_set, settings, folder, lost)
        done += source.views
        progress(done, total)
    if not rows:
        raise UserError("no particle is left: see max_dose, min_tilts and the box")
    if lost:
        log.warning("%d particles are left out: fewer tilts than asked for show them", len(lost))
    _write_sets(sources, settings, folder, rows)
    return Cut(len(rows), len(lost))


def _as_average(settings: ExtractSettings) -> AverageSettings:
    """What opening the sources has to know."""
    return AverageSettings(box=settings.box, binning=settings.binning, ctf=settings.ctf)


def _bytes(sources: Sources, settings: ExtractSettings) -> int:
    side = kept(settings)
    each = 2 if settings.float16 else 4
    if settings.form == "volumes":
        return sources.count * side**3 * 8
    return sum(len(s.particles) * s.views for s in sources.each) * side**2 * each


def _cut_tomogram(
    source: Source,
    particle_set: ParticleSet,
    settings: ExtractSettings,
    folder: Path,
    lost: dict[int, str],
) -> list[dict[str, str]]:
    """Write the particles of a tomogram; their rows of the new set."""
    tilted = source.opened(_as_average(settings))
    if settings.max_dose is not None:
        tilted = replace(tilted, particles=replace(
            tilted.particles, visible=_within_dose(tilted, settings.max_dose)))  # fmt: skip
    place = folder / FOLDER / source.tomogram.name
    make_folder(place)
    numbers = _numbers(particle_set, source.tomogram.name)
    found, rows = set(), []
    voxel = source.pixel_size * settings.binning
    for each in extracted(tilted, settings):
        row = int(tilted.particles.rows[each.index])
        found.add(row)
        names = _write_particle(each, place / str(numbers[row]), settings, voxel)
        rows.append(_row_of(source, each, particle_set, settings, names))
    for row in map(int, tilted.particles.rows):
        if row not in found:
            lost[row] = f"fewer than {settings.min_tilts} tilts show it"
    return rows


def _within_dose(tilted, most: float):  # type: ignore[no-untyped-def]
    """(n, sections): what is visible of the tilts up to a dose."""
    particles = tilted.particles
    count = tilted.alignment.section_count
    doses = tilted.doses or (None,) * count
    if any(doses[s] is None for s in tilted.alignment.sections):
        raise UserError(f"{particles.tomogram}: max_dose needs the dose of every tilt")
    early = np.array([dose is not None and dose <= most for dose in doses])
    shown = np.ones((len(particles), count), bool)
    if particles.visible is not None:
        shown = particles.visible
    return shown & early


def _numbers(particle_set: ParticleSet, tomogram: str) -> dict[int, int]:
    """Row of the set -> number within the tomogram: of its name 'TS_1/30', else by order."""
    table = particle_set.particles
    rows = [i for i, name in enumerate(table.texts("rlnTomoName")) if name == tomogram]
    names = table.columns.get("rlnTomoParticleName")
    if names is not None:
        ends = [names[row].rpartition("/")[2] for row in rows]
        if all(end.isdigit() for end in ends) and len(set(ends)) == len(ends):
            return {row: int(end) for row, end in zip(rows, ends, strict=True)}
    return {row: k for k, row in enumerate(rows, 1)}


def _write_particle(
    each: Extracted, stem: Path, settings: ExtractSettings, voxel_size: float
) -> dict[str, str]:
    """Write a particle's files; their names as columns of the set."""
    dtype = np.float16 if settings.float16 else np.float32
    if each.volume is None or each.weights is None:
        path = stem.with_name(f"{stem.name}_stack2d.mrcs")
        with MrcWriter(path, each.images.shape, voxel_size, dtype, is_stack=True) as writer:
            writer.write((0, 0, 0), each.images)
        return {"rlnImageName": str(path)}
    data, weights = (stem.with_name(f"{stem.name}_{kind}.mrc") for kind in ("data", "weights"))
    with MrcWriter(data, each.volume.shape, voxel_size, dtype) as writer:
        writer.write((0, 0, 0), each.volume)
    with MrcWriter(weights, each.weights.shape, 1 / voxel_size) as writer:
        writer.write((0, 0, 0), each.weights)
    return {"rlnImageName": str(data), "rlnCtfImage": str(weights)}


def _row_of(
    source: Source,
    each: Extracted,
    particle_set: ParticleSet,
    settings: ExtractSettings,
    names: Mapping[str, str],
) -> dict[str, str]:
    """A particle's row: its refined offset is in its place now, the rest stands."""
    table, particles = particle_set.particles, source.particles
    row = int(particles.rows[each.index])
    made = {label: words[row] for label, words in table.columns.items() if label not in VOXELS}
    size = np.array(source.tomogram.size)
    place = particles.positions[each.index] + (size // 2 - size / 2) * source.pixel_size
    made |= {label: number_text(v) for label, v in zip(CENTRED, place, strict=True)}
    if ORIGINS[0] in made:
        made |= dict.fromkeys(ORIGINS, number_text(0.0))
    if settings.apply_orientations:
        turned = relion_angles(particles.rotations[each.index])
        made |= {label: number_text(float(v)) for label, v in zip(BOX_ANGLES, turned, strict=True)}
        made |= dict.fromkeys(ANGLES, number_text(0.0))
    made.setdefault("rlnTomoParticleName", particles.names[each.index])
    made.setdefault("rlnOpticsGroup", particles.optics_groups[each.index])
    if settings.form == "stacks":
        told = PartialFacts(sections=source.section_count)
        sections, _ = sections_of(source.tomogram.tilts, told, source.tomogram.path)
        shown = set(each.sections.tolist())
        made[VISIBLE] = "[" + ",".join(str(int(s in shown)) for s in sections.tolist()) + "]"
    else:
        made.pop(VISIBLE, None)
    for label in ("rlnImageName", "rlnCtfImage"):
        made.pop(label, None)
    return {**made, **names}


def _write_sets(
    sources: Sources, settings: ExtractSettings, folder: Path, rows: list[dict[str, str]]
) -> None:
    """particles.star and the optimisation set that names it."""
    is_2d = settings.form == "stacks"
    general = Table("general", {"rlnTomoSubTomosAre2DStacks": [str(int(is_2d))]}, is_loop=False)
    labels = [label for label in rows[0] if all(label in row for row in rows)]
    particles = Table("particles", {label: [row[label] for row in rows] for label in labels})
    path = folder / "particles.star"
    write_particle_set(path, [general, _optics(sources, settings), particles])
    write_optimisation_set(folder / "optimisation_set.star", replace(sources.files, particles=path))


def _optics(sources: Sources, settings: ExtractSettings) -> Table:
    """The optics table with what has become of the images."""
    first = sources.each[0]
    known = sources.particle_set.optics
    if known is None:
        columns = {"rlnOpticsGroup": ["1"], "rlnOpticsGroupName": ["opticsGroup1"]}
        for label in ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"):
            value = first.tomogram.number(label)
            if value is not None:
                columns[label] = [number_text(value)]
        columns["rlnTomoTiltSeriesPixelSize"] = [number_text(first.pixel_size)]
    else:
        columns = dict(known.columns)
    count = len(next(iter(columns.values())))
    made = {
        "rlnCtfDataAreCtfPremultiplied": str(int(settings.ctf)),
        "rlnImageDimensionality": "2" if settings.form == "stacks" else "3",
        "rlnTomoSubtomogramBinning": number_text(settings.binning),
        "rlnImagePixelSize": number_text(first.pixel_size * settings.binning),
        "rlnImageSize": str(kept(settings)),
    }
    return Table("optics", columns | {label: [word] * count for label, word in made.items()})
