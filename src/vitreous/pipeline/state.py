"""How far a project is, from its files alone."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from vitreous.pipeline.manifests import read_facts
from vitreous.pipeline.project import StepFolder

STEPS = ("gain", "motion", "newstack", "align", "ctf", "reconstruct")
OF_STACKS = ("align", "reconstruct")  # what every series takes, be it begun with movies or a stack
OF_MOVIES = ("motion", "newstack")  # what tells that it was begun with movies

How = Literal["done", "failed", "running", "interrupted", "waiting", "given"]


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of one series.

    how: given where an alignment from elsewhere was taken. why and hint: of a step that failed.
    manifest: what it says of the products; of a step that isn't done, those of an earlier run that
    are there still. products: paths of what is whole, by name.
    """

    step: str
    how: How
    why: str = ""
    hint: str = ""
    manifest: dict[str, Any] = field(default_factory=dict)
    products: dict[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SeriesState:
    """All steps of a series, in their order."""

    name: str
    steps: tuple[StepState, ...]

    @property
    def how(self) -> How:
        """As the series stands: what the first step says that isn't done."""
        return next((step.how for step in self.steps if not is_behind(step)), "done")

    @property
    def failed(self) -> StepState | None:
        """The step that failed, if one did."""
        return next((step for step in self.steps if step.how == "failed"), None)

    @property
    def trusted(self) -> bool | None:
        """Whether the alignment can be trusted, as it says itself; None: not known."""
        return self.step("align").manifest.get("trusted")

    @property
    def warnings(self) -> list[str]:
        """What the steps warn of."""
        return [text for step in self.steps for text in step.manifest.get("warnings", ())]

    def step(self, name: str) -> StepState:
        """One of the steps; one that the series doesn't take waits for ever."""
        found = (step for step in self.steps if step.step == name)
        return next(found, StepState(name, "waiting"))


def is_behind(step: StepState) -> bool:
    """Whether nothing is left to do in a step."""
    return step.how in ("done", "given")


def state_of(project: Path) -> list[SeriesState]:
    """Every series of a project, in the order of their names."""
    folders = [path for path in project.iterdir() if is_series(path)]
    return [state_of_series(project, path.name) for path in sorted(folders)]


def is_series(folder: Path) -> bool:
    """Whether a folder of a project is that of a series: it has steps, or nothing yet."""
    if not folder.is_dir() or folder.name.startswith("."):
        return False
    names = [path.name for path in folder.iterdir()]
    return not names or any(step in names for step in STEPS)


def steps_of(folder: Path) -> tuple[str, ...]:
    """The steps that a series takes, by its folder: more where it was begun with movies.

    Of a series begun with a stack the contrast transfer is one if it was begun.
    """
    there = {step for step in STEPS if (folder / step).is_dir()}
    if not there.intersection(("gain", *OF_MOVIES)):
        return tuple(step for step in STEPS if step in {*OF_STACKS, *there})
    return tuple(step for step in STEPS if step != "gain" or step in there)


def state_of_series(project: Path, name: str) -> SeriesState:
    """How far one series is."""
    states = {
        step: state_of_step(StepFolder(project, name, step)) for step in steps_of(project / name)
    }
    align, reconstruct = states["align"], states["reconstruct"]
    taken = reconstruct.manifest.get("inputs", {}).get("alignment", {}).get("path")
    ours = StepFolder(project, name, "align").product(".xf")
    if (taken and Path(taken).parts[-3:] != ours.parts[-3:]) or (
        align.how == "waiting" != reconstruct.how
    ):
        states["align"] = StepState("align", "given")
    return SeriesState(name, tuple(states.values()))


def state_of_step(folder: StepFolder) -> StepState:
    """How far one step is, and what there is of its products."""
    manifest = folder.read_manifest()
    whole = bool(manifest) and folder.is_whole(manifest)
    products = manifest.get("products", {}) if whole else {}
    paths = {name: folder.path / facts["path"] for name, facts in products.items()}
    known = (manifest if whole else {}, paths)
    if failure := read_facts(folder.failure):
        return StepState(folder.step, "failed", failure["error"], failure["hint"], *known)
    if folder.running.exists():
        how: How = "running" if folder.is_running() else "interrupted"
        return StepState(folder.step, how, "", "", *known)
    if whole:
        return StepState(folder.step, "done", "", "", *known)
    return StepState(folder.step, "interrupted" if folder.log.exists() else "waiting")
