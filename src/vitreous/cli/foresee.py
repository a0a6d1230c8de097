"""What `vitreous run --dry-run` says: series, steps, memory, disk and time."""

import logging
from collections.abc import Sequence
from pathlib import Path

from vitreous.cli.run_progress import duration
from vitreous.cli.tables import lined_up
from vitreous.formats.products import free_bytes, readable
from vitreous.kernels.machine import Share
from vitreous.pipeline.forecast import Forecast, forecast
from vitreous.pipeline.inputs import opened, opened_raw
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.logs import unheard
from vitreous.pipeline.runner import divided, peak_of
from vitreous.pipeline.series import steps_to_do
from vitreous.pipeline.tomogram import foresee as foresee_tomogram
from vitreous.pipeline.tomogram import nominal_alignment

log = logging.getLogger(__name__)


def foresee_run(jobs: Sequence[Job], share: Share) -> None:
    """Say what a run of these series would do, and do nothing."""
    with unheard():
        steps = {job: steps_to_do(job) for job in jobs}
        forecasts = [forecast(job, steps[job], share) for job in jobs]
    if len(jobs) == 1 and not forecasts[0].problem and "newstack" not in steps[jobs[0]]:
        foresee_alone(jobs[0], steps[jobs[0]], share)
    for line in table_of(forecasts):
        log.info("%s", line)
    todo = [forecast for forecast in forecasts if forecast.steps]
    if todo:
        say_all(todo, jobs[0].project, share)


def foresee_alone(job: Job, steps: Sequence[str], share: Share) -> None:
    """What a single series would become, at length."""
    output = job.folder("reconstruct").product(".mrc")
    if "align" in steps:
        stack, series = opened_raw(job.stack, job.given, job.source.mdoc)
        tilts, axis = series.nominal_tilts_degrees, series.nominal_axis_degrees
        log.info(
            "would align %d tilts, %.2f to %.2f degrees, nominal axis %s, into %s",
            len(tilts),
            tilts.min(),
            tilts.max(),
            "unknown" if axis is None else f"{axis:.2f}",
            job.folder("align").path,
        )
        alignment = nominal_alignment(series)
    else:
        stack, alignment = opened(job.stack, job.alignment, job.reconstruct, job.source.mdoc)
    if steps:
        foresee_tomogram(stack, alignment, job.reconstruct, output, share=share)


def table_of(forecasts: Sequence[Forecast]) -> list[str]:
    """A line for each step: memory at most, disk, time of all cores."""
    rows = [("series", "step", "memory", "disk", "CPU time")]
    for series in forecasts:
        if series.problem:
            rows.append((series.name, "fails", "", "", series.problem))
        elif not series.steps:
            rows.append((series.name, "up to date", "", "", ""))
        for step in series.steps:
            memory, disk = readable(step.memory_bytes), readable(step.disk_bytes)
            rows.append((series.name, step.step, memory, disk, duration(step.cpu_seconds)))
    return lined_up(rows)


def say_all(todo: Sequence[Forecast], project: Path, share: Share) -> None:
    """The whole run in two sentences."""
    memory = [forecast.memory_bytes for forecast in todo]
    division = divided(memory, share)
    disk = sum(forecast.disk_bytes for forecast in todo)
    there = next(place for place in project.absolute().parents if place.exists())
    free = free_bytes(there / "x")
    cpu = sum(forecast.cpu_seconds for forecast in todo)
    log.info(
        "the run: %d series at a time, threads for each: %d; at most %s of memory%s; %s on the "
        "disk (%s are free); about %s (%s of CPU, estimated from counts of pixels and voxels for "
        "cores at 3 GHz)",
        division.workers,
        division.threads,
        readable(peak_of(memory, share)),
        "" if share.memory_bytes is None else f" ({readable(share.memory_bytes)} are allowed)",
        readable(disk),
        readable(free),
        duration(cpu / (division.workers * division.threads)),
        duration(cpu),
    )
    if disk > free:
        log.warning("what the run would make doesn't fit on the disk of %s", project)
