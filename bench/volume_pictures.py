"""Makes docs/images of one real series by several ways of weighting, and its half sets' curve.

python bench/volume_pictures.py FOLDER      the folder of EMPIAR-10499, TS_00254

The defocus of each tilt is that of Warp's refinement, written as IMOD's .defocus.
"""

import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from pictures import GREYS, IMAGES, STACK, THROUGH_GOLD
from PIL import Image

from vitreous.cli.main import main as vitreous
from vitreous.formats.mrc import read_volume
from vitreous.report.slices import write_slices

COLUMNS = 700
CTF = ["--ctf-file", "TS_00254.defocus", "--amplitude-contrast", "0.1"]
WAYS = {
    "ts_00254_plain.png": ["--weighting", "none", "--combine", "mean"],
    "ts_00254_weighted.png": ["--weighting", "wiener", "--snr", "100", "--ctf", "multiply", *CTF],
    "ts_00254_deconvolved.png": ["--deconvolve", *CTF],
}


def write_defocus(folder: Path, output: Path) -> None:
    """Warp's defocus by tilt as IMOD's file, nanometres."""
    text = (folder / "warp_refined" / "00254.xml").read_text()
    grid = text[text.index("<GridCTF ") :].partition("</GridCTF>")[0]
    microns = np.array(re.findall(r'Value="([^"]+)"', grid), float)
    tilts = np.loadtxt(folder / "imod" / "TS_00254.tlt")
    lines = [
        f"{number} {number} {tilt:.2f} {tilt:.2f} {1000 * defocus:.1f}"
        for number, (tilt, defocus) in enumerate(zip(tilts, microns, strict=True), start=1)
    ]
    output.write_text("\n".join([f"{lines[0]} 2", *lines[1:]]) + "\n")


def reconstruct(folder: Path, output: Path, *options: str) -> None:
    """One `vitreous reconstruct` with the alignment that was fitted to gold."""
    words = ["-q", "reconstruct", str(folder / STACK), "--thickness", "260nm"]
    words += ["--alignment", str(folder / "beads_fit" / "TS_00254.xf"), "--output", str(output)]
    given = [str(output.parent / word) if word.endswith(".defocus") else word for word in options]
    if vitreous([*words, *given]):
        sys.exit(1)


def picture(volume_path: Path) -> Image.Image:
    """Slices through the gold of both layers."""
    volume = read_volume(volume_path)
    x, y, z = (n // 2 + off for n, off in zip(volume.grid.size, THROUGH_GOLD, strict=True))
    page = volume_path.with_suffix(".png")
    write_slices(volume.data, page, volume.voxel_size, (x, y, z))
    with Image.open(page) as seen:
        size = COLUMNS, round(COLUMNS * seen.height / seen.width)
        return seen.resize(size, Image.Resampling.LANCZOS).quantize(GREYS)


def main(folder: Path) -> None:
    """A picture for each way, and the curve of the half sets."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        write_defocus(folder, place / "TS_00254.defocus")
        for image, options in WAYS.items():
            reconstruct(folder, place / "volume.mrc", *options)
            picture(place / "volume.mrc").save(IMAGES / image, optimize=True)
        reconstruct(folder, place / "halves.mrc", "--weighting", "wiener", "--half-sets", "tilts")
        with Image.open(place / "halves_fsc.png") as curve:
            curve.convert("RGB").quantize(GREYS).save(IMAGES / "ts_00254_fsc.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
