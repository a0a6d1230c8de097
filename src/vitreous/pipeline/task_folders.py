"""A project's steps as the task folders of facilities: a folder a step, all series in it.

PROJECT/tasks/task_02_motion/task.json       the step and its parameters
                             result.json     status, files, log and errors line by line, cost
                             imageset.json   per series what the next task takes, absolute paths
                             console.log, error.log
PROJECT/tasks/workflow.json                  the tasks in their order

As cemrc-uw-madison/TomoFlows lays them out; exit_code, cpu_seconds and versions are ours.
"""

import json
import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vitreous.errors import OutputError
from vitreous.formats.products import write_text
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.state import STEPS, SeriesState, StepState, is_behind, state_of
from vitreous.version import __version__

FOLDER = "tasks"
DESCRIPTIONS = {
    "gain": "Gain reference turned onto the movies and held against them",
    "motion": "Motion correction and dose weighting of movies",
    "newstack": "Averages joined into a stack in order of angle",
    "align": "Alignment of the tilts without markers",
    "ctf": "Contrast transfer of each tilt",
    "reconstruct": "Tomogram of the aligned tilts",
}
HANDED_ON: dict[str, Callable[[str], bool]] = {
    "gain": lambda name: name.endswith("_gain.mrc"),
    "motion": lambda name: bool(re.search(r"(?<!_EVN)(?<!_ODD)(?<!_unweighted)\.mrc$", name)),
    "newstack": lambda name: bool(re.search(r"(?<!_EVN)(?<!_ODD)\.st$", name)),
    "align": lambda name: name.endswith(".xf"),
    "ctf": lambda name: name.endswith("_CTF.txt"),
    "reconstruct": lambda name: bool(re.search(r"(?<!_half[12])\.mrc$", name)),
}
"""Which products of a step the next one takes, by their names."""

LOG_LINE = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d),\d+ (\w+) (.*)")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Task:
    """One step of all series of a project that take it."""

    project: Path
    step: str
    series: tuple[tuple[str, StepState], ...]

    @property
    def description(self) -> str:
        """What it does."""
        return DESCRIPTIONS[self.step]

    @property
    def parameters(self) -> Json:
        """The settings of the first series that is done, all of them."""
        made = (state.manifest.get("settings") for _, state in self.series)
        return next(filter(None, made), {})

    @property
    def status(self) -> str:
        """CREATED, RUNNING, SUCCESS (of at least one series) or FAILED."""
        hows = {state.how for _, state in self.series}
        if "running" in hows:
            return "RUNNING"
        if any(is_behind(state) for _, state in self.series):
            return "SUCCESS"
        return "FAILED" if "failed" in hows else "CREATED"

    def products(self, state: StepState) -> list[Path]:
        """What the next task takes of a series, absolute."""
        wanted = HANDED_ON[self.step]
        return [path.absolute() for path in state.products.values() if wanted(path.name)]

    def log(self, name: str, ending: str) -> str:
        """STEP.log or STEP.err of a series; '' where there is none."""
        folder = StepFolder(self.project, name, self.step)
        path = folder.log if ending == ".log" else folder.errors
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""


def write_tasks(project: Path) -> list[Path]:
    """Write the task folders of a project; returns them."""
    every = state_of(project)
    taken = [step for step in STEPS if any(takes(series, step) for series in every)]
    folders = []
    for number, step in enumerate(taken, 1):
        states = tuple((s.name, s.step(step)) for s in every if takes(s, step))
        folder = project / FOLDER / f"task_{number:02d}_{step}"
        write_task(folder, Task(project, step, states))
        folders.append(folder)
    workflow = [
        {"name": step, "parameters": json.loads((folder / "task.json").read_text())["parameters"]}
        for step, folder in zip(taken, folders, strict=True)
    ]
    write_json(project / FOLDER / "workflow.json", {"tasks": workflow})
    return folders


def takes(series: SeriesState, step: str) -> bool:
    """Whether a step is one of those of a series."""
    return step in [state.step for state in series.steps]


def write_task(folder: Path, task: Task) -> None:
    """Write the files of one task."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made: {error.strerror}") from error
    named = {"task_name": task.step, "task_description": task.description}
    write_json(folder / "task.json", {**named, "parameters": task.parameters})
    write_json(folder / "result.json", {**named, **result_of(task)})
    sets = [
        {
            "header": {"imageset_name": name},
            "images": [str(path) for path in task.products(state)],
        }
        for name, state in task.series
        if is_behind(state)
    ]
    write_json(folder / "imageset.json", {"image_sets": sets})
    for ending, file in ((".log", "console.log"), (".err", "error.log")):
        texts = ((name, task.log(name, ending)) for name, _ in task.series)
        write_text(folder / file, "".join(f"[{name}]\n{text}" for name, text in texts if text))


def result_of(task: Task) -> Json:
    """Status, files, logs and errors, and what it cost."""
    errors = [
        {"type": "ExecutionError", "detail": f"{name}: {' '.join((state.why, state.hint)).strip()}"}
        for name, state in task.series
        if state.how == "failed"
    ]
    costs = [state.manifest.get("cost", {}) for _, state in task.series]
    return {
        "output_files": [
            {"file_name": str(path), "file_type": path.suffix.lstrip(".")}
            for _, state in task.series
            for path in task.products(state)
        ],
        "logs": logs_of(task),
        "errors": errors,
        "status": task.status,
        "exit_code": 1 if errors else 0,
        "cpu_seconds": round(sum(cost.get("cpu_seconds", 0.0) for cost in costs), 1),
        "versions": {"vitreous": __version__, "python": platform.python_version()},
    }


def logs_of(task: Task) -> list[Json]:
    """One entry a line that a user was told, series by series."""
    lines = (
        (name, LOG_LINE.fullmatch(line))
        for name, _ in task.series
        for line in task.log(name, ".log").splitlines()
    )
    return [
        {"timestamp": told[1], "detail": f"{name}: {told[3]}"}
        for name, told in lines
        if told and told[2] != "DEBUG"
    ]


def write_json(path: Path, facts: Json | Sequence[Json]) -> None:
    """Write a JSON file."""
    write_text(path, json.dumps(facts, indent=2, default=str) + "\n")
