"""`vitreous average`: particles in tilt series become a map, with half maps and their FSC."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.average.particle_settings import AverageSettings


def average(
    optimisation_set: Annotated[
        Path | None, Parameter(help="Names particles, tomograms and, if any, trajectories.")
    ] = None,
    /,
    *,
    output: Annotated[Path, Parameter(help="Folder for the maps; made if it isn't there.")],
    particles: Annotated[Path | None, Parameter(help="Particle set (STAR).")] = None,
    tomograms: Annotated[Path | None, Parameter(help="Tomogram set (STAR).")] = None,
    trajectories: Annotated[Path | None, Parameter(help="Particles' motion (STAR).")] = None,
    settings: Annotated[AverageSettings, Parameter(name="*")] = AverageSettings.model_construct(),  # noqa: B008
    processes: Annotated[
        int | None, Parameter(help="Worker processes. Default: one for each core.")
    ] = None,
    cpus: Annotated[int | None, Parameter(help="Cores to use. Default: all it may use.")] = None,
    memory: Annotated[
        float | None, Parameter(help="GB of memory that all processes together stay within.")
    ] = None,
) -> None:
    """Average the particles of an OPTIMISATION_SET, or of --particles and --tomograms.

    Each particle is cut out of the tilt images, corrected for CTF at its height and for dose, and
    inserted into a transform, one for each half set. In --output there will be merged.mrc,
    half1.mrc and half2.mrc, fsc.star and fsc.png, data and weights of each map, left_out.star where
    particles were left out, and optimisation_set.star for the next step. A run that was killed goes
    on where it was.

      vitreous average optimisation_set.star --box 128 --bin 2 --symmetry C6 --output average
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.formats.relion_particles import read_optimisation_set
    from vitreous.kernels import machine
    from vitreous.pipeline.average import Workforce
    from vitreous.pipeline.average import average as average_particles

    files = read_optimisation_set(
        optimisation_set, particles=particles, tomograms=tomograms, trajectories=trajectories
    )
    cores = min(cpus or machine.cores(), machine.cores())
    wanted = processes or cores
    allowed = machine.memory() * 0.8 if memory is None else memory * 1e9
    force = Workforce(wanted, max(1, cores // wanted), cores, int(allowed))
    with progress_bar("averaging") as progress:
        average_particles(files, settings, output, force, progress=progress)
