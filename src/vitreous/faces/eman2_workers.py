"""--threads and --parallel: how many threads, how many worker processes."""

import argparse
import logging
import multiprocessing
import re
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

from vitreous.average.projections import Pool
from vitreous.errors import UserError
from vitreous.kernels import machine

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Workers:
    """Worker processes (1: this one does the work) and the threads of each."""

    processes: int
    threads: int

    @contextmanager
    def opened(self) -> Iterator[Pool | None]:
        """The worker processes, while they are needed."""
        if self.processes == 1:
            yield None
            return
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.processes, mp_context=context) as executor:
            yield Pool(executor, self.processes)


def workers_of(options: argparse.Namespace) -> Workers:
    """What --threads and --parallel ask for, within what there is; what is capped is said."""
    cores = machine.cores()
    if options.parallel is None:
        return Workers(1, min(options.threads, cores))
    found = re.fullmatch(r"(thread|mpi):(\d+)(:.*)?", options.parallel)
    if found is None or int(found[2]) < 1:
        raise UserError(f"--parallel {options.parallel}: thread:N or mpi:N:FOLDER")
    processes = min(int(found[2]), cores)
    if processes < int(found[2]):
        log.warning("--parallel %s: this machine has %d cores for us", options.parallel, cores)
    log.info("--parallel %s: %d worker processes on this machine", options.parallel, processes)
    return Workers(processes, max(1, cores // processes))
