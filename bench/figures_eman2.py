"""EMAN2's e2make3dpar and its processors, beside EMAN2's own results."""

import contextlib
import io
import json
import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
from figures import Figure, Section, within

from tests.average.eman2_runs import unpacked
from tests.average.test_processors import worst_differences
from tests.conftest import SHARED
from tests.faces.test_eman2_oracle import (
    E1,
    LEAST,
    NOT_REPRODUCED,
    OUR_KERNEL,
    correlation,
    kind_of_run,
    runs,
    smoothed,
)
from vitreous.cli.main import main
from vitreous.formats.eman_hdf import read_hdf_volume

LEAST_SMOOTHED, MOST_SCALE = 0.9999, 0.01


@cache
def compared(kind: str) -> list[tuple[float, float, float]]:
    """(correlation, correlation after a low-pass, scale) of every run of a kind."""
    scales = json.loads((SHARED / E1 / "volume_scales.json").read_text())
    left_out = NOT_REPRODUCED | OUR_KERNEL
    chosen = {
        name: words
        for name, words in runs(SHARED / E1 / "README.md").items()
        if name not in left_out and kind_of_run(words) == kind
    }
    found = []
    with tempfile.TemporaryDirectory() as folder, np.load(SHARED / E1 / "volumes.npz") as stored:
        inputs, output = unpacked(SHARED, Path(folder)), Path(folder) / "out.hdf"
        for name, words in chosen.items():
            with contextlib.chdir(inputs), contextlib.redirect_stdout(io.StringIO()):
                main(["eman2", "e2make3dpar", *words, "--output", str(output)])
            ours, theirs = read_hdf_volume(output)[0], stored[name] * scales[name]
            after = correlation(smoothed(ours), smoothed(theirs))
            scale = float((ours * theirs).sum() / (theirs**2).sum())
            found.append((correlation(ours, theirs), after, scale))
    return found


def agreement(kind: str) -> Figure:
    """The worst run of a kind."""
    plain, after, scale = (np.array(column) for column in zip(*compared(kind), strict=True))
    apart = float(np.abs(scale - 1).max())
    cells = [str(len(plain)), f"{plain.min():.6f}", f"{LEAST[kind]:g}", f"{after.min():.6f}",
             f"{100 * apart:.2g} %"]  # fmt: skip
    due_after = LEAST_SMOOTHED if kind.startswith("gauss_var") else LEAST[kind]
    holds = plain.min() >= LEAST[kind] and after.min() >= due_after and apart <= MOST_SCALE
    return Figure(cells, bool(holds))


MAKE3D = Section(
    key="eman2",
    title="EMAN2's e2make3dpar",
    text="The command lines of EMAN2's own runs on the same projections, the worst of each kind: "
    "correlation with EMAN2's map, what is due, the correlation after a Gaussian low-pass at two "
    "thirds of Nyquist, and how far the grey scales differ. EMAN2's default mode gives full "
    "weight to what float32 all but loses, so that its own maps depend on the compiler.",
    columns=["runs", "correlation", "due", "after low-pass", "scale"],
    rows={kind: partial(agreement, kind) for kind in LEAST},
    held_by="tests/faces/test_eman2_oracle.py",
)


def processors() -> Figure:
    """All results of EMAN2's processors that ours are held to."""
    worst = worst_differences(SHARED)
    return within(max(worst.values()), 1.0, f" of what is due ({len(worst)} results)")


PROCESSORS = Section(
    key="processors",
    title="EMAN2's processors",
    text="The largest difference over the largest value, in units of what is due: 1e-4, for fits "
    "of a plane 2e-4.",
    columns=["worst", "due"],
    rows={"images and volumes": processors},
    held_by="tests/average/test_processors.py",
)
