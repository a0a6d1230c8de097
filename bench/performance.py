"""Measure the speed on this machine and write docs/performance.md: python bench/performance.py

SECTION: that one only, in its place on the page. --quick: small sizes, printed only.
"""

import argparse
import os
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numba starts its threads

sys.path.insert(0, str(Path(__file__).parents[1]))  # the tests' series

from bounds import Bounds, measure_bounds
from ctf import ctf_section
from figures_align import align_section
from insertion import insertion_section
from kernels import Size, kernel_section
from measure import machine_line, table
from motion import Scene, motion_section
from particles import particles_section
from relion import relion_section
from start_up import start_up_section
from whole import law_section, memory_section, whole_section

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"

SERIES = Size(41, (928, 960), (960, 928, 300))
LAW = [
    Size(tilts, (side, side), (side, side, depth))
    for tilts, side, depth in ((21, 256, 64), (41, 384, 100), (41, 512, 200), (61, 640, 300))
]
SECTIONS: dict[str, Callable[[Bounds], str]] = {
    "This machine": lambda bounds: bounds_section(bounds),
    "Start-up": lambda _: start_up_section(),
    "Kernels": lambda bounds: kernel_section(Size(41, (1024, 1024), (1024, 1024, 300)), bounds),
    "Fourier insertion": lambda _: insertion_section((160, 320), (1_000, 10_000, 100_000), 64),
    "Motion correction": lambda _: motion_section(),
    "Alignment": lambda _: align_section(),
    "CTF of series": lambda _: ctf_section(),
    "A whole reconstruction": lambda _: whole_section(SERIES),
    "RELION's tomograms": lambda _: relion_section(
        SERIES, Size(41, (4096, 4096), (4096, 4096, 1200))
    ),
    "Averages of particles": lambda _: particles_section(),
    "Memory": lambda _: memory_section(SERIES, [100, 300, 600]),
    "The law": lambda _: law_section(LAW),
}
QUICK: dict[str, Callable[[Bounds], str]] = SECTIONS | {
    "Kernels": lambda bounds: kernel_section(Size(41, (256, 256), (256, 256, 128)), bounds),
    "Fourier insertion": lambda _: insertion_section((160,), (1_000, 3_000), 64),
    "Motion correction": lambda _: motion_section(Scene(size=512, pixel_size=3.0)),
    "Alignment": lambda _: align_section((200, 400), 400),
    "CTF of series": lambda _: ctf_section(1024),
    "A whole reconstruction": lambda _: whole_section(Size(21, (256, 240), (240, 256, 100))),
    "RELION's tomograms": lambda _: relion_section(
        Size(21, (256, 240), (240, 256, 100)), Size(21, (512, 512), (512, 512, 160))
    ),
    "Averages of particles": lambda _: particles_section(30, 11, 64),
    "Memory": lambda _: memory_section(Size(21, (256, 240), (240, 256, 100)), [100, 200]),
    "The law": lambda _: law_section(LAW[:2]),
}

HEAD = """# Performance

Made by `make bench` on {day}: {machine}.

CPU seconds are user + system of all threads, best of three; the ratios of one run are what can be
trusted, single figures change with the machine and with what else runs on it. Start-up, that is
imports and the loading of cached kernels, is stated apart and left out elsewhere.
"""


def bounds_section(bounds: Bounds) -> str:
    """What one core can do."""
    rows = [
        ["clock", f"{bounds.clock / 1e9:.2f} GHz"],
        ["float32 FMA", f"{bounds.fma / 1e9:.1f} G/s"],
        ["float32 loads from L1, aligned", f"{bounds.aligned_loads / 1e9:.1f} G/s"],
        ["float32 loads from L1, unaligned", f"{bounds.unaligned_loads / 1e9:.1f} G/s"],
        ["bound: two unaligned loads an update", f"{bounds.updates / 1e9:.1f} G updates/s"],
    ]
    return table(["one core", ""], rows)


def with_section(page: str, title: str, text: str) -> str:
    """The page with one section new; one that isn't there yet comes before the next in order."""
    made = f"## {title}\n\n{text}\n\n"
    parts = [f"## {part}" for part in page.split("\n## ")[1:]]
    head = page.split("\n## ")[0]
    kept = {part.splitlines()[0].removeprefix("## "): part.rstrip() + "\n" for part in parts}
    kept[title] = made.rstrip() + "\n"
    return "\n".join([head.rstrip() + "\n", *(kept[name] for name in SECTIONS if name in kept)])


def main() -> None:
    """Run the sections in their order, printing each as it is done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", nargs="?", choices=SECTIONS)
    parser.add_argument("--quick", action="store_true", help="small sizes, printed only")
    asked = parser.parse_args()
    quick = asked.quick
    if asked.section:
        text = (QUICK if quick else SECTIONS)[asked.section](measure_bounds())
        print(text)
        if not quick:
            PAGE.write_text(with_section(PAGE.read_text(), asked.section, text))
        return
    page = [HEAD.format(day=date.today().isoformat(), machine=machine_line())]  # noqa: DTZ011
    print(page[0])
    bounds = measure_bounds()
    for title, section in (QUICK if quick else SECTIONS).items():
        page.append(f"## {title}\n\n{section(bounds)}\n")
        print(page[-1], flush=True)
    if not quick:
        PAGE.write_text("\n".join(page))


if __name__ == "__main__":
    main()
