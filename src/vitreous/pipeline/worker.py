"""A worker process that runs one series at a time, and what it tells meanwhile.

A slot keeps one process. If that is killed (the system does so when memory runs out), only its own
series fails, and the next one gets a new process. Workers end with whoever started them: at SIGTERM
they stop where they are, and they watch over their parent.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection

from vitreous.kernels.machine import Share
from vitreous.pipeline.jobs import Job
from vitreous.pipeline.series import Outcome, run_series
from vitreous.pipeline.stops import terminate

SPAWN = multiprocessing.get_context("spawn")  # forked threads of kernels would hang
SECONDS_BETWEEN_WORDS = 0.2
LONGEST_MESSAGE = 2000  # characters: a message in one piece is never left half-written
SECONDS_TO_STOP = 20.0
THREADS_OF = ("NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")

Told = tuple[str, object, object, object]
"""("progress", step, done, total), ("log", level, text, None) or ("process", number, None, None)"""


class Slot:
    """A place for one series at a time, in a process of its own that is made when it's needed."""

    def __init__(self, threads: int, log_level: int) -> None:
        self.threads = threads
        self.job: Job | None = None
        self.share = Share()
        self.future: Future[Outcome] | None = None
        self._log_level = log_level
        self._executor: ProcessPoolExecutor | None = None
        self._from: Connection | None = None
        self._process: int | None = None

    def start(self, job: Job, share: Share) -> None:
        """Run a series; `future` holds its outcome."""
        share = replace(share, threads=self.threads)
        self.future = None
        if self._executor is not None:
            try:
                self.future = self._executor.submit(work, job, share)
            except BrokenProcessPool:  # killed while it had nothing to do
                self.close()
        if self.future is None:
            self.future = self._begun(job, share)
        self.job, self.share = job, share

    def _begun(self, job: Job, share: Share) -> "Future[Outcome]":
        """The same in a new process."""
        self._from, to = SPAWN.Pipe(duplex=False)
        self._executor = ProcessPoolExecutor(
            1, SPAWN, initializer=begin, initargs=(to, self._log_level)
        )
        with unheard_interrupts(), threads_in_environment(self.threads):
            future = self._executor.submit(work, job, share)
        to.close()  # the worker has the only one: its end is told here
        return future

    def told(self) -> Iterator[Told]:
        """What the worker has told since the last time."""
        try:
            while self._from and self._from.poll():
                told: Told = self._from.recv()
                if told[0] == "process":
                    self._process = int(str(told[1]))
                else:
                    yield told
        except (EOFError, OSError):
            return

    def free(self) -> None:
        """Be ready for the next series, in a new process if this one is broken."""
        broken = self.future is not None and self.future.exception() is not None
        self.job = self.future = None
        if broken:
            self.close()

    def interrupt(self) -> None:
        """Let the worker stop where it is."""
        self._kill(signal.SIGTERM)

    def close(self) -> None:
        """End the process; one that doesn't stop in time is killed."""
        if self._executor is None:
            return
        end = time.monotonic() + SECONDS_TO_STOP
        while self.future and not self.future.done():
            list(self.told())
            if time.monotonic() > end:
                self._kill(signal.SIGKILL)
            time.sleep(0.02)
        self._executor.shutdown(wait=True, cancel_futures=True)
        if self._from:
            self._from.close()
        self._executor = self._from = self._process = None

    def _kill(self, how: signal.Signals) -> None:
        list(self.told())  # the first word is the number of the process
        if self._process is not None and self.future and not self.future.done():
            os.kill(self._process, how)


# -- in the worker ---------------------------------------------------------------------------------


_to: Connection | None = None


def begin(to: Connection, log_level: int) -> None:
    """Set up a worker: signals, where it tells what it does, whom it belongs to."""
    global _to
    _to = to
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and says what to do
    signal.signal(signal.SIGTERM, terminate)
    to.send(("process", os.getpid(), None, None))
    logging.getLogger("vitreous").setLevel(log_level)
    logging.getLogger().handlers = [Telling(to, log_level)]
    threading.Thread(target=end_with_parent, daemon=True).start()


def end_with_parent() -> None:
    """Stop when the parent is gone: nobody would ever fetch what is made here."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(SECONDS_TO_STOP)
    os.kill(os.getpid(), signal.SIGKILL)


def work(job: Job, share: Share) -> Outcome:
    """Run a series; tell how far it is now and then."""
    last = 0.0

    def watch(step: str, done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if _to and (done == total or now - last > SECONDS_BETWEEN_WORDS):
            _to.send(("progress", step, done, total))
            last = now

    return run_series(job, share, watch)


class Telling(logging.Handler):
    """Hands what is logged to the parent."""

    def __init__(self, to: Connection, level: int) -> None:
        super().__init__(level)
        self.to = to

    def emit(self, record: logging.LogRecord) -> None:
        """Tell one line."""
        self.to.send(("log", record.levelno, self.format(record)[:LONGEST_MESSAGE], None))


# -- round the making of a process -----------------------------------------------------------------


@contextmanager
def unheard_interrupts() -> Iterator[None]:
    """A process made meanwhile never hears Ctrl-C; ours hears it afterwards."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def threads_in_environment(count: int) -> Iterator[None]:
    """Libraries of a process made meanwhile start so many threads, not one for each core."""
    before = {name: os.environ.get(name) for name in THREADS_OF}
    os.environ.update(dict.fromkeys(THREADS_OF, str(count)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
