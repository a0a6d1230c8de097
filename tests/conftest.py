"""What the tests share: reference data, random numbers, disks and limits that are too small."""

import logging
import os
import resource
import signal
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder of reference data and oracles; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (folder 'shared' beside the checkout) is not here")
    return SHARED


@pytest.fixture(scope="session")
def eman_input(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stacks and lists that EMAN2's e2make3dpar was given."""
    from tests.average.eman2_runs import unpacked

    return unpacked(shared, tmp_path_factory.mktemp("eman"))


@pytest.fixture(autouse=True)
def logging_is_put_back():
    """Commands called in this process set the loggers up: undone after each test."""
    root, house = logging.getLogger(), logging.getLogger("vitreous")
    handlers, level = root.handlers[:], house.level
    yield
    root.handlers = handlers
    house.setLevel(level)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261124)


@pytest.fixture
def tiny_disk(tmp_path):
    """A disk of 64 kB; only where we may mount one."""
    if os.geteuid() != 0:
        pytest.skip("mounting a tiny disk needs root")
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a tmpfs can't be mounted here")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.fixture
def file_size_limit():
    """with file_size_limit(bytes): no file may grow beyond it."""

    @contextmanager
    def limited(size):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, handler)

    return limited
