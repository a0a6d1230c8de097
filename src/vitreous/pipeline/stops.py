"""Being stopped: Ctrl-C and a batch system's SIGTERM become exceptions that unwind the work."""

import signal
from collections.abc import Callable
from types import FrameType

SECONDS_TO_WAIT = 0.05
LOSES_EXCEPTIONS = ("llvmlite/binding/executionengine.py", "_raw_object_cache")
"""Where compiled kernels are kept: Python called from C, which drops what is raised there."""


class Terminated(KeyboardInterrupt):
    """A batch system's Ctrl-C."""


def listen() -> None:
    """Raise KeyboardInterrupt at Ctrl-C and `Terminated` at SIGTERM from now on."""
    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGTERM, terminate)


def interrupt(number: int, frame: FrameType | None) -> None:
    """Stop; as soon as that isn't lost."""
    if _is_lost(frame):
        _again(interrupt)
    else:
        raise KeyboardInterrupt


def terminate(number: int, frame: FrameType | None) -> None:
    """Stop as at Ctrl-C: products stay whole."""
    if _is_lost(frame):
        _again(terminate)
    else:
        raise Terminated


def _is_lost(frame: FrameType | None) -> bool:
    """Whether an exception that is raised here comes to nothing."""
    file, function = LOSES_EXCEPTIONS
    while frame is not None:
        if frame.f_code.co_name.startswith(function) and frame.f_code.co_filename.endswith(file):
            return True
        frame = frame.f_back
    return False


def _again(handler: Callable[[int, FrameType | None], None]) -> None:
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_WAIT)
