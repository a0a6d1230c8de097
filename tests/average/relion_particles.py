"""RELION's oracle of Reconstruct particle, as the records that averaging takes."""

from functools import cache
from pathlib import Path

import numpy as np

from vitreous.average.tilted import TiltedParticles
from vitreous.formats import relion
from vitreous.formats.facts import PartialFacts
from vitreous.formats.relion_particles import Trajectories, particles_of, read_particle_set
from vitreous.formats.relion_sets import read_tomogram
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack

PIXEL = 4.0


@cache
def truth(folder: Path) -> dict[str, np.ndarray]:
    """What the oracle was made of."""
    return dict(np.load(folder / "input.npz"))


def tilted(folder: Path, *, hand: int = -1, slope: float = 1.0, moving: bool = False):
    """Both tomograms with their particles; hand as RELION counts it."""
    made_of = truth(folder)
    particle_set = read_particle_set(folder / "star" / "particles.star")
    found = []
    for number in (1, 2):
        stack = ArrayStack(made_of[f"stack{number}"].astype(np.float32), PIXEL)
        count, rows, columns = stack.shape
        path = folder / "star" / f"TS_{number}.star"
        facts = PartialFacts(image_size=(columns, rows), pixel_size=PIXEL, sections=count)
        size = tuple(int(n) for n in made_of["whd"][number - 1])
        particles = particles_of(particle_set, f"TS_{number}", size, PIXEL)
        if moving:
            tracks = Trajectories(folder / "star" / "motion.star")
            particles = with_tracks(particles, tracks.of(particles, np.arange(count), count))
        ctfs = tuple(
            Ctf(
                defocus_u=float(u),
                defocus_v=float(v),
                astigmatism_degrees=float(made_of["ang"][number - 1]),
                amplitude_contrast=0.1,
                hand=-hand,
            )
            for u, v in zip(made_of[f"dU{number}"], made_of[f"dV{number}"], strict=True)
        )
        doses = tuple(map(float, made_of[f"dose{number}"]))
        alignment = relion.read(path, facts)
        found.append(TiltedParticles(stack, alignment, particles, ctfs, doses, slope))
    return found


def with_tracks(particles, tracks):
    """The same particles, moving."""
    from dataclasses import replace

    return replace(particles, tracks=tracks)


def tomogram_size(folder: Path, name: str):
    """(x, y, z) as the set has it."""
    return read_tomogram(folder / "star" / "tomograms.star", name).size


@cache
def outputs(folder: Path) -> tuple[str, ...]:
    """Names of the stored outputs of the program."""
    with np.load(folder / "output.npz") as stored:
        return tuple(name for name in stored.files if not name.endswith("__sc"))


@cache
def run(folder: Path, name: str) -> np.ndarray:
    """A stored output of the program."""
    with np.load(folder / "output.npz") as stored:
        scale, offset = stored[f"{name}__sc"]
        return stored[name] * scale + offset
