"""Cores and memory that this process may use."""

import os
from pathlib import Path

import pytest

from vitreous.kernels import machine


@pytest.fixture
def cgroups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty tree of control groups in the place of the machine's."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    return tmp_path


def test_cores_are_those_of_the_affinity_at_most() -> None:
    assert 1 <= machine.cores() <= len(os.sched_getaffinity(0))


def test_memory_is_the_machines_at_most() -> None:
    assert 0 < machine.memory() <= os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def test_without_limits_there_are_none(cgroups: Path) -> None:
    assert machine.cgroup_cores() is None
    assert machine.cgroup_memory() is None


def test_a_containers_limits_are_read(cgroups: Path) -> None:
    for folder in (cgroups, cgroups / "cpu", cgroups / "memory"):
        folder.mkdir(exist_ok=True)
        (folder / "cpu.max").write_text("150000 100000\n")
        (folder / "memory.max").write_text("4000000000\n")

    assert machine.cgroup_cores() == 1.5
    assert machine.cgroup_memory() == 4_000_000_000


def test_max_means_no_limit(cgroups: Path) -> None:
    (cgroups / "cpu.max").write_text("max 100000\n")
    (cgroups / "memory.max").write_text("max\n")

    assert machine.cgroup_cores() is None
    assert machine.cgroup_memory() is None
