"""From an optimisation set to half maps, the map of all and their FSC, with what was left out."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import HalfSums, Map, divided
from vitreous.errors import UserError
from vitreous.formats.fsc import write_curve
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.relion_particles import (
    OptimisationSet,
    rows_chosen,
    write_optimisation_set,
    write_particle_set,
)
from vitreous.formats.star import Table
from vitreous.kernels.fsc import ShellCorrelation, fourier_shell_correlation
from vitreous.kernels.machine import use_threads
from vitreous.pipeline.manifests import holds, write_manifest
from vitreous.pipeline.particle_sources import Sources, opened, require_half_sets
from vitreous.pipeline.particle_sums import Team, making_of, remove_temp, summed, team_for
from vitreous.pipeline.tomogram_set import make_folder, require_room
from vitreous.records.progress import Progress, ignore_progress
from vitreous.report.fsc import in_words, write_fsc_picture

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

HALF_MAPS = 0.143  # Rosenthal & Henderson 2003
LEFT_OUT = "left_out.star"
REASON = "vitreousReason"


@dataclass(frozen=True, slots=True)
class Workforce:
    """What an average may use: processes, threads of each, cores, and memory of all together."""

    processes: int
    threads: int
    cores: int
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Averaged:
    """What came out: the maps by name ('merged', 'half1', 'half2') and how far they agree."""

    maps: dict[str, Path]
    curve: ShellCorrelation | None
    particles: int
    left_out: int

    @property
    def resolution(self) -> float | None:
        """Period in angstrom where the half maps' FSC falls below 0.143; None: to Nyquist."""
        return None if self.curve is None else self.curve.resolution(HALF_MAPS)


def average(
    files: OptimisationSet,
    settings: AverageSettings,
    folder: Path,
    force: Workforce,
    *,
    goes_on: bool = True,
    progress: Progress = ignore_progress,
) -> Averaged | None:
    """Average the particles of an optimisation set into `folder`.

    goes_on: what an earlier run has left of the same average is gone on from; None where that is
    whole. Raises a `VitreousError` before any work where files and settings don't fit.
    """
    make_folder(folder)
    sources = opened(files, settings)
    require_half_sets(sources)
    settings = sources.settings
    manifest = folder / "average.json"
    making = replace(making_of(sources, settings), settings=settings.model_dump())
    if goes_on and holds(manifest, making):
        log.info("%s is done already, of the same particles and settings", folder)
        return None
    size = settings.box
    require_room(4 * size**3 * 9, folder / "merged.mrc")
    team = team_for(
        sources,
        settings,
        processes=force.processes,
        threads=force.threads,
        cores=force.cores,
        memory_bytes=force.memory_bytes,
    )
    _tell(sources, settings, team)
    sums = summed(sources, settings, folder, team, goes_on=goes_on, progress=progress)
    log.info("%d boxes of %d particles", sums.boxes, sources.count)
    if not sums.both.weight.any():
        raise UserError(
            f"{files.tomograms}: CTF and dose leave nothing of any image: see its defocus, "
            "rlnCtfScalefactor and rlnMicrographPreExposure"
        )
    use_threads(force.cores)
    made = write_maps(folder, sums, sources, settings, force.cores)
    write_sets(folder, sources, made)
    remove_temp(folder)
    products = {path.stem: path for path in _written(folder)}
    write_manifest(manifest, making, products, {"particles": sources.count})
    return made


def _written(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.glob("*.mrc")) if path.stat().st_size]


def _tell(sources: Sources, settings: AverageSettings, team: Team) -> None:
    """What is going to be done, for the log."""
    log.info(
        "%d particles of %d tomograms, box %d px of %.4g A, %d process%s of %d thread%s",
        sources.count,
        len(sources.each),
        settings.box,
        sources.pixel_size * settings.binning,
        team.processes,
        "es"[: 2 * (team.processes > 1)],
        team.threads,
        "s"[: team.threads > 1],
    )
    if not sources.has_half_sets:
        log.warning(
            "%s has no rlnRandomSubset: there will be no half maps and no FSC",
            sources.files.particles,
        )
    for row, why in list(sources.left_out.items())[:5]:
        log.warning("particle %d is left out: %s", row + 1, why)
    if len(sources.left_out) > 5:
        log.warning("%d particles in all are left out: see %s", len(sources.left_out), LEFT_OUT)


# -- products -------------------------------------------------------------------------------------


def write_maps(
    folder: Path, sums: HalfSums, sources: Sources, settings: AverageSettings, threads: int
) -> Averaged:
    """Divide the sums and write the maps, what they were divided from and by, and the FSC."""
    voxel_size = sources.pixel_size * settings.binning
    parts = {"merged": sums.both}
    if sources.has_half_sets:
        parts |= {"half1": sums.halves[0], "half2": sums.halves[1]}
    halves: list[Floats] = []
    maps: dict[str, Path] = {}
    for name in sorted(parts):
        found = divided(parts.pop(name), settings, voxel_size, threads)
        maps[name] = _write_map(folder, name, found, voxel_size, settings)
        if name != "merged":
            halves.append(found.volume)
    curve = None
    if halves:
        curve = fourier_shell_correlation(halves[0], halves[1], voxel_size, threads=threads)
        write_curve(folder / "fsc.star", curve)
        write_fsc_picture(folder / "fsc.png", [("half maps", curve)], "FSC of the half maps")
        log.info("resolution at FSC %g: %s", HALF_MAPS, in_words(curve.resolution(HALF_MAPS)))
    return Averaged(maps, curve, sources.count, len(sources.left_out))


def _write_map(
    folder: Path, name: str, found: Map, voxel_size: float, settings: AverageSettings
) -> Path:
    volumes = {name: found.volume, f"data_{name}": found.data, f"weight_{name}": found.weights}
    if settings.crop:
        volumes[f"{name}_full"] = found.whole
    for stem, volume in volumes.items():
        depth, rows, columns = volume.shape
        with MrcWriter(folder / f"{stem}.mrc", (depth, rows, columns), voxel_size) as writer:
            writer.write((0, 0, 0), volume)
    return folder / f"{name}.mrc"


def write_sets(folder: Path, sources: Sources, made: Averaged) -> None:
    """The optimisation set with the new half maps, and which particles were left out, and why."""
    halves = None
    if made.curve is not None:
        halves = made.maps["half1"], made.maps["half2"]
    fsc = None if made.curve is None else folder / "fsc.star"
    files = replace(sources.files, half_maps=halves or sources.files.half_maps, fsc=fsc)
    write_optimisation_set(folder / "optimisation_set.star", files)
    left_out = sources.left_out
    path = folder / LEFT_OUT
    if not left_out:
        path.unlink(missing_ok=True)
        return
    rows = sorted(left_out)
    chosen = rows_chosen(sources.particle_set.particles, rows)
    reasons = {**chosen.columns, REASON: [left_out[row] for row in rows]}
    write_particle_set(path, [Table("particles", reasons)])
