"""From a file of projections to what a map is made of: images as they go in, and what each says.

Headers carry EMAN2's keys (`formats.projection_files`): xform.projection, ptcl_repr (weight),
class_qual (quality, lower is better), class_ssnr, model_id.
"""

import logging
from collections.abc import Iterable, Sequence
from copy import copy
from dataclasses import dataclass, field
from math import floor, prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processor_fields import edge_mean
from vitreous.average.processors import Files, Processor
from vitreous.average.projection_settings import ProjectionSettings
from vitreous.average.projections import Projections, memory, sizes_of
from vitreous.errors import UserError
from vitreous.formats.eman_hdf import read_hdf_volume
from vitreous.formats.eman_lst import LstImages
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.mrc import read_volume
from vitreous.formats.numbers import read_columns
from vitreous.formats.projection_files import ProjectionFile, open_projections
from vitreous.geometry.euler import eman2_matrix
from vitreous.kernels import machine

log = logging.getLogger(__name__)

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Weighting = Literal["repr", "root", "one"]
"""A weight is the number of particles in an image, its square root, or 1."""
Keep = Literal["share", "sigma", "absolute"]

Moves = Literal["auto", "centre", "displace"]
"""What a header's shift does: it centres the image's content, or it has displaced it; auto: it
centres, but for transforms that an .lst has itself, as EMAN2's programs write them."""

LEAST_WEIGHT = 1e-5  # EMAN2's quality of an image without one is 1 / (weight + this)
MOST_NAMED = 10
KEYS = ("xform.projection", "ptcl_repr", "class_qual", "class_ssnr", "model_id")
HELD_BYTES = 1 << 30  # images that are kept in memory between two looks


@dataclass(frozen=True, slots=True)
class View:
    """What is known of an image: its number in the file, from 0, and how it was seen.

    orientation (3, 3); move (2, 3), how its content is to be moved; ssnr: a curve or None.
    """

    number: int
    orientation: Array
    move: Array
    weight: float
    quality: float
    ssnr: Array | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The images that can be used, and the numbers of the others with the reason."""

    views: list[View]
    left_out: dict[str, list[int]] = field(default_factory=dict)


def listed(
    file: ProjectionFile,
    *,
    transforms: Array | None = None,
    weighting: Weighting = "repr",
    model: int | None = None,
    needs_ssnr: bool = False,
    moves: Moves = "auto",
) -> Listed:
    """What the headers of a file say of its images; transforms (n, 3, 4) go before theirs."""
    if transforms is not None and len(transforms) != file.count:
        raise UserError(f"{file.path}: {file.count} images, but {len(transforms)} orientations")
    found = Listed([])
    for number in range(file.count):
        header = file.header(number, KEYS)
        placed = header.get("xform.projection") if transforms is None else transforms[number]
        weight = weight_of(header.get("ptcl_repr"), weighting)
        ssnr = header.get("class_ssnr")
        reason = ""
        if model is not None and header.get("model_id") != model:
            reason = f"its model_id isn't {model}"
        elif placed is None:
            reason = "it has no orientation (xform.projection)"
        elif weight == 0:
            reason = "its weight (ptcl_repr) is 0"
        elif needs_ssnr and ssnr is None:
            reason = "it has no class_ssnr"
        if reason:
            found.left_out.setdefault(reason, []).append(number)
            continue
        orientation, move = parted(np.asarray(placed, np.float64))
        if moves == "displace" or (moves == "auto" and _is_told_by_list(file, number)):
            move = turned_round(move)
        quality = float(header.get("class_qual", 1 / (weight + LEAST_WEIGHT)))
        curve = None if ssnr is None else np.atleast_1d(np.asarray(ssnr, np.float64))
        found.views.append(View(number, orientation, move, weight, quality, curve))
    return found


def _is_told_by_list(file: ProjectionFile, number: int) -> bool:
    return isinstance(file, LstImages) and "xform.projection" in file.told(number)


def weight_of(particles: Any, weighting: Weighting) -> float:
    """The weight of an image of so many particles; of one where it isn't said."""
    if weighting == "one" or particles is None:
        return 1.0
    if particles < 0:
        raise UserError(f"ptcl_repr is {particles}: a number of particles can't be negative")
    return float(np.sqrt(particles)) if weighting == "root" else float(particles)


def parted(transform: Array) -> tuple[Array, Array]:
    """[R t] (3, 4) with mirror and scale -> (rotation (3, 3), move of the content (2, 3))."""
    rotation = transform[:, :3].copy()
    determinant = np.linalg.det(rotation)
    if not np.isfinite(determinant) or abs(determinant) < 1e-6:
        raise UserError(f"an orientation is no rotation: {np.round(rotation, 4).tolist()}")
    scale = abs(determinant) ** (1 / 3)
    if abs(scale - 1) < 1e-4:  # rounding of float32 is no scale
        scale = 1.0
    move = np.eye(2, 3) * scale
    move[:, 2] = transform[:2, 3]
    rotation /= scale
    if determinant < 0:
        rotation[0] *= -1
        move[0, 0] *= -1
    return rotation, move


def turned_round(move: Array) -> Array:
    """The move that undoes another."""
    back = np.linalg.inv(move[:, :2])
    return np.column_stack([back, -back @ move[:, 2]])


def tilted(angles: Array) -> Array:
    """(n, 3, 4) of EMAN2's tilt angles: axis y, x of the image = x cos a - z sin a."""
    transforms = np.zeros((len(angles), 3, 4))
    transforms[:, :, :3] = eman2_matrix(
        np.full(len(angles), 90.0), angles, np.full_like(angles, -90)
    )
    return transforms


def kept(views: Sequence[View], keep: float, how: Keep) -> tuple[list[View], list[View]]:
    """(kept, left out) by quality, EMAN2's rules: lower is better, the threshold is kept.

    share: so large a part of all; sigma: up to so many standard deviations above the mean;
    absolute: up to that quality.
    """
    quality = np.array([view.quality for view in views])
    if how == "absolute":
        most = keep
    elif how == "sigma":
        most = float(quality.mean() + keep * quality.std())
    else:
        place = int(len(quality) * keep)
        most = float(np.sort(quality)[place]) if place < len(quality) else np.inf
    if (quality == quality[0]).all() and how != "absolute":
        most = np.inf
    good = [view for view in views if view.quality <= most]
    return good, [view for view in views if view.quality > most]


# -- images ---------------------------------------------------------------------------------------


class PreparedImages:
    """Images as they are inserted: mean of the border taken off, processed; one at a time.

    edges: columns that are blanked at the left and the right of each. It may go to other
    processes: each opens the file for itself.
    """

    dtype = np.dtype(np.float32)

    def __init__(
        self,
        file: ProjectionFile,
        numbers: Sequence[int],
        processors: Sequence[Processor] = (),
        edges: Sequence[tuple[int, int]] | None = None,
        sections: bool = False,
    ) -> None:
        self.path, self.numbers, self.processors = file.path, list(numbers), list(processors)
        self.edges, self.sections = edges, sections
        self.pixel_size = file.pixel_size
        self.size = file.size[-2], file.size[-1]
        self._file: ProjectionFile | None = file
        self._volume: Floats | None = None
        self._held: dict[int, Floats] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None, "_volume": None, "_held": {}}

    @property
    def shape(self) -> tuple[int, int, int]:
        """(images, y, x)."""
        return len(self.numbers), *self.size

    def read(self, index: int) -> Floats:
        """The image of a view."""
        if index in self._held:
            return self._held[index]
        image = self._prepared(index)
        if (len(self._held) + 1) * image.nbytes <= HELD_BYTES:
            self._held[index] = image
        return image

    def _prepared(self, index: int) -> Floats:
        number = self.numbers[index]
        image = self._raw(number).astype(np.float64)
        if image.shape != self.size:
            raise UserError(
                f"{self.path}: image {number} has {image.shape[-1]} x {image.shape[-2]} pixels, "
                f"the first {self.size[1]} x {self.size[0]}"
            )
        if np.isfinite(image).all():
            image -= edge_mean(image)
        for processor in self.processors:
            image = processor(image, self.pixel_size)
        if image.shape != self.size:
            raise UserError("a processor of images has changed their size: that can't be inserted")
        if not np.isfinite(image).all():
            raise UserError(
                f"{self.path}: image {number} holds values that are no numbers (NaN): leave it "
                "out, or set them to a value with the processor math.finite"
            )
        if self.edges is not None:
            left, right = self.edges[index]
            image[:, :left] = 0
            image[:, image.shape[1] - right :] = 0
        return image.astype(np.float32)

    def only(self, indices: Sequence[int]) -> "PreparedImages":
        """Some of the images."""
        found = copy(self)
        found.numbers = [self.numbers[i] for i in indices]
        found.edges = None if self.edges is None else [self.edges[i] for i in indices]
        found._held = {to: self._held[i] for to, i in enumerate(indices) if i in self._held}
        return found

    def _raw(self, number: int) -> Floats:
        if self._file is None:
            self._file = open_projections(self.path)
        if not self.sections:
            return self._file.read(number)
        if self._volume is None:
            self._volume = self._file.read(0)
        section: Floats = self._volume[number]
        return section


def with_content(images: PreparedImages) -> list[int]:
    """Which of the images are not of one value."""
    return [i for i in range(len(images.numbers)) if np.ptp(images.read(i))]


def blanked_edges(views: Sequence[View], width: int, padded: int) -> list[tuple[int, int]]:
    """Columns that a thin specimen can't fill at each tilt: EMAN2's --altedgemask.

    It counts from the edges of the padded image, so padding is blanked first.
    """
    before = floor((padded - width) / 2)
    found = []
    for view in views:
        cosine = float(np.clip(view.orientation[2, 2], -1, 1))
        blank = int(padded * (1 - cosine) / 2)
        found.append((max(blank - before, 0), max(blank - (padded - width - before), 0)))
    return found


def as_projections(views: Sequence[View], images: PreparedImages, use_ssnr: bool) -> Projections:
    """The views as the science takes them."""
    moves = np.array([view.move for view in views])
    curves = tuple(view.ssnr for view in views if view.ssnr is not None)
    return Projections(
        images,
        np.array([view.orientation for view in views]),
        np.array([view.weight for view in views]),
        moves if (moves != np.eye(2, 3)).any() else None,
        curves if use_ssnr else None,
    )


def say_left_out(path: Path, left_out: dict[str, list[int]]) -> None:
    """Name the images that aren't used."""
    for reason, numbers in left_out.items():
        shown = ", ".join(map(str, numbers[:MOST_NAMED]))
        more = f" and {len(numbers) - MOST_NAMED} more" if len(numbers) > MOST_NAMED else ""
        level = logging.INFO if reason.startswith("its model_id") else logging.WARNING
        log.log(level, "%s: %d images left out, %s: %s%s", path, len(numbers), reason, shown, more)


def require_memory(shape: tuple[int, int, int], settings: ProjectionSettings) -> None:
    """Raise a `UserError` where the map of a stack (n, y, x) needs more memory than there is."""
    needed = memory(shape, settings) + 4 * prod(sizes_of(shape, settings).volume)
    if needed > machine.memory():
        raise UserError(
            f"{needed / 1e9:.3g} GB of memory are needed, {machine.memory() / 1e9:.3g} GB are "
            "there: pad the images or the map's transform less"
        )


# -- files that options name ----------------------------------------------------------------------


def any_volume(path: Path) -> Floats:
    """A volume (z, y, x) of an HDF or MRC file."""
    if kind_of(path) is Kind.HDF5:
        return read_hdf_volume(path)[0]
    return np.asarray(read_volume(path).data, np.float32)


def _any_image(path: Path) -> Array:
    data = any_volume(path).astype(np.float64)
    return data[0] if len(data) == 1 else data


def _curve(path: Path) -> Array:
    return read_columns(path, 2, "curve")


FILES = Files(image=_any_image, curve=_curve)


def processed(volume: Floats, processors: Iterable[Processor], pixel_size: float) -> Floats:
    """A volume processed in order."""
    for processor in processors:
        volume = processor(volume, pixel_size).astype(np.float32)
    return volume
