"""Geometry of the families, against vectors, against Warp, and against itself."""

import json
import tempfile
from functools import partial
from pathlib import Path

import numpy as np
from figures import Figure, Section, within

from tests.conftest import SHARED
from tests.formats.test_alignments import simple, written_and_read
from tests.formats.test_geometry_vectors import READERS, RECORDS
from tests.formats.test_warp import movement_distances
from vitreous.formats.alignments import FAMILIES, Family, same_frame_distances

MOST_PX, MOST_ANGSTROM = 1e-3, 1e-3


def vectors(family: Family) -> Figure:
    """Worst of the projected points of a family's records, px, and of its matrices' elements."""
    path = SHARED / "reference" / "geometry_vectors.json"
    records = json.loads(path.read_text())["families"]["eman2" if family == "eman" else family]
    worst = worst_element = 0.0
    with tempfile.TemporaryDirectory() as folder:
        for record in records[:RECORDS]:
            more = (Path(folder),) if family == "warp" else ()
            alignment, centre, points, pixels = READERS[family](record, *more)
            specimen = (np.array(points) - np.array(centre)) * alignment.pixel_size
            seen = alignment.pixels(specimen)[0]
            worst = max(worst, float(np.linalg.norm(seen - pixels, axis=1).max()))
            apart = alignment.projections[0] - np.array(record["matrix_index"])[:, :3]
            worst_element = max(worst_element, float(np.abs(apart).max()))
    return Figure([f"{worst:.1e} px", f"{worst_element:.1e}", f"{MOST_PX:g} px"], worst <= MOST_PX)


def warp_grids() -> Figure:
    """Positions that Warp itself computed."""
    apart = movement_distances(SHARED / "data" / "warp_geometry_refs")
    return within(float(np.abs(apart).max()), MOST_ANGSTROM, " Å")


def round_trip(family: Family) -> Figure:
    """An alignment of rotations, angles and shifts, written and read."""
    alignment = simple(np.linspace(-60, 60, 41))
    with tempfile.TemporaryDirectory() as folder:
        again = written_and_read(Path(folder), alignment, family)
    return within(float(same_frame_distances(alignment, again).max()), MOST_PX, " px")


GEOMETRY = Section(
    key="geometry",
    title="Geometry of the families",
    text="Projected points of the shared test vectors, five records a family: the worst distance, "
    "and the worst element of a projection matrix.",
    columns=["points", "matrix", "due"],
    rows={family: partial(vectors, family) for family in FAMILIES},
    held_by="tests/formats/test_geometry_vectors.py",
)

WARP_GRIDS = Section(
    key="warp-grids",
    title="Warp's movement grids",
    text="27 points in 41 views, against the positions that Warp computed.",
    columns=["worst", "due"],
    rows={"TS_1": warp_grids},
    held_by="tests/formats/test_warp.py",
)

ROUND_TRIPS = Section(
    key="round-trips",
    title="Written and read again",
    text="41 views of 4092 x 5760 px with rotations, angles and shifts of their own; the worst "
    "distance over the field and a thickness of 200 nm.",
    columns=["worst", "due"],
    rows={family: partial(round_trip, family) for family in FAMILIES},
    held_by="tests/formats/test_alignments.py",
    needs_shared=False,
)
