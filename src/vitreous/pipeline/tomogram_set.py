"""Tomograms of a tomogram set: what they are made of, and the making of one with its manifest."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitreous.errors import OutputError, UserError
from vitreous.formats import relion
from vitreous.formats.mrc import MrcWriter, open_stack
from vitreous.formats.products import free_bytes, readable
from vitreous.formats.relion_ctf import read_ctfs, read_doses
from vitreous.formats.relion_images import Frames, TiltImages, open_tilt_images
from vitreous.formats.relion_needs import require_columns
from vitreous.formats.relion_sets import Tomogram, sections_of
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.fingerprints import Making, file_facts, record_digest
from vitreous.pipeline.fourier_tomogram import write_fourier_tomogram
from vitreous.pipeline.grids import output_grid
from vitreous.pipeline.makings import RECONSTRUCT_VERSION
from vitreous.pipeline.manifests import write_manifest
from vitreous.pipeline.tomogram import write_tomogram
from vitreous.reconstruct.fourier_inversion import fourier_plan
from vitreous.reconstruct.fourier_settings import FourierSettings
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.images import facts_of
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Grid

log = logging.getLogger(__name__)

Settings = ReconstructSettings | FourierSettings

WHOLE = ""
"""Name of the volume of all frames, beside those of half sets."""


@dataclass(frozen=True, slots=True, eq=False)
class SetSeries:
    """The series of a tomogram as its set has it.

    images: one stack, named `WHOLE`, or those of half sets by name. ctfs, doses: by section, doses
    in e/A^2 before the tilt; `ctfs` is empty where none are needed.
    """

    tomogram: Tomogram
    images: Mapping[str, TiltImages]
    alignment: Alignment
    ctfs: tuple[Ctf | None, ...]
    doses: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SectionSum:
    """A sum of sections in the middle: `centre` from the volume's, half of `thickness` each way."""

    centre: int
    thickness: int

    def sections(self, count: int) -> range:
        """The sections of a volume of so many; a `UserError` where there are none."""
        middle = count // 2 + self.centre
        first, last = middle - self.thickness // 2, middle + self.thickness // 2
        inside = range(max(first, 0), min(last, count - 1) + 1)
        if not inside:
            raise UserError(
                f"sections {first} to {last} are to be projected, the tomogram has 0 to {count - 1}"
            )
        return inside


@dataclass(frozen=True, slots=True)
class SetProducts:
    """Where the volumes of a tomogram go, and sums of their sections, by name; the manifest."""

    volumes: Mapping[str, Path]
    sums: Mapping[str, Path]
    manifest: Path | None


# -- what it is made of ---------------------------------------------------------------------------


def opened_series(
    tomogram: Tomogram, *, ctf: bool, halves: bool, scaled_by_tilt: bool, tilt_offset: float = 0.0
) -> SetSeries:
    """Open what a tomogram of a set is made of; what lacks is said in one message.

    scaled_by_tilt: without a column rlnCtfScalefactor a tilt's CTF has the cosine of its angle,
    `tilt_offset` degrees added, as in RELION 5; else 1.
    """
    relion.require_images(tomogram)
    require_columns(tomogram, ctf=ctf, halves=halves)
    names: dict[str, Frames] = {"half1": "even", "half2": "odd"} if halves else {WHOLE: "all"}
    images = {name: open_tilt_images(tomogram, frames) for name, frames in names.items()}
    first, *others = images.values()
    for other in others:
        if other.shape != first.shape:
            raise UserError(
                f"{tomogram.path}: even and odd images of {tomogram.name} differ in size"
            )
    facts = facts_of(first)
    alignment = relion.alignment_of(tomogram, tomogram.path, facts)
    sections, total = sections_of(tomogram.tilts, facts, tomogram.path)
    ctfs: tuple[Ctf | None, ...] = ()
    if ctf:
        scales = relion.tilt_scales(alignment, sections, tilt_offset) if scaled_by_tilt else None
        ctfs = read_ctfs(tomogram, sections, total, scales)
    return SetSeries(tomogram, images, alignment, ctfs, read_doses(tomogram, sections, total))


def making_of(series: SetSeries, settings: Settings, section_sum: SectionSum | None) -> Making:
    """What decides the products of a tomogram: its images, alignment, CTFs, doses, settings."""
    files = [file for images in series.images.values() for file in images.files]
    places = [image.sources for image in series.images.values()]
    sources = [[source and source.index for source in each] for each in places]
    return Making(
        version=RECONSTRUCT_VERSION,
        inputs={
            **{f"images {k}": file_facts(path) for k, path in enumerate(files, 1)},
            "sections": sources,
            "pixel_size": series.alignment.pixel_size,
            "alignment": record_digest(series.alignment),
            "ctfs": [ctf and record_digest(ctf) for ctf in series.ctfs],
            "doses": series.doses,
        },
        settings={
            **settings.model_dump(),
            "section_sum": section_sum and (section_sum.centre, section_sum.thickness),
        },
        changed=settings.model_dump(exclude_defaults=True),
    )


# -- making it ------------------------------------------------------------------------------------


def volume_grid(series: SetSeries, settings: Settings) -> Grid:
    """The voxels of a tomogram."""
    if isinstance(settings, FourierSettings):
        return fourier_plan(series.alignment, settings).grid
    return output_grid(series.alignment, settings, series.alignment.image_size)


def volume_bytes(series: SetSeries, settings: Settings) -> int:
    """Bytes that the volumes of a tomogram take on the disk, float32."""
    count = 1 if isinstance(settings, FourierSettings) else len(series.images)
    return 4 * count * int(np.prod(volume_grid(series, settings).size, dtype=np.int64))


def require_room(needed: int, output: Path) -> None:
    """Raise an `OutputError` where so many bytes don't fit on the disk of a product."""
    there = next(place for place in output.absolute().parents if place.exists())
    free = free_bytes(there / "x")
    if needed > free:
        raise OutputError(
            f"{output} can't be written: the disk is too small. {readable(needed)} are needed and "
            f"{readable(free)} are free. Bin, make less of the tomogram, or choose another place."
        )


def make_tomogram(
    series: SetSeries,
    settings: Settings,
    products: SetProducts,
    section_sum: SectionSum | None = None,
    *,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> None:
    """Write the volumes of a tomogram, sums of their sections and, where it has one, the manifest.

    Fourier inversion makes one volume of the images of both halves.
    """
    for path in (*products.volumes.values(), *products.sums.values()):
        make_folder(path.parent)
    for name, path in products.volumes.items():
        if isinstance(settings, FourierSettings):
            one, other = series.images.values()
            write_fourier_tomogram(
                (one, other),
                series.alignment,
                settings,
                path,
                series.ctfs,
                share=share,
                progress=progress,
            )
        else:
            write_tomogram(
                series.images[name],
                series.alignment,
                settings,
                path,
                ctfs=series.ctfs or None,
                doses=series.doses,
                share=share,
                progress=progress,
            )
        if section_sum:
            write_section_sum(path, products.sums[name], section_sum)
    if products.manifest:
        named = {f"volume {name}".rstrip(): path for name, path in products.volumes.items()}
        named |= {f"projection {name}".rstrip(): path for name, path in products.sums.items()}
        making = making_of(series, settings, section_sum)
        write_manifest(products.manifest, making, named, {"tomogram": series.tomogram.name})


def make_folder(folder: Path) -> None:
    """Make a folder if it isn't there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made: {error.strerror}") from error


def write_section_sum(volume: Path, output: Path, section_sum: SectionSum) -> None:
    """Write the sum of a volume's sections as an image."""
    with open_stack(volume) as stack:
        sections, rows, columns = stack.shape
        total = np.zeros((rows, columns))
        for k in section_sum.sections(sections):
            total += stack.read(k).astype(np.float64)
        pixel_size = stack.pixel_size
    with MrcWriter(output, (1, rows, columns), pixel_size, is_stack=True) as writer:
        writer.write((0, 0, 0), total[None].astype(np.float32))
    log.info("wrote %s", output)
