"""How far a step is: a bar on a terminal, now and then a line elsewhere (a Slurm log)."""

import logging
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from vitreous.cli.messages import is_said
from vitreous.records.progress import Progress, ignore_progress

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0
STEP_BETWEEN_LINES = 0.1


@contextmanager
def progress_bar(what: str) -> Iterator[Progress]:
    """Show the progress of `what`; the callback is for a step of the science.

    with progress_bar("back-projection") as progress:
        backproject(..., progress=progress)
    """
    if not is_said(logging.INFO):
        yield ignore_progress
    elif sys.stderr.isatty():
        with _bar(what) as progress:
            yield progress
    else:
        yield lines_of_progress(what)


@contextmanager
def _bar(what: str) -> Iterator[Progress]:
    with bars() as shown:
        task = shown.add_task(what, total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


def bars() -> "RichProgress":
    """An empty board of bars on the terminal; they go away with it."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


def lines_of_progress(what: str, clock: Callable[[], float] = time.monotonic) -> Progress:
    """Log a line when the last is 10 s old and 10 % have been done since."""
    start = clock()
    last_time, last_share = start, 0.0

    def progress(done: int, total: int) -> None:
        nonlocal last_time, last_share
        now, share = clock(), done / total
        if now - last_time < SECONDS_BETWEEN_LINES or share - last_share < STEP_BETWEEN_LINES:
            return
        left = (now - start) * (1 - share) / share
        log.info("%s: %d of %d (%.0f %%), %.0f s left", what, done, total, 100 * share, left)
        last_time, last_share = now, share

    return progress
