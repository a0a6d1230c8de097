"""A project on disk: one folder a series, one folder a step, and what a step leaves there.

PROJECT/report.html                 the page of all series
PROJECT/SERIES/report.html          the page of one
PROJECT/SERIES/gain/SERIES_gain.mrc _gain_defects.txt _gain.png         of series of movies
              /motion/MOVIE.mrc _EVN.mrc _ODD.mrc .star .json .png, movies.json
              /newstack/SERIES.st .st.mdoc .rawtlt, lists, _EVN.st _ODD.st
              /ctf/SERIES_CTF.txt .defocus _ctf.star _ctf.json _ctf.png
PROJECT/SERIES/align/SERIES.xf .tlt .xtilt .aln .star   the alignment
                     SERIES_tilts.jpg          all tilts, small, for the page
                     align.log, align.err, manifest.json
               reconstruct/SERIES.mrc          the tomogram
                           SERIES_slices.png   three orthogonal slices
                           SERIES_xy.jpg _xz.jpg _zy.jpg _key.jpg   slices for the pages
                           reconstruct.log     what was done, first what differs from defaults
                           reconstruct.err     warnings and errors of the last run
                           manifest.json       inputs, settings, products, cost, versions

The manifest is written last: without one that fits, a step isn't done, whatever lies there. A step
under way has a running.json, which a killed one leaves; a step that failed has a failure.json.
"""

import json
import logging
import os
import re
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from vitreous.errors import OutputError, UserError
from vitreous.formats.products import write_text
from vitreous.pipeline.costs import Meter
from vitreous.pipeline.fingerprints import Making
from vitreous.pipeline.manifests import holds, is_whole, now, read_facts, write_manifest

log = logging.getLogger(__name__)

SECONDS_TO_END = 25.0  # workers have 20 to stop in


@dataclass(frozen=True, slots=True)
class StepFolder:
    """Where one step of one series leaves its products; meter: of the run that is under way."""

    project: Path
    series: str
    step: str
    meter: Meter | None = None

    @property
    def path(self) -> Path:
        """PROJECT/SERIES/STEP."""
        return self.project / self.series / self.step

    @property
    def log(self) -> Path:
        """STEP.log."""
        return self.path / f"{self.step}.log"

    @property
    def errors(self) -> Path:
        """STEP.err."""
        return self.path / f"{self.step}.err"

    @property
    def manifest(self) -> Path:
        """manifest.json."""
        return self.path / "manifest.json"

    @property
    def failure(self) -> Path:
        """failure.json."""
        return self.path / "failure.json"

    @property
    def running(self) -> Path:
        """running.json."""
        return self.path / "running.json"

    def product(self, ending: str) -> Path:
        """SERIES + ending."""
        return self.path / f"{self.series}{ending}"

    def make(self) -> None:
        """Make the folder if it isn't there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: can't be made: {error.strerror}") from error

    def require_idle(self) -> None:
        """Raise UserError where another process of this machine is at the step, and stays.

        The workers of a run that was killed end a little after it.
        """
        patience = time.monotonic() + SECONDS_TO_END
        while (process := self._other_process()) and time.monotonic() < patience:
            time.sleep(0.1)
        if process:
            raise UserError(
                f"{self.series}: another run (process {process}) is at the step {self.step}. "
                "Wait for it, or stop it"
            )

    def _other_process(self) -> int | None:
        """The process of this machine, if it isn't ours, that is at the step."""
        facts = read_facts(self.running)
        if facts.get("host") != socket.gethostname() or not self.is_running():
            return None
        process: int = facts["process"]
        return None if process == os.getpid() else process

    def say_running(self) -> None:
        """Leave word that this process is at it."""
        facts = {
            "process": os.getpid(),
            "began": _began(os.getpid()),
            "host": socket.gethostname(),
            "when": now(),
        }
        write_text(self.running, json.dumps(facts, indent=2) + "\n")

    def is_running(self) -> bool:
        """Whether a process that began the step lives, or may live on another machine."""
        facts = read_facts(self.running)
        if facts.get("host") != socket.gethostname():
            return bool(facts)
        return _is_alive(facts["process"]) and facts.get("began") == _began(facts["process"])

    def clear_leftovers(self) -> None:
        """Remove half-written products of processes of this machine that are no more."""
        for part in self.path.rglob(".*.part"):
            writer = re.fullmatch(r"\..*\.(\d+)\.part", part.name)
            if writer and not _is_alive(int(writer[1])):
                part.unlink(missing_ok=True)
                log.info("removed %s, left by a run that was killed", part)

    # -- what is done -------------------------------------------------------------------------

    def holds(self, making: Making) -> bool:
        """Whether the products are whole and are those that `making` would give."""
        return holds(self.manifest, making)

    def is_whole(self, manifest: dict[str, Any]) -> bool:
        """Whether the products are there as the manifest has them."""
        return is_whole(manifest, self.path)

    def read_manifest(self) -> dict[str, Any]:
        """What the manifest says; nothing where there is none, or none that can be read."""
        return read_facts(self.manifest)

    def finish(self, making: Making, products: dict[str, Path], facts: dict[str, Any]) -> None:
        """Write down that the step is done: of what the products were made, and by what."""
        cost = asdict(self.meter.read()) if self.meter else {}
        write_manifest(self.manifest, making, products, facts, cost)
        self.settle()

    def fail(self, why: str, hint: str) -> None:
        """Write down that the step failed, and why, where that can be written."""
        facts = {"step": self.step, "error": why, "hint": hint, "when": now()}
        with suppress(OutputError):
            write_text(self.failure, json.dumps(facts, indent=2) + "\n")
        with suppress(OSError):
            self.running.unlink(missing_ok=True)

    def settle(self) -> None:
        """The step is done: no word of an earlier failure or run stays."""
        self.failure.unlink(missing_ok=True)
        self.running.unlink(missing_ok=True)


def _began(process: int) -> str:
    """When a process of this machine began, in the system's ticks: numbers are given again."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text()
    except OSError:
        return ""
    return stat.rpartition(")")[2].split()[19]


def _is_alive(process: int) -> bool:
    """Whether a process of this number runs on this machine, ours or another's."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
