"""A session's movies and gain references, found in its folders by the names that .mdoc files have.

An .mdoc names its movies by paths of the microscope's computer; here a file of exactly that name is
looked for: beside the .mdoc, below it, then in all of the folder that the user named, or only in
the folder given with --movies. Two files of one name are never chosen between.
"""

import logging
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import UserError
from vitreous.formats.mdoc import Mdoc, read_mdoc
from vitreous.formats.mdoc_facts import gain_of
from vitreous.formats.mdoc_join import joined, of_names
from vitreous.formats.mdoc_series import base_name
from vitreous.formats.tilt_names import series_in_name
from vitreous.pipeline.inputs import MovieInput

log = logging.getLogger(__name__)

MOVIES = (".tif", ".tiff", ".mrc", ".mrcs", ".eer")
GAINS = (".mrc", ".dm3", ".dm4", ".tif", ".tiff", ".gain")
A_GAIN = re.compile(r"gain|countref|superref", re.IGNORECASE)
DEFECTS = re.compile(r"defect", re.IGNORECASE)
OF_TOMOGRAPHY = re.compile(r"_(fractions|eer)$", re.IGNORECASE)
DEEPEST = 5  # folders below the one that is named
PROJECT = "vitreous.toml"  # what lies in a project is ours
MOST_LOST = 0.3  # of the tilts: with fewer movies a series isn't worth its name
MOST_NAMED = 4  # of a list in a message

PARENT = re.compile(r"[\\/]+")


@dataclass(frozen=True, slots=True)
class Notes:
    """What tells of the movies of a series: its .mdoc files, else the names of `movies` alone.

    place: the folder that the user named.
    """

    place: Path
    mdocs: tuple[Path, ...] = ()
    movies: tuple[Path, ...] = ()

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where the notes lie, and the folder that the user named."""
        beside = (path.parent for path in (*self.mdocs, *self.movies))
        return tuple(dict.fromkeys((*beside, self.place)))

    def read(self) -> Mdoc:
        """The .mdoc of the series, whatever there is."""
        if not self.mdocs:
            return of_names([path.name for path in self.movies])
        parts = [(path, read_mdoc(path)) for path in self.mdocs]
        if len(parts) == 1 and parts[0][1].kind == "tilt series":
            return parts[0][1]
        return joined(parts)


@dataclass(frozen=True, slots=True)
class Session:
    """The files of a series of movies; missing: movies that are named and aren't there.

    movies: by the names that the .mdoc has. remarks: what was inferred, as sentences.
    """

    notes: Notes
    movies: tuple[tuple[str, Path], ...]
    missing: tuple[str, ...] = ()
    gain: Path | None = None
    defects: Path | None = None
    remarks: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The movies that are there."""
        return tuple(path for _, path in self.movies)


class Files:
    """The files below folders, by name; a folder is walked through once."""

    def __init__(self) -> None:
        self._below: dict[Path, dict[str, list[Path]]] = {}

    def below(self, folder: Path) -> dict[str, list[Path]]:
        """Files of a folder and its subfolders; what lies in a project isn't counted."""
        if folder not in self._below:
            found: dict[str, list[Path]] = defaultdict(list)
            for path in walked(folder):
                found[path.name].append(path)
            self._below[folder] = found
        return self._below[folder]


def walked(folder: Path) -> Iterator[Path]:
    """The files of a folder and its subfolders, hidden ones and projects left out.

    Links to folders are followed, for movies often lie elsewhere; none is walked through twice.
    """
    walked_through: set[Path] = set()
    for place, folders, files in os.walk(folder, followlinks=True):
        here = Path(place)
        if PROJECT in files or here.resolve() in walked_through:
            folders.clear()
            continue
        walked_through.add(here.resolve())
        depth = len(here.relative_to(folder).parts)
        folders[:] = sorted(
            name for name in folders if depth < DEEPEST and not name.startswith(".")
        )
        yield from (here / name for name in sorted(files) if not name.startswith("."))


# -- movies ----------------------------------------------------------------------------------------


def session_for(
    name: str, notes: Notes, files: Files, given: MovieInput, *, has_stack: bool
) -> Session | None:
    """The movies of a series; None where its stack is to be taken, for too few of them are there.

    Raises UserError where several files could be meant, and where there is nothing to take.
    """
    if given.begin_with == "stacks":
        return None
    session = named_session(name, notes, files, given)
    try:
        require_most(session)
    except UserError as error:
        if not has_stack or given.begin_with == "movies":
            raise
        if session.movies:
            log.warning("%s: %s; its stack is taken", name, error)
        return None
    return session


def named_session(name: str, notes: Notes, files: Files, given: MovieInput) -> Session:
    """The files of a series, what is given before what is found."""
    return find_session(
        name,
        notes,
        files,
        movies=given.movies,
        gain=given.gain,
        defects=given.defects,
        no_gain=given.no_gain,
    )


def find_session(
    name: str,
    notes: Notes,
    files: Files,
    *,
    movies: Path | None = None,
    gain: Path | None = None,
    defects: Path | None = None,
    no_gain: bool = False,
) -> Session:
    """The files of the series `name`; what is given goes before what is found.

    Raises UserError where several files could be meant.
    """
    place = movies or notes.place
    if not place.is_dir():
        raise UserError(f"{place}: there is no such folder of movies")
    remarks: list[str] = []
    found, missing = [], []
    for path in named_movies(notes):
        movie = base_name(path)
        file = find_movie(path, notes, files, place, given=movies is not None)
        if file is None:
            missing.append(movie)
            continue
        found.append((movie, file))
    if others := [file.name for movie, file in found if file.name != movie]:
        remarks.append(f"{len(others)} movies have another ending than the .mdoc says: {others[0]}")
    folders = dict.fromkeys([file.parent for _, file in found])
    if gain is None and not no_gain:
        gain = find_gain(name, notes, files, [*folders, place])
        if gain is not None:
            remarks.append(f"gain reference {gain}")
    if defects is None and gain is not None:
        defects = find_defects(name, gain)
        if defects is not None:
            remarks.append(f"defects {defects}")
    return Session(notes, tuple(found), tuple(missing), gain, defects, tuple(remarks))


def named_movies(notes: Notes) -> list[str]:
    """The movies that the notes name, with the folders they had; a UserError where two are one."""
    if not notes.mdocs:
        return [str(path) for path in notes.movies]
    named = [path for record in notes.read().of("ZValue") if (path := record.get("SubFramePath"))]
    counted = Counter(map(base_name, named))
    if twice := [name for name, count in counted.items() if count > 1]:
        where = f" in {listed(notes.mdocs)}"
        raise UserError(
            f"{len(twice)} movies are named more than once{where}: {listed(twice)}. "
            "Take the .mdoc away that is a copy"
        )
    return named


def find_movie(path: str, notes: Notes, files: Files, place: Path, *, given: bool) -> Path | None:
    """The file of a movie: of its exact name, else of its name but for the ending.

    The nearest to the .mdoc counts, unless a folder was given. Raises UserError for several.
    """
    name = base_name(path)
    below = files.below(place)
    candidates = below.get(name, [])
    if not candidates:
        candidates = [file for other in otherwise_named(name) for file in below.get(other, ())]
    candidates = different(candidates)
    if len(candidates) < 2:
        return candidates[0] if candidates else None
    if not given:
        for home in dict.fromkeys(mdoc.parent for mdoc in notes.mdocs):
            for near in (
                [file for file in candidates if file.parent == home],
                [file for file in candidates if home != place and home in file.parents],
            ):
                if len(near) == 1:
                    return near[0]
    folder = PARENT.split(path.strip())[-2:-1]
    alike = [file for file in candidates if [file.parent.name] == folder]
    if len(alike) == 1:
        return alike[0]
    raise UserError(
        f"{name} is there {len(candidates)} times: {listed(candidates)}. Say with --movies in "
        "which folder the movies of this series are"
    )


def otherwise_named(name: str) -> list[str]:
    """Names that a movie may have instead: with another ending, Tomography's kinds swapped."""
    stem = Path(name).stem
    stems = {
        stem,
        *(OF_TOMOGRAPHY.sub(kind, stem) for kind in ("_Fractions", "_fractions", "_EER")),
    }
    endings = [*MOVIES, *(ending.upper() for ending in MOVIES)]
    return sorted(stem + ending for stem in stems for ending in endings)


def different(candidates: Sequence[Path]) -> list[Path]:
    """Files that are not the same by links."""
    return list({file.resolve(): file for file in candidates}.values())


def require_most(session: Session) -> None:
    """Raise a `UserError` where too many movies are missing."""
    named = len(session.movies) + len(session.missing)
    if not named:
        raise UserError("no movies are named, and there is no stack")
    if len(session.missing) > MOST_LOST * named:
        raise UserError(
            f"{len(session.missing)} of {named} movies aren't there: {listed(session.missing)}. "
            "Give the folder they are in with --movies"
        )


def shared_movies(movies: Mapping[str, Sequence[Path]]) -> dict[str, str]:
    """Of series that name the same movies what is wrong with them; movies: files by series."""
    owners: dict[Path, list[str]] = {}
    for name, paths in movies.items():
        for path in paths:
            owners.setdefault(path.resolve(), []).append(name)
    wrong: dict[str, str] = {}
    for path, names in owners.items():
        for name in names if len(names) > 1 else ():
            said = f"{' and '.join(names)} name the same movies ({path.name}): keep one .mdoc"
            wrong.setdefault(name, said)
    return wrong


# -- gain ------------------------------------------------------------------------------------------


def find_gain(name: str, notes: Notes, files: Files, folders: Sequence[Path]) -> Path | None:
    """The gain reference: the one that an .mdoc names, else what is called so near the movies.

    Of several that of the series' own name is taken; else a UserError lists them.
    """
    below = files.below(notes.place)
    for mdoc in (*map(read_mdoc, notes.mdocs[:1]), *mdocs_of_movies(notes, files)):
        if (said := gain_of(mdoc)) and (there := different(below.get(said, ()))):
            return there[0]
    for folder in folders:
        there = [path for path in sorted(folder.iterdir()) if path.is_file() and is_gain(path)]
        own = [path for path in there if path.name.startswith(name)]
        if len(there) > 1 and len(own) != 1:
            raise UserError(
                f"{folder} holds {len(there)} gain references: {listed(there)}. Say with --gain "
                "which is that of the movies, or --no-gain"
            )
        if there:
            return own[0] if len(there) > 1 else there[0]
    return None


def is_gain(path: Path) -> bool:
    """Whether a file is called like a gain reference; movies of a series 'again' are none."""
    is_movie = series_in_name(path.name) is not None
    return path.suffix.lower() in GAINS and bool(A_GAIN.search(path.stem)) and not is_movie


def mdocs_of_movies(notes: Notes, files: Files) -> Iterator[Mdoc]:
    """The .mdoc of the first movie alone, where there is one: it names the gain reference."""
    for path in named_movies(notes)[:1]:
        name = base_name(path)
        for other in (f"{name}.mdoc", f"{Path(name).stem}.mdoc"):
            yield from map(read_mdoc, files.below(notes.place).get(other, ())[:1])


def find_defects(name: str, gain: Path) -> Path | None:
    """A list of defects beside the gain: the only one, or that of the series' name."""
    there = [
        path
        for path in sorted(gain.parent.glob("*.txt"))
        if DEFECTS.search(path.stem) and not path.name.startswith(".")
    ]
    own = [path for path in there if path.name.startswith(name)] or there
    return own[0] if len(own) == 1 else None


def listed(things: Sequence[Path] | Sequence[str]) -> str:
    """'a, b, c and 3 more'."""
    rest = len(things) - MOST_NAMED
    said = ", ".join(str(thing) for thing in things[:MOST_NAMED])
    return f"{said} and {rest} more" if rest > 0 else said
