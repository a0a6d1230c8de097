"""The images and .mdoc files of one folder: which may be raw stacks, which are movies."""

import logging
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

from vitreous.errors import UserError, VitreousError
from vitreous.formats.beside import (
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
from vitreous.formats.tilt_names import series_in_name

log = logging.getLogger(__name__)

FEWEST_IMAGES = 2  # of a series, to be taken for one
FEWEST_MOVIES = 3  # ... by names alone
ANGLES = (".rawtlt", ".tlt")
OF_MOVIES = ("movie", "frame tilt series")
OVERRIDE = re.compile(r"_override(?=\.|$)", re.IGNORECASE)  # Tomography's copies of its .mdoc
BY_NAME = (
    (re.compile(r"_(evn|odd|even)$", re.IGNORECASE), "half stacks, by their names"),
    (re.compile(r"_(rec|vol|3dvol)$", re.IGNORECASE), "tomograms, by their names"),
    (re.compile(r"_(ali|preali|ctf)$", re.IGNORECASE), "made of other stacks"),
)


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
        self._eer = [file for file in files if file.suffix.lower() == ".eer"]
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

    def parts(self, mdocs: Sequence[Path]) -> list[list[Path]]:
        """The .mdoc files put together that name the same stack and movies: parts of a series."""
        alike: dict[str, list[Path]] = defaultdict(list)
        for path in mdocs:
            mdoc = self.read(path)
            if isinstance(mdoc, Mdoc) and movies_of(mdoc) and not OVERRIDE.search(path.name):
                alike[self.image_file(path) or path.name].append(path)
            elif not isinstance(mdoc, Mdoc) or not self._is_override(path, mdocs):
                alike[path.name].append(path)
        return list(alike.values())

    def _is_override(self, path: Path, mdocs: Sequence[Path]) -> bool:
        """Whether an .mdoc is Tomography's copy of another one that is there."""
        plain = OVERRIDE.sub("", path.name)
        if plain == path.name or path.with_name(plain) not in mdocs:
            return False
        log.info("%s: passed over as a copy of %s", path, plain)
        return True

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

    @cached_property
    def by_name(self) -> dict[str, list[Path]]:
        """Movies that no .mdoc tells of, by the name of their series: x_003_-6.00.tif is of x."""
        alike: dict[str, list[Path]] = defaultdict(list)
        for path in (*self.images, *self._eer):
            known = {one_spelling(plain_name(path)), one_spelling(series_name(path))} & self.movies
            series = series_in_name(path.name)
            if not known and series is not None and not mdoc_beside(path):
                alike[series].append(path)
        return {
            name: movies
            for name, movies in alike.items()
            if len(movies) >= FEWEST_MOVIES and has_frames(movies[0])
        }

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
        if any(image in movies for movies in self.by_name.values()):
            return "movies, by their names"
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


def has_frames(image: Path) -> bool:
    """Whether a file holds more than one image, or electrons."""
    try:
        return image.suffix.lower() == ".eer" or image_facts(image).sections >= FEWEST_IMAGES
    except VitreousError:
        return False


def is_shown(path: Path) -> bool:
    """Whether a file or folder is no hidden one."""
    return not path.name.startswith(".")


def movies_of(mdoc: Mdoc) -> list[str]:
    """Names of the movies that the sections of an .mdoc name."""
    paths = [section.get("SubFramePath") for section in mdoc.sections]
    return [base_name(path) for path in paths if path]


# -- names -----------------------------------------------------------------------------------------


def one_spelling(name: str) -> str:
    """A name with its accents composed: the same letters may be written in two ways."""
    return unicodedata.normalize("NFC", name)


def same_name(one: str, other: str) -> bool:
    """Whether two names look the same."""
    return one_spelling(one) == one_spelling(other)
