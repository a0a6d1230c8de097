"""RELION's tomo_subtomo: particles cut out of their tilt series."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.errors import UserError
from vitreous.faces.relion_control import Control
from vitreous.faces.relion_line import Line, Option, help_page, parse
from vitreous.faces.relion_particle import even

if TYPE_CHECKING:
    from vitreous.average.extract_settings import ExtractSettings

log = logging.getLogger(__name__)

LABEL = "relion.pseudosubtomo"
"""Type of the job in a job.star."""

INTRODUCTION = """\
Usage: vitreous relion tomo_subtomo --i SET --b BOX --crop SIDE --o FOLDER [--stack2d] [OPTIONS]

RELION's command lines. docs/average.md tells more.
"""

OPTIONS = (
    Option("i", "FILE", "Optimisation set: names the particles, tomograms and trajectories."),
    Option("p", "FILE", "Particle set; goes before --i."),
    Option("t", "FILE", "Tomogram set, of RELION 4 or 5; goes before --i."),
    Option("mot", "FILE", "Trajectory set; goes before --i."),
    Option("o", "FOLDER", "Folder of the particles; made if it isn't there."),
    Option("job", "FILE", f"A job.star of the type {LABEL}; options beside it go before its own."),
    Option("b", "PIXELS", "Box that is cut, binned pixels.", four="needed", five="needed"),
    Option("crop", "PIXELS", "Side of what is kept.", four="-1: the box", five="-1: the box"),
    Option("bin", "FACTOR", "Pixels joined to one along each axis.", four="1", five="1"),
    Option("stack2d", "", "Stacks of tilts instead of volumes.", five="off"),
    Option("max_dose", "DOSE", "Leave out tilts after so many e/A^2.", four="", five="-1: none"),
    Option("min_frames", "NUMBER", "Leave out particles that fewer tilts show.", five="1"),
    Option("no_ctf", "", "Without CTF and dose."),
    Option("no_ic", "", "Leave the contrast as it is."),
    Option("no_circle_crop", "", "Don't fade outside the circle that is kept."),
    Option("circle_precrop", "", "Fade the box before the transform too."),
    Option("whiten", "", "Flatten the noise of each tilt, right at any binning.", "corrected"),
    Option("apply_orientations", "", "Turn volumes by the particles' angles, which become 0."),
    Option("cutoff_fract", "SHARE", "Frequencies of which the dose leaves less are left out.",
           four="0.01", five="0.01"),
    Option("float16", "", "Half-precision files."),
    Option("j", "NUMBER", "Threads; never more than there are cores.", "corrected", four="6",
           five="6"),
    Option("dont_apply_offsets", "", "Keep offsets apart.", "refused"),
    Option("SNR", "NUMBER", "Of --div and --nrm.", "idle"),
    Option("taper", "PIXELS", "Of --div and --nrm.", "idle"),
    Option("env", "PIXELS", "Of --div and --nrm.", "idle"),
    Option("no_comb", "", "No multiplicity: it is always written.", "refused"),
    Option("cone_weight", "", "Weigh down a cone along z.", "refused"),
    Option("grid_precorr", "", "Correct for the spreading beforehand.", "refused"),
    Option("no_center", "", "Leave the origin at a corner.", "refused"),
    Option("ctf", "", "Write the transfer as a volume.", "refused"),
    Option("div", "", "Write divided volumes: average one particle instead.", "refused"),
    Option("nrm", "", "Write normalised volumes.", "refused"),
    Option("real_subtomo", "", "Cut out of tomograms.", "refused"),
)  # fmt: skip

IN_JOB = {
    "i": "in_optimisation",
    "b": "box_size",
    "crop": "crop_size",
    "bin": "binning",
    "max_dose": "max_dose",
    "min_frames": "min_frames",
    "j": "nr_threads",
}
DIRECT_IN_JOB = {"p": "in_particles", "t": "in_tomograms", "mot": "in_trajectories"}
SWITCHES_IN_JOB = {"stack2d": "do_stack2d", "float16": "do_float16"}


def run(words: Sequence[str], control: Control) -> None:
    """Do what a command line says."""
    if not words or words[0] in ("--help", "-h", "-help"):
        print(help_page(INTRODUCTION, OPTIONS), end="")
        return
    line = parse(words, OPTIONS)
    if job := line.path("job"):
        line = Line({**words_of_job(job).values, **line.values})
    from vitreous.faces.quarters import Quarters
    from vitreous.formats.relion_particles import read_optimisation_set
    from vitreous.kernels import machine
    from vitreous.pipeline.extract import extract

    log.info("understood: %s", " ".join(f"--{k} {v}" for k, v in line.values.items()))
    settings, output = settings_of(line), Path(line.needed("o"))
    files = read_optimisation_set(
        line.path("i"),
        particles=line.path("p"),
        tomograms=line.path("t"),
        trajectories=line.path("mot"),
    )
    threads = max(1, min(line.whole("j") or 6, machine.cores()))
    watched = control.watched(Quarters("extracting"))
    extract(files, settings, output, threads=threads, progress=watched)


def words_of_job(path: Path) -> Line:
    """A job.star as a command line; without --o the job's own folder is the place of products."""
    from vitreous.faces.relion_job import read_job

    job = read_job(path, LABEL)
    words = ["--o", f"{path.parent}/"]
    for name, variable in IN_JOB.items():
        words += [f"--{name}", job.text(variable)] if job.text(variable) else []
    if job.is_yes("use_direct_entries"):
        for name, variable in DIRECT_IN_JOB.items():
            words += [f"--{name}", job.text(variable)] if job.text(variable) else []
    words += [f"--{name}" for name, variable in SWITCHES_IN_JOB.items() if job.is_yes(variable)]
    return parse([*words, *shlex.split(job.text("other_args"))], OPTIONS)


def settings_of(line: Line) -> "ExtractSettings":
    """The settings of the extraction."""
    from vitreous.average.extract_settings import ExtractSettings

    box, crop = even(line.whole("b"), "b"), even(line.whole("crop"), "crop")
    if box is None:
        raise UserError("--b is needed: the box's side in binned pixels")
    dose, cutoff = line.number("max_dose"), line.number("cutoff_fract")
    return ExtractSettings(
        form="stacks" if line.has("stack2d") else "volumes",
        box=box,
        crop=crop if crop and crop > 0 else None,
        binning=line.positive("bin") or 1.0,
        max_dose=dose if dose and dose > 0 else None,
        min_tilts=max(1, line.whole("min_frames") or 1),
        ctf=not line.has("no_ctf"),
        dark=not line.has("no_ic"),
        circle_crop=not line.has("no_circle_crop"),
        circle_precrop=line.has("circle_precrop"),
        whiten=line.has("whiten"),
        dose_cutoff=0.01 if cutoff is None else cutoff,
        apply_orientations=line.has("apply_orientations"),
        float16=line.has("float16"),
    )
