"""RELION's tomograms by its own command lines: CPU seconds and memory, file to file."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
from kernels import Size
from measure import cheapest, table, verdict
from whole import AXIS_DEGREES, VITREOUS

from vitreous.formats.star import Table, write_star

PIXEL_SIZE = 10.0
MB = 1e6


@dataclass(frozen=True, slots=True)
class Case:
    """Options, and what eight times RELION's own case takes: CPU s and MB, measured there."""

    name: str
    options: tuple[str, ...]
    due_seconds: float
    due_bytes: float
    theirs: str


CASES = (
    Case("`--no_weight`", ("--no_weight",), 6, 1.9e9, "231 s, 3850 MB"),
    Case("`--pre_weight`", ("--pre_weight",), 20, 2.9e9, "209 s, 3860 MB"),
    Case("full weighting, RELION's formula", (), 20, 2.9e9, "262 s, 5960 MB"),
    Case("`--ctf`, the CTF inverted", ("--ctf",), 30, 3.1e9, "421 s, 6250 MB"),
)
BIN_8 = Case("bin 8, full weighting", ("--bin", "8"), 20, 2.9e9, "")


def write_set(folder: Path, size: Size, *, small: bool = False) -> Path:
    """A set of one tomogram TS_1, its images in one stack of int16 (small) or float32."""
    columns, rows = size.image
    rng = np.random.default_rng(3)
    dtype = np.int16 if small else np.float32
    noise = (rng.standard_normal((rows, columns), np.float32) * 100).astype(dtype)
    shape = size.tilts, rows, columns
    mode = 1 if small else 2
    with mrcfile.new_mmap(folder / "stack.mrcs", shape, mrc_mode=mode, overwrite=True) as stack:
        for index in range(size.tilts):
            stack.data[index] = np.roll(noise, 7 * index, 1)
        stack.voxel_size = PIXEL_SIZE
    tilts = np.linspace(-60, 60, size.tilts)
    numbers = {
        "rlnTomoNominalStageTiltAngle": tilts,
        "rlnMicrographPreExposure": 3.0 * np.arange(size.tilts),
        "rlnDefocusU": np.full(size.tilts, 32000.0),
        "rlnDefocusV": np.full(size.tilts, 31000.0),
        "rlnDefocusAngle": np.full(size.tilts, 35.0),
        "rlnTomoXTilt": np.zeros(size.tilts),
        "rlnTomoYTilt": tilts,
        "rlnTomoZRot": np.full(size.tilts, AXIS_DEGREES),
        "rlnTomoXShiftAngst": np.zeros(size.tilts),
        "rlnTomoYShiftAngst": np.zeros(size.tilts),
    }
    names = [f"{index + 1}@stack.mrcs" for index in range(size.tilts)]
    of_tilts = {"rlnMicrographName": names}
    of_tilts |= {label: [f"{value:.6f}" for value in column] for label, column in numbers.items()}
    write_star(folder / "TS_1.star", [Table("TS_1", of_tilts)])
    row = {
        "rlnTomoName": "TS_1",
        "rlnVoltage": "300.0",
        "rlnSphericalAberration": "2.7",
        "rlnAmplitudeContrast": "0.1",
        "rlnTomoHand": "-1.0",
        "rlnTomoTiltSeriesPixelSize": f"{PIXEL_SIZE}",
        "rlnTomoTiltSeriesStarFile": "TS_1.star",
    }
    write_star(folder / "set.star", [Table("global", {k: [v] for k, v in row.items()})])
    return folder / "set.star"


def command(series: Path, size: Size, *options: str) -> list[str | Path]:
    """The face's command line for a set, one thread."""
    width, height, depth = map(str, size.volume)
    return [
        *(VITREOUS, "relion", "tomo_reconstruct_tomogram", "--relion-version", "5"),
        *("--t", series, "--tn", "TS_1", "--o", f"{series.parent}/out/"),
        *("--w", width, "--h", height, "--d", depth, "--j", "1", *options),
    ]


def relion_section(size: Size, large: Size) -> str:
    """All ways of weighting on one series, and a large one binned by 8."""
    rows, verdicts = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = Size(5, (32, 32), (32, 32, 8))
        start = cheapest(command(write_set(folder, tiny), tiny, "--ctf")).cpu_seconds
        series = write_set(folder, size)
        rows += [
            measured(case, command(series, size, *case.options), start, verdicts) for case in CASES
        ]
        series = write_set(folder, large, small=True)
        rows.append(measured(BIN_8, command(series, large, *BIN_8.options), start, verdicts))
    what = (
        f"`vitreous relion tomo_reconstruct_tomogram --relion-version 5`, {size}, and for bin 8 "
        f"{large} of int16; axis at {AXIS_DEGREES} degrees, one thread. Start-up "
        f"({start:.2f} CPU s, of a series of 32 x 32 px) is taken off. RELION: "
        "eight times what its own program took for 41 x 480 x 464 -> 480 x 464 x 150."
    )
    heads = ["", "CPU s", "due", "peak, MB", "due", "RELION"]
    return "\n".join([what, "", table(heads, rows), "", *verdicts])


def measured(case: Case, words: list[str | Path], start: float, verdicts: list[str]) -> list[str]:
    """A row of the table; what is due goes to the verdicts."""
    cost = cheapest(words)
    seconds = cost.cpu_seconds - start
    holds = seconds <= case.due_seconds and cost.peak_bytes <= case.due_bytes
    verdicts.append(verdict(f"{case.name}: within its bounds", holds))
    return [
        case.name,
        f"{seconds:.1f}",
        f"{case.due_seconds:g}",
        f"{cost.peak_bytes / MB:.0f}",
        f"{case.due_bytes / MB:.0f}",
        case.theirs,
    ]


if __name__ == "__main__":
    sys.stdout.write(
        relion_section(
            Size(41, (928, 960), (960, 928, 300)), Size(41, (4096, 4096), (4096, 4096, 1200))
        )
    )
