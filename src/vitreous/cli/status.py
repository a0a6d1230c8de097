"""`vitreous status`: how far a project is."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vitreous.pipeline.state import SeriesState, StepState

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="All of it as JSON, for programs.")
]


def status(project: Path, /, *, as_json: AsJson = False) -> None:
    """Say how far PROJECT is: of each series the steps that are done, failed, interrupted or wait,
    the score and the axis of its alignment, its thickness, the size of its tomogram.

    Scores are correlations of left-out tilts with the tomogram of all others, in standard
    deviations; '?' marks an alignment that can't be trusted.

      vitreous status demo
    """
    from vitreous.errors import UserError
    from vitreous.pipeline.state import state_of

    if not project.is_dir():
        raise UserError(f"{project} is no folder of a project")
    series = state_of(project)
    if as_json:
        import json

        print(json.dumps([facts_of(each) for each in series], indent=2, ensure_ascii=False))
        return
    if not series:
        print(f"{project} has no series yet")
        return
    from vitreous.cli.tables import lined_up

    print("\n".join(lined_up(rows_of(series))))
    for each in series:
        if each.failed:
            print(f"\n{each.name}: {each.failed.step} failed: {each.failed.why}")
            print(f"  -> {each.failed.hint or f'see {project / each.name / each.failed.step}'}")
    print(f"\n{sentence(series)}")


def rows_of(series: "Sequence[SeriesState]") -> list[tuple[str, ...]]:
    """The table: a line for each series, with the steps that any of them takes."""
    from vitreous.pipeline.state import STEPS

    taken = {step.step for each in series for step in each.steps}
    steps = [step for step in STEPS if step in taken]
    head = ("series", *steps, "score", "axis", "thickness", "tomogram", "size")
    return [head, *(row_of(each, steps) for each in series)]


def row_of(series: "SeriesState", steps: "Sequence[str]") -> tuple[str, ...]:
    """One line of the table; what isn't known is left empty."""
    hows = {step.step: step.how for step in series.steps}
    align, reconstruct = series.step("align"), series.step("reconstruct")
    aligned, made = align.manifest, reconstruct.manifest
    doubt = "?" if series.trusted is False else ""
    grid = made.get("grid", {})
    size = " x ".join(map(str, grid.get("size", ())))
    return (
        series.name,
        *(hows.get(step, "") for step in steps),
        f"{aligned['score']:.1f}{doubt}" if "score" in aligned else "",
        f"{aligned['axis_degrees']:.2f}" if "axis_degrees" in aligned else "",
        f"{thickness:.0f} A" if (thickness := aligned.get("thickness_angstrom")) else "",
        f"{size} of {grid['voxel_size']:.4g} A" if size else "",
        size_of(series.steps),
    )


def size_of(steps: "Sequence[StepState]") -> str:
    """What the products of a series take on the disk."""
    from vitreous.formats.products import readable

    products = [facts for step in steps for facts in step.manifest.get("products", {}).values()]
    return readable(sum(facts["bytes"] for facts in products)) if products else ""


def sentence(series: "Sequence[SeriesState]") -> str:
    """How many are done, failed, waiting."""
    hows = [each.how for each in series]
    order = ("done", "failed", "running", "interrupted", "waiting")
    counted = [f"{hows.count(how)} {how}" for how in order if how in hows]
    return f"{len(series)} series: {', '.join(counted)}"


def facts_of(series: "SeriesState") -> dict[str, Any]:
    """A series for programs."""
    return {
        "name": series.name,
        "state": series.how,
        "trusted": series.trusted,
        "warnings": series.warnings,
        "steps": [
            {
                "step": step.step,
                "state": step.how,
                "why": step.why,
                "what_to_do": step.hint,
                "products": {name: str(path) for name, path in step.products.items()},
                "manifest": step.manifest,
            }
            for step in series.steps
        ],
    }
