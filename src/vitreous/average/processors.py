"""EMAN2's processors by their text, 'name:key=value:key=value'.

Each is a plain function of an image (y, x) or volume (z, y, x), float64, whose parameters carry
EMAN2's names; this module reads the text, checks it against the function's signature, and calls it.
"""

import difflib
import inspect
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from vitreous.average import (
    processors_filters,
    processors_masks,
    processors_space,
    processors_values,
)
from vitreous.average.processors_filters import CurveFile
from vitreous.average.processors_masks import ImageFile
from vitreous.errors import UserError

Array = NDArray[np.float64]

PROCESSORS: dict[str, Callable[..., Array]] = {
    **processors_values.PROCESSORS,
    **processors_filters.PROCESSORS,
    **processors_masks.PROCESSORS,
    **processors_space.PROCESSORS,
}
NOTHING = "none"
"""EMAN2's name for a processor that does nothing."""


@dataclass(frozen=True, slots=True)
class Files:
    """How the files that a processor names are read."""

    image: Callable[[Path], Array]
    curve: Callable[[Path], Array]


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor with its values, ready to be applied."""

    text: str
    function: Callable[..., Array]
    values: dict[str, Any]

    def __call__(self, image: NDArray[np.floating[Any]], pixel_size: float) -> Array:
        """The image (y, x) or volume (z, y, x) processed; pixel_size in A/px."""
        values = dict(self.values)
        parameter = inspect.signature(self.function).parameters.get("apix")
        if parameter is not None and parameter.default is parameter.empty:
            values.setdefault("apix", pixel_size)
        try:
            with np.errstate(divide="ignore", invalid="ignore"):
                return self.function(image.astype(np.float64), **values)
        except UserError as error:
            raise UserError(f"processor {self.text}: {error}") from error


def read_processor(text: str, files: Files) -> Processor:
    """Read 'name:key=value:...'; a `UserError` says what isn't known, with the nearest names."""
    name, *words = text.split(":")
    if name not in PROCESSORS:
        near = difflib.get_close_matches(name, PROCESSORS, 4, 0.5)
        raise UserError(
            f"processor {name!r} is not known"
            + (f": is it {' or '.join(near)}?" if near else "")
            + " 'vitreous eman2 processors' lists them"
        )
    function = PROCESSORS[name]
    given: dict[str, Any] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise UserError(f"processor {text}: {word!r} isn't 'key=value'")
        given[key] = _bound(text, name, key, value, files)
    missing = [
        key
        for key, parameter in parameters_of(name).items()
        if parameter.default is parameter.empty and key not in given and key != "apix"
    ]
    if missing:
        raise UserError(f"processor {text}: it needs {', '.join(f'{key}=' for key in missing)}")
    return Processor(text, function, given)


def read_processors(texts: Sequence[str], files: Files) -> list[Processor]:
    """The same for several, in their order; 'none' is nothing."""
    return [read_processor(text, files) for text in texts if text.lower() != NOTHING]


def parameters_of(name: str) -> dict[str, inspect.Parameter]:
    """What may follow a processor's name."""
    parameters = list(inspect.signature(PROCESSORS[name]).parameters.values())
    found = {parameter.name: parameter for parameter in parameters[1:]}
    if "apix" not in found:  # any may set it: it belongs to the header
        kind = inspect.Parameter.KEYWORD_ONLY
        found["apix"] = inspect.Parameter("apix", kind, default=None, annotation=float)
    return found


def _bound(text: str, name: str, key: str, word: str, files: Files) -> Any:
    """A value as its parameter takes it."""
    known = parameters_of(name)
    if key not in known:
        near = difflib.get_close_matches(key, known, 1)
        raise UserError(
            f"processor {text}: it has no {key}=; it has {', '.join(known)}"
            + (f". Is it {near[0]}=?" if near else "")
        )
    kinds = _kinds(known[key].annotation)
    word = word.strip('"')
    if ImageFile in kinds:
        return files.image(Path(word))
    if CurveFile in kinds:
        return files.curve(Path(word))
    if str in kinds:
        return word
    if get_origin(kinds[0]) is Literal:
        if word not in get_args(kinds[0]):
            raise UserError(f"processor {text}: {key} is one of {', '.join(get_args(kinds[0]))}")
        return word
    try:
        number = float({"true": "1", "false": "0"}.get(word.lower(), word))
    except ValueError:
        raise UserError(f"processor {text}: {key}={word} is no number") from None
    if not np.isfinite(number) or (float not in kinds and number != int(number)):
        raise UserError(f"processor {text}: {key}={word} is no whole number")
    return number if float in kinds else int(number)


def _kinds(annotation: Any) -> tuple[Any, ...]:
    return get_args(annotation) if isinstance(annotation, types.UnionType) else (annotation,)


def described() -> list[tuple[str, str, str]]:
    """(name, its parameters with defaults, what it does) of every processor."""
    rows = []
    for name in sorted(PROCESSORS):
        words = []
        for key, parameter in parameters_of(name).items():
            if key == "apix":
                continue
            needed = parameter.default is parameter.empty
            has = parameter.default is not None and not needed
            words.append(f"{key}={parameter.default}" if has else f"{key}{'=' * needed}")
        rows.append((name, ":".join(words), (PROCESSORS[name].__doc__ or "").split("\n")[0]))
    return rows
