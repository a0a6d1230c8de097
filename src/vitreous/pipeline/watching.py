"""How a step of a series is watched, and the first word of its log."""

import logging
from collections.abc import Callable

from vitreous.records.progress import Progress

log = logging.getLogger(__name__)

Watch = Callable[[str, int, int], None]
"""watch(step, done, total): how far a step of a series is."""


def ignore_watch(step: str, done: int, total: int) -> None:
    """For callers who don't watch."""


def of_step(watch: Watch, step: str) -> Progress:
    """A step's own callback."""
    return lambda done, total: watch(step, done, total)


def say_changed(changed: dict[str, object]) -> None:
    """The first line of a log."""
    log.debug("settings that differ from the defaults: %s", changed or "none")
