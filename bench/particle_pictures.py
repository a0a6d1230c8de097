"""Makes docs/images/average.png and ribosomes.png: maps beside other programs', and their FSC.

python bench/particle_pictures.py FOLDER      the folder of the reference data (see CONTRIBUTING.md)
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

sys.path.insert(0, str(Path(__file__).parents[1]))  # maps are those of the tests

from tests.average.relion_particles import PIXEL, run, tilted
from tests.average.test_relion_oracle import truth_of
from tests.series import volume_of
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import divided, summed
from vitreous.cli.main import main as vitreous
from vitreous.kernels.fsc import ShellCorrelation, fourier_shell_correlation
from vitreous.report.fsc import fsc_plot
from vitreous.report.plot_pictures import plot_picture

Volume = NDArray[np.float32]

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, LINE, GREYS = 760, 22, 64


def slices(volume: Volume) -> NDArray[np.float32]:
    """The three central slices of a cube side by side, in standard deviations."""
    middle = len(volume) // 2
    row = np.hstack([volume[middle], volume[:, middle], volume[:, :, middle]])
    return np.asarray((row - volume.mean()) / volume.std(), np.float32)


def page(maps: dict[str, Volume], plot: Image.Image) -> Image.Image:
    """A row of slices for each map, and the curves beneath."""
    rows = []
    font = ImageFont.load_default(14)
    for name, volume in maps.items():
        grey = (np.clip((slices(volume) + 2) / 8, 0, 1) * 255).astype(np.uint8)
        height = WIDTH // 3
        picture = Image.fromarray(grey).resize((WIDTH, height), Image.Resampling.BICUBIC)
        strip = Image.new("L", (WIDTH, height + LINE), 255)
        ImageDraw.Draw(strip).text((4, 3), name, 0, font)
        strip.paste(picture, (0, LINE))
        rows.append(strip)
    below = plot.convert("RGB").resize((WIDTH, round(plot.height * WIDTH / plot.width)))
    whole = Image.new("RGB", (WIDTH, sum(r.height for r in rows) + below.height), (255,) * 3)
    top = 0
    for row in (*rows, below):
        whole.paste(row, (0, top))
        top += row.height
    return whole.quantize(GREYS)


def specimen(folder: Path) -> Image.Image:
    """Our map of the oracle's made-up specimen, RELION's and the truth."""
    oracle = folder / "oracles" / "R2_relion_particle"
    ours = {}
    for kernel in ("gather", "spread"):
        settings = AverageSettings(box=36, taper=10, kernel=kernel)
        ours[kernel] = divided(summed(tilted(oracle), settings).both, settings, PIXEL).volume
    theirs, truth = run(oracle, "base/merged"), truth_of(oracle)
    axis = np.arange(36) - 18
    radius = np.sqrt(sum(np.meshgrid(axis**2, axis**2, axis**2)))
    mask = 0.5 - 0.5 * np.cos(np.pi * np.clip((16 - radius) / 4, 0, 1))

    def curve(volume: Volume) -> ShellCorrelation:
        return fourier_shell_correlation(volume, truth, PIXEL, mask=mask)

    curves = [
        ("RELION", curve(theirs)),
        ("vitreous average", curve(ours["gather"])),
        ("--kernel spread", curve(ours["spread"])),
    ]
    plot = plot_picture(fsc_plot(curves, "FSC with the truth"), WIDTH)
    return page({"vitreous average": ours["gather"], "RELION": theirs, "truth": truth}, plot)


def ribosomes(folder: Path) -> Image.Image:
    """Forty ribosomes by `vitreous average`, mirrored, and the map of the full data set."""
    data = folder / "data" / "ribosome70s_particles"
    files = next(data.glob("*_optimisation_set.star"))
    with tempfile.TemporaryDirectory() as output:
        line = ["average", str(files), "--images", "stacks", "--output", output]
        if vitreous(line):
            sys.exit(1)
        ours = volume_of(Path(output) / "merged.mrc")[0]
    ours = ours[(32 - np.arange(32)) % 32]
    full = volume_of(next(data.glob("*.mrc")))[0]
    axis = np.arange(32) - 16
    ball = sum(np.meshgrid(axis**2, axis**2, axis**2)) < 13**2
    curve = fourier_shell_correlation(ours, full, 12.0, mask=ball)
    plot = plot_picture(fsc_plot([("", curve)], "FSC with the map of the full set"), WIDTH)
    ours, full = smoothed(ours), smoothed(full)
    return page({"40 particles, to 36 A": ours, "the full data set, to 36 A": full}, plot)


def smoothed(volume: Volume) -> Volume:
    """What forty particles can show: frequencies to a third of 1/12 A, with a soft end."""
    steps = np.fft.fftfreq(len(volume))
    radius = np.sqrt(sum(np.meshgrid(steps**2, steps**2, steps**2)))
    kept = np.clip((1 / 3 + 0.04 - radius) / 0.08, 0, 1)
    return np.asarray(np.fft.ifftn(np.fft.fftn(volume) * kept).real, np.float32)


def main(folder: Path) -> None:
    """Write both pictures."""
    specimen(folder).save(IMAGES / "average.png", optimize=True)
    ribosomes(folder).save(IMAGES / "ribosomes.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
