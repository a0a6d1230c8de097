"""`vitreous check`: what a session holds and lacks, before any work begins."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from vitreous.formats.movie_settings import MovieSettings
from vitreous.pipeline.inputs import SeriesInput

if TYPE_CHECKING:
    from vitreous.pipeline.check import Checked

log = logging.getLogger(__name__)

COLUMNS = ("tilts", "movies", "frames", "gain", "pixel size", "dose", "order", "tilt axis")

AsJson = Annotated[
    bool, Parameter(name="--json", negative="", help="All of it as JSON, for programs.")
]


def check(
    session: Sequence[Path],
    /,
    *,
    given: Annotated[SeriesInput, Parameter(name="*")] = SeriesInput.model_construct(),  # noqa: B008
    reading: Annotated[MovieSettings, Parameter(name="*")] = MovieSettings.model_construct(),  # noqa: B008
    as_json: AsJson = False,
) -> None:
    """Say what SESSION (folders, .mdoc files, stacks) holds and lacks; nothing is written.

    Of each series: tilts, movies that are there or missing, their frames, gain reference, doses,
    order of acquisition, tilt axis, pixel size. A fact is complete (a file says it), derived (it
    follows from what files say), guessed, or missing. Options say what files don't, as in 'vitreous
    run'. The exit code is 0 if every series can be run, else 1.

      vitreous check session

      vitreous check session/mdocs --movies /data/frames --pixel 1.34
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.cli.tables import lined_up
    from vitreous.errors import UserError
    from vitreous.pipeline.check import check as checked

    with progress_bar("checking") as progress:
        found = checked(session, given, reading, progress)
    if as_json:
        import json

        print(json.dumps([as_mapping(each) for each in found], indent=2, ensure_ascii=False))
    elif len(found) == 1:
        print("\n".join([found[0].name, *details(found[0])]))
    else:
        print("\n".join(lined_up(table(found))))
        print("\ncomplete: a file says it; derived: it follows from what files say")
        for each in found:
            print("\n".join(["", sentence(each), *remarks(each)]))
    bad = [each for each in found if each.problem]
    if bad and len(found) == 1:
        raise UserError(f"{bad[0].name} can't be run: {bad[0].problem}")
    if bad:
        names = ", ".join(each.name for each in bad)
        raise UserError(f"{len(bad)} of {len(found)} series can't be run: {names}")
    ready = "1 series is" if len(found) == 1 else f"all {len(found)} series are"
    log.info("%s ready for vitreous run", ready)


def details(checked: "Checked") -> list[str]:
    """A line for each fact: what, where from, value."""
    from vitreous.cli.tables import lined_up

    if not checked.facts:
        return []
    return lined_up([(f"  {fact.name}", fact.how, fact.said) for fact in checked.facts])


def table(found: "Sequence[Checked]") -> list[tuple[str, ...]]:
    """A line for each series: how each fact is known."""
    rows: list[tuple[str, ...]] = [("series", "begins with", *COLUMNS)]
    for each in found:
        hows = (each.fact(name).how for name in COLUMNS)
        rows.append((each.name, each.begins_with or "-", *hows))
    return rows


def sentence(checked: "Checked") -> str:
    """What is to be made of a series, or why nothing can be."""
    if checked.problem:
        return f"{checked.name} can't be run: {checked.problem}"
    tilts, movies = checked.fact("tilts"), checked.fact("movies")
    if checked.begins_with == "movies":
        return f"{checked.name}: {movies.said}; tilts {tilts.said}"
    return f"{checked.name}: a stack; tilts {tilts.said}"


def remarks(checked: "Checked") -> list[str]:
    """What is derived, guessed or missing, a line each."""
    kept = [fact for fact in checked.facts if fact.how != "complete"]
    if checked.begins_with == "stack":
        kept = [fact for fact in kept if fact.name not in ("movies", "frames", "gain")]
    return [f"  {fact.how:8} {fact.name}: {fact.said}" for fact in kept]


def as_mapping(checked: "Checked") -> dict[str, Any]:
    """A series for programs."""
    return {
        "name": checked.name,
        "ready": not checked.problem,
        "begins_with": checked.begins_with,
        "problem": checked.problem,
        "facts": {f.name: {"how": f.how, "value": f.said} for f in checked.facts},
    }
