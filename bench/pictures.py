"""Makes docs/images from the real series, by `vitreous run`: aligned by it, or as others did.

python bench/pictures.py FOLDER      the folder of EMPIAR-10499, TS_00254 (see docs/real-series.md)
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

from vitreous.cli.main import main as vitreous
from vitreous.formats.mrc import read_volume
from vitreous.report.slices import write_slices

IMAGES = Path(__file__).parents[1] / "docs" / "images"
STACK = "TS_00254_10A_int8.mrc"
ANGLES = "imod/TS_00254.tlt"
PICTURES = {
    "ts_00254_found.png": None,
    "ts_00254_imod.png": "imod/TS_00254.xf",
    "ts_00254_warp_refined.png": "warp_refined/00254.xml",
    "ts_00254.png": "beads_fit/TS_00254.xf",
}
OPTIONS = ["--thickness", "260nm", "--fake-sirt-iterations", "12"]
THROUGH_GOLD = (-193, 34, 0)  # px from the middle: planes that cut gold of both layers
COLUMNS, GREYS = 920, 32  # what keeps a picture of noise below 400 kB


def make(folder: Path, alignment: str | None, project: Path) -> Image.Image:
    """The slices of one tomogram; without an alignment it is found from the images."""
    words = ["run", str(folder / STACK), "--project", str(project), *OPTIONS]
    if alignment is None:
        words += ["--angles", str(folder / ANGLES), "--tilt-axis", "-4.3"]
    else:
        words += ["--alignment", str(folder / alignment)]
    if vitreous(words):
        sys.exit(1)
    volume = read_volume(next(project.glob("*/reconstruct/*.mrc")))
    x, y, z = (n // 2 + off for n, off in zip(volume.grid.size, THROUGH_GOLD, strict=True))
    page = project / "page.png"
    write_slices(volume.data, page, volume.voxel_size, (x, y, z))
    with Image.open(page) as picture:
        size = COLUMNS, round(COLUMNS * picture.height / picture.width)
        return picture.resize(size, Image.Resampling.LANCZOS).quantize(GREYS)


def main(folder: Path) -> None:
    """Write a picture for each alignment; the best one is the README's."""
    IMAGES.mkdir(exist_ok=True)
    for name, alignment in PICTURES.items():
        with tempfile.TemporaryDirectory() as project:
            picture = make(folder, alignment, Path(project))
        picture.save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
