"""What this process may use: cores and memory, whatever the machine has beyond."""

import os
from dataclasses import dataclass
from pathlib import Path

from vitreous.kernels.device import CPU, Device

CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Share:
    """What of this machine a step may use.

    memory_bytes: to stay within, all in all; None: no limit. scratch: folder for what doesn't fit;
    None: the system's.
    """

    device: Device = CPU
    threads: int = 1
    memory_bytes: int | None = None
    scratch: Path | None = None


ONE_THREAD = Share()


def cores() -> int:
    """Cores that this process may keep busy: its affinity, or the container's share if less."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:
        allowed = os.cpu_count() or 1
    quota = cgroup_cores()
    return allowed if quota is None else max(1, min(allowed, int(quota)))


def memory() -> int:
    """Bytes of memory that this process may fill: the machine's, or the container's if less."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    limit = cgroup_memory()
    return machine if limit is None else min(machine, limit)


def cgroup_cores() -> float | None:
    """The container's share of processor time, in cores; None without a limit."""
    for folder in _cgroup_folders("cpu"):
        match _words(folder / "cpu.max"):
            case [quota, period] if quota != "max":
                return int(quota) / int(period)
        match _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us"):
            case [quota], [period] if int(quota) > 0:
                return int(quota) / int(period)
    return None


def cgroup_memory() -> int | None:
    """The container's limit of memory in bytes; None without one."""
    limits = [
        int(words[0])
        for folder in _cgroup_folders("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (words := _words(folder / name)) and words[0] != "max"
    ]
    return min(limits, default=None)


def _cgroup_folders(controller: str) -> list[Path]:
    """Folders of the control groups this process is in, the innermost first (versions 1 and 2)."""
    folders = []
    for line in _lines(Path("/proc/self/cgroup")):
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        root = CGROUPS / controller if controllers else CGROUPS
        inner = root / path.lstrip("/")
        folders += [inner, *(up for up in inner.parents if up.is_relative_to(root))]
    return folders


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _words(path: Path) -> list[str]:
    return " ".join(_lines(path)).split()


def use_threads(count: int) -> None:
    """Let the CPU kernels of this process run in `count` threads (no more than numba started)."""
    from vitreous.kernels import cpu  # sets up the threads' waiting before numba starts them

    del cpu
    import numba

    most: int = numba.config.NUMBA_NUM_THREADS  # type: ignore[attr-defined]
    numba.set_num_threads(min(count, most))
