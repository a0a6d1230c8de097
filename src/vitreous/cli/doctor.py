"""`vitreous doctor`: what this installation and machine have, and what is missing."""

import importlib.util
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = (
    "vitreous",
    "numpy",
    "scipy",
    "numba",
    "mrcfile",
    "tifffile",
    "imagecodecs",
    "gemmi",
    "cyclopts",
    "pydantic",
    "rich",
    "pillow",
    "tomlkit",
)

Row = tuple[str, str]


def doctor() -> None:
    """Say what this installation and machine have, and what is missing.

    Shows the versions of the libraries, the cores and the memory that this process may use, the
    processor's vector units, Numba's threads and cache, the GPUs, and the room on disk; after
    each thing that is missing it says what to do.
    """
    for title, rows in (
        ("Software", software()),
        ("Processor", processor()),
        ("Numba", numba_facts()),
        ("GPU", gpu()),
        ("Disk", disk()),
    ):
        print(title)
        for name, fact in rows:
            print(f"  {name:<14}{fact}")


def software() -> Iterator[Row]:
    """Versions of Python and of the libraries."""
    yield "python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    for library in LIBRARIES:
        try:
            yield library, version(library)
        except PackageNotFoundError:
            yield library, "missing: install vitreous again (pip install vitreous)"


def processor() -> Iterator[Row]:
    """Cores, memory and vector units; a container's limits count."""
    from llvmlite.binding import get_host_cpu_features, get_host_cpu_name

    from vitreous.kernels.machine import cores, memory

    features = get_host_cpu_features()
    units = {"avx2": "AVX2", "fma": "FMA", "avx512f": "AVX-512"}
    yield "model", get_host_cpu_name()
    yield "vector units", ", ".join(units[u] for u in units if features.get(u)) or "none we use"
    yield "cores", f"{cores()} usable of {os.cpu_count()}"
    yield "memory", f"{gigabytes(memory())} usable"


def numba_facts() -> Iterator[Row]:
    """The layer that parallel kernels run on, and whether compiled kernels are kept."""
    layer = threading_layer()
    if layer == "workqueue":
        layer += ": not safe to call from two threads; install tbb (pip install tbb)"
    yield "threads", layer
    no_place = (
        "nowhere to keep compiled kernels, so each start compiles them again: "
        "set NUMBA_CACHE_DIR to a folder that you can write"
    )
    yield "cache", str(cache_folder() or no_place)


def threading_layer() -> str:
    """The first of Numba's layers (in its own order of preference) that loads here."""
    for layer, module in (("tbb", "tbbpool"), ("omp", "omppool"), ("workqueue", "workqueue")):
        try:
            importlib.import_module(f"numba.np.ufunc.{module}")
        except ImportError:
            continue
        return layer
    return "none: kernels run on one core; install numba again"


def cache_folder() -> Path | None:
    """Where Numba keeps what it compiles: the first of its places that can be written."""
    import vitreous.kernels

    if told := os.environ.get("NUMBA_CACHE_DIR"):
        places = [Path(told)]
    else:
        places = [Path(folder) / "__pycache__" for folder in vitreous.kernels.__path__]
        places += [Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "numba"]
    return next((place for place in places if can_write(place)), None)


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder, which may have yet to be made itself."""
    nearest = next(
        place for place in (folder.absolute(), *folder.absolute().parents) if place.exists()
    )
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def gpu() -> Iterator[Row]:
    """The GPUs, CuPy, and what `--device auto` will do."""
    from vitreous.errors import DeviceError
    from vitreous.kernels.device import INSTALL_CUPY, gpus, require_gpu

    try:
        for index, card in enumerate(gpus()):
            yield f"gpu:{index}", f"{card.name}, {gigabytes(card.memory)}"
    except DeviceError as missing:
        yield "none", str(missing)
    yield "cupy", next(cupy_versions(), f"not installed; for work on a GPU: {INSTALL_CUPY}")
    try:
        require_gpu(0)
    except DeviceError:
        yield "device auto", "takes the CPU"
    else:
        yield "device auto", "takes gpu:0"


def cupy_versions() -> Iterator[str]:
    """Versions of CuPy, whichever of its distributions is installed."""
    for distribution in ("cupy-cuda12x", "cupy-cuda13x", "cupy"):
        try:
            yield version(distribution)
        except PackageNotFoundError:
            continue


def disk() -> Iterator[Row]:
    """Room where products and where scratch files go."""
    for name, folder in (("here", Path.cwd()), ("scratch", Path(tempfile.gettempdir()))):
        locked = "" if can_write(folder) else ", but no permission to write"
        yield name, f"{gigabytes(shutil.disk_usage(folder).free)} free in {folder}{locked}"


def gigabytes(count: int) -> str:
    """Bytes as '15.6 GB' (10^9)."""
    return f"{count / 1e9:.1f} GB"
