"""What a step costs: time by the clock, time of all cores, the most memory at a time."""

import os
import resource
import threading
import time
from dataclasses import dataclass
from pathlib import Path

STATM = Path("/proc/self/statm")
SECONDS_BETWEEN_LOOKS = 0.05


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds, and the most resident memory of the process meanwhile."""

    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int


class Meter:
    """Runs from its making on, until it is read or stopped.

    The system counts the peak of the whole process. It is the step's own where it rose meanwhile;
    elsewhere it is what a look now and then has seen. (To make the system forget the earlier peak
    would hide that from whoever measures the command from outside.)
    """

    def __init__(self) -> None:
        self._wall, self._cpu, self._before = time.monotonic(), time.process_time(), peak_memory()
        self._seen = resident_memory()
        self._stopped = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def read(self) -> Cost:
        """The cost since then."""
        self.stop()
        peak, seen = peak_memory(), max(self._seen, resident_memory())
        return Cost(
            round(time.monotonic() - self._wall, 3),
            round(time.process_time() - self._cpu, 3),
            seen if seen and peak <= self._before else peak,
        )

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _look(self) -> None:
        while not self._stopped.wait(SECONDS_BETWEEN_LOOKS):
            self._seen = max(self._seen, resident_memory())


def peak_memory() -> int:
    """The most bytes that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def resident_memory() -> int:
    """Bytes that this process has in memory; 0 where the system doesn't say."""
    try:
        pages = int(STATM.read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
