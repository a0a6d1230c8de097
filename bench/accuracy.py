"""Measure accuracy and write docs/accuracy.md: python bench/accuracy.py [SECTION [ROW]]

With a section, or a row of it, the figures are measured afresh and printed only. Without, what is
in .accuracy/ for the code as it stands is not measured again.
"""

import argparse
import hashlib
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before numba starts its threads

sys.path.insert(0, str(Path(__file__).parents[1]))  # the figures are those of the tests

from accuracy_align import ALIGNMENT
from figures import Figure, Section
from figures_ctf import CTF
from figures_ctf_volume import CTF_STRIPS, CTF_VOLUME
from figures_eman2 import MAKE3D, PROCESSORS
from figures_formats import GEOMETRY, ROUND_TRIPS, WARP_GRIDS
from figures_fsc import FSC
from figures_kernels import KERNELS
from figures_motion import MOTION, MOTION_RELION
from figures_particles import PARTICLES, PARTICLES_TRUTH, RIBOSOME
from figures_reconstruct import DENSITIES, IMOD, PHANTOM, REAL_SERIES, RELION
from figures_session import SESSION, SESSION_WIDE
from figures_simulate import SIMULATED
from measure import table

from tests.conftest import SHARED

SECTIONS = (
    KERNELS,
    GEOMETRY,
    WARP_GRIDS,
    ROUND_TRIPS,
    PHANTOM,
    DENSITIES,
    IMOD,
    RELION,
    REAL_SERIES,
    SIMULATED,
    MOTION,
    MOTION_RELION,
    CTF,
    CTF_VOLUME,
    CTF_STRIPS,
    SESSION,
    SESSION_WIDE,
    FSC,
    MAKE3D,
    PROCESSORS,
    PARTICLES,
    PARTICLES_TRUTH,
    RIBOSOME,
    *ALIGNMENT,
)
ROOT = Path(__file__).parents[1]
KEPT, PAGE = ROOT / ".accuracy", ROOT / "docs" / "accuracy.md"
COMMAND = "python bench/accuracy.py"

HEAD = f"""# Accuracy

Made by `make accuracy`. Each section names the command that measures its figures again;
`{COMMAND} SECTION 'ROW'` does so for one row. What measures is shared with the tests, which hold
the same figures.
"""


def code_version(section: Section) -> str:
    """Digest of the sources that its figures are made from."""
    digest = hashlib.sha256()
    for path in sorted({path for pattern in section.made_from for path in ROOT.glob(pattern)}):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def kept_or_measured(section: Section, row: str, version: str) -> Figure:
    """A row's figure: what was kept for this version of the code, or measured and kept."""
    path = KEPT / section.key / f"{row.replace('/', '-')}.json"
    if path.exists() and (kept := json.loads(path.read_text()))["version"] == version:
        return Figure(kept["cells"], kept["holds"])
    figure = section.rows[row]()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(
        json.dumps({"version": version, "cells": figure.cells, "holds": bool(figure.holds)})
    )
    part.replace(path)
    return figure


def summed_up(section: Section, figures: dict[str, Figure]) -> dict[str, Figure]:
    """With the row that follows from the others."""
    if section.summary is None:
        return figures
    name, over_all = section.summary
    return figures | {name: over_all(list(figures.values()))}


def text_of(section: Section, figures: dict[str, Figure]) -> str:
    """The section of the page."""
    rows = [
        [name, *figure.cells, "yes" if figure.holds else "**no**"]
        for name, figure in figures.items()
    ]
    lines = [
        f"## {section.title}",
        f"{section.text} Measured by `{COMMAND} {section.key}`, held by `{section.held_by}`.",
        table(["", *section.columns, "holds"], rows),
    ]
    return "\n\n".join(lines) + "\n"


def only(section: Section, row: str | None) -> int:
    """Measure and print one section or one row of it."""
    names = [row] if row else list(section.rows)
    figures = {name: section.rows[name]() for name in names}
    if row is None:
        figures = summed_up(section, figures)
    print(text_of(section, figures))
    return 0 if all(figure.holds for figure in figures.values()) else 1


def whole() -> int:
    """Measure what is missing and write the page."""
    page, failed = [HEAD], 0
    for section in SECTIONS:
        if section.needs_shared and not SHARED.is_dir():
            sys.exit(f"{section.title}: the reference data (folder 'shared') is not here")
        figures, version = {}, code_version(section)
        for row in section.rows:
            figures[row] = kept_or_measured(section, row, version)
            print(section.key, row, *figures[row].cells, sep=" | ", flush=True)
        figures = summed_up(section, figures)
        failed += sum(not figure.holds for figure in figures.values())
        page.append(text_of(section, figures))
    PAGE.write_text("\n".join(page))
    print(f"wrote {PAGE}; {failed} figures don't hold")
    return 1 if failed else 0


def main() -> int:
    """The command line."""
    sections = {section.key: section for section in SECTIONS}
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("section", nargs="?", choices=sections)
    parser.add_argument("row", nargs="?")
    asked = parser.parse_args()
    if asked.section is None:
        return whole()
    section = sections[asked.section]
    if asked.row is not None and asked.row not in section.rows:
        parser.error(f"rows of {section.key} are: {', '.join(section.rows)}")
    return only(section, asked.row)


if __name__ == "__main__":
    sys.exit(main())
