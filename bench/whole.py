"""Whole reconstructions: CPU seconds beside the kernel's, memory, and the law of their cost."""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mrcfile
import numpy as np
from kernels import Case, Size, reconstruct
from measure import cheapest, cost_of, cpu_seconds, table, verdict

from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import SLAB_BYTES, Reconstruction
from vitreous.records.images import ArrayStack

AXIS_DEGREES = 85.3
MOST_TIMES_KERNEL, PLUS_SECONDS = 3, 2.0
SIRT_ITERATIONS, MOST_BACKPROJECTIONS = 10, 30
PLUS_BYTES = 400 << 20
VITREOUS = Path(sys.executable).with_name("vitreous")


@dataclass(frozen=True, slots=True)
class Series:
    """A stack with its alignment on disk."""

    folder: Path
    size: Size

    @classmethod
    def written(cls, folder: Path, size: Size) -> "Series":
        """Noise, as float32; the axis near 90 degrees swaps width and height."""
        x, y = size.image
        noise = np.random.default_rng(3).standard_normal((size.tilts, y, x), np.float32)
        with mrcfile.new(folder / "series.mrc", noise, overwrite=True) as stack:
            stack.voxel_size = 10.0
        angles = np.linspace(-60, 60, size.tilts)
        (folder / "series.tlt").write_text("".join(f"{angle:.2f}\n" for angle in angles))
        c, s = np.cos(np.deg2rad(AXIS_DEGREES)), np.sin(np.deg2rad(AXIS_DEGREES))
        (folder / "series.xf").write_text(f"{c:.7f} {s:.7f} {-s:.7f} {c:.7f} 0 0\n" * size.tilts)
        return cls(folder, size)

    def command(self, *options: str, thickness: int | None = None) -> list[str | Path]:
        """`vitreous reconstruct` of this series on one thread."""
        series, output = self.folder / "series.mrc", self.folder / "volume.mrc"
        return [
            *(VITREOUS, "reconstruct", series, "--alignment", series.with_suffix(".xf")),
            *("--thickness", str(thickness or self.size.volume[2]), "--output", output),
            *("--device", "cpu", "--cpus", "1", *options),
        ]


def whole_section(size: Size) -> str:
    """The command on a whole series, weighted back-projection and SIRT, without its start-up."""
    kernel = reconstruct(Case("", AXIS_DEGREES), size).backproject
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tiny = Series.written(folder, Size(5, (32, 32), (32, 32, 8)))
        sirt = "--method", "sirt", "--iterations", str(SIRT_ITERATIONS)
        start = cheapest(tiny.command()).cpu_seconds
        start_sirt = cheapest(tiny.command(*sirt)).cpu_seconds
        series = Series.written(folder, size)
        weighted = cheapest(series.command()).cpu_seconds - start
        iterated = cost_of(series.command(*sirt)).cpu_seconds - start_sirt
    rows = [
        ["back-projection kernel alone", f"{kernel:.2f}", "1.0"],
        ["weighted back-projection, file to file", f"{weighted:.2f}", f"{weighted / kernel:.1f}"],
        [f"SIRT, {SIRT_ITERATIONS} iterations", f"{iterated:.2f}", f"{iterated / kernel:.1f}"],
    ]
    due = MOST_TIMES_KERNEL * kernel + PLUS_SECONDS
    what = (
        f"`vitreous reconstruct`, {size}, axis at {AXIS_DEGREES} degrees, one thread. Start-up "
        f"({start:.2f} CPU s, SIRT {start_sirt:.2f}, of a series of 32 x 32 px) is taken off."
    )
    return "\n".join(
        [
            what,
            "",
            table(["", "CPU s", "back-projections"], rows),
            "",
            verdict(
                f"File to file: {weighted:.2f} CPU s; at most {MOST_TIMES_KERNEL} kernels + "
                f"{PLUS_SECONDS:g} s = {due:.2f} are due",
                weighted <= due,
            ),
            verdict(
                f"SIRT: {iterated / kernel:.1f} back-projections; at most {MOST_BACKPROJECTIONS} "
                "are due",
                iterated <= MOST_BACKPROJECTIONS * kernel,
            ),
        ]
    )


def memory_section(size: Size, thicknesses: list[int]) -> str:
    """Peak resident memory of the command against the volume's size."""
    rows, peaks = [], []
    x, y = size.image
    stack = 4 * size.tilts * x * y
    with tempfile.TemporaryDirectory() as name:
        series = Series.written(Path(name), size)
        for thickness in thicknesses:
            volume = 4 * x * y * thickness
            peaks.append(cost_of(series.command(thickness=thickness)).peak_bytes)
            rows.append([f"{y} x {x} x {thickness}", _megabytes(volume), _megabytes(peaks[-1])])
    allowed = stack + 2 * SLAB_BYTES + PLUS_BYTES
    what = (
        f"Peak resident memory of `vitreous reconstruct`, {size.tilts} images of {x} x {y} px "
        f"({_megabytes(stack)} MB as float32), one thread."
    )
    return "\n".join(
        [
            what,
            "",
            table(["volume", "its size, MB", "peak, MB"], rows),
            "",
            verdict(
                f"Peak: {_megabytes(max(peaks))} MB; the stack, two slabs and 400 MB = "
                f"{_megabytes(allowed)} MB are allowed",
                max(peaks) <= allowed,
            ),
        ]
    )


def law_section(sizes: list[Size]) -> str:
    """CPU seconds = a + b updates: a fit over sizes, from images in memory to slabs in memory."""
    rows, counts, seconds = [], [], []
    for size in sizes:
        counts.append(size.tilts * float(np.prod(size.volume)))
        seconds.append(_seconds_in_memory(size))
        rows.append([str(size), f"{counts[-1] / 1e9:.2f}", f"{seconds[-1]:.2f}"])
    per_update, constant = np.polyfit(counts, seconds, 1, w=1 / np.array(seconds))
    for row, count in zip(rows, counts, strict=True):
        row.append(f"{constant + per_update * count:.2f}")
    return "\n".join(
        [
            "Weighted back-projection from images in memory to slabs in memory, one thread:",
            f"CPU s = {constant:.2f} + {per_update * 1e9:.3f} x updates / 1e9.",
            "",
            table(["", "updates / 1e9", "CPU s", "law"], rows),
        ]
    )


def _seconds_in_memory(size: Size) -> float:
    """CPU seconds of filter, resampling and back-projection of all slabs."""
    x, y = size.image
    noise = np.random.default_rng(3).standard_normal((size.tilts, y, x), np.float32)
    width, height, thickness = map(str, size.volume)
    settings = ReconstructSettings(width=width, height=height, thickness=thickness)
    alignment = Case("", AXIS_DEGREES).alignment(size)

    def all_slabs() -> None:
        with Reconstruction(ArrayStack(noise, 1.0), alignment, settings) as tomogram:
            for _ in tomogram.slabs():
                pass

    return cpu_seconds(all_slabs)


def _megabytes(count: float) -> str:
    return f"{count / 1e6:.0f}"
