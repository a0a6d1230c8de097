"""Makes docs/images/eman2.png: central slices of EMAN2's maps, ours and the truth, and their FSCs.

python bench/eman2_pictures.py      needs the reference data beside the checkout
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).parents[1]))  # the runs are those of the tests

from tests.average.eman2_runs import unpacked
from tests.conftest import SHARED
from tests.faces.test_eman2_oracle import E1, runs
from vitreous.cli.main import main as vitreous
from vitreous.formats.eman_hdf import read_hdf_volume
from vitreous.kernels.fsc import fourier_shell_correlation
from vitreous.report.plot_pictures import plot_picture
from vitreous.report.plots import Curve, Plot

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "eman2.png"
RUN = "mode_trilinear_pad48"
PIXEL_SIZE = 2.5
TIMES, GAP, WIDTH = 7, 6, 920


def maps() -> dict[str, np.ndarray]:
    """The truth, EMAN2's map, ours by the same line, and that of `make3d`."""
    scale = json.loads((SHARED / E1 / "volume_scales.json").read_text())[RUN]
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        inputs, ours, own = (
            unpacked(SHARED, Path(folder)), Path(folder) / "ours.hdf", Path(folder) / "own.hdf"
        )  # fmt: skip
        found["truth"] = np.load(inputs / "truth.npz")["main"].astype(np.float32)
        found["EMAN2"] = (np.load(SHARED / E1 / "volumes.npz")[RUN] * scale).astype(np.float32)
        words = runs(SHARED / E1 / "README.md")[RUN]
        with contextlib.chdir(inputs):
            codes = [
                vitreous(["eman2", "e2make3dpar.py", *words, "--output", str(ours)]),
                vitreous(["make3d", "main.hdf", str(own)]),
            ]
        if any(codes):
            sys.exit(1)
        found["vitreous eman2"] = read_hdf_volume(ours)[0]
        found["vitreous make3d"] = read_hdf_volume(own)[0]
    return found


def slices(volumes: list[np.ndarray]) -> Image.Image:
    """The middle section of each, side by side, in the truth's greys."""
    side = TIMES * volumes[0].shape[0]
    page = Image.new("L", (len(volumes) * (side + GAP) - GAP, side), 255)
    high = float(volumes[0].max())
    for i, volume in enumerate(volumes):
        middle = np.clip(volume[len(volume) // 2] / high * 200 + 40, 0, 255).astype(np.uint8)
        picture = Image.fromarray(middle[::-1]).resize((side, side), Image.Resampling.NEAREST)
        page.paste(picture, (i * (side + GAP), 0))
    return page


def curves(volumes: dict[str, np.ndarray]) -> Plot:
    """FSC of each map with the truth, in a sphere that fades from 10 to 13 voxels."""
    z, y, x = np.indices(volumes["truth"].shape) - volumes["truth"].shape[0] // 2
    mask = np.clip((13 - np.sqrt(x**2 + y**2 + z**2)) / 3, 0, 1).astype(np.float32)
    looks = iter(("first", "second", "third"))
    found = []
    for name, volume in volumes.items():
        if name != "truth":
            curve = fourier_shell_correlation(volume, volumes["truth"], PIXEL_SIZE, mask=mask)
            found.append(
                Curve(
                    curve.frequency.tolist(),
                    curve.correlation.tolist(),
                    f"line {next(looks)}",
                    name,
                )
            )
    return Plot("FSC of maps with the truth", "1/Å", "FSC with the truth", tuple(found))


def main() -> None:
    volumes = maps()
    row, plot = slices([*volumes.values()]), plot_picture(curves(volumes), WIDTH)
    page = Image.new("RGB", (WIDTH, row.height + GAP + plot.height), (255, 255, 255))
    page.paste(row, ((WIDTH - row.width) // 2, 0))
    page.paste(plot, (0, row.height + GAP))
    page.quantize(64).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main()
