"""Maps from projections as files: EMAN2's HDF with its header, or MRC."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.eman_bits import Storage
from vitreous.formats.eman_convert import split_name
from vitreous.formats.eman_hdf import Header, Value, write_hdf
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.products import require_no_folder
from vitreous.pipeline.projections import View

Floats = NDArray[np.float32]

HDF_SUFFIXES, MRC_SUFFIXES = (".hdf", ".h5"), (".mrc", ".map", ".rec", ".ccp4")


@dataclass(frozen=True, slots=True)
class MapFile:
    """Where a map goes, and how an HDF holds its values."""

    path: Path
    storage: Storage

    @property
    def is_hdf(self) -> bool:
        """EMAN2's HDF, not MRC."""
        return self.path.suffix in HDF_SUFFIXES


def map_file(name: Path, storage: Storage, *inputs: Path) -> MapFile:
    """A map to be written, looked at before any work: 'map.hdf:8' sets the bits."""
    path, storage = split_name(name, storage)
    if path.suffix not in HDF_SUFFIXES + MRC_SUFFIXES:
        known = ", ".join(HDF_SUFFIXES + MRC_SUFFIXES)
        raise UserError(f"{name}: the name of a map must end in one of {known}")
    require_place(path)
    for source in inputs:
        if source.exists() and path.exists() and path.samefile(source):
            raise UserError(f"{path} is the input: give the map another name")
    return MapFile(path, storage)


def require_place(path: Path) -> None:
    """Raise where no file of this name can be written."""
    require_no_folder(path)
    if not path.parent.is_dir():
        raise UserError(f"{path} can't be written: the folder doesn't exist. Create it first.")


def map_header(source: str, pixel_size: float, views: list[View], excluded: list[int]) -> Header:
    """The header that EMAN2 gives a map."""
    header: dict[str, Value] = {
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
    return header


def write_map(file: MapFile, volume: Floats, pixel_size: float, header: Header) -> None:
    """Write the map (z, y, x), HDF or MRC by its name; MRC holds float32."""
    if not np.isfinite(volume).all() or not volume.any():
        raise UserError("the map is empty or holds values that are no numbers: nothing is written")
    if file.is_hdf:
        write_hdf(file.path, [(volume, header)], file.storage)
        return
    z, y, x = volume.shape
    with MrcWriter(file.path, (z, y, x), pixel_size) as writer:
        writer.write((0, 0, 0), volume)
