"""EMAN2's HDF <-> MRC: volumes and stacks of images."""

from pathlib import Path

import numpy as np

from vitreous.errors import UserError
from vitreous.formats.eman_bits import Storage, storage_from_suffix
from vitreous.formats.eman_hdf import HdfImages, Value, write_hdf
from vitreous.formats.mrc import MrcWriter, open_stack


def split_name(path: Path, default: Storage) -> tuple[Path, Storage]:
    """A name as EMAN2 takes it, 'map.hdf:8' -> the file, and how its grey values are stored."""
    name, found, suffix = path.name.partition(".hdf:")
    if not found:
        return path, default
    return path.with_name(f"{name}.hdf"), storage_from_suffix(suffix, default)


def hdf_to_mrc(source: Path, destination: Path, pixel_size: float | None = None) -> str:
    """Write the first volume of a file, or all its images, as MRC (float32); says which."""
    with HdfImages(source) as images:
        size = images.size
        is_stack = len(size) == 2
        shape = (images.count, *size) if is_stack else size
        if is_stack and any(images.read_size(i) != size for i in range(images.count)):
            raise UserError(f"{source}: its images differ in size, an MRC stack's can't")
        known = pixel_size or images.pixel_size
        with MrcWriter(destination, (shape[0], shape[1], shape[2]), known, is_stack=is_stack) as to:
            if not is_stack:
                to.write((0, 0, 0), images.read(0))
            for i in range(images.count if is_stack else 0):
                to.write((i, 0, 0), images.read(i)[None])
        more = "" if is_stack or images.count == 1 else f", the first of {images.count}"
    return f"{images_or_volume(is_stack, images.count)}{more}"


def mrc_to_hdf(source: Path, destination: Path, pixel_size: float | None = None) -> str:
    """Write a volume, or the images of a stack, as HDF; float32 unless the name asks for bits."""
    path, storage = split_name(destination, Storage(0))
    with open_stack(source, pixel_size) as stack:
        is_stack = stack.header.ispg == 0
        header: dict[str, Value] = {f"apix_{axis}": float(stack.pixel_size) for axis in "xyz"}
        sections = (stack.read(i).astype(np.float32) for i in range(stack.shape[0]))
        if is_stack:
            write_hdf(path, ((image, header) for image in sections), storage)
        else:
            write_hdf(path, [(np.stack([*sections]), header)], storage)
    stored = f"{storage.bits} bits" if storage.bits > 0 else "float32"
    return f"{images_or_volume(is_stack, stack.shape[0])}, {stored}"


def images_or_volume(is_stack: bool, count: int) -> str:
    """What was converted, in words."""
    return f"{count} images" if is_stack else "a volume"
