"""What a session holds and lacks, series by series, before any work begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitreous.errors import UserError, VitreousError
from vitreous.formats.images import image_facts
from vitreous.formats.mdoc import Mdoc, read_mdoc
from vitreous.formats.mdoc_facts import Fact, How, facts_of
from vitreous.formats.mdoc_series import movie_pixel_size, own_frames
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, require_frames
from vitreous.pipeline.inputs import UNSET, SeriesInput, opened_raw, unsaid
from vitreous.pipeline.intake import Source, find_series
from vitreous.pipeline.session import (
    Files,
    Session,
    find_session,
    listed,
    named_movies,
    require_most,
)
from vitreous.records.tilt_series import TiltSeries

WORST: dict[How, int] = {"complete": 0, "derived": 1, "guessed": 2, "missing": 3}


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of one series. problem: why nothing can be made of it, '' where it can.

    begins_with: "movies" or "stack"; '' where nothing can be made.
    """

    name: str
    facts: tuple[Fact, ...]
    begins_with: str = ""
    problem: str = ""

    def fact(self, name: str) -> Fact:
        """One of the facts; what nobody asked about is missing."""
        found = (fact for fact in self.facts if fact.name == name)
        return next(found, Fact(name, "missing", ""))

    def lacking(self, how: How) -> list[Fact]:
        """The facts that are so."""
        return [fact for fact in self.facts if fact.how == how]


def check(inputs: Sequence[Path], given: SeriesInput, reading: MovieSettings) -> Iterator[Checked]:
    """Each series of what is named; what is given counts as known."""
    files = Files()
    for source in find_series(inputs):
        yield checked(source, given, reading, files)


def checked(source: Source, given: SeriesInput, reading: MovieSettings, files: Files) -> Checked:
    """The facts of one series, whatever is wrong with it."""
    facts: list[Fact] = []
    problem = source.problem or ""
    try:
        mdoc = noted(source)
    except VitreousError as error:
        return Checked(source.name, (), problem=str(error))
    if mdoc is not None:
        facts = facts_of(mdoc, path_of(source))
    session = None
    if source.notes is not None and given.begin_with != "stacks":
        try:
            session = find_session(
                source.name,
                source.notes,
                files,
                movies=given.movies,
                gain=given.gain,
                defects=given.defects,
                no_gain=given.no_gain,
            )
            facts = put(facts, of_movies(session))
            require_most(session)
        except VitreousError as error:
            if source.stack is None or given.begin_with == "movies":
                problem = str(error)
            session = None
        else:
            problem = ""
    if session is not None and mdoc is not None:
        facts, problem = of_session(session, mdoc, facts, given, reading)
    elif source.stack is not None and not problem:
        facts, problem = of_stack(source, facts, given)
    elif source.stack is None and not problem:
        problem = "there is neither a stack nor movies"
    facts = with_given(facts, given)
    begins = "" if problem else "movies" if session else "stack"
    if not problem and facts and (lost := stopping(facts)):
        problem = "; ".join(f"{fact.name}: {fact.said}" for fact in lost)
        begins = ""
    return Checked(source.name, tuple(facts), begins, problem)


def noted(source: Source) -> Mdoc | None:
    """The .mdoc of a series, or what its movies' names and .mdoc files amount to."""
    if source.notes is not None:
        return source.notes.read()
    return read_mdoc(source.mdoc) if source.mdoc is not None else None


def path_of(source: Source) -> Path | None:
    """The file that messages name."""
    return source.notes.mdocs[0] if source.notes and source.notes.mdocs else source.mdoc


def stopping(facts: Sequence[Fact]) -> list[Fact]:
    """The facts without which nothing can be made."""
    return [f for f in facts if f.how == "missing" and f.name in ("tilts", "pixel size")]


def put(facts: Sequence[Fact], *others: Fact) -> list[Fact]:
    """Facts with others in the places of their names, new ones behind."""
    named = {fact.name: fact for fact in (*facts, *others)}
    return list(named.values())


# -- movies ----------------------------------------------------------------------------------------


def of_movies(session: Session) -> Fact:
    """How many movies are there, and which are not."""
    there, lost = len(session.movies), session.missing
    if not there:
        return Fact("movies", "missing", f"none of {len(lost)} is there: {listed(lost)}")
    where = listed(list(dict.fromkeys(str(path.parent) for path in session.files)))
    if lost:
        said = f"{there} of {there + len(lost)} in {where}; not there: {listed(lost)}"
        return Fact("movies", "missing", said)
    how: How = "derived" if any("ending" in remark for remark in session.remarks) else "complete"
    return Fact("movies", how, f"{there} of {there} in {where}")


def of_session(
    session: Session, mdoc: Mdoc, facts: list[Fact], given: SeriesInput, reading: MovieSettings
) -> tuple[list[Fact], str]:
    """The facts of movies that are there, and what is wrong with too many of them."""
    if not session.notes.mdocs:
        facts = [replace(f, how="guessed") if f.name in ("tilts", "order") else f for f in facts]
    broken, counts, size = [], [], (0, 0)
    expected = own_frames(mdoc)
    for name, path in session.movies:
        try:
            movie = open_movie(path, reading, pixel_size=1.0)
            counts.append(movie.shape[0])
            size = size if any(size) else (movie.shape[2], movie.shape[1])
            if (count := expected.get(name)) is not None:
                require_frames(movie, count)
        except VitreousError as error:
            broken.append(str(error))
    problem = ""
    if broken:
        said = f"{len(broken)} movies are faulty: {broken[0]}"
        facts = put(facts, Fact("frames", "missing", said))
        if len(broken) + len(session.missing) > 0.3 * len(named_movies(session.notes)):
            problem = said
    elif counts:
        low, high = min(counts), max(counts)
        same = f"{low}" if low == high else f"{low} to {high}"
        how: How = "complete" if expected else "derived"
        facts = put(facts, Fact("frames", how, f"{same} frames of {size[0]} x {size[1]} px"))
    return put(facts, of_gain(session, given), of_pixel(session, mdoc, size, given)), problem


def of_gain(session: Session, given: SeriesInput) -> Fact:
    """The gain reference that will be taken."""
    if session.gain is None:
        if given.no_gain:
            return Fact("gain", "complete", "none is needed (given)")
        return Fact("gain", "missing", "none beside the movies: they are taken as corrected")
    how: How = "complete" if given.gain else "derived"
    beside = f", defects {session.defects.name}" if session.defects else ""
    return Fact("gain", how, f"{session.gain}{beside}")


def of_pixel(session: Session, mdoc: Mdoc, size: tuple[int, int], given: SeriesInput) -> Fact:
    """Pixel size of the movies: as given, as the .mdoc has it, as their files say."""
    if given.pixel_size:
        return Fact("pixel size", "complete", f"{given.pixel_size:g} A (given)")
    if any(size) and (noted_size := movie_pixel_size(mdoc, size)):
        stated = noted_size == movie_pixel_size(Mdoc((), mdoc.sections), size)
        how: How = "complete" if stated else "derived"
        return Fact("pixel size", how, f"{noted_size:g} A of the movies")
    own = pixel_of_file(session.files[0])
    if own:
        return Fact("pixel size", "derived", f"{own:g} A (the movies' header)")
    return Fact("pixel size", "missing", "no PixelSpacing: --pixel says it")


def pixel_of_file(path: Path) -> float | None:
    """A/px that a movie itself says; None for 1 A, which programs write that know none."""
    try:
        size = open_movie(path).pixel_size
    except VitreousError:
        return None
    return None if size == UNSET else size


# -- stacks ----------------------------------------------------------------------------------------


def of_stack(source: Source, facts: list[Fact], given: SeriesInput) -> tuple[list[Fact], str]:
    """The facts of a raw stack, and why nothing can be made of it."""
    assert source.stack is not None
    try:
        if lost := unsaid(source.stack, given, source.mdoc):
            raise UserError(f"nothing says its {' and its '.join(lost)}")
        if given.alignment is not None:
            said = image_facts(source.stack)
            return put(facts, Fact("tilts", "complete", f"{said.sections} images, aligned")), ""
        _, series = opened_raw(source.stack, given, source.mdoc)
    except VitreousError as error:
        return facts, str(error)
    return put(facts, *of_series(series, bare=not facts)), ""


def of_series(series: TiltSeries, *, bare: bool) -> Iterator[Fact]:
    """What the stack and files beside it say; bare: there is no .mdoc that says more."""
    angles = series.nominal_tilts_degrees
    columns, rows = series.image_size
    said = f"{len(angles)}, {angles.min():.1f} to {angles.max():.1f} degrees"
    yield Fact("tilts", "complete", said)
    yield Fact("image size", "complete", f"{columns} x {rows} px")
    yield Fact("pixel size", "complete", f"{series.pixel_size:g} A")
    if not bare:
        return
    yield Fact("order", "missing", "no .mdoc")
    yield Fact("dose", "missing", "no dose: --dose-per-tilt says it")
    axis = series.nominal_axis_degrees
    if axis is None:
        yield Fact("tilt axis", "missing", "it will be searched for, or --tilt-axis says it")
    else:
        yield Fact("tilt axis", "complete", f"{axis:.1f} degrees ({series.nominal_axis_source})")


# -- given -----------------------------------------------------------------------------------------


def with_given(facts: Sequence[Fact], given: SeriesInput) -> list[Fact]:
    """Facts with what options say in place of what files say."""
    said = {
        "tilt axis": (given.tilt_axis, "degrees"),
        "voltage": (given.kv, "kV"),
        "dose": (given.dose_per_tilt, "e/A^2"),
        "pixel size": (given.pixel_size, "A"),
    }
    known = put(
        facts,
        *(
            Fact(name, "complete", f"{value:g} {unit} (given)")
            for name, (value, unit) in said.items()
            if value is not None
        ),
    )
    if given.dose_per_tilt is not None and any(f.name == "dose before" for f in facts):
        before = next(f for f in facts if f.name == "dose before")
        if before.how == "missing":
            known = put(known, Fact("dose before", "derived", "summed in the order of acquisition"))
    return known
