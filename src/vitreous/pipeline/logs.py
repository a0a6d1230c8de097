"""Logs in files. A step has two: STEP.log with everything, STEP.err with warnings and errors."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from vitreous.errors import OutputError
from vitreous.pipeline.costs import Meter
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.project import StepFolder


class StepLog(logging.Handler):
    """Keeps what is said until the step begins, for a step that needn't run writes nothing."""

    def __init__(self, folder: StepFolder) -> None:
        super().__init__(logging.DEBUG)
        self.folder = folder
        self._held: list[logging.LogRecord] = []
        self._files: tuple[logging.FileHandler, ...] = ()

    def begin(self) -> StepFolder:
        """The step runs: make its folder, clear what a killed run left, open the logs.

        The log goes on below what it holds; the .err is of this run alone. Returns the folder,
        whose time and memory count from now.
        """
        self.open()
        self.folder.say_running()
        self.folder = replace(self.folder, meter=Meter())
        return self.folder

    def open(self) -> None:
        """Write to the files from now on, what was held first."""
        if self._files:
            return
        self.folder.make()
        self.folder.clear_leftovers()
        everything = _file(self.folder.log, "a", logging.DEBUG)
        self._files = (everything, _file(self.folder.errors, "w", logging.WARNING))
        for record in self._held:
            self.emit(record)
        self._held.clear()

    def emit(self, record: logging.LogRecord) -> None:
        """Hold one record, or write it where it belongs."""
        if not self._files:
            self._held.append(record)
        for file in self._files:
            if record.levelno >= file.level:
                file.handle(record)

    def close(self) -> None:
        """Close the files."""
        if self.folder.meter:
            self.folder.meter.stop()
        for file in self._files:
            file.close()
        super().close()


@contextmanager
def logged(folder: StepFolder) -> Iterator[StepLog]:
    """What vitreous logs meanwhile, and the error that ends it, in the logs of a step.

    They get everything, however quiet the command is. An error is left in failure.json too. A step
    that another process is at isn't touched.
    """
    folder.require_idle()
    log = StepLog(folder)
    with _heard(log):
        try:
            yield log
        except BaseException as error:
            log.open()
            if isinstance(error, Exception):
                folder.fail(*why_and_what_to_do(error))
            raise


@contextmanager
def logged_to(path: Path) -> Iterator[None]:
    """The same in one file, below what it holds already."""
    with _heard(_file(path, "a", logging.DEBUG)):
        yield


@contextmanager
def logged_beside(product: Path) -> Iterator[None]:
    """The same beside a product: NAME.log, and NAME.err with this run's warnings and errors."""
    everything = _file(product.with_suffix(".log"), "a", logging.DEBUG)
    with _heard(everything), _heard(_file(product.with_suffix(".err"), "w", logging.WARNING)):
        yield


@contextmanager
def unheard() -> Iterator[None]:
    """Say nothing of what is looked at now and done later."""
    filtered = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(filtered)


@contextmanager
def _heard(handler: logging.Handler) -> Iterator[None]:
    """Hand a handler all that vitreous logs meanwhile, and the error that ends it."""
    house = logging.getLogger("vitreous")
    level = house.level
    house.addHandler(handler)
    house.setLevel(logging.DEBUG)
    try:
        yield
    except BaseException as error:
        text = str(error) or "interrupted"
        handler.emit(house.makeRecord(house.name, logging.ERROR, "", 0, text, (), None))
        raise
    finally:
        house.setLevel(level)
        house.removeHandler(handler)
        handler.close()


def _file(path: Path, mode: str, level: int) -> logging.FileHandler:
    try:
        handler = logging.FileHandler(path, mode=mode, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}") from error
    handler.setLevel(level)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    return handler
