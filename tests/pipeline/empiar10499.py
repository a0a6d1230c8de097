"""EMPIAR-10499, series TS_00254, by `vitreous run`: sharpness of slices, and where its gold lies.

Sharpness as the README of the data has it: views of mean 0 and SD 1, a ramp cut at 0.35/px with a
fall-off of 0.05, xy slices, Gaussians of 2 less 8 px, margins of 100 px left out. It leaves open
which slices ("slices of 4 px"), which grey scale and which interpolation. Here: every slice (the
largest SD of every fourth one varies by 3 % with the first), sums over the tilts of a ramp in
cycles/px, and `--window linear`. These were chosen after looking at what comes near to its figures;
the order of the alignments doesn't depend on them.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import fft, ndimage, stats

from vitreous.cli.main import main
from vitreous.formats.mrc import MrcWriter, open_stack, read_volume
from vitreous.kernels import fourier
from vitreous.records.volume import Volume
from vitreous.simulate.scores import dark_centre

STACK = "TS_00254_10A_int8.mrc"
PIXEL_SIZE = 10.0
OPTIONS = ["--thickness", "290", "--radial-cutoff", "0.35", "--radial-falloff", "0.05"]
OPTIONS += ["--window", "linear", "--combine", "imod", "--mode", "float16"]
MARGIN = 100
GOLD_RADIUS, GOLD_BLUR = 6.0, 2.5  # px; the blur takes the noise from so dark a spot


@dataclass(frozen=True)
class Case:
    """An alignment of the series and where it puts the gold.

    z: 1 where the bead file counts z as this tomogram does, -1 where it counts the other way.
    offset (x, y) px: Warp's images have their centre at n / 2; the bead file counts from
    (n - 1) / 2, as IMOD does.
    """

    alignment: str
    beads: str
    z: int
    offset: tuple[float, float] = (0.0, 0.0)


CASES = {
    "imod": Case("imod/TS_00254.xf", "beads_3d.tsv", -1),
    "warp_refined": Case("warp_refined/00254.xml", "beads_3d.tsv", 1, (-0.5, -0.5)),
    "beads_fit": Case("beads_fit/TS_00254.xf", "beads_fit/beads_3d.tsv", -1),
}


@dataclass(frozen=True)
class Measured:
    """max_sd, kurtosis: the largest of all slices; beads (n, 3) px: found less expected."""

    max_sd: float
    kurtosis: float
    beads: np.ndarray

    @property
    def distances(self):
        """(n,) px."""
        return np.linalg.norm(self.beads, axis=1)


def normalised_stack(folder: Path, output: Path) -> Path:
    """The series with views of mean 0 and standard deviation 1."""
    with open_stack(folder / STACK) as stack:
        views = np.array([stack.read(view) for view in range(stack.shape[0])], np.float32)
    views -= views.mean((1, 2), keepdims=True)
    views /= views.std((1, 2), keepdims=True)
    with MrcWriter(output, views.shape, PIXEL_SIZE, is_stack=True) as writer:
        writer.write((0, 0, 0), views)
    return output


def measure(folder: Path, name: str, stack: Path, project: Path) -> Measured:
    """Run `vitreous run` on the normalised stack and look at its tomogram."""
    case = CASES[name]
    words = ["run", str(stack), "--project", str(project)]
    assert main([*words, "--alignment", str(folder / case.alignment), *OPTIONS]) == 0
    path = next(project.glob("*/reconstruct/*.mrc"))
    volume = read_volume(path)
    path.unlink()  # a quarter of a gigabyte
    with open_stack(folder / STACK) as raw:
        sections, rows, columns = raw.shape
    # IMOD's scale is the mean of the tilts, and its ramp counts the padded line's frequencies
    per_cycle = sections / fourier.frame_for((rows, columns)).padded[1]
    max_sd, kurtosis = sharpness(volume.data)
    return Measured(max_sd * per_cycle, kurtosis, bead_distances(volume, folder, case))


def sharpness(volume) -> tuple[float, float]:
    """(largest standard deviation, largest kurtosis) of the band-passed slices."""
    rows, columns = volume.shape[1:]
    squared = np.fft.fftfreq(rows)[:, None] ** 2 + np.fft.rfftfreq(columns) ** 2
    narrow, wide = (np.exp(-2 * np.pi**2 * sigma**2 * squared) for sigma in (2, 8))
    band = (narrow - wide).astype(np.float32)
    deviations, kurtoses = [], []
    for plane in volume:
        passed = fft.irfft2(fft.rfft2(plane.astype(np.float32)) * band, (rows, columns))
        inner = passed[MARGIN:-MARGIN, MARGIN:-MARGIN]
        deviations.append(inner.std())
        kurtoses.append(stats.kurtosis(inner, axis=None))
    return float(max(deviations)), float(max(kurtoses))


def expected_beads(folder: Path, case: Case, volume: Volume):
    """(n, 3) voxels (x, y, z) where the gold should be."""
    listed = np.loadtxt(folder / case.beads, skiprows=1, usecols=(1, 2, 3))
    listed = listed * [1, 1, case.z] + np.array([*case.offset, 0])
    return volume.grid.indices(listed * PIXEL_SIZE)


def bead_distances(volume: Volume, folder: Path, case: Case):
    """(n, 3) voxels: centres of the dark spots less where they should be."""
    expected = expected_beads(folder, case, volume)
    found = []
    for bead in expected:
        start = np.maximum(np.round(bead).astype(int) - 24, 0)
        x, y, z = (slice(first, first + 49) for first in start)
        box = ndimage.gaussian_filter(volume.data[z, y, x].astype(np.float32), GOLD_BLUR)
        found.append(dark_centre(box, bead - start, GOLD_RADIUS) + start)
    return np.array(found) - expected
