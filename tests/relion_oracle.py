"""Oracle R1 on disk: the files that RELION was given, and what it made of them."""

import shutil
from pathlib import Path

import numpy as np

from vitreous.formats.mrc import MrcWriter

PIXEL_SIZE = 5.0


def write_inputs(oracle: Path, folder: Path) -> None:
    """The images of the oracle, each a file, their halves, a stack of all, and the sets."""
    halves = np.load(oracle / "input.npz")
    even, odd = halves["even"].astype(np.float32), halves["odd"].astype(np.float32)
    (folder / "img").mkdir(exist_ok=True)
    for k in range(len(even)):
        for ending, image in (("", even[k] + odd[k]), ("_EVN", even[k]), ("_ODD", odd[k])):
            write_stack(folder / f"img/t{k:02d}{ending}.mrc", image[None])
    write_stack(folder / "stack.mrc", even + odd)
    (folder / "tilt_series").mkdir(exist_ok=True)
    shutil.copy(oracle / "star" / "TS_1.star", folder / "tilt_series")
    for name in ("tilt_series.star", "tomograms_r4.star"):
        shutil.copy(oracle / "star" / name, folder)


def write_stack(path: Path, images: np.ndarray) -> None:
    with MrcWriter(path, images.shape, PIXEL_SIZE, is_stack=True) as writer:
        writer.write((0, 0, 0), images)


def read_runs(oracle: Path) -> dict[str, np.ndarray]:
    """What RELION made: run -> volume (z, y, x)."""
    stored = np.load(oracle / "output.npz")
    names = [name for name in stored.files if not name.endswith("__sc")]
    return {n: stored[n] * stored[f"{n}__sc"][0] + stored[f"{n}__sc"][1] for n in names}
