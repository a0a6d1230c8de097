"""How a step tells its caller how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int], None]
"""progress(done, total): called with rising `done` and, at the end, with done = total."""


def ignore_progress(done: int, total: int) -> None:
    """For callers who don't watch."""
