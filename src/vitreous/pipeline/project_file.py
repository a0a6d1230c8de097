"""vitreous.toml: the settings of a project, in tables named after its steps.

    [input]                           where the series are, and what their files don't say
    inputs = ["/data/session"]
    [movies] [gain] [motion] [newstack]            of series that are begun with movies
    [ctf]                             of these, and of stacks whose optics are known
    [align]
    [reconstruct]
    thickness = "300nm"
    [series."TS_03".reconstruct]      the same tables for one series alone
    exclude_tilts = "1,41"

Keys, values and their ranges are those of the settings models. A series' own table goes before the
general one. Relative paths count from the project's folder.
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from vitreous.align.settings import AlignSettings
from vitreous.ctf.settings import CtfSettings
from vitreous.errors import FormatError, UserError, VitreousError
from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.reconstruct.settings import ReconstructSettings

NAME = "vitreous.toml"

Table = dict[str, Any]


@dataclass(frozen=True, slots=True)
class SeriesSettings:
    """All settings of one series; with `model_fields_set` also those that a command line gave."""

    given: SeriesInput = SeriesInput.model_construct()  # noqa: RUF009
    align: AlignSettings = AlignSettings.model_construct()  # noqa: RUF009
    reconstruct: ReconstructSettings = ReconstructSettings.model_construct()  # noqa: RUF009
    reading: MovieSettings = MovieSettings.model_construct()  # noqa: RUF009
    gain: GainSettings = GainSettings.model_construct()  # noqa: RUF009
    motion: MotionSettings = MotionSettings.model_construct()  # noqa: RUF009
    newstack: NewstackSettings = NewstackSettings.model_construct()  # noqa: RUF009
    ctf: CtfSettings = CtfSettings.model_construct()  # noqa: RUF009

    def as_tables(self) -> dict[str, Table]:
        """What was given, as the file has it: paths absolute."""
        every = (getattr(self, field.name) for field in fields(self))
        models = dict(zip(MODELS, every, strict=True))
        return {name: _given(model) for name, model in models.items()}


MODELS: Mapping[str, type[BaseModel]] = {
    "input": SeriesInput,
    "align": AlignSettings,
    "reconstruct": ReconstructSettings,
    "movies": MovieSettings,
    "gain": GainSettings,
    "motion": MotionSettings,
    "newstack": NewstackSettings,
    "ctf": CtfSettings,
}
"""The model of each table, in the order of `SeriesSettings`."""


@dataclass(frozen=True, slots=True)
class ProjectFile:
    """A checked vitreous.toml. tables: by name; series: tables of one series alone."""

    path: Path
    inputs: tuple[Path, ...]
    tables: dict[str, Table]
    series: dict[str, dict[str, Table]]

    def settings_for(self, name: str) -> SeriesSettings:
        """The settings of a series."""
        own = self.series.get(name, {})
        return SeriesSettings(
            *(
                self._placed(
                    model.model_validate({**self.tables.get(table, {}), **own.get(table, {})})
                )
                for table, model in MODELS.items()
            )  # type: ignore[arg-type]
        )

    def _placed(self, model: BaseModel) -> BaseModel:
        paths = {key: value for key, value in model if isinstance(value, Path)}
        return model.model_copy(
            update={key: self.path.parent.absolute() / path for key, path in paths.items()}
        )


# -- reading ---------------------------------------------------------------------------------------


def read_text(project: Path) -> str:
    """The file of a project as it stands; '' where there is none."""
    try:
        return (project / NAME).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except UnicodeDecodeError as error:
        raise FormatError("this is no text in UTF-8", path=project / NAME) from error
    except NotADirectoryError:
        raise UserError(f"{project} is a file, not the folder of a project") from None


def parse(text: str, project: Path) -> ProjectFile:
    """Check the text of a project's file; all faults are told at once."""
    path = project / NAME
    try:
        everything = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        where = re.search(r"(.*) \(at line (\d+)", str(error))
        what, line = (where[1], int(where[2])) if where else (str(error), None)
        raise FormatError(f"this is no TOML: {what}", path=path, line=line) from None
    if faults := list(faults_in(everything, text, path)):
        raise faults[0] if len(faults) == 1 else UserError("\n".join(map(str, faults)))
    tables = {name: dict(everything.get(name, {})) for name in MODELS}
    inputs = tables["input"].pop("inputs", ())
    return ProjectFile(
        path,
        tuple(project.absolute() / each for each in inputs),
        tables,
        everything.get("series", {}),
    )


def faults_in(everything: Table, text: str, path: Path) -> Iterator[VitreousError]:
    """What is wrong with the tables of a file."""

    def fault(keys: Sequence[str], what: str, hint: str = "") -> FormatError:
        return FormatError(what, path=path, line=line_of(text, keys), hint=hint)

    for name, table in everything.items():
        if name not in (*MODELS, "series"):
            yield fault([name], f"unknown table [{name}]", nearest(name, [*MODELS, "series"]))
        elif not isinstance(table, dict):
            yield fault([name], f"{name} is a table: write [{name}]")
    own = everything.get("series", {})
    for series, tables in own.items() if isinstance(own, dict) else ():
        for name, table in tables.items() if isinstance(tables, dict) else ():
            keys = ["series", series, name]
            if name not in MODELS or not isinstance(table, dict):
                hint = nearest(name, MODELS)
                yield fault(keys, f'[series."{series}"] has no table {name}', hint)
                continue
            general = everything.get(name, {})
            for key, *said in faults_of(name, table, general if isinstance(general, dict) else {}):
                yield fault([*keys, key], *said)
    for name in MODELS:
        if isinstance(table := everything.get(name, {}), dict):
            for key, *said in faults_of(name, table, {}):
                yield fault([name, key], *said)


def faults_of(name: str, table: Table, general: Table) -> Iterator[tuple[str, str, str]]:
    """(key, what is wrong, hint) of one table; general: what it goes before."""
    model, keys = MODELS[name], keys_of(name)
    unknown = [key for key in table if key not in keys]
    for key in unknown:
        yield key, f"unknown key {key} in [{name}]", nearest(key, keys) or elsewhere(key)
    known = {key: value for key, value in table.items() if key not in (*unknown, "inputs")}
    inputs = table.get("inputs", [])
    if not isinstance(inputs, list) or not all(isinstance(each, str) for each in inputs):
        yield "inputs", "inputs is a list of files and folders", ""
    general = {key: value for key, value in general.items() if key in keys and key != "inputs"}
    try:
        model.model_validate({**general, **known})
    except ValidationError as error:
        for each in error.errors(include_url=False):
            key = str(each["loc"][0]) if each["loc"] else next(iter(known), "")
            if key in known:
                raised = each.get("ctx", {}).get("error")
                yield key, f"{key} = {known[key]!r}: {raised or each['msg']}", ""


def keys_of(table: str) -> list[str]:
    """The keys of a table: the names of its settings as options have them."""
    fields = MODELS[table].model_fields
    return [field.alias or key for key, field in fields.items()] + ["inputs"] * (table == "input")


def nearest(name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    """A hint at the name that was meant."""
    near = difflib.get_close_matches(name.replace("-", "_"), list(names), 1)
    return f"Did you mean {near[0]}?" if near else ""


def elsewhere(key: str) -> str:
    """A hint at the table that has such a key."""
    tables = [name for name in MODELS if key in keys_of(name)]
    if tables:
        return f"It belongs to [{tables[0]}]"
    return "'vitreous run --help' names all settings"


def line_of(text: str, keys: Sequence[str]) -> int | None:
    """The line, from 1, at which a key (with the tables that it is in) begins."""
    lines = text.splitlines(keepends=True)
    begins = 1
    for count in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("".join(lines[:count]))
        except tomllib.TOMLDecodeError:
            continue  # in the middle of a value of many lines
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None:
            return begins
        begins = count + 1
    return None


# -- keeping what a command line gives -------------------------------------------------------------


def with_options(
    text: str, inputs: Sequence[Path], options: SeriesSettings, only: Sequence[str] | None = None
) -> tuple[str, list[str]]:
    """The text of a file with what a command line gives; comments and order stay.

    only: the series that the options are for; None: for all, so that tables of single series lose
    these keys. Returns the text and what was lost, as sentences.
    """
    import tomlkit

    document = tomlkit.parse(text or HEADER)
    listed = table_in(document, ["input"])
    before = listed.get("inputs", [])
    if new := [str(path.absolute()) for path in inputs if str(path.absolute()) not in before]:
        several = tomlkit.array()
        several.extend([*before, *new])
        listed["inputs"] = several.multiline(True)
    lost: list[str] = []
    for name, given in options.as_tables().items():
        for key, value in given.items():
            if only is None:
                put(table_in(document, [name]), name, key, value)
                lost += without_override(document, name, key)
            for series in only or ():
                put(table_in(document, ["series", series, name]), name, key, value)
    return tomlkit.dumps(document).rstrip() + "\n", lost


HEADER = """\
# The settings of this project: 'vitreous run --project' reads them each time. What a command line
# gives goes before, and is kept here. Keys are the options of 'vitreous run --help': --thickness is
# thickness in [reconstruct], --align.work-pixel is work_pixel in [align]. A table such as
# [series."TS_03".reconstruct] is for that series alone. Relative paths count from this folder.

[input]

[align]

[reconstruct]
"""


def put(table: Any, name: str, key: str, value: object) -> None:
    """Set a key; a new one with the first sentence of its description."""
    import tomlkit

    if key in table:
        if table[key] != value:
            table[key] = value
        return
    item = tomlkit.item(value)
    item.comment(described(name, key))
    table.add(key, item)


def described(name: str, key: str) -> str:
    """The first sentence of what a setting is."""
    fields = MODELS[name].model_fields
    said = next(field.description for each, field in fields.items() if key in (each, field.alias))
    return re.split(r"(?<=[.:])\s", said or "")[0].rstrip(".:")


def table_in(document: Any, keys: Sequence[str]) -> Any:
    """A table of a document, made where it isn't there."""
    import tomlkit

    for key in keys:
        if key not in document:
            document[key] = tomlkit.table(is_super_table=key != keys[-1])
        document = document[key]
    return document


def without_override(document: Any, name: str, key: str) -> Iterator[str]:
    """Take a key out of the tables of single series; yields what is lost."""
    for series, tables in document.get("series", {}).items():
        if key in tables.get(name, {}):
            value = tables[name].pop(key)
            yield f"{key} = {value} of series {series} gives way to the command line"


def _given(model: BaseModel) -> Table:
    given = model.model_dump(include=model.model_fields_set, by_alias=True)
    return {key: _as_toml(value) for key, value in given.items() if value is not None}


def _as_toml(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value.absolute())
    if isinstance(value, (tuple, list)):
        return [_as_toml(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
