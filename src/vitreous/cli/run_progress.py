"""How far a run of many series is, and how long it will take."""

import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from vitreous.cli.messages import is_said
from vitreous.cli.progress import SECONDS_BETWEEN_LINES, STEP_BETWEEN_LINES, lines_of_progress
from vitreous.records.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from vitreous.pipeline.forecast import Forecast

log = logging.getLogger(__name__)

PARTS = 1000  # of a bar
VERBS = {
    "gain": "checking the gain of",
    "motion": "correcting the motion of",
    "newstack": "joining",
    "align": "aligning",
    "ctf": "measuring the CTF of",
    "reconstruct": "reconstructing",
}


class Display(Protocol):
    """What shows a run; share: how much of all of it is done."""

    def step(self, series: str, step: str, done: int, total: int, share: float) -> None:
        """A step of a series is so far."""

    def end(self, series: str, share: float, ended: str) -> None:
        """A series ended; ended: '3 of 10'."""


class RunProgress:
    """How much of a run is done, in parts of the CPU seconds that were foreseen."""

    def __init__(self, forecasts: "Sequence[Forecast]", display: Display | None) -> None:
        self._display = display
        self._seconds = {
            each.name: {step.step: step.cpu_seconds for step in each.steps} for each in forecasts
        }
        self._done = dict.fromkeys(self._seconds, 0.0)
        self._ended = 0

    @property
    def share(self) -> float:
        """How much is done, 0 to 1."""
        total = sum(sum(steps.values()) for steps in self._seconds.values())
        return sum(self._done.values()) / total if total else 0.0

    @property
    def is_over(self) -> bool:
        """Whether all series have ended."""
        return self._ended == len(self._seconds)

    def watch(self, series: str, step: str, done: int, total: int) -> None:
        """A step of a series is so far."""
        steps = self._seconds[series]
        if step in steps:
            names = list(steps)
            before = sum(steps[name] for name in names[: names.index(step)])
            self._done[series] = before + steps[step] * done / total
        if self._display:
            self._display.step(series, step, done, total, self.share)

    def ended(self, series: str) -> None:
        """A series ended, made or failed."""
        self._done[series] = sum(self._seconds[series].values())
        self._ended += 1
        if self._display:
            count = f"{self._ended} of {len(self._seconds)}"
            self._display.end(series, self.share, count)


@contextmanager
def shown(forecasts: "Sequence[Forecast]") -> Iterator[RunProgress]:
    """Show the progress of a run: a line for all, and on a terminal one for each that runs."""
    if not is_said(logging.INFO):
        yield RunProgress(forecasts, None)
    elif sys.stderr.isatty():
        from vitreous.cli.progress import bars

        with bars() as board:
            yield RunProgress(forecasts, Bars(board, len(forecasts)))
    else:
        yield RunProgress(forecasts, Lines(len(forecasts)))


class Bars:
    """On a terminal: a bar for each series that runs, and one for all where there are several."""

    def __init__(self, bars: "RichProgress", count: int) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._steps: dict[str, str] = {}
        self._all = bars.add_task(f"0 of {count} series", total=PARTS) if count > 1 else None

    def step(self, series: str, step: str, done: int, total: int, share: float) -> None:
        """Move the bars; each step of a series begins a new one."""
        if self._steps.get(series) != step:
            self._remove(series)
            self._tasks[series] = self._bars.add_task(f"{VERBS[step]} {series}")
            self._steps[series] = step
        self._bars.update(self._tasks[series], completed=done, total=total)
        self._show_all(share)

    def end(self, series: str, share: float, ended: str) -> None:
        """Take the series' bar away."""
        self._remove(series)
        self._show_all(share, description=f"{ended} series")

    def _show_all(self, share: float, **more: str) -> None:
        if self._all is not None:
            self._bars.update(self._all, completed=round(share * PARTS), **more)  # type: ignore[arg-type]

    def _remove(self, series: str) -> None:
        if series in self._tasks:
            self._bars.remove_task(self._tasks.pop(series))


class Lines:
    """In a log: now and then a line, of the one series or of all."""

    def __init__(self, count: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._count, self._clock, self._start = count, clock, clock()
        self._last_time, self._last_share = self._start, 0.0
        self._own: dict[str, Progress] = {}

    def step(self, series: str, step: str, done: int, total: int, share: float) -> None:
        """Log a line when the last is 10 s old and 10 % have been done since."""
        if self._count == 1:
            own = self._own.setdefault(step, lines_of_progress(f"{VERBS[step]} {series}"))
            own(done, total)
            return
        rested = self._clock() - self._last_time >= SECONDS_BETWEEN_LINES
        if rested and share - self._last_share >= STEP_BETWEEN_LINES:
            self._say(share, "")

    def end(self, series: str, share: float, ended: str) -> None:
        """Log how many series have ended, and how long the others will take."""
        if self._count > 1:
            self._say(share, f"{ended} series, ")

    def _say(self, share: float, ended: str) -> None:
        self._last_time, self._last_share = self._clock(), share
        left = (self._last_time - self._start) * (1 - share) / max(share, 1e-3)
        if share < 1:
            log.info("%s%.0f %% done, %s left", ended, 100 * share, duration(left))


def duration(seconds: float) -> str:
    """45 s, 12 min, 3.2 h."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
