"""Progress: a line now and then where there is no terminal."""

import logging

import pytest

from vitreous.cli.progress import lines_of_progress, progress_bar
from vitreous.records.progress import ignore_progress


def test_lines_come_at_most_every_ten_seconds_and_ten_percent(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seconds = iter([0, 3, 12, 13, 40, 41, 60])

    with caplog.at_level(logging.INFO):
        progress = lines_of_progress("back-projection", clock=lambda: next(seconds))
        for done in (20, 30, 50, 55, 80, 100):
            progress(done, 100)

    assert caplog.messages == [
        "back-projection: 30 of 100 (30 %), 28 s left",
        "back-projection: 55 of 100 (55 %), 33 s left",
        "back-projection: 100 of 100 (100 %), 0 s left",
    ]


def test_a_quiet_command_shows_no_progress() -> None:
    logging.getLogger("vitreous").setLevel(logging.ERROR)
    try:
        with progress_bar("back-projection") as progress:
            assert progress is ignore_progress
    finally:
        logging.getLogger("vitreous").setLevel(logging.NOTSET)


def test_a_terminal_shows_a_bar(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    logging.getLogger("vitreous").setLevel(logging.INFO)
    try:
        with progress_bar("back-projection") as progress:
            progress(3, 4)
    finally:
        logging.getLogger("vitreous").setLevel(logging.NOTSET)

    assert "back-projection" in (shown := capsys.readouterr().err)
    assert "75 %" in shown
