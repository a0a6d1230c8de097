"""RELION's tomo_reconstruct_particle: the average of a particle set in its tilt series."""

import logging
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.errors import UserError
from vitreous.faces.relion_control import Control
from vitreous.faces.relion_line import Line, help_page, parse
from vitreous.faces.relion_particle_options import LABEL, OPTIONS

if TYPE_CHECKING:
    from vitreous.average.particle_settings import AverageSettings
    from vitreous.pipeline.average import Workforce

log = logging.getLogger(__name__)

INTRODUCTION = """\
Usage: vitreous relion tomo_reconstruct_particle --i SET --b BOX --o FOLDER [OPTIONS]

RELION's command lines. Options mean what they mean there; where RELION is wrong they mean what it
is documented to do. Under mpirun the first rank does the work, with as many worker processes as
ranks; the others end at once. docs/average.md tells more.
"""

IN_JOB = {
    "i": "in_optimisation",
    "b": "box_size",
    "bin": "binning",
    "sym": "sym_name",
    "j": "nr_threads",
    "j_out": "nr_threads",
    "np": "nr_mpi",
}
DIRECT_IN_JOB = {"p": "in_particles", "t": "in_tomograms", "mot": "in_trajectories"}
ABOVE_ZERO_IN_JOB = {"crop": "crop_size", "SNR": "snr"}
HELIX_IN_JOB = {
    "nr_helical_asu": "helical_nr_asu",
    "helical_twist": "helical_twist",
    "helical_rise": "helical_rise",
}

RANKS = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK")
SIZES = ("OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE")
"""What launchers of MPI programs tell each process: its rank, and how many there are."""


def run(words: Sequence[str], control: Control) -> None:
    """Do what a command line says."""
    if not words or words[0] in ("--help", "-h", "-help"):
        print(help_page(INTRODUCTION, OPTIONS), end="")
        return
    rank, ranks = launched(os.environ)
    if rank > 0:
        return
    line = with_job(parse(words, OPTIONS))
    from vitreous.faces.quarters import Quarters
    from vitreous.formats.relion_particles import read_optimisation_set
    from vitreous.pipeline.average import average

    asked = [f"--{name} {value}" for name, value in line.values.items()]
    log.info("understood: %s", " ".join(asked))
    settings, output = settings_of(line), Path(line.needed("o"))
    files = read_optimisation_set(
        line.path("i"),
        particles=line.path("p"),
        tomograms=line.path("t"),
        trajectories=line.path("mot"),
    )
    force = workforce_of(line, ranks)
    average(
        files,
        settings,
        output,
        force,
        goes_on=line.has("only_do_unfinished"),
        progress=control.watched(Quarters("averaging")),
    )


def launched(environment: Mapping[str, str]) -> tuple[int, int]:
    """(rank, how many) under a launcher of MPI programs; (0, 1) without."""
    ranks = [int(environment[name]) for name in RANKS if environment.get(name, "").isdigit()]
    sizes = [int(environment[name]) for name in SIZES if environment.get(name, "").isdigit()]
    return (ranks[0] if ranks else 0), (sizes[0] if sizes else 1)


# -- the job's window -----------------------------------------------------------------------------


def with_job(line: Line) -> Line:
    """The line with what its --job says, where the line itself doesn't say it."""
    path = line.path("job")
    return line if path is None else Line({**words_of_job(path).values, **line.values})


def words_of_job(path: Path) -> Line:
    """A job.star as a command line; without --o the job's own folder is the place of products."""
    from vitreous.faces.relion_job import read_job

    job = read_job(path, LABEL)
    words = ["--o", f"{path.parent}/", "--j_in", "1"]
    for name, variable in IN_JOB.items():
        words += [f"--{name}", job.text(variable)] if job.text(variable) else []
    if job.is_yes("use_direct_entries"):
        for name, variable in DIRECT_IN_JOB.items():
            words += [f"--{name}", job.text(variable)] if job.text(variable) else []
    for name, variable in ABOVE_ZERO_IN_JOB.items():
        if job.text(variable) and float(job.text(variable)) > 0:
            words += [f"--{name}", job.text(variable)]
    if job.is_yes("do_helix"):
        for name, variable in HELIX_IN_JOB.items():
            words += [f"--{name}", job.text(variable)] if job.text(variable) else []
    if job.is_continued:
        words.append("--only_do_unfinished")
    return parse([*words, *shlex.split(job.text("other_args"))], OPTIONS)


# -- from the line to our settings ----------------------------------------------------------------


def settings_of(line: Line) -> "AverageSettings":
    """The settings of the average."""
    from vitreous.average.particle_settings import AverageSettings

    box = even(line.whole("b"), "b")
    if box is None:
        raise UserError("--b is needed: the box's side in binned pixels")
    crop = even(line.whole("crop"), "crop")
    if crop is not None and crop > box:
        raise UserError(f"--crop {crop} is larger than the box, --b {box}")
    snr = line.number("SNR")
    units = line.whole("nr_helical_asu")
    taper, cutoff = line.number("taper"), line.number("cutoff_fract")
    return AverageSettings(
        box=box,
        crop=crop if crop and crop > 0 else None,
        binning=line.positive("bin") or 1.0,
        snr=snr if snr and snr > 0 else 0.0,
        symmetry=line.text("sym") or "C1",
        helical_units=1 if units is None else units,
        helical_rise=line.number("helical_rise") or 0.0,
        helical_twist=line.number("helical_twist") or 0.0,
        taper=10.0 if taper is None else taper,
        ctf=not line.has("no_ctf"),
        circle_crop=not line.has("no_circle_crop"),
        whiten=line.has("whiten"),
        dose_cutoff=0.01 if cutoff is None else cutoff,
        kernel="gather",
    )


def even(size: int | None, name: str) -> int | None:
    """A box that RELION's formulas take: an odd one is made larger by one, and it is said."""
    if size is None or size <= 0 or size % 2 == 0:
        return size
    log.warning("--%s %d is odd: %d is taken", name, size, size + 1)
    return size + 1


def workforce_of(line: Line, ranks: int) -> "Workforce":
    """Processes, threads and memory; more than the machine has is capped, which is said."""
    from vitreous.kernels import machine
    from vitreous.pipeline.average import Workforce

    asked = [line.whole(name) for name in ("j", "j_out")]
    threads = max([1, *(number for number in asked if number)])
    threads *= max(1, line.whole("j_in") or 1) if line.has("j_out") else 1
    processes = max(1, line.whole("np") or ranks, ranks)
    there = machine.memory()
    memory = line.number("mem")
    if memory is None or memory <= 0:
        allowed = int(0.8 * there)
    else:
        allowed = int(memory * 1e9)
        if allowed > there:
            log.warning("--mem %g: this machine has %.3g GB", memory, there / 1e9)
            allowed = there
    return Workforce(processes, threads, machine.cores(), allowed)
