"""What the commands say on standard error: warnings, errors, and how much of it."""

import logging
import sys

COLOURS = {"error": "\033[31m", "warning": "\033[33m"}


def set_up_logging(*, verbose: bool, quiet: bool) -> None:
    """Print what vitreous logs, and other libraries' warnings, as plain lines on standard error."""
    level = logging.DEBUG if verbose else logging.ERROR if quiet else logging.INFO
    logging.getLogger("vitreous").setLevel(level)
    logging.getLogger().handlers = [StandardError(level)]


def is_said(level: int) -> bool:
    """Whether what is logged at a level reaches standard error."""
    handlers = logging.getLogger().handlers
    wanted = all(handler.level <= level for handler in handlers)
    return wanted and logging.getLogger("vitreous").isEnabledFor(level)


class StandardError(logging.Handler):
    """Lines such as 'warning: tilt 7 is left out'; what is normal goes without a prefix."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record; stderr is looked up each time, since a progress bar replaces it."""
        text = self.format(record)
        if record.levelno == logging.INFO:
            print(text, file=sys.stderr)
        else:
            complain(text, record.levelname.lower())


def complain(text: str, kind: str = "error") -> None:
    """Print 'kind: text' on standard error, the kind in colour on a terminal."""
    label = f"{kind}:"
    if kind in COLOURS and sys.stderr.isatty():
        label = f"{COLOURS[kind]}{label}\033[0m"
    print(label, text, file=sys.stderr)
