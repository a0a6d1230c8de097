"""How RELION's scheduler is told of a job: files in the job's folder.

RELION_JOB_EXIT_SUCCESS, _FAILURE or _ABORTED is left there at the end. Who wants a job to stop puts
a RELION_JOB_ABORT_NOW there.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import OutputError
from vitreous.records.progress import Progress

ENDINGS = ("SUCCESS", "FAILURE", "ABORTED")
ABORT = "RELION_JOB_ABORT_NOW"


@dataclass(frozen=True, slots=True)
class Control:
    """The folder where a job's end is left; None: nobody asked."""

    folder: Path | None = None

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Leave how the work within ended; what an earlier run left goes."""
        self._clear()
        try:
            yield
        except KeyboardInterrupt:
            with suppress(OutputError):
                self._leave("ABORTED")
            raise
        except BaseException:
            with suppress(OutputError):
                self._leave("FAILURE")
            raise
        self._leave("SUCCESS")

    def watched(self, progress: Progress) -> Progress:
        """The same progress; where the job is to stop, it ends with a KeyboardInterrupt."""
        if self.folder is None:
            return progress
        abort = self.folder / ABORT

        def progress_unless_aborted(done: int, total: int) -> None:
            if abort.exists():
                abort.unlink(missing_ok=True)
                raise KeyboardInterrupt(f"stopped: {abort} was there")
            progress(done, total)

        return progress_unless_aborted

    def _clear(self) -> None:
        if self.folder is not None:
            for ending in ENDINGS:
                _name(self.folder, ending).unlink(missing_ok=True)

    def _leave(self, ending: str) -> None:
        if self.folder is None:
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _name(self.folder, ending).touch()
        except OSError as error:
            raise OutputError(f"{self.folder} can't be written: {error.strerror}") from error


def _name(folder: Path, ending: str) -> Path:
    return folder / f"RELION_JOB_EXIT_{ending}"
