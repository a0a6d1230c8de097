"""One pass through a volume file, and what is shown of it: a picture or a page."""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError, VitreousError
from vitreous.formats.alignments import read_alignment
from vitreous.formats.facts import PartialFacts
from vitreous.formats.images import open_images
from vitreous.formats.products import atomic, write_text
from vitreous.formats.volumes import VolumeFile, open_volume, slabs
from vitreous.pipeline.fsc import correlated
from vitreous.pipeline.inputs import AlignmentInput, opened
from vitreous.pipeline.manifests import read_facts
from vitreous.pipeline.view_settings import ViewSettings
from vitreous.reconstruct.grid import adjusted
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.volume import Grid
from vitreous.report.frames import FramesOnTheWay
from vitreous.report.fsc import in_words
from vitreous.report.overview import Compared, Overview, picture_of
from vitreous.report.pages import view_page
from vitreous.report.sampled import share_of_tilts
from vitreous.report.slices import FINEST_ANGSTROM, SLAB_ANGSTROM, Slices, SlicesOnTheWay

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

SLABS, PERIODS = 32, 60  # of the longest side of a small map: its slabs and its low-pass
ORIGIN = re.compile(r"origin voxel ([-\d.]+),([-\d.]+),([-\d.]+)")


@dataclass(frozen=True, slots=True)
class Sampling:
    """What the volume was made of, and where its voxels lie in the specimen."""

    alignment: Alignment
    grid: Grid


def write_view(
    path: Path,
    output: Path,
    settings: ViewSettings,
    fsc: Sequence[Path] = (),
    *,
    progress: Progress = ignore_progress,
) -> Overview:
    """Show a volume as a picture (.png) or a page (.html); fsc: a second volume, or two halves."""
    if output.suffix.lower() not in (".png", ".html"):
        raise UserError(f"{output}: a picture ends in .png, a page in .html")
    seen = overview_of(path, settings, fsc, progress=progress)
    if output.suffix.lower() == ".html":
        write_text(output, view_page(seen))
    else:
        with atomic(output) as part:
            picture_of(seen).save(part, format="PNG", optimize=True)
    log.info("wrote %s", output)
    return seen


def overview_of(
    path: Path,
    settings: ViewSettings,
    fsc: Sequence[Path] = (),
    *,
    progress: Progress = ignore_progress,
) -> Overview:
    """Read a volume once, slab by slab, and keep what is shown of it."""
    with open_volume(path, settings.pixel_size) as volume:
        nz, ny, nx = volume.shape
        size, voxel_size = (nx, ny, nz), volume.pixel_size
        sampling = sampling_of(path, volume, settings)
        longest = max(size) * voxel_size
        slab = settings.slab or max(min(SLAB_ANGSTROM, longest / SLABS), voxel_size)
        finest = min(FINEST_ANGSTROM, longest / PERIODS)
        passing = _Passing(size, voxel_size, slab, _at(settings, size), empty_of(volume))
        for row, voxels in slabs(volume):
            passing.add(row, voxels)
            progress(row + voxels.shape[1], ny)
        tilts = None if sampling is None else sampling.alignment.tilts_degrees
        return Overview(
            name=path.name,
            size=size,
            voxel_size=voxel_size,
            facts=(*_facts(volume), *passing.facts()),
            slices=passing.slices.slices,
            projections=passing.projections.slices,
            frames=passing.frames,
            slab=slab,
            finest=finest if settings.low_pass is None else settings.low_pass,
            sampled=(
                passing.filled()
                if sampling is None
                else share_of_tilts(sampling.alignment, sampling.grid)
            ),
            sampled_as="share of the voxels with data"
            if sampling is None
            else f"share of the {len(sampling.alignment)} tilts that see it",
            tilts=None if tilts is None else (float(tilts.min()), float(tilts.max())),
            fsc=compared(path, fsc, settings.pixel_size) if fsc else None,
        )


def _at(settings: ViewSettings, size: tuple[int, int, int]) -> tuple[int, int, int] | None:
    if settings.at is None:
        return None
    if not all(1 <= at <= n for at, n in zip(settings.at, size, strict=True)):
        raise UserError(
            f"there is no voxel {', '.join(map(str, settings.at))} (from 1) in a volume of "
            f"{' x '.join(map(str, size))}"
        )
    x, y, z = (at - 1 for at in settings.at)
    return x, y, z


class _Passing:
    """What is kept of a volume that passes by in slabs of rows."""

    def __init__(
        self,
        size: tuple[int, int, int],
        voxel_size: float,
        slab: float,
        at: tuple[int, int, int] | None,
        empty: float | None,
    ) -> None:
        whole = (max(size) + 1) * voxel_size
        self.slices = SlicesOnTheWay(size, voxel_size, at, slab)
        self.projections = SlicesOnTheWay(size, voxel_size, None, whole)
        self.frames = FramesOnTheWay(size, voxel_size, slab)
        self._data = None if empty is None else SlicesOnTheWay(size, voxel_size, None, whole)
        self._empty, self._broken, self._of_empty = empty, 0, 0
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._low, self._high = np.inf, -np.inf

    def add(self, row: int, voxels: NDArray[np.generic]) -> None:
        """Count rows row, row + 1, ...: (z, rows, x)."""
        slab = voxels.astype(np.float32)
        finite = np.isfinite(slab)
        if not finite.all():
            self._broken += int(slab.size - np.count_nonzero(finite))
            slab[~finite] = 0 if self._empty is None else self._empty
        if self._data is not None:
            held = slab != self._empty
            self._of_empty += int(held.size - np.count_nonzero(held))
            self._data.add(row, held.astype(np.float32))
        for each in (self.slices, self.projections, self.frames):
            each.add(row, slab)
        self._count += slab.size
        self._sum += float(slab.sum(dtype=np.float64))
        self._squares += float(np.einsum("zyx,zyx->", slab, slab, dtype=np.float64))
        self._low, self._high = min(self._low, slab.min()), max(self._high, slab.max())

    def filled(self) -> Slices:
        """The share of voxels with data along each ray: 1 where no value stands for none."""
        if self._data is not None:
            return self._data.slices
        whole = self.projections.slices
        return Slices(*(np.ones_like(each) for each in (whole.xy, whole.xz, whole.zy)))

    def facts(self) -> list[tuple[str, str]]:
        """Grey values, and voxels that hold none."""
        mean = self._sum / self._count
        deviation = np.sqrt(max(self._squares / self._count - mean**2, 0.0))
        told = [
            ("grey values", f"{self._low:.4g} to {self._high:.4g}"),
            ("mean and deviation", f"{mean:.4g}, {deviation:.4g}"),
        ]
        if self._empty is not None:
            share = 100 * self._of_empty / self._count
            told.append(("without data", f"{share:.3g} % of the voxels, which are {self._empty:g}"))
        if self._broken:
            told.append(("not a number", f"{self._broken} voxels"))
            log.warning("%d voxels are no finite numbers: they are shown as empty", self._broken)
        return told


def empty_of(volume: VolumeFile) -> float | None:
    """The value that two corners or more share: it stands for no data. None: there is none."""
    nz, ny, _ = volume.shape
    corners = [
        float(value)
        for z in {0, nz - 1}
        for y in {0, ny - 1}
        for value in volume.block(slice(z, z + 1), slice(y, y + 1))[0, 0, [0, -1]].astype(float)
    ]
    values, counts = np.unique(corners, return_counts=True)
    usual = int(counts.argmax())
    return float(values[usual]) if counts[usual] > 1 and np.isfinite(values[usual]) else None


def _facts(volume: VolumeFile) -> list[tuple[str, str]]:
    told = [("file", str(volume.path)), ("voxels", volume.dtype.name)]
    return [*told, *(("label", label) for label in volume.labels)]


# -- the sampled region ----------------------------------------------------------------------------


def sampling_of(path: Path, volume: VolumeFile, settings: ViewSettings) -> Sampling | None:
    """The alignment named, or that of the manifest beside the volume; None where none is known."""
    nz, ny, nx = volume.shape
    size = (nx, ny, nz)
    if settings.alignment is None:
        return _sampling_of_manifest(path, size)
    told = PartialFacts()
    if settings.stack is not None:
        stack = open_images(settings.stack)
        sections, rows, columns = stack.shape
        told = PartialFacts(sections, (columns, rows), stack.pixel_size)
    alignment = read_alignment(settings.alignment, told)
    centre = _origin_of(volume.labels) or (nx // 2, ny // 2, nz // 2)
    return Sampling(alignment, Grid(size, volume.pixel_size, centre))


def _origin_of(labels: Sequence[str]) -> tuple[float, float, float] | None:
    """Where the specimen's origin lies, by the header of a tomogram of ours."""
    found = next(filter(None, map(ORIGIN.search, labels)), None)
    if found is None:
        return None
    x, y, z = map(float, found.groups())
    return x, y, z


def _sampling_of_manifest(path: Path, size: tuple[int, int, int]) -> Sampling | None:
    """What made a tomogram of a project; None where its inputs are gone or say otherwise."""
    manifest = read_facts(path.parent / "manifest.json")
    try:
        settings = ReconstructSettings(**manifest["settings"])
        inputs, grid = manifest["inputs"], manifest["grid"]
        if tuple(grid["size"]) != size or not _is_product(path, manifest):
            return None
        given = AlignmentInput(alignment=Path(inputs["alignment"]["path"]))
        stack, alignment = opened(Path(inputs["stack"]["path"]), given, settings)
        _, rows, columns = stack.shape
        used = adjusted(alignment, settings, (columns, rows))
    except (KeyError, ValueError, VitreousError) as error:
        if manifest:
            log.debug("the manifest of %s doesn't tell the sampled region: %s", path, error)
        return None
    x, y, z = grid["rotation_centre_voxel"]
    return Sampling(used, Grid(size, grid["voxel_size"], (x, y, z)))


def _is_product(path: Path, manifest: dict[str, Any]) -> bool:
    return path.name in (product["path"] for product in manifest["products"].values())


# -- FSC -------------------------------------------------------------------------------------------


def compared(path: Path, others: Sequence[Path], pixel_size: float | None) -> Compared:
    """The FSC of the volume and another, or of two others."""
    pair = [path, *others] if len(others) == 1 else list(others)
    if len(pair) != 2:
        raise UserError(f"an FSC is of two volumes: one to compare with, or two, not {len(others)}")
    curve, in_boxes = correlated(pair[0], pair[1], pixel_size)
    between = f"of {pair[0].name} and {pair[1].name}"
    log.info("FSC %s: 0.143 at %s", between, in_words(curve.resolution(), "A"))
    return Compared(curve, between, "in boxes" if in_boxes else "")
