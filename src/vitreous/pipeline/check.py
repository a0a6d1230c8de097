"""What a session holds and lacks, series by series, before any work begins."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError, VitreousError
from vitreous.formats.gains import read_gain
from vitreous.formats.images import image_facts
from vitreous.formats.mdoc import Mdoc, read_mdoc
from vitreous.formats.mdoc_facts import Fact, How, facts_of
from vitreous.formats.mdoc_series import movie_pixel_size, own_frames
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, require_frames
from vitreous.motion.gain import require_gain, sized
from vitreous.pipeline.inputs import SeriesInput, opened_raw, unsaid
from vitreous.pipeline.intake import Source, find_series
from vitreous.pipeline.movie_series import own_pixel_size, undosed
from vitreous.pipeline.session import (
    MOST_LOST,
    Files,
    Session,
    listed,
    named_movies,
    named_session,
    session_for,
    shared_movies,
)
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import TiltSeries


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of one series. problem: why nothing can be made of it, '' where it can.

    begins_with: "movies" or "stack"; '' where nothing can be made. movies: their files.
    """

    name: str
    facts: tuple[Fact, ...]
    begins_with: str = ""
    problem: str = ""
    movies: tuple[Path, ...] = ()

    def fact(self, name: str) -> Fact:
        """One of the facts; what nobody asked about is missing."""
        found = (fact for fact in self.facts if fact.name == name)
        return next(found, Fact(name, "missing", ""))


def check(
    inputs: Sequence[Path],
    given: SeriesInput,
    reading: MovieSettings,
    progress: Progress = ignore_progress,
) -> list[Checked]:
    """Each series of what is named; what is given counts as known. Movies' headers are read."""
    files, sources = Files(), find_series(inputs)
    every = []
    for number, source in enumerate(sources, 1):
        every.append(checked(source, given, reading, files))
        progress(number, len(sources))
    shared = shared_movies({each.name: each.movies for each in every})
    return [
        replace(each, begins_with="", problem=shared[each.name]) if each.name in shared else each
        for each in every
    ]


def checked(source: Source, given: SeriesInput, reading: MovieSettings, files: Files) -> Checked:
    """The facts of one series, whatever is wrong with it."""
    known = Known()
    problem = ""
    session = None
    try:
        mdoc = noted(source)
        if mdoc is not None:
            known.put(*facts_of(mdoc, path_of(source)))
        session = looked_at(source, mdoc, known, given, reading, files)
        known.put(*given_facts(known, given))
        require_known(known)
    except VitreousError as error:
        known.put(*given_facts(known, given))
        problem = str(error)
    begins = "" if problem else "movies" if session else "stack"
    movies = session.files if session else ()
    return Checked(source.name, known.facts, begins, problem, movies)


class Known:
    """Facts by their names; a later one takes the place of an earlier one."""

    def __init__(self) -> None:
        self._facts: dict[str, Fact] = {}

    def put(self, *facts: Fact) -> None:
        """Add facts, or put them in place of others."""
        self._facts |= {fact.name: fact for fact in facts}

    def how(self, name: str) -> How:
        """How a fact is known."""
        return self._facts[name].how if name in self._facts else "missing"

    @property
    def facts(self) -> tuple[Fact, ...]:
        """In the order in which their names came."""
        return tuple(self._facts.values())


def looked_at(
    source: Source,
    mdoc: Mdoc | None,
    known: Known,
    given: SeriesInput,
    reading: MovieSettings,
    files: Files,
) -> Session | None:
    """Add what movies or stack say; returns the movies where the series begins with them."""
    if source.notes is not None and mdoc is not None:
        found = found_movies(source, known, given, files)
        if found is not None:
            look_at_movies(found, mdoc, known, given, reading)
            return found
    if source.problem:
        raise UserError(source.problem)
    if source.stack is None:
        raise UserError("there is neither a stack nor movies")
    known.put(*of_stack(source, given, bare=mdoc is None))
    return None


def require_known(known: Known) -> None:
    """Raise a `UserError` for facts without which nothing can be made."""
    lost = [f for f in known.facts if f.how == "missing" and f.name in ("tilts", "pixel size")]
    if lost:
        raise UserError("; ".join(f"{fact.name}: {fact.said}" for fact in lost))


def noted(source: Source) -> Mdoc | None:
    """The .mdoc of a series, or what its movies' names and .mdoc files amount to."""
    if source.notes is not None:
        return source.notes.read()
    return read_mdoc(source.mdoc) if source.mdoc is not None else None


def path_of(source: Source) -> Path | None:
    """The file that messages name."""
    return source.notes.mdocs[0] if source.notes and source.notes.mdocs else source.mdoc


# -- movies ----------------------------------------------------------------------------------------


def found_movies(source: Source, known: Known, given: SeriesInput, files: Files) -> Session | None:
    """The movies that a series begins with, and how many of them are there."""
    assert source.notes is not None
    if given.begin_with != "stacks":
        known.put(of_movies(named_session(source.name, source.notes, files, given)))
    has_stack = source.stack is not None
    return session_for(source.name, source.notes, files, given, has_stack=has_stack)


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


def look_at_movies(
    session: Session, mdoc: Mdoc, known: Known, given: SeriesInput, reading: MovieSettings
) -> None:
    """Add what the movies' files say; raises UserError where too many are faulty."""
    if not session.notes.mdocs:
        guessed = [f for f in known.facts if f.name in ("tilts", "order")]
        known.put(*(replace(fact, how="guessed") for fact in guessed))
    known.put(of_gain(session, given))
    expected = own_frames(mdoc)
    faults, shapes = [], []
    for name, path in session.movies:
        try:
            movie = open_movie(path, undosed(reading), pixel_size=1.0)
            shapes.append(movie.shape)
            movie.close()
            if name in expected:
                require_frames(movie, expected[name])
        except VitreousError as error:
            faults.append(str(error))
    if shapes:
        columns, rows = shapes[0][2], shapes[0][1]
        known.put(of_pixel(session, mdoc, (columns, rows), given, reading))
        counts = [shape[0] for shape in shapes]
        low, high = min(counts), max(counts)
        same = f"{low}" if low == high else f"{low} to {high}"
        how: How = "complete" if expected else "derived"
        known.put(Fact("frames", how, f"{same} frames of {columns} x {rows} px"))
        require_fitting_gain(session, (rows, columns), known)
    if faults:
        said = f"{len(faults)} movies are faulty: {faults[0]}"
        known.put(Fact("frames", "missing", said))
        if len(faults) + len(session.missing) > MOST_LOST * len(named_movies(session.notes)):
            raise UserError(said)


def of_gain(session: Session, given: SeriesInput) -> Fact:
    """The gain reference that will be taken."""
    if session.gain is None:
        if given.no_gain:
            return Fact("gain", "complete", "none is needed (given)")
        return Fact("gain", "missing", "none beside the movies: they are taken as corrected")
    how: How = "complete" if given.gain else "derived"
    beside = f", defects {session.defects.name}" if session.defects else ""
    return Fact("gain", how, f"{session.gain}{beside}")


def require_fitting_gain(session: Session, shape: tuple[int, int], known: Known) -> None:
    """Raise a `UserError` for a gain that is no such thing, or of another size than (y, x)."""
    if session.gain is None:
        return
    name = str(session.gain)
    try:
        require_size(stored_gain(session.gain, session.gain.stat().st_mtime_ns), shape, name)
    except VitreousError as error:
        known.put(Fact("gain", "missing", f"{name} is of no use"))
        raise UserError(str(error)) from None


def require_size(stored: NDArray[np.float32], shape: tuple[int, int], name: str) -> None:
    """Raise a `UserError` for a gain of another size; it may have to be turned by a quarter."""
    try:
        sized(stored.T, shape, name)
    except UserError:
        sized(stored, shape, name)


@lru_cache(maxsize=1)
def stored_gain(path: Path, _modified: int) -> NDArray[np.float32]:
    """A gain reference; that of the series before is mostly that of the next."""
    gain = read_gain(path)
    require_gain(gain, str(path))
    return gain


def of_pixel(
    session: Session,
    mdoc: Mdoc,
    size: tuple[int, int],
    given: SeriesInput,
    reading: MovieSettings,
) -> Fact:
    """Pixel size of the movies: as given, as the .mdoc has it, as their files say."""
    if given.pixel_size:
        return Fact("pixel size", "complete", f"{given.pixel_size:g} A (given)")
    if noted_size := movie_pixel_size(mdoc, size):
        stated = noted_size == movie_pixel_size(Mdoc((), mdoc.sections), size)
        how: How = "complete" if stated else "derived"
        return Fact("pixel size", how, f"{noted_size:g} A of the movies")
    own = own_pixel_size(session.files[0], reading)
    if own:
        return Fact("pixel size", "derived", f"{own:g} A (the movies' header)")
    return Fact("pixel size", "missing", "no PixelSpacing: --pixel says it")


# -- stacks ----------------------------------------------------------------------------------------


def of_stack(source: Source, given: SeriesInput, *, bare: bool) -> Iterator[Fact]:
    """The facts of a raw stack; bare: there is no .mdoc that says more."""
    assert source.stack is not None
    if lost := unsaid(source.stack, given, source.mdoc):
        raise UserError(f"nothing says its {' and its '.join(lost)}")
    if given.alignment is not None:
        facts = image_facts(source.stack)
        yield Fact("tilts", "complete", f"{facts.sections} images, aligned")
        return
    _, series = opened_raw(source.stack, given, source.mdoc)
    yield from of_series(series, bare=bare)


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


def given_facts(known: Known, given: SeriesInput) -> Iterator[Fact]:
    """What options say in place of what files say."""
    said = {
        "tilt axis": (given.tilt_axis, "degrees"),
        "voltage": (given.kv, "kV"),
        "dose": (given.dose_per_tilt, "e/A^2"),
        "pixel size": (given.pixel_size, "A"),
    }
    for name, (value, unit) in said.items():
        if value is not None:
            yield Fact(name, "complete", f"{value:g} {unit} (given)")
    if given.dose_per_tilt is not None and known.how("dose before") == "missing":
        yield Fact("dose before", "derived", "summed in the order of acquisition")
