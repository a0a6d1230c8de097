"""EER, the event lists of Falcon cameras: TIFF directories, a raw frame each, of packed electrons.

Frames are joined to groups and rendered at the camera's pixels or two or four times finer. Row 0 is
the first row of the file, as in RELION: there is no row flip as for other TIFF files.
"""

import logging
import os
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError, VitreousError
from vitreous.formats.fm_int import integrated_groups, read_fm_int
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.tiff import DAMAGE, EER_COMPRESSIONS, require_last_page

log = logging.getLogger(__name__)

METADATA = 65001  # tag of the first directory: XML
RUN_BITS, X_BITS, Y_BITS = 65007, 65008, 65009  # tags of compression 65002
USUAL_FRAMES = 8  # of a movie of which nothing else is said


@dataclass(frozen=True, slots=True)
class Packing:
    """Bits of a gap and of an electron's place in its pixel along x and y."""

    run_bits: int
    x_bits: int
    y_bits: int
    symbol_after_full_run: bool


@dataclass(frozen=True, slots=True, eq=False)
class EerHeader:
    """What an EER file holds.

    size (x, y) of the camera; strips: of each raw frame its (offset, bytes); metadata: the
    microscope's, name -> (value, unit).
    """

    size: tuple[int, int]
    strips: tuple[tuple[tuple[int, int], ...], ...]
    packing: Packing
    metadata: dict[str, tuple[str, str]]

    @property
    def raw_frames(self) -> int:
        """How many raw frames there are."""
        return len(self.strips)

    @property
    def pixel_size(self) -> float | None:
        """A/px of the camera's pixels at the specimen, where the microscope noted it."""
        text, unit = self.metadata.get("sensorPixelSize.width", ("", ""))
        size = _number(text) * {"m": 1e10, "nm": 10.0}.get(unit, 0.0)
        return size if 0.01 <= size <= 100 else None

    @property
    def electrons_per_pixel(self) -> float | None:
        """Dose of the movie as the microscope noted it, e/px."""
        text, unit = self.metadata.get("totalDose", ("", ""))
        dose = _number(text)
        if unit == "e/pixel":
            return dose or None
        return None


class EerMovie:
    """The frames of an EER movie, each the sum of a group of raw frames; threads may share it.

    groups: the raw frames of each frame, as `raw_groups` has them. left_out: how many raw frames at
    the end are in none. pixel_size is of the rendered pixels.
    """

    def __init__(
        self,
        path: Path,
        header: EerHeader,
        groups: Sequence[range],
        upsampling: int,
        pixel_size: float,
    ) -> None:
        self.path, self.header, self.groups, self.upsampling = path, header, groups, upsampling
        self.pixel_size = pixel_size
        self.left_out = header.raw_frames - groups[-1].stop
        self._fd = os.open(path, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, self._fd)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(frames, y, x)."""
        columns, rows = self.header.size
        return len(self.groups), rows * self.upsampling, columns * self.upsampling

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """The smallest type that holds the counts of a frame: a pixel has one a raw frame."""
        return np.dtype(np.uint8 if max(map(len, self.groups)) < 256 else np.uint16)

    def read(self, index: int) -> NDArray[np.generic]:
        """Frame `index` (y, x): electrons counted in a pixel."""
        if not 0 <= index < self.shape[0]:
            raise UserError(f"{self.path} has {self.shape[0]} frames, no number {index + 1}")
        image = np.zeros(self.shape[1:], self.dtype)
        for raw in self.groups[index]:
            self.add_raw(raw, image)
        return image

    def add_raw(self, raw: int, image: NDArray[np.generic]) -> None:
        """Count the electrons of a raw frame into an image; a damaged one is left out and said."""
        end = self._add(raw, image, 1)
        columns, rows = self.header.size
        if end != rows * columns:
            self._add(raw, image, -1)
            log.warning("%s: raw frame %d is damaged and left out", self.path, raw + 1)

    def _add(self, raw: int, image: NDArray[np.generic], count: int) -> int:
        """Count each electron `count` times; returns the pixel at which the frame ends."""
        from vitreous.kernels.cpu.eer import add_electrons

        packing = self.header.packing
        end: int = add_electrons(
            self._stream(raw),
            packing.run_bits,
            packing.x_bits,
            packing.y_bits,
            packing.symbol_after_full_run,
            *self.header.size,
            self.upsampling,
            image,
            count,
        )
        return end

    def _stream(self, raw: int) -> NDArray[np.uint8]:
        from vitreous.kernels.cpu.eer import PADDING

        parts = []
        for offset, count in self.header.strips[raw]:
            part = os.pread(self._fd, count, offset)
            if len(part) < count:
                raise FormatError("the file became shorter", path=self.path, byte=offset)
            parts.append(part)
        return np.frombuffer(b"".join([*parts, bytes(PADDING)]), np.uint8)

    def close(self) -> None:
        """Close the file; also done when the movie is no longer used."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def is_eer(path: Path) -> bool:
    """Whether a TIFF file holds electrons, not images."""
    try:
        with tifffile.TiffFile(path) as file:
            return int(file.pages.first.compression) in EER_COMPRESSIONS
    except DAMAGE:
        return False


def open_eer(
    path: Path,
    settings: MovieSettings,
    pixel_size: float | None = None,
    dose: float | None = None,
) -> EerMovie:
    """Open an EER movie.

    pixel_size (A/px) is that of the camera's pixels, whatever the up-sampling; dose: e/A^2 of the
    whole movie. Raw frames that are too few for another frame are left out and said, or join the
    last frame.
    """
    header = read_eer_header(path)
    known = pixel_size or header.pixel_size
    if known is None:
        raise UserError(f"{path} has no pixel size; give it with --pixel (angstrom)")
    finest = 1 << min(header.packing.x_bits, header.packing.y_bits)
    if settings.eer_upsampling > finest:
        raise UserError(
            f"{path} tells the place of an electron to 1/{finest} of a pixel: it can't be "
            f"up-sampled {settings.eer_upsampling} times, choose {finest} or less"
        )
    if dose is None and header.electrons_per_pixel:
        dose = header.electrons_per_pixel / known**2
    groups = groups_for(header.raw_frames, settings, dose, path)
    up = settings.eer_upsampling
    movie = EerMovie(path, header, groups, up, known / up)
    if movie.left_out:
        log.info(
            "%s: %d raw frames make %d frames of %d; the last %d are left out",
            path,
            header.raw_frames,
            movie.shape[0],
            len(groups[0]),
            movie.left_out,
        )
    return movie


def groups_for(
    raw_frames: int, settings: MovieSettings, dose: float | None = None, path: Path | None = None
) -> list[range]:
    """The raw frames of each frame, as the settings say; dose: e/A^2 of the whole movie."""
    if settings.fm_int_file is not None:
        return integrated_groups(read_fm_int(settings.fm_int_file), raw_frames)
    group = frames_in_a_group(raw_frames, settings, dose, path)
    return raw_groups(raw_frames, group, settings.eer_join_rest)


def raw_groups(raw_frames: int, group: int, join_rest: bool = False) -> list[range]:
    """The raw frames of each frame, `group` of them; the last takes the rest, or it is left out."""
    if join_rest:
        last = max(raw_frames // group, 1) - 1
        whole = [range(i * group, (i + 1) * group) for i in range(last)]
        return [*whole, range(last * group, raw_frames)]
    return [range(i * group, (i + 1) * group) for i in range(raw_frames // group)]


def frames_in_a_group(
    raw_frames: int, settings: MovieSettings, dose: float | None = None, path: Path | None = None
) -> int:
    """Raw frames that make one; dose: e/A^2 of the whole movie.

    Where a number of frames or their dose is wanted, the group is as large as leaves out least.
    """
    if settings.eer_group is not None:
        if settings.eer_group > raw_frames and not settings.eer_join_rest:
            raise UserError(
                f"{path or 'the movie'} has {raw_frames} raw frames: they can't make a frame of "
                f"{settings.eer_group}"
            )
        return settings.eer_group
    frames = USUAL_FRAMES
    if settings.eer_dose is not None:
        if dose is None:
            raise UserError(
                f"{path or 'the movie'} doesn't tell its dose: give the raw frames that make a "
                "frame (--eer-group) in place of --eer-dose"
            )
        frames = round(dose / settings.eer_dose)
    return raw_frames // min(max(frames, 1), raw_frames)


def read_eer_header(path: Path) -> EerHeader:
    """The directories of an EER file, each checked to lie in the file."""
    length = path.stat().st_size
    try:
        with tifffile.TiffFile(path) as file:
            first = file.pages.first
            require_last_page(path, file, length)
            strips = tuple(
                tuple(zip(page.dataoffsets, page.databytecounts, strict=True))
                for page in file.pages
            )
            packing = _packing(first)
            metadata = _metadata(first.tags.valueof(METADATA))
            size = (first.imagewidth, first.imagelength)
    except VitreousError:
        raise
    except DAMAGE as error:
        raise FormatError(f"not a whole EER file ({error})", path=path, byte=length) from error
    for number, frame in enumerate(strips, 1):
        if not frame or max(offset + count for offset, count in frame) > length:
            raise FormatError(
                f"the file ends inside raw frame {number} of {len(strips)}",
                path=path,
                byte=length,
                hint="Was it copied to the end?",
            )
    noted = metadata.get("numberOfFrames", ("", ""))[0]
    if noted.isdigit() and int(noted) > len(strips):
        raise FormatError(
            f"{noted} raw frames were recorded, {len(strips)} are in the file",
            path=path,
            byte=length,
            hint="Was it copied to the end?",
        )
    return EerHeader(size, strips, packing, metadata)


def _packing(page: tifffile.TiffPage) -> Packing:
    kind = int(page.compression)
    if kind == 65000:
        return Packing(8, 2, 2, True)
    if kind == 65001:
        return Packing(7, 2, 2, False)
    run_bits, x_bits = (int(page.tags[tag].value) for tag in (RUN_BITS, X_BITS))
    return Packing(run_bits, x_bits, int(page.tags.valueof(Y_BITS, x_bits)), False)


def _metadata(raw: object) -> dict[str, tuple[str, str]]:
    """The microscope's notes, `<item name="..." unit="...">value</item>`; {} where there are none.

    They only help: what can't be read is passed over.
    """
    if isinstance(raw, bytes):
        raw = raw.decode("utf-8", "replace")
    if not isinstance(raw, str):
        return {}
    try:
        root = ElementTree.fromstring(raw.strip("\0 \n"))
    except ElementTree.ParseError:
        return {}
    return {
        item.get("name", ""): ((item.text or "").strip(), item.get("unit", ""))
        for item in root.iter("item")
    }


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
