"""RELION's tomo_reconstruct_tomogram: tomograms of the series of a tomogram set."""

import logging
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.errors import OutputError, UserError, VitreousError
from vitreous.faces.relion_control import Control
from vitreous.faces.relion_line import Line, help_page, parse, written
from vitreous.faces.relion_tomogram_options import LABEL, OPTIONS

if TYPE_CHECKING:
    from vitreous.faces.relion_tomogram_products import Output
    from vitreous.faces.relion_tomogram_settings import Version
    from vitreous.formats.relion_sets import Tomogram
    from vitreous.kernels.machine import Share
    from vitreous.pipeline.tomogram_set import SectionSum, SetProducts, SetSeries, Settings

log = logging.getLogger(__name__)

INTRODUCTION = """\
Usage: vitreous relion tomo_reconstruct_tomogram --t SET --tn NAME --o FILE [OPTIONS]
       vitreous relion tomo_reconstruct_tomogram --relion-version 5 --t SET --o FOLDER [OPTIONS]

RELION's command lines. Options mean what they mean there; where RELION is wrong they mean what it
is documented to do, which is said when they are given. docs/relion.md tells more.
"""

IN_JOB = {
    "t": "in_tiltseries",
    "w": "xdim",
    "h": "ydim",
    "d": "zdim",
    "binned_angpix": "binned_angpix",
    "tiltangle_offset": "tiltangle_offset",
    "tn": "tomo_name",
    "j": "nr_threads",
}
SUM_IN_JOB = ("centre_proj", "thickness_proj")
SWITCHES_IN_JOB = {
    "fourier": "do_fourier",
    "ctf_intact_first_peak": "ctf_intact_first_peak",
    "generate_split_tomograms": "generate_split_tomograms",
    "do_proj": "do_proj",
}


def run(words: Sequence[str], control: Control) -> None:
    """Do what a command line says."""
    if not words or words[0] in ("--help", "-h", "-help"):
        print(help_page(INTRODUCTION, OPTIONS), end="")
        return
    line = with_job(parse(words, OPTIONS))
    from vitreous.faces.relion_tomogram_settings import corrections, version_of

    version = version_of(line)
    log.info("understood, by RELION %d: %s", version, written(line, OPTIONS))
    for corrected in corrections(line, version):
        log.info("corrected: %s", corrected)
    make_all(line, version, control)


def with_job(line: Line) -> Line:
    """The line with what its --job says, where the line itself doesn't say it."""
    path = line.path("job")
    return line if path is None else Line({**words_of_job(path).values, **line.values})


def words_of_job(path: Path) -> Line:
    """A job.star as a command line; without --o the job's own folder is the place of products."""
    from vitreous.faces.relion_job import read_job

    job = read_job(path, LABEL)
    words = ["--o", f"{path.parent}/"]
    for name, variable in IN_JOB.items():
        if value := job.text(variable):
            words += [f"--{name}", value]
    words += [f"--{name}" for name, variable in SWITCHES_IN_JOB.items() if job.is_yes(variable)]
    if job.is_yes("do_proj"):
        for name in SUM_IN_JOB:
            words += [f"--{name}", job.text(name)] if job.text(name) else []
    if job.is_continued:
        words.append("--only_do_unfinished")
    return parse([*words, *shlex.split(job.text("other_args"))], OPTIONS)


# -- which tomograms ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Task:
    """One tomogram to make."""

    series: "SetSeries"
    settings: "Settings"
    products: "SetProducts"


def make_all(line: Line, version: "Version", control: Control) -> None:
    """Make the tomograms that are asked for and aren't done; a failure of one stops no other."""
    from vitreous.formats.products import require_no_folder
    from vitreous.formats.relion_sets import read_tomograms
    from vitreous.pipeline.tomogram_set import require_room, volume_bytes

    names = names_asked(line, version)
    output = output_of(line, version, len(names or ()) == 1)
    tomograms = read_tomograms(set_path(line), names)
    tasks, failed = opened_tasks(line, version, tomograms, output)
    undone = [task for task in tasks if not is_done(task, section_sum_of(line))]
    for task in undone:
        for path in task.products.volumes.values():
            require_no_folder(path)
            require_room(sum(volume_bytes(t.series, t.settings) for t in undone), path)
    for task in undone:
        name = task.series.tomogram.name
        try:
            make(task, line, control)
        except (VitreousError, MemoryError) as error:
            if len(tomograms) == 1 or isinstance(error, OutputError):
                raise
            log.error("%s failed: %s", name, error)
            failed.append(name)
    if failed:
        raise UserError(f"{len(failed)} of {len(tomograms)} tomograms failed: {', '.join(failed)}")
    if version == 5:
        write_set(line, output, tasks, is_whole_set=len(names or ()) != 1)


def names_asked(line: Line, version: "Version") -> list[str] | None:
    """The tomograms that --tn names; None for all of the set."""
    text = line.text("tn") or ("" if version == 4 else "*")
    if not text:
        raise UserError("--tn is needed: the tomogram to make, or '*' for all")
    return None if text == "*" else [name for name in text.split(",") if name]


def set_path(line: Line) -> Path:
    """The tomogram set, or the optimisation set that leads to it."""
    path = line.path("t") or line.path("i")
    if path is None:
        raise UserError("--t (a tomogram set) or --i (an optimisation set) is needed")
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    return path


def output_of(line: Line, version: "Version", is_one: bool) -> "Output":
    """What --o means: a file of RELION 4's, the beginning of paths, or a folder."""
    from vitreous.faces.relion_tomogram_products import Output

    text = line.needed("o")
    if version == 4 and is_one:
        return Output("", Path(text))
    return Output(text if is_one or text.endswith("/") else f"{text}/", None)


def opened_tasks(
    line: Line, version: "Version", tomograms: "Sequence[Tomogram]", output: "Output"
) -> tuple[list[Task], list[str]]:
    """(what is to be made, the names of tomograms that can't be); of a single one the error."""
    tasks, failed = [], []
    for tomogram in tomograms:
        try:
            tasks.append(opened_task(line, version, tomogram, output, len(tomograms) > 1))
        except VitreousError as error:
            if len(tomograms) == 1:
                raise
            log.error("%s failed: %s", tomogram.name, error)
            failed.append(tomogram.name)
    return tasks, failed


def opened_task(
    line: Line, version: "Version", tomogram: "Tomogram", output: "Output", is_one_of_many: bool
) -> Task:
    """Open what a tomogram is made of, and decide its settings and products."""
    from vitreous.faces.relion_tomogram_settings import has_ctf, settings_of
    from vitreous.pipeline.tomogram_set import opened_series, volume_grid

    halves, section_sum = line.has("generate_split_tomograms"), section_sum_of(line)
    series = opened_series(
        tomogram,
        ctf=has_ctf(line, version),
        halves=halves or line.has("fourier"),
        scaled_by_tilt=version == 5,
        tilt_offset=line.number("tiltangle_offset") or 0.0,
    )
    settings = settings_of(line, version, tomogram, series.alignment)
    if section_sum:
        section_sum.sections(volume_grid(series, settings).size[2])
    products = output.products(
        tomogram.name,
        halves=halves,
        has_sum=section_sum is not None,
        has_manifest=is_one_of_many or line.has("only_do_unfinished"),
    )
    return Task(series, settings, products)


def section_sum_of(line: Line) -> "SectionSum | None":
    """The projection that --do_proj asks for."""
    from vitreous.pipeline.tomogram_set import SectionSum

    if not line.has("do_proj"):
        return None
    thickness = line.whole("thickness_proj")
    return SectionSum(line.whole("centre_proj") or 0, 10 if thickness is None else thickness)


# -- making them ----------------------------------------------------------------------------------


def is_done(task: Task, section_sum: "SectionSum | None") -> bool:
    """Whether a tomogram is there as it would be made now, by its manifest."""
    from vitreous.pipeline.manifests import holds
    from vitreous.pipeline.tomogram_set import making_of

    manifest = task.products.manifest
    if manifest is None or not holds(manifest, making_of(task.series, task.settings, section_sum)):
        return False
    log.info("%s is up to date", task.series.tomogram.name)
    return True


def make(task: Task, line: Line, control: Control) -> None:
    """Make one tomogram."""
    from vitreous.faces.quarters import Quarters
    from vitreous.pipeline.tomogram_set import make_tomogram

    progress = Quarters(f"reconstructing {task.series.tomogram.name}")
    make_tomogram(
        task.series,
        task.settings,
        task.products,
        section_sum_of(line),
        share=share_of(line),
        progress=control.watched(progress),
    )


def share_of(line: Line) -> "Share":
    """--j threads of this machine, and most of its memory."""
    from vitreous.kernels import machine

    threads = line.whole("j") or 1
    return machine.Share(
        threads=max(1, min(threads, machine.cores())), memory_bytes=int(machine.memory() * 0.8)
    )


def write_set(line: Line, output: "Output", tasks: Sequence[Task], *, is_whole_set: bool) -> None:
    """Write the tables of tilts and, of several tomograms, the set, as RELION 5 does."""
    from vitreous.faces.relion_tomogram_products import made_tomogram
    from vitreous.formats.relion_sets import write_tilts, write_tomograms

    bfactor = line.number("bfactor_per_edose")
    made = [
        made_tomogram(task.series, task.settings, output, task.products, bfactor) for task in tasks
    ]
    if is_whole_set:
        write_tomograms(output.overview, made)
        log.info("wrote %s: %d tomograms", output.overview, len(made))
    elif line.number("tiltangle_offset"):
        for tomogram in made:
            log.info("wrote %s", write_tilts(tomogram))
