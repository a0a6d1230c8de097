"""`vitreous extract`: particles of tilt series, each as a stack of its tilts or as a volume."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.average.extract_settings import ExtractSettings


def extract(
    optimisation_set: Annotated[
        Path | None, Parameter(help="Names particles, tomograms and, if any, trajectories.")
    ] = None,
    /,
    *,
    output: Annotated[Path, Parameter(help="Folder for the particles; made if it isn't there.")],
    particles: Annotated[Path | None, Parameter(help="Particle set (STAR).")] = None,
    tomograms: Annotated[Path | None, Parameter(help="Tomogram set (STAR).")] = None,
    trajectories: Annotated[Path | None, Parameter(help="Particles' motion (STAR).")] = None,
    settings: Annotated[ExtractSettings, Parameter(name="*")] = ExtractSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Cut the particles of an OPTIMISATION_SET, or of --particles and --tomograms, out.

    In --output there will be Subtomograms/TOMOGRAM/N_stack2d.mrcs (or N_data.mrc and
    N_weights.mrc), multiplied by CTF and dose weight, particles.star and optimisation_set.star for
    RELION's refinement.

      vitreous extract optimisation_set.star --box 192 --crop 96 --bin 2 --output extract
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.formats.relion_particles import read_optimisation_set
    from vitreous.kernels import machine
    from vitreous.pipeline.extract import extract as extract_particles

    files = read_optimisation_set(
        optimisation_set, particles=particles, tomograms=tomograms, trajectories=trajectories
    )
    threads = min(cpus or machine.cores(), machine.cores())
    with progress_bar("extracting") as progress:
        extract_particles(files, settings, output, threads=threads, progress=progress)
