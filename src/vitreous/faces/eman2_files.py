"""What EMAN2's e2make3dpar.py writes: the map with its header, and the weights."""

import argparse
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processors import read_processor
from vitreous.errors import UserError
from vitreous.formats.eman_bits import Storage
from vitreous.formats.eman_convert import split_name
from vitreous.formats.eman_hdf import Header, write_hdf
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.products import require_no_folder
from vitreous.kernels.insertion import Sums
from vitreous.pipeline.projections import FILES, View

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

HDF_SUFFIXES, MRC_SUFFIXES = (".hdf", ".h5"), (".mrc", ".map", ".rec", ".ccp4")
STRUCTURE_FACTOR = "strucfac.txt"


@dataclass(frozen=True, slots=True)
class Output:
    """Where the map goes, and how an HDF holds its values."""

    path: Path
    storage: Storage


def check_output(options: argparse.Namespace) -> Output:
    """The output, looked at before any work."""
    path, storage = split_name(Path(options.output), Storage(options.compressbits))
    if path.suffix not in HDF_SUFFIXES + MRC_SUFFIXES:
        known = ", ".join(HDF_SUFFIXES + MRC_SUFFIXES)
        raise UserError(f"--output {options.output}: the name must end in one of {known}")
    for name in filter(None, (str(path), options.savenorm)):
        require_no_folder(Path(name))
        if not Path(name).parent.is_dir():
            raise UserError(f"{name} can't be written: the folder doesn't exist. Create it first.")
    if Path(options.input).exists() and path.exists() and path.samefile(options.input):
        raise UserError(f"--output {path} is the input: give the map another name")
    if path.suffix in MRC_SUFFIXES:
        log.info("%s: MRC holds float32, --compressbits is for HDF", path)
    return Output(path, storage)


def map_header(source: str, pixel_size: float, views: list[View], excluded: list[int]) -> Header:
    """The header that EMAN2 gives a map."""
    header: dict[str, object] = {
        **{f"apix_{axis}": float(pixel_size) for axis in "xyz"},
        "changecount": 10,
        "is_complex_x": 0,
        "is_fftodd": 0,
        "is_fftpad": 0,
        "npad": 1,
        "ptcl_repr": float(sum(view.weight for view in views)),
        "threed_ptcl_idxs": np.array([view.number for view in views]),
        "threed_ptcl_src": source,
    }
    if excluded:
        header["threed_excl_ptcl_idxs"] = np.array(excluded)
    return header  # type: ignore[return-value]


def write_map(output: Output, volume: Floats, pixel_size: float, header: Header) -> None:
    """Write the map, HDF or MRC by its name."""
    if output.path.suffix in HDF_SUFFIXES:
        write_hdf(output.path, [(volume, header)], output.storage)
        return
    z, y, x = volume.shape
    with MrcWriter(output.path, (z, y, x), pixel_size) as writer:
        writer.write((0, 0, 0), volume)


def write_norm(path: Path, sums: Sums, pixel_size: float) -> None:
    """Write the weights of the transform, (z, y, x // 2 + 1), origin at n // 2 of z and y."""
    weights = np.fft.fftshift(sums.weight, (0, 1)).astype(np.float32)
    z, y, x = sums.shape
    for column in {0, x // 2} if x % 2 == 0 else {0}:
        weights[z // 2, y // 2, column] /= 2  # EMAN2 counts these two points once
    header = {f"apix_{axis}": float(pixel_size) for axis in "xyz"}
    write_map(Output(path, Storage(0)), weights, pixel_size, header)


def imposed_structure(volume: Floats, curve: str, pixel_size: float) -> Floats:
    """The map with the radial power of a file; 'auto': strucfac.txt if it is there; 'none'."""
    if curve.lower() == "none":
        return volume
    path = Path(STRUCTURE_FACTOR) if curve.lower() == "auto" else Path(curve)
    if not path.is_file():
        if curve.lower() != "auto":
            raise UserError(f"--setsf {curve}: there is no such file")
        log.warning("--setsf auto: no %s in this folder, nothing is imposed", STRUCTURE_FACTOR)
        return volume
    processor = read_processor(f"filter.setstrucfac:filename={path}", FILES)
    return processor(volume, pixel_size).astype(np.float32)
