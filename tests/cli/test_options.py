"""A settings model becomes options: help, values, and what is said of wrong ones."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Annotated, Literal, Self

import pytest
from cyclopts import Parameter
from pydantic import BaseModel, ConfigDict, Field, model_validator

from vitreous.cli import main as program
from vitreous.cli.options import allowed_range, paragraphs


class Settings(BaseModel):
    """A model with one field of each kind that settings have."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    thickness: Annotated[float, Field(gt=0, description="Height of the volume.")] = 300
    binning: Annotated[int, Field(ge=1, le=16, description="Pixels joined.")] = 4
    weighting: Annotated[Literal["ramp", "none"], Field(description="Filter.")] = "ramp"
    positive: Annotated[bool, Field(description="Keep what is above 0.")] = False
    cutoff: Annotated[float | None, Field(ge=0, description="Where the filter ends.")] = None
    size: Annotated[tuple[int, int] | None, Field(description="Size x, y.")] = None
    weights: Annotated[tuple[float, ...], Field(description="One a tilt.")] = ()

    @model_validator(mode="after")
    def _exclusive(self) -> Self:
        if self.positive and self.cutoff is not None:
            raise ValueError("positive and cutoff exclude each other: give one")
        return self


seen: list[tuple[Path, Settings]] = []


def sharpen(
    volume: Path,
    /,
    *,
    settings: Annotated[Settings, Parameter(name="*")] = Settings(),  # noqa: B008
) -> None:
    """Sharpen VOLUME.

    A second paragraph that is
    broken in the source.
    """
    seen.append((volume, settings))


@pytest.fixture(autouse=True)
def a_command_with_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("vitreous.cli.sharpen")
    module.sharpen = sharpen  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(program.COMMANDS, "sharpen", "Sharpen a volume.")
    seen.clear()


def test_given_values_and_defaults_arrive_as_one_checked_model() -> None:
    code = program.main(
        ["sharpen", "a.mrc", "--binning", "2", "--size", "8", "9", "--weights", "1", "--positive"]
    )

    assert code == 0
    expected = Settings(binning=2, size=(8, 9), weights=(1,), positive=True)
    assert seen == [(Path("a.mrc"), expected)]


def test_help_shows_text_range_choices_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    program.main(["sharpen", "--help"])

    shown = " ".join(capsys.readouterr().out.split())
    assert "--binning INT Pixels joined. [range: 1 to 16] [default: 4]" in shown
    assert "--thickness FLOAT Height of the volume. [range: above 0] [default: 300]" in shown
    assert "--weighting CHOICE Filter. [choices: ramp, none] [default: ramp]" in shown
    assert "--positive Keep what is above 0. --cutoff" in shown
    assert "--cutoff FLOAT Where the filter ends. [range: 0 or more] --size" in shown
    assert "A second paragraph that is broken in the source." in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--binning 40", "error: --binning 40: allowed is 1 to 16\n"),
        ("--binning 2.5", "error: --binning 2.5: not a whole number\n"),
        ("--thickness -1", "error: --thickness -1: allowed is above 0\n"),
        ("--thickness thin", "error: --thickness thin: not a number\n"),
        ("--cutoff -1", "error: --cutoff -1: allowed is 0 or more\n"),
        ("--weighting rmap", "error: --weighting rmap: choose ramp or none\n"),
        ("--size 8 x", "error: --size x: not a whole number\n"),
        ("--positive --cutoff 1", "error: positive and cutoff exclude each other: give one\n"),
        ("--positiv", "error: Unknown option: --positiv. Did you mean --positive?\n"),
        ("b.mrc", "error: not expected here: b.mrc\n"),
    ],
)
def test_a_wrong_value_is_one_line_that_says_what_is_allowed(
    options: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = program.main(["sharpen", "a.mrc", *options.split()])

    said = capsys.readouterr().err
    assert code == 2
    assert said == message
    assert not seen


@pytest.mark.parametrize(
    ("annotation", "words"),
    [
        (Annotated[int, Field(ge=1)], "1 or more"),
        (Annotated[float, Field(gt=0, lt=2)], "above 0, below 2"),
        (Annotated[float, Field(le=0.5)], "0.5 or less"),
        (Annotated[float, Field(gt=0)] | None, "above 0"),
        (tuple[Annotated[int, Field(ge=1, le=9)], ...], "1 to 9"),
        (int, ""),
    ],
)
def test_a_range_is_read_from_the_annotation(annotation: object, words: str) -> None:
    assert allowed_range(annotation) == words


def test_paragraphs_are_joined_and_lists_are_kept() -> None:
    docstring = """One
    sentence.

    Two things:
    - this
    - that
    """

    assert paragraphs(docstring) == "One sentence.\n\nTwo things:\n- this\n- that"
