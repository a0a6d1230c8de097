"""What EMAN2's e2make3dpar.py reads and writes beside the projections."""

import argparse
import logging
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processors import read_processor
from vitreous.errors import UserError
from vitreous.formats.eman_bits import Storage
from vitreous.formats.eman_hdf import write_hdf
from vitreous.kernels.insertion import Sums
from vitreous.pipeline.map_files import MapFile, map_file, require_place
from vitreous.pipeline.projections import FILES

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

STRUCTURE_FACTOR = "strucfac.txt"


def check_output(options: argparse.Namespace) -> MapFile:
    """The map's file, looked at before any work."""
    found = map_file(Path(options.output), Storage(options.compressbits), Path(options.input))
    if options.savenorm is not None:
        require_place(Path(options.savenorm))
    if not found.is_hdf:
        log.info("%s: MRC holds float32, --compressbits is for HDF", found.path)
    return found


def write_norm(path: Path, sums: Sums, pixel_size: float) -> None:
    """Write the weights of the transform, (z, y, x // 2 + 1), origin at n // 2 of z and y."""
    weights = np.fft.fftshift(sums.weight, (0, 1)).astype(np.float32)
    z, y, x = sums.shape
    for column in {0, x // 2} if x % 2 == 0 else {0}:
        weights[z // 2, y // 2, column] /= 2  # EMAN2 counts these two points once
    header = {f"apix_{axis}": float(pixel_size) for axis in "xyz"}
    write_hdf(path, [(weights, header)], Storage(0))


def imposed_structure(volume: Floats, curve: str, pixel_size: float) -> Floats:
    """The map with the radial power of a file; 'auto': strucfac.txt if it is there; 'none'."""
    if curve.lower() == "none":
        return volume
    path = Path(STRUCTURE_FACTOR) if curve.lower() == "auto" else Path(curve)
    if curve.lower() == "auto" and not path.is_file():
        log.warning("--setsf auto: no %s in this folder, nothing is imposed", STRUCTURE_FACTOR)
        return volume
    processor = read_processor(f"filter.setstrucfac:filename={path}", FILES)
    return processor(volume, pixel_size).astype(np.float32)


def check_structure(curve: str) -> None:
    """Raise a `UserError` for a structure factor that isn't there."""
    if curve.lower() not in ("none", "auto") and not Path(curve).is_file():
        raise UserError(f"--setsf {curve}: there is no such file")
