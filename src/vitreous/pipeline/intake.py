"""Which series there are in what a user names: stacks, .mdoc files, folders.

A folder's series are the stacks that lie in it; where it has none, those in its subfolders, one
level down: facilities keep a folder for each series, or one for stacks and one for .mdoc files.
What is no raw stack by name or header is passed over and said. A file that is named itself is
taken for what it is named.
"""

import difflib
import fnmatch
import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitreous.errors import UserError, VitreousError
from vitreous.formats.beside import (
    STACKS,
    image_name,
    is_mdoc,
    mdoc_beside,
    series_name,
)
from vitreous.formats.mdoc import Mdoc
from vitreous.formats.mdoc_join import movie_of
from vitreous.formats.mdoc_series import base_name
from vitreous.formats.tilt_names import series_in_name
from vitreous.pipeline.folders import (
    OVERRIDE,
    Folder,
    is_shown,
    movies_of,
    one_spelling,
    same_name,
)
from vitreous.pipeline.session import Notes

log = logging.getLogger(__name__)

FILES_OF_A_PROJECT = ("vitreous.toml", "report.html", "tasks")


@dataclass(frozen=True, slots=True)
class Source:
    """One series that was given.

    mdoc: what the microscope noted of the stack. problem: why nothing can be made of it; then stack
    may be None. notes: what tells of movies that it can be made from. No two sources have the same
    name.
    """

    name: str
    stack: Path | None
    mdoc: Path | None
    problem: str | None = None
    notes: Notes | None = None


def find_series(inputs: Sequence[Path]) -> list[Source]:
    """All series of what is named, in that order; those of a folder in the order of their names.

    What is wrong with one series is its `problem`. Raises UserError where there is nothing to do
    at all, and for names that no folder can have.
    """
    folders = {path.parent: Folder(path.parent) for path in inputs if path.is_file()}
    found = [source for path in inputs for source in sources_of(path, folders)]
    if not found:
        raise UserError(
            f"no tilt series in {', '.join(map(str, inputs))}: raw stacks are looked for "
            f"({', '.join(STACKS)}), and .mdoc files of movies. A file that is named itself is "
            "taken as it is"
        )
    sources = told_apart(found)
    for source in sources:
        require_folder_name(source.name)
    return sources


def sources_of(path: Path, folders: Mapping[Path, Folder]) -> list[Source]:
    """The series of one input; folders: those that the files among the inputs lie in."""
    if path.is_dir():
        return sources_in(path)
    if not path.exists():
        return [Source(series_name(path), None, None, f"{path}: there is no such file or folder")]
    if is_mdoc(path):
        return [source_of_mdoc(path, folders[path.parent], path.parent)]
    return [replace(source_of_stack(path, folders[path.parent], path.parent), notes=None)]


# -- one file --------------------------------------------------------------------------------------


def source_of_stack(stack: Path, folder: Folder, place: Path) -> Source:
    """A stack with the .mdoc that is named like it, else the one that names it."""
    name, beside = series_name(stack), mdoc_beside(stack)
    named = [beside] if beside else folder.mdocs_that_name(stack)
    notes = notes_of(named, folder, place)
    if len(named) > 1:
        listed = ", ".join(path.name for path in named)
        return Source(name, stack, None, f"{stack}: several .mdoc files name it: {listed}", notes)
    return Source(name, stack, named[0] if named else None, None, notes)


def source_of_mdoc(path: Path, folder: Folder, place: Path) -> Source:
    """An .mdoc and its stack, which lies beside it, or its movies."""
    mdoc, name = folder.read(path), series_name(path)
    if isinstance(mdoc, VitreousError):
        return Source(name, None, path, str(mdoc))
    if mdoc.kind == "movie":
        series = series_of_movie(path, mdoc)
        return Source(series, None, None, None, Notes(place, (path,)))
    if mdoc.kind == "frame tilt series":
        problem = (
            f"{path} is of one movie over a whole tilt series, which is not read: no angle tells "
            "its frames apart. Give a movie for each tilt, or a stack"
        )
        return Source(name, None, path, problem)
    if mdoc.kind != "tilt series":
        return Source(name, None, path, f"{path} is of a {mdoc.kind}, not of a tilt series")
    notes = notes_of([path], folder, place)
    if stack := folder.stack_of(path, mdoc):
        return Source(series_name(stack), stack, path, None, notes)
    if notes:
        return Source(name, None, path, None, notes)
    wanted = base_name(mdoc.get("ImageFile")) or image_name(path)
    return Source(name, None, path, f"{path}: its stack {wanted} isn't there")


def series_of_movie(path: Path, mdoc: Mdoc) -> str:
    """The series of a movie's .mdoc: what stands before number and angle in its name.

    Or in the movie's; where neither tells anything, the folder does.
    """
    names = (image_name(path), movie_of(path, mdoc))
    return next(filter(None, map(series_in_name, names)), path.parent.resolve().name)


def notes_of(mdocs: Sequence[Path], folder: Folder, place: Path) -> Notes | None:
    """The .mdoc files among these that name movies; of Tomography's copies the originals alone."""
    naming = [path for path in mdocs if isinstance(m := folder.read(path), Mdoc) and movies_of(m)]
    plain = [path for path in naming if not OVERRIDE.search(image_name(path))] or naming
    return Notes(place, tuple(plain)) if plain else None


# -- a folder --------------------------------------------------------------------------------------


def sources_in(path: Path) -> list[Source]:
    """The series of a folder, else those of its subfolders."""
    if found := sources_right_in(path, path):
        return found
    for folder in sorted(below for below in path.iterdir() if below.is_dir() and is_shown(below)):
        try:
            found += sources_right_in(folder, path)
        except UserError as error:  # such as lost+found
            log.warning("passed over: %s", error)
    return found


def sources_right_in(path: Path, place: Path) -> list[Source]:
    """The series whose stacks lie in a folder itself, and those that an .mdoc alone tells of.

    Where there are none, those whose movies have an .mdoc each, or tell their tilts by name.
    place: the folder that the user named.
    """
    folder = Folder(path)
    sources = [source_of_stack(stack, folder, place) for stack in folder.stacks()]
    taken = {source.mdoc for source in sources} | {mdoc_beside(image) for image in folder.images}
    for source in sources:
        taken |= set(source.notes.mdocs) if source.notes else set()
    alone = [mdoc for mdoc in folder.mdocs if mdoc not in taken and folder.is_series(mdoc)]
    for mdocs in folder.parts(alone):
        source = source_of_mdoc(mdocs[0], folder, place)
        if len(mdocs) > 1:
            source = Source(series_name(mdocs[0]), None, None, None, Notes(place, tuple(mdocs)))
        sources += [] if source.stack else [source]
    if not sources:
        sources = sources_of_movies(folder, place)
    return sorted(sources, key=lambda source: source.name)


def sources_of_movies(folder: Folder, place: Path) -> list[Source]:
    """The series of a folder that holds nothing but movies, with an .mdoc each or without any."""
    own = folder.path.resolve().name
    alike: dict[str, list[Path]] = defaultdict(list)
    for mdoc in folder.of_movies:
        if folder.kind(mdoc) == "movie":
            read = folder.read(mdoc)
            assert isinstance(read, Mdoc)
            alike[series_of_movie(mdoc, read)].append(mdoc)
    noted = [Source(n, None, None, None, Notes(place, tuple(mdocs))) for n, mdocs in alike.items()]
    if noted:
        return noted
    return [
        Source(name or own, None, None, None, Notes(place, movies=tuple(movies)))
        for name, movies in folder.by_name.items()
    ]


# -- names -----------------------------------------------------------------------------------------


def told_apart(sources: Iterable[Source]) -> list[Source]:
    """Sources of different names; of what shares a name nothing is made.

    A stack that was named twice counts once; an .mdoc in one folder goes with the stack in another.
    """
    of_name: dict[str, list[Source]] = {}
    for source in sources:
        alike = of_name.setdefault(one_spelling(source.name), [])
        if not any(is_same(source, other) for other in alike):
            alike.append(source)
    warn_of_case(alike[0].name for alike in of_name.values())
    return [joined(alike) or contested(alike) for alike in of_name.values()]


def is_same(one: Source, other: Source) -> bool:
    """Whether two sources are the same files."""
    if one.stack is None or other.stack is None:
        return one == other
    return one.stack.resolve() == other.stack.resolve()


def joined(alike: Sequence[Source]) -> Source | None:
    """The source that those of one name are: only one, or a stack here and its .mdoc there.

    Or the .mdoc files of its movies, named one by one.
    """
    if len(alike) == 1:
        return alike[0]
    stacks = [source for source in alike if source.stack and not source.mdoc]
    noted = [source for source in alike if source.mdoc and not source.stack]
    if len(alike) == 2 and stacks and noted:
        return replace(stacks[0], mdoc=noted[0].mdoc, notes=noted[0].notes)
    single = [each.notes for each in alike if each.notes and not (each.stack or each.mdoc)]
    if len(single) == len(alike) and all(len(notes.mdocs) == 1 for notes in single):
        mdocs = tuple(notes.mdocs[0] for notes in single)
        return replace(alike[0], notes=Notes(single[0].place, mdocs))
    return None


def contested(sources: Sequence[Source]) -> Source:
    """One source for several of one name, with that as its problem."""
    paths = [str(source.stack or source.mdoc or place_of(source)) for source in sources]
    listed = " and ".join([", ".join(paths[:-1]), paths[-1]])
    both = "both" if len(paths) == 2 else "all"
    name = sources[0].name
    problem = (
        f"{listed} are {both} series {name}: give them names of their own, or run them in projects "
        "of their own"
    )
    return Source(name, None, None, problem)


def place_of(source: Source) -> Path | str:
    """Where the movies of a source are told of."""
    if source.notes is None:
        return source.name
    return (*source.notes.mdocs, *source.notes.movies, source.notes.place)[0]


def warn_of_case(names: Iterable[str]) -> None:
    """Warn of names that differ in nothing but their case."""
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[one_spelling(name).casefold()].append(name)
    for several in alike.values():
        if len(several) > 1:
            log.warning(
                "series %s differ in their case only: on disks that don't tell it apart they would "
                "share a folder",
                " and ".join(several),
            )


def require_folder_name(name: str) -> None:
    """Raise a `UserError` for a name that no folder of a project can have."""
    if name in ("", ".", "..", *FILES_OF_A_PROJECT):
        raise UserError(f"'{name}' can't be the name of a series: give the file another name")


# -- which of them ---------------------------------------------------------------------------------


def chosen(sources: Sequence[Source], only: Sequence[str]) -> list[Source]:
    """The sources that names or shell patterns choose, in their own order; all without any.

    A name that is meant literally goes before a pattern: 'TS_03 [new]' is a name too.
    """
    if not only:
        return list(sources)
    names = [source.name for source in sources]
    wanted = {name for pattern in only for name in matching(pattern, names)}
    return [source for source in sources if source.name in wanted]


def matching(pattern: str, names: Sequence[str]) -> list[str]:
    """The names that a pattern chooses; a UserError names the nearest where it chooses none."""
    literal = [name for name in names if same_name(name, pattern)]
    spelt = one_spelling(pattern)
    found = literal or [name for name in names if fnmatch.fnmatchcase(one_spelling(name), spelt)]
    if not found:
        near = difflib.get_close_matches(pattern, names, n=3, cutoff=0.4)
        said = f"the nearest: {', '.join(near)}" if near else f"there are {', '.join(names[:9])}"
        raise UserError(f"--only {pattern}: there is no such series; {said}")
    return found
