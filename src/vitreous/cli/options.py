"""Settings as options: what the help says of a value, and what is said of a wrong one.

A command takes a settings model as

    settings: Annotated[Model, Parameter(name="*")] = Model.model_construct()

and each field becomes an option with the field's name, default, choices, range and description. The
model has `defer_build=True`: together with `model_construct` (the defaults, unchecked) that keeps
pydantic from making validators when only help is wanted.
"""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, TypeGuard, get_args

from attrs import evolve
from cyclopts import (
    App,
    Argument,
    ArgumentCollection,
    CycloptsError,
    Parameter,
    UnusedCliTokensError,
)

from vitreous.cli.help import NO_BREAK, page

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails, ValidationError

DeviceOption = Annotated[
    str, Parameter(name="--device", help="Where to compute: auto, cpu, gpu or gpu:N.")
]


class Command(App):
    """An app whose help names the range of each value that has one, and costs little.

    Help comes from annotations alone, since reading it from source text is slow. Options are put
    together once and taken again until a command line has put its words into them: cyclopts does
    so anew for the parser and for the help.
    """

    _options: ArgumentCollection | None = None

    def assemble_argument_collection(self, **how: Any) -> ArgumentCollection:
        """The options of this command, as cyclopts sees them."""
        if self._options is None or any(option.tokens for option in self._options):
            how["parse_docstring"] = False
            self._options = super().assemble_argument_collection(**how)
            for option in self._options:
                describe(option)
        return self._options

    def help_print(self, tokens: Any = None, *, console: Any = None) -> None:
        """Print the help of the command that the words name (cyclopts calls this for --help)."""
        chain, apps, _ = self.parse_commands(tokens)
        print(page([*self.name, *chain], apps[-1], self.meta.assemble_argument_collection()))


def describe(argument: Argument) -> None:
    """Add the range to an option's help; leave out defaults and negations that say nothing."""
    default = argument.field_info.default
    if default is False:
        argument.parameter = evolve(argument.parameter, show_default=False, negative=())
    elif default in ((), ""):
        argument.parameter = evolve(argument.parameter, show_default=False)
    if allowed := allowed_range(argument.field_info.annotation):
        said = f"[range: {allowed}]".replace(" ", NO_BREAK)
        text = f"{argument.parameter.help or ''} {said}".lstrip()
        argument.parameter = evolve(argument.parameter, help=text)


def paragraphs(docstring: str | None) -> str:
    """A docstring whose lines are joined into paragraphs; the terminal breaks them anew."""
    return re.sub(r"(?<!\n)\n(?![\n -])", " ", inspect.cleandoc(docstring or ""))


def allowed_range(annotation: object) -> str:
    """What the bounds in an annotation (Field(ge=1, ...)) allow, in words; '' without bounds."""
    bounds = dict(_bounds(annotation))
    if bounds.keys() == {"ge", "le"}:
        return f"{bounds['ge']} to {bounds['le']}"
    words = {"gt": "above {}", "ge": "{} or more", "lt": "below {}", "le": "{} or less"}
    return ", ".join(words[kind].format(bounds[kind]) for kind in words if kind in bounds)


def _bounds(part: object) -> Iterator[tuple[str, object]]:
    for kind in ("gt", "ge", "lt", "le"):
        if (bound := getattr(part, kind, None)) is not None:
            yield kind, bound
    for inner in (*get_args(part), *getattr(part, "metadata", ())):
        yield from _bounds(inner)


def usage_message(error: CycloptsError) -> str:
    """What is wrong with a command line, one line a fault."""
    cause = error.__cause__
    if is_validation_error(cause):
        return validation_message(cause, error.argument.children if error.argument else ())
    if isinstance(error, UnusedCliTokensError):
        return f"not expected here: {' '.join(error.unused_tokens or ())}"
    return str(error)


def is_validation_error(error: BaseException | None) -> "TypeGuard[ValidationError]":
    """Whether a settings model refused its values; pydantic isn't imported to find out."""
    core = sys.modules.get("pydantic_core")
    return core is not None and isinstance(error, core.ValidationError)


def validation_message(error: "ValidationError", options: Iterable[Argument] = ()) -> str:
    """What settings refused, one line a fault: the option, the value given, what is allowed."""
    by_field = {name: option for option in options for name in option.field_info.names}
    return "\n".join(
        _fault(fault, by_field.get(_field(fault))) for fault in error.errors(include_url=False)
    )


def _field(fault: "ErrorDetails") -> str:
    return ".".join(part for part in fault["loc"] if isinstance(part, str))


def _fault(fault: "ErrorDetails", option: Argument | None) -> str:
    if not fault["loc"]:
        return _reason(fault, option)
    name = option.name if option else "--" + _field(fault).replace("_", "-")
    return f"{name} {fault['input']}: {_reason(fault, option)}"


def _reason(fault: "ErrorDetails", option: Argument | None) -> str:
    match fault["type"]:
        case "value_error" | "assertion_error":
            return str(fault["ctx"]["error"])
        case "literal_error":
            return f"choose {fault['ctx']['expected']}".replace("'", "")
        case "int_parsing" | "int_from_float":
            return "not a whole number"
        case "float_parsing":
            return "not a number"
        case "bool_parsing":
            return "neither true nor false"
    allowed = allowed_range(option.field_info.annotation) if option else ""
    return f"allowed is {allowed}" if allowed else fault["msg"]
