"""Which series there are in what a user names: stacks, .mdoc files, folders.

A folder's series are the stacks that lie in it; where it has none, those in its subfolders, one
level down: facilities keep a folder for each series, or one for stacks and one for .mdoc files.
What is no raw stack by name or header is passed over and said. A file that is named itself is
taken for what it is named.
"""

import difflib
import fnmatch
import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

from vitreous.errors import UserError, VitreousError
from vitreous.formats.beside import (
    STACKS,
    angles_beside,
    image_name,
    is_mdoc,
    mdoc_beside,
    plain_name,
    series_name,
    stack_suffix,
)
from vitreous.formats.images import image_facts
from vitreous.formats.mdoc import Mdoc, read_mdoc
from vitreous.formats.mdoc_series import base_name

log = logging.getLogger(__name__)

FEWEST_IMAGES = 2  # of a series, to be taken for one
ANGLES = (".rawtlt", ".tlt")
FILES_OF_A_PROJECT = ("vitreous.toml", "report.html")
OF_MOVIES = ("movie", "frame tilt series")
BY_NAME = (
    (re.compile(r"_(evn|odd|even)$", re.IGNORECASE), "half stacks, by their names"),
    (re.compile(r"_(rec|vol|3dvol)$", re.IGNORECASE), "tomograms, by their names"),
    (re.compile(r"_(ali|preali|ctf)$", re.IGNORECASE), "made of other stacks"),
)
LATER = (
    "The motion correction of movies is not here yet: give the stack of their sums, with its .mdoc "
    "beside it"
)


@dataclass(frozen=True, slots=True)
class Source:
    """One series that was given.

    mdoc: what the microscope noted of it. problem: why nothing can be made of it; then stack may be
    None. No two sources have the same name.
    """

    name: str
    stack: Path | None
    mdoc: Path | None
    problem: str | None = None


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
            f"({', '.join(STACKS)}). A file that is named itself is taken as it is"
        )
    if all(source.problem and LATER in source.problem for source in found):
        others = f" (so {len(found) - 1} more series)" if len(found) > 1 else ""
        raise UserError(f"{found[0].problem}{others}")
    sources = told_apart(found)
    for source in sources:
        require_folder_name(source.name)
    return sources


def sources_of(path: Path, folders: "Mapping[Path, Folder]") -> list[Source]:
    """The series of one input; folders: those that the files among the inputs lie in."""
    if path.is_dir():
        return sources_in(path)
    if not path.exists():
        return [Source(series_name(path), None, None, f"{path}: there is no such file or folder")]
    find = source_of_mdoc if is_mdoc(path) else source_of_stack
    return [find(path, folders[path.parent])]


# -- one file --------------------------------------------------------------------------------------


def source_of_stack(stack: Path, folder: "Folder") -> Source:
    """A stack with the .mdoc that is named like it, else the one that names it."""
    name, beside = series_name(stack), mdoc_beside(stack)
    named = [beside] if beside else folder.mdocs_that_name(stack)
    if len(named) > 1:
        listed = ", ".join(path.name for path in named)
        return Source(name, stack, None, f"{stack}: several .mdoc files name it: {listed}")
    return Source(name, stack, named[0] if named else None)


def source_of_mdoc(path: Path, folder: "Folder") -> Source:
    """An .mdoc and its stack, which lies beside it."""
    mdoc, name = folder.read(path), series_name(path)
    if isinstance(mdoc, VitreousError):
        return Source(name, None, path, str(mdoc))
    if mdoc.kind in OF_MOVIES:
        return Source(name, None, path, f"{path} is of a {mdoc.kind}. {LATER}")
    if mdoc.kind != "tilt series":
        return Source(name, None, path, f"{path} is of a {mdoc.kind}, not of a tilt series")
    if stack := folder.stack_of(path, mdoc):
        return Source(series_name(stack), stack, path)
    wanted = base_name(mdoc.get("ImageFile")) or image_name(path)
    problem = f"{path}: its stack {wanted} isn't there"
    if movies := movies_of(mdoc):
        problem += f", only the names of {len(movies)} movies. {LATER}"
    return Source(name, None, path, problem)


def movies_of(mdoc: Mdoc) -> list[str]:
    """Names of the movies that the sections of an .mdoc name."""
    paths = [section.get("SubFramePath") for section in mdoc.sections]
    return [base_name(path) for path in paths if path]


# -- a folder --------------------------------------------------------------------------------------


def sources_in(path: Path) -> list[Source]:
    """The series of a folder, else those of its subfolders."""
    if found := sources_right_in(path):
        return found
    for folder in sorted(below for below in path.iterdir() if below.is_dir() and is_shown(below)):
        try:
            found += sources_right_in(folder)
        except UserError as error:  # such as lost+found
            log.warning("passed over: %s", error)
    return found


def sources_right_in(path: Path) -> list[Source]:
    """The series whose stacks lie in a folder itself, and those that an .mdoc alone tells of."""
    folder = Folder(path)
    stacks = folder.stacks()
    sources = [source_of_stack(stack, folder) for stack in stacks]
    taken = {source.mdoc for source in sources} | {mdoc_beside(image) for image in folder.images}
    for mdoc in folder.mdocs:
        if mdoc not in taken and folder.is_series(mdoc):
            source = source_of_mdoc(mdoc, folder)
            sources += [] if source.stack else [source]
    if not sources and folder.of_movies:
        count = len(folder.of_movies)
        problem = f"{path} holds {count} .mdoc files of movies, and no stack. {LATER}"
        sources = [Source(path.resolve().name, None, None, problem)]
    return sorted(sources, key=lambda source: source.name)


class Folder:
    """The images and .mdoc files of a folder; an .mdoc is read once, when it is asked for."""

    def __init__(self, path: Path) -> None:
        try:
            files = sorted(file for file in path.iterdir() if is_shown(file) and file.is_file())
        except OSError as error:
            raise UserError(f"{path} can't be read: {error.strerror}") from error
        self.path = path
        self.mdocs = [file for file in files if is_mdoc(file)]
        self.images = [file for file in files if stack_suffix(file)]
        self._read: dict[Path, Mdoc | VitreousError] = {}

    def read(self, path: Path) -> Mdoc | VitreousError:
        """An .mdoc, or what is wrong with it."""
        if path not in self._read:
            try:
                self._read[path] = read_mdoc(path)
            except VitreousError as error:
                self._read[path] = error
        return self._read[path]

    def kind(self, path: Path) -> str:
        """What an .mdoc is of; '' where it can't be read."""
        mdoc = self.read(path)
        return mdoc.kind if isinstance(mdoc, Mdoc) else ""

    # -- .mdoc files --------------------------------------------------------------------------

    @cached_property
    def of_movies(self) -> list[Path]:
        """The .mdoc files of one movie each."""
        return [path for path in self.mdocs if self.kind(path) in OF_MOVIES]

    @cached_property
    def movies(self) -> set[str]:
        """Names of the movies that an .mdoc is of, perhaps without their ending, or names."""
        mdocs = [mdoc for mdoc in map(self.read, self.mdocs) if isinstance(mdoc, Mdoc)]
        named = {one_spelling(movie) for mdoc in mdocs for movie in movies_of(mdoc)}
        return named | {one_spelling(image_name(path)) for path in self.of_movies}

    def is_series(self, path: Path) -> bool:
        """Whether an .mdoc is of a tilt series; one that can't be read may be."""
        mdoc = self.read(path)
        if isinstance(mdoc, VitreousError):
            return True
        return mdoc.kind == "tilt series" and len(mdoc.of("ZValue")) >= FEWEST_IMAGES

    def mdocs_that_name(self, stack: Path) -> list[Path]:
        """The .mdoc files of tilt series whose ImageFile is the stack."""
        wanted = plain_name(stack)
        series = [path for path in self.mdocs if self.kind(path) == "tilt series"]
        return [path for path in series if same_name(self.image_file(path), wanted)]

    def image_file(self, path: Path) -> str:
        """The stack that an .mdoc names, without its folder."""
        mdoc = self.read(path)
        return base_name(mdoc.get("ImageFile")) if isinstance(mdoc, Mdoc) else ""

    def stack_of(self, path: Path, mdoc: Mdoc) -> Path | None:
        """The stack of an .mdoc: TS.mrc of TS.mrc.mdoc, else the one it names, else TS.* itself."""
        wanted = image_name(path)
        by_name = [image for image in self.images if same_name(plain_name(image), wanted)]
        said = base_name(mdoc.get("ImageFile"))
        by_name += [image for image in self.images if same_name(plain_name(image), said)]
        by_name += [image for image in self.images if same_name(series_name(image), wanted)]
        return by_name[0] if by_name else None

    # -- images -------------------------------------------------------------------------------

    def stacks(self) -> list[Path]:
        """The images that may be raw stacks; the others are said."""
        reasons = {image: self.reason_to_pass(image) for image in self.images}
        for reason in sorted(set(filter(None, reasons.values()))):
            names = [image.name for image in self.images if reasons[image] == reason]
            listed = ", ".join(names[:3]) + (f", ... ({len(names)})" if len(names) > 3 else "")
            log.info("%s: passed over as %s: %s", self.path, reason, listed)
        return [image for image in self.images if not reasons[image]]

    def reason_to_pass(self, image: Path) -> str:
        """What an image file is that isn't a raw stack; '' where it may be one."""
        name = series_name(image)
        if {one_spelling(plain_name(image)), one_spelling(name)} & self.movies:
            return "movies"
        if plain_name(image) != image.name and image.with_name(plain_name(image)) in self.images:
            return "packed copies"
        if stack_suffix(image) == ".ali" and len(self._of_name(name)) > 1:
            return "made of other stacks"
        for pattern, reason in BY_NAME:
            if pattern.search(name):
                return reason
        return reason_by_header(image)

    def _of_name(self, name: str) -> list[Path]:
        return [image for image in self.images if series_name(image) == name]


def reason_by_header(image: Path) -> str:
    """The same by the header; '' too where that can't be read, so that it is told.

    Programs that know no stacks mark them as volumes: they are believed where no angles are known.
    """
    try:
        facts = image_facts(image)
    except VitreousError:
        return ""
    if facts.sections < FEWEST_IMAGES:
        return "single images"
    known = (facts.has_angles, mdoc_beside(image), *map(partial(angles_beside, image), ANGLES))
    return "volumes, by their headers" if facts.is_volume and not any(known) else ""


def is_shown(path: Path) -> bool:
    """Whether a file or folder is no hidden one."""
    return not path.name.startswith(".")


# -- names -----------------------------------------------------------------------------------------


def one_spelling(name: str) -> str:
    """A name with its accents composed: the same letters may be written in two ways."""
    return unicodedata.normalize("NFC", name)


def same_name(one: str, other: str) -> bool:
    """Whether two names look the same."""
    return one_spelling(one) == one_spelling(other)


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
    """The source that those of one name are: only one, or a stack here and its .mdoc there."""
    if len(alike) == 1:
        return alike[0]
    stacks = [source for source in alike if source.stack and not source.mdoc]
    notes = [source for source in alike if source.mdoc and not source.stack]
    if len(alike) == 2 and stacks and notes:
        return Source(stacks[0].name, stacks[0].stack, notes[0].mdoc, stacks[0].problem)
    return None


def contested(sources: Sequence[Source]) -> Source:
    """One source for several of one name, with that as its problem."""
    paths = [str(source.stack or source.mdoc or source.name) for source in sources]
    listed = " and ".join([", ".join(paths[:-1]), paths[-1]])
    both = "both" if len(paths) == 2 else "all"
    name = sources[0].name
    problem = (
        f"{listed} are {both} series {name}: give them names of their own, or run them in projects "
        "of their own"
    )
    return Source(name, None, None, problem)


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
