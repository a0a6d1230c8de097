"""Sums over the particles of many tomograms: in several processes, within a memory, resumed.

Sums of particles are additive: each process sums over tomograms of its own and now and then leaves
its sums, with the names of the tomograms in them, in a folder `temp`. A run that was killed goes on
from there. In the end the sums are added in pairs.
"""

import logging
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.average.boxes import MOST_BYTES
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import HalfSums, Summing, dividing_bytes, summing_bytes
from vitreous.errors import UserError
from vitreous.formats.products import atomic, readable
from vitreous.kernels.insertion import Sums
from vitreous.kernels.machine import use_threads
from vitreous.pipeline.fingerprints import Making, file_facts
from vitreous.pipeline.particle_sources import Source, Sources
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

AVERAGE_VERSION = 1
PROGRAM_BYTES = 330_000_000  # the interpreter, the libraries and the compiled kernels
SAVE_SECONDS = 60.0  # between two savings of a process's sums
TEMP = "temp"


@dataclass(frozen=True, slots=True)
class Team:
    """Processes, threads of each, and the memory all of them take together."""

    processes: int
    threads: int
    memory_bytes: int


def team_for(
    sources: Sources,
    settings: AverageSettings,
    *,
    processes: int,
    threads: int,
    cores: int,
    memory_bytes: int,
) -> Team:
    """As many processes as asked for, as there are tomograms, and as fit; what is less is said."""
    most = min(processes, len(sources.each), max(1, cores))
    each, ending = process_bytes(sources, settings), ending_bytes(settings)
    beside = PROGRAM_BYTES  # of the process that waits for the others
    if max(each, ending) > memory_bytes:
        raise UserError(
            f"{readable(memory_bytes)} of memory are allowed, an average of a box of "
            f"{settings.box} px needs {readable(max(each, ending))}: allow more, or bin"
        )
    fitting = max(1, int((memory_bytes - beside) // each))
    chosen = min(most, fitting) if fitting > 1 else 1
    if processes > chosen:
        why = (
            f"{readable(memory_bytes)} of memory hold no more"
            if fitting < most
            else f"there are {len(sources.each)} tomograms and {cores} cores"
        )
        log.warning("%d processes instead of %d: %s", chosen, processes, why)
    fair = max(1, min(threads, cores // chosen))
    if threads > fair:
        log.warning("%d threads a process instead of %d: there are %d cores", fair, threads, cores)
    return Team(chosen, fair, chosen * each + (beside if chosen > 1 else 0))


def ending_bytes(settings: AverageSettings) -> int:
    """The most memory of the process that divides the sums in the end."""
    return PROGRAM_BYTES + dividing_bytes(settings)


def process_bytes(sources: Sources, settings: AverageSettings) -> int:
    """The most memory of a process that sums: its sums, a tilt image, some boxes."""
    image = max(8 * source.image_size[0] * source.image_size[1] for source in sources.each)
    return PROGRAM_BYTES + summing_bytes(settings) + image + 5 * MOST_BYTES


def shares(sources: Sequence[Source], processes: int) -> list[list[Source]]:
    """The tomograms dealt out: each to the process that has the fewest boxes so far."""
    dealt: list[list[Source]] = [[] for _ in range(processes)]
    loads = [0] * processes
    for source in sorted(sources, key=lambda s: -len(s.particles) * s.views):
        least = loads.index(min(loads))
        dealt[least].append(source)
        loads[least] += len(source.particles) * source.views
    return [part for part in dealt if part]


def making_of(sources: Sources, settings: AverageSettings) -> Making:
    """What decides the sums: the files and the settings that boxes are cut and summed by."""
    files = {
        "particles": sources.files.particles,
        "tomograms": sources.files.tomograms,
        "trajectories": sources.files.trajectories,
    }
    inputs: dict[str, Any] = {name: file_facts(path) for name, path in files.items() if path}
    for source in sources.each:
        inputs[source.tomogram.name] = file_facts(
            source.tomogram.tilts.path or source.tomogram.path
        )
    after = {"snr", "taper", "crop", "symmetry", "helical_units", "helical_twist", "helical_rise"}
    chosen = settings.model_dump(exclude=after)
    return Making(AVERAGE_VERSION, inputs, chosen, settings.model_dump(exclude_defaults=True))


@dataclass(frozen=True, slots=True)
class Saved:
    """Sums that a process has left: over which tomograms."""

    path: Path
    tomograms: tuple[str, ...]


def saved_sums(folder: Path, fingerprint: str) -> list[Saved]:
    """What an earlier run of the same making has left; a file that can't be read is passed over."""
    found = []
    for path in sorted(folder.glob("sums_*.npz")):
        try:
            with np.load(path) as stored:
                if str(stored["fingerprint"]) == fingerprint:
                    found.append(Saved(path, tuple(map(str, stored["tomograms"]))))
        except (OSError, ValueError, KeyError):
            log.warning("%s can't be read: its tomograms are summed again", path)
    return found


def save_sums(path: Path, sums: HalfSums, tomograms: Sequence[str], fingerprint: str) -> None:
    """Leave sums on the disk, whole or not at all."""
    one, two = sums.halves
    with atomic(path) as part, part.open("wb") as file:
        np.savez(
            file,
            fingerprint=fingerprint,
            tomograms=np.array(tomograms),
            boxes=sums.boxes,
            shape=one.shape,
            data1=one.data,
            weight1=one.weight,
            data2=two.data,
            weight2=two.weight,
        )


def load_sums(path: Path) -> HalfSums:
    """Sums from the disk."""
    with np.load(path) as stored:
        z, y, x = (int(n) for n in stored["shape"])
        one = Sums((z, y, x), stored["data1"], stored["weight1"])
        two = Sums((z, y, x), stored["data2"], stored["weight2"])
        return HalfSums((one, two), int(stored["boxes"]))


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """What one process does: sum over tomograms, leaving the sums at `path`."""

    number: int
    sources: tuple[Source, ...]
    settings: AverageSettings
    pixel_size: float
    threads: int
    path: Path
    fingerprint: str


def sum_tomograms(task: Task, told: Callable[[int], None] = lambda done: None) -> Path:
    """Sum over a task's tomograms; `told` hears how many boxes are done."""
    use_threads(task.threads)
    summing = Summing(task.settings, task.pixel_size)
    done: list[str] = []
    before, last = 0, time.monotonic()
    for source in task.sources:
        weight = len(source.particles)

        def views(view: int, _: int, before: int = before, weight: int = weight) -> None:
            told(before + view * weight)

        summing.add(source.opened(task.settings), views)
        before += source.views * weight
        done.append(source.tomogram.name)
        if time.monotonic() - last > SAVE_SECONDS and len(done) < len(task.sources):
            save_sums(task.path, summing.sums(), done, task.fingerprint)
            last = time.monotonic()
    save_sums(task.path, summing.sums(), done, task.fingerprint)
    return task.path


def summed(
    sources: Sources,
    settings: AverageSettings,
    folder: Path,
    team: Team,
    *,
    goes_on: bool = True,
    progress: Progress = ignore_progress,
) -> HalfSums:
    """The sums over all tomograms; with `goes_on`, those that an earlier run has left count."""
    temp = folder / TEMP
    temp.mkdir(parents=True, exist_ok=True)
    fingerprint = making_of(sources, settings).fingerprint
    kept = saved_sums(temp, fingerprint) if goes_on else []
    for path in set(temp.glob("sums_*.npz")) - {saved.path for saved in kept}:
        path.unlink()
    done = {name for saved in kept for name in saved.tomograms}
    if done:
        log.info("going on: %d of %d tomograms are summed already", len(done), len(sources.each))
    rest = [source for source in sources.each if source.tomogram.name not in done]
    first = 1 + max((int(saved.path.stem.split("_")[1]) for saved in kept), default=0)
    tasks = [
        Task(
            number,
            tuple(part),
            settings,
            sources.pixel_size,
            team.threads,
            temp / f"sums_{first + number:04d}.npz",
            fingerprint,
        )
        for number, part in enumerate(shares(rest, team.processes))
    ]
    total = sum(len(source.particles) * source.views for source in sources.each)
    ahead = total - sum(len(source.particles) * source.views for source in rest)
    if len(tasks) == 1:
        sum_tomograms(tasks[0], lambda boxes: progress(ahead + boxes, total))
    elif tasks:
        _in_processes(tasks, ahead, total, progress)
    return reduced([saved.path for saved in kept] + [task.path for task in tasks])


def reduced(paths: Sequence[Path]) -> HalfSums:
    """The sum of sums on the disk, added in pairs, so that rounding grows with the pairs' depth."""
    if len(paths) == 1:
        return load_sums(paths[0])
    middle = len(paths) // 2
    return reduced(paths[:middle]) + reduced(paths[middle:])


_counts: Any = None  # of a worker process: boxes done, by task


def _begin(counts: Any) -> None:
    global _counts
    _counts = counts


def _work(task: Task) -> Path:
    def told(boxes: int) -> None:
        _counts[task.number] = boxes

    return sum_tomograms(task, told)


def _in_processes(tasks: Sequence[Task], ahead: int, total: int, progress: Progress) -> None:
    context = multiprocessing.get_context("spawn")
    counts = context.Array("q", len(tasks), lock=False)
    with ProcessPoolExecutor(
        len(tasks), mp_context=context, initializer=_begin, initargs=(counts,)
    ) as pool:
        waiting: set[Future[Path]] = {pool.submit(_work, task) for task in tasks}
        try:
            while waiting:
                finished, waiting = wait(waiting, timeout=0.5)
                for future in finished:
                    future.result()
                progress(ahead + sum(counts), total)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
            raise


def remove_temp(folder: Path) -> None:
    """Take the sums away, when the maps are written."""
    temp = folder / TEMP
    for path in temp.glob("sums_*.npz"):
        path.unlink(missing_ok=True)
    if temp.is_dir() and not any(temp.iterdir()):
        temp.rmdir()
