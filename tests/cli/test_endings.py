"""How commands end: exit codes, and what is said on standard error."""

import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

from vitreous.cli import main as program
from vitreous.errors import DeviceError, FormatError, OutputError, UnknownFormatError, UserError

log = logging.getLogger("vitreous.cli.trial")

Trial = Callable[[Callable[[], None]], None]


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    root, house = logging.getLogger(), logging.getLogger("vitreous")
    handlers, level = root.handlers[:], house.level
    yield
    root.handlers = handlers
    house.setLevel(level)


@pytest.fixture
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Make `vitreous trial` do what a function says."""

    def make(action: Callable[[], None]) -> None:
        module = ModuleType("vitreous.cli.trial")
        module.trial = action  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setitem(program.COMMANDS, "trial", "Try something.")

    return make


def raising(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (UserError("give one of the two"), 1, "error: give one of the two\n"),
        (DeviceError("no driver"), 1, "error: no driver\n"),
        (OutputError("a.mrc: the disk is full"), 1, "error: a.mrc: the disk is full\n"),
        (FormatError("no numbers", path="a.xf", line=2), 1, "error: a.xf:2: no numbers\n"),
        (UnknownFormatError("a PDF", path="a.pdf"), 2, "error: a.pdf: a PDF\n"),
        (FileNotFoundError(2, "No such file", "a.mrc"), 1, "error: a.mrc: No such file\n"),
        (
            MemoryError("8 GB"),
            1,
            "error: out of memory (8 GB): allow less with --memory, bin, or use fewer --cpus\n",
        ),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_an_expected_error_is_one_line_and_an_exit_code(
    trial: Trial, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, said: str
) -> None:
    trial(raising(error))

    assert program.main(["trial"]) == code
    assert capsys.readouterr().err == said


def test_a_defect_of_ours_shows_itself(trial: Trial) -> None:
    trial(raising(ValueError("a defect")))

    with pytest.raises(ValueError, match="a defect"):
        program.main(["trial"])


def test_an_unknown_command_is_a_usage_error_with_a_suggestion(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert program.main(["docter"]) == 2
    assert 'Did you mean "doctor"?' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ([], "read 41 tilts\nwarning: tilt 7 is dark\n"),
        (["--quiet"], ""),
        (["-v"], "debug: axis 85 degrees\nread 41 tilts\nwarning: tilt 7 is dark\n"),
    ],
)
def test_what_is_logged_is_said_in_plain_lines(
    trial: Trial, capsys: pytest.CaptureFixture[str], option: list[str], said: str
) -> None:
    trial(log_three_things)

    program.main([*option, "trial"])

    assert capsys.readouterr().err == said


def log_three_things() -> None:
    log.debug("axis %d degrees", 85)
    log.info("read %d tilts", 41)
    log.warning("tilt 7 is dark")


def test_a_reader_that_leaves_early_causes_no_noise() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    with os.fdopen(writing, "w") as gone:
        ended = subprocess.run(
            [sys.executable, "-m", "vitreous.cli.main", "--help"],
            stdout=gone,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ended.returncode == 1
    assert ended.stderr == ""
