"""What AreTomo writes beside the volume: projections, the aligned series, NAME_Imod; its names."""

import logging
import os
import shutil
from pathlib import Path

import numpy as np

from vitreous.errors import OutputError
from vitreous.formats import imod
from vitreous.formats.aretomo_layout import ImodVolume, by_angle, write_imod_folder
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.formats.products import atomic
from vitreous.pipeline.newstack import write_sources
from vitreous.pipeline.restack import Source
from vitreous.pipeline.restack_settings import RestackSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.tilt_series import TiltSeries

log = logging.getLogger(__name__)


def aligned_size(alignment: Alignment) -> tuple[int, int]:
    """(x, y) of the aligned series: exchanged where the axis lies nearer to x, the width even."""
    columns, rows = alignment.image_size
    across = float(np.median(np.abs(np.sin(np.deg2rad(alignment.axes_degrees)))))
    width, height = (rows, columns) if across > np.sqrt(0.5) else (columns, rows)
    return width // 2 * 2, height


def write_aligned_series(
    output: Path, stack: ImageStack, alignment: Alignment, binning: int = 1
) -> None:
    """Write the used images by tilt, upright and binned."""
    transforms, tilts, _ = imod.from_alignment(alignment)
    rows = by_angle(alignment)
    width, height = aligned_size(alignment)
    settings = RestackSettings(
        size=(width // binning // 2 * 2, height // binning),
        shrink=float(binning) if binning > 1 else None,
        mode="float32",
    )
    sources = [Source(stack, int(alignment.sections[k]), transforms[k]) for k in rows]
    write_sources(output, sources, settings, tilts=tilts[rows])
    log.info("wrote %s: the aligned series, %d images", output, len(rows))


def write_projections(volume: Path, axis_order: str) -> None:
    """Write OUT_projXY.mrc and OUT_projXZ.mrc: the mean over the depth, and over y."""
    with open_stack(volume) as stack:
        sections, rows, columns = stack.shape
        through, lines = np.zeros((rows, columns)), np.empty((sections, columns))
        for k in range(sections):
            section = stack.read(k).astype(np.float64)
            through += section / sections
            lines[k] = section.mean(0)
        pixel_size = stack.pixel_size
    names = ("XZ", "XY") if axis_order == "xzy" else ("XY", "XZ")
    for name, image in zip(names, (through, lines), strict=True):
        path = volume.with_name(f"{volume.stem}_proj{name}.mrc")
        with MrcWriter(path, (1, *image.shape), pixel_size, is_stack=True) as writer:
            writer.write((0, 0, 0), image[None].astype(np.float32))
        log.info("wrote %s", path)


def write_imod(
    folder: Path,
    kind: int,
    stack_path: Path,
    stack: ImageStack,
    alignment: Alignment,
    series: TiltSeries,
    volume: ImodVolume,
) -> None:
    """Write NAME_Imod as -OutImod `kind` asks for it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made: {error.strerror}") from error
    name = folder.name.removesuffix("_Imod")
    own = folder / f"{name}_st.mrc"
    named = str(stack_path.absolute()) if kind == 1 else own.name
    written = write_imod_folder(folder, name, alignment, series, kind, volume, named)
    if kind == 2:
        rows = by_angle(alignment)
        sources = [Source(stack, int(alignment.sections[k])) for k in rows]
        write_sources(own, sources, RestackSettings(), tilts=alignment.tilts_degrees[rows])
    elif kind == 3:
        write_aligned_series(own, stack, alignment)
    log.info("wrote %s in %s", ", ".join(path.name for path in written), folder)


def link(source: Path, target: Path) -> None:
    """Give a product a second name; a copy where the disk knows no links."""
    if target.exists() and target.samefile(source):
        return
    with atomic(target) as part:
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)
