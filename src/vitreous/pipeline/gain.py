"""The session's gain reference: read, turned onto the movies, held against them, defects found."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError, VitreousError
from vitreous.formats.gains import read_defects, read_gain
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, upsampling_of
from vitreous.kernels.ahead import read_ahead
from vitreous.motion.defects import FoundDefects, find_defects, mask_of
from vitreous.motion.gain import (
    SURE,
    OrientationCheck,
    check_orientation,
    flatness,
    in_words,
    inverted,
    orientation_of,
    require_gain,
    sized,
    turned,
)
from vitreous.motion.gain_settings import GainSettings
from vitreous.pipeline.movie_series import undosed
from vitreous.records.progress import Progress, ignore_progress

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Summed:
    """Uncorrected movies, summed in two halves (2, y, x); frames: how many went into both.

    finer: pixels of a frame along a side of the camera's.
    """

    halves: Floats
    movies: int
    frames: int
    finer: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """(y, x) of a frame."""
        return self.halves.shape[1], self.halves.shape[2]

    @property
    def mean(self) -> Floats:
        """(y, x) of all frames."""
        found: Floats = self.halves.sum(0) / np.float32(self.frames)
        return found


@dataclass(frozen=True, slots=True, eq=False)
class PreparedGain:
    """gain (y, x) of the movies' size, 0 at defects; defects: their map; orientation: as laid on.

    movies, check: what it was held against and how well it fitted; None without movies.
    """

    gain: Floats
    defects: Mask
    orientation: tuple[int, int]
    movies: Summed | None
    check: OrientationCheck | None


def prepare_gain(
    reference: Path,
    movies: Sequence[Path] = (),
    settings: GainSettings | None = None,
    *,
    reading: MovieSettings | None = None,
    defects: Path | None = None,
    progress: Progress = ignore_progress,
) -> PreparedGain:
    """Make the gain reference of a session's movies; what is found is logged.

    defects: a text of 'x y width height' or a map (MRC, TIFF) of the movies' size, not 0 at
    defects. Movies that can't be read are named and passed over.
    """
    settings = settings or GainSettings()
    if settings.auto and not movies:
        raise UserError("--auto takes the orientation from movies: name some with --movies")
    stored = read_gain(reference)
    require_gain(stored, str(reference))
    summed = sum_movies(settings.looked_at(movies), reading, progress) if movies else None
    listed = None
    if defects is not None:
        seen = (summed.shape, summed.finer) if summed else (stored.shape, 1)
        listed = read_defect_map(defects, *seen)

    check = None
    if summed is not None:
        check = check_orientation(stored, summed.mean, listed, str(reference))
        say_check(check)
    orientation, divides = decided(settings, check, reference)
    gain = turned(stored, *orientation)
    if divides:
        gain = inverted(gain)
    if summed is not None:
        gain = sized(gain, summed.shape, str(reference))
        before, after = flatness(summed.mean, gain)
        log.info(
            "unevenness between pixels: %.2f %% raw, %.2f %% with the gain",
            100 * before,
            100 * after,
        )
    mask = gain == 0
    if mask.any():
        log.info("%d pixels have a gain of 0 and are defects", mask.sum())
    if listed is not None:
        mask |= listed
        log.info("%s: %d pixels are defects", defects, listed.sum())
    if summed is not None and settings.find_defects:
        mask |= searched(summed, gain)
    return PreparedGain(
        np.where(mask, 0, gain).astype(np.float32), mask, orientation, summed, check
    )


def write_gain(prepared: PreparedGain, output: Path, pixel_size: float | None) -> list[Path]:
    """Write the gain (MRC), NAME_defects.txt and NAME.png to judge it by; returns the files."""
    from vitreous.formats.gains import write_defects
    from vitreous.formats.mrc import MrcWriter
    from vitreous.motion.defects import boxes_of
    from vitreous.report.gain import write_gain_picture

    rows, columns = prepared.gain.shape
    with MrcWriter(output, (1, rows, columns), pixel_size or 1.0, is_stack=True) as writer:
        writer.write((0, 0, 0), prepared.gain[None])
    defects, picture = output.with_name(f"{output.stem}_defects.txt"), output.with_suffix(".png")
    write_defects(defects, boxes_of(prepared.defects))
    mean = prepared.movies.mean if prepared.movies else None
    write_gain_picture(picture, prepared.gain, mean)
    log.info(
        "%s: %d x %d px, mean %.3f, %d defects",
        output,
        columns,
        rows,
        np.mean(prepared.gain[~prepared.defects]),
        prepared.defects.sum(),
    )
    return [output, defects, picture]


def sum_movies(
    movies: Sequence[Path],
    reading: MovieSettings | None = None,
    progress: Progress = ignore_progress,
) -> Summed:
    """Sum movies without any correction: every other movie, or of a single one every other frame.

    Movies that can't be read, or have another size than the first, are named and passed over.
    """
    halves: Floats | None = None
    whole = frames = 0
    finer = 1
    for number, path in enumerate(movies):
        try:
            movie = open_movie(path, undosed(reading or MovieSettings()), pixel_size=1.0)
            size, finer = movie.shape[1:], upsampling_of(movie)
            if halves is None:
                halves = np.zeros((2, *size), np.float32)
            if size != halves.shape[1:]:
                raise FormatError(
                    f"its frames have {size[1]} x {size[0]} pixels, those of the first movie "
                    f"{halves.shape[2]} x {halves.shape[1]}",
                    path=path,
                )
            total = np.zeros_like(halves)
            for index, frame in enumerate(read_ahead(movie)):
                total[index % 2] += frame
        except VitreousError as error:
            log.warning("left out: %s", error)
            continue
        if len(movies) == 1:
            halves += total
        else:
            halves[whole % 2] += total.sum(0)
        whole += 1
        frames += movie.shape[0]
        progress(number + 1, len(movies))
    if halves is None or not frames:
        raise UserError(f"none of the {len(movies)} movies can be read: see above")
    if not halves.any():
        raise UserError("the movies are empty: all their pixels are 0")
    return Summed(halves, whole, frames, finer)


def read_defect_map(path: Path, shape: tuple[int, int], finer: int = 1) -> Mask:
    """Defects (y, x) as listed in a text or marked in an image.

    A list counts the camera's pixels, of which each is `finer` pixels a side in a map of `shape`;
    an image has either's size.
    """
    if kind_of(path) not in (Kind.MRC, Kind.TIFF, Kind.DM):
        return mask_of(read_defects(path) * finer, shape)
    marked = read_gain(path) != 0
    if (marked.shape[0] * finer, marked.shape[1] * finer) == shape:
        marked = marked.repeat(finer, 0).repeat(finer, 1)
    if marked.shape != shape:
        raise UserError(
            f"{path} has {marked.shape[1]} x {marked.shape[0]} pixels, the movies {shape[1]} x "
            f"{shape[0]}: a map of defects has to have their size"
        )
    return marked


def decided(
    settings: GainSettings, check: OrientationCheck | None, reference: Path
) -> tuple[tuple[int, int], bool]:
    """The orientation to take and whether to invert; where the movies say otherwise it is said."""
    chosen = orientation_of(settings.rotate, settings.flip, settings.transpose)
    if check is None:
        return chosen, settings.invert
    if settings.auto and not check.is_sure:
        raise UserError(
            f"{reference}: the movies don't tell the orientation of the gain (the best leads by "
            f"{check.lead:.1f} standard errors, {SURE:g} are needed). Name more movies, or say "
            "--rotate and --flip"
        )
    agrees = check.best == chosen and check.divides == settings.invert
    if not check.is_sure or agrees:
        return chosen, settings.invert
    best = in_words(check.best) + (", inverted" if check.divides else "")
    asked = in_words(chosen) + (", inverted" if settings.invert else "")
    if settings.auto:
        if settings.model_fields_set & {"rotate", "flip", "transpose", "invert"}:
            log.warning("%s: the movies fit %s, which is taken, not %s", reference, best, asked)
        return check.best, check.divides
    log.warning(
        "%s: the movies fit the gain with %s, not with %s as asked. --auto takes what fits",
        reference,
        best,
        asked,
    )
    return chosen, settings.invert


def say_check(check: OrientationCheck) -> None:
    """How each orientation fits, the best first."""
    log.info("orientation of the gain, and how far it explains the movies' unevenness:")
    for orientation in sorted(check.correlations, key=lambda o: -abs(check.correlations[o])):
        log.info("  %s: correlation %+.4f", in_words(orientation), check.correlations[orientation])
    if check.is_sure:
        log.info(
            "%s%s fits, %.0f standard errors before the next",
            in_words(check.best),
            ", as a reference to divide by," if check.divides else "",
            check.lead,
        )
    else:
        log.warning(
            "the movies don't tell the orientation of the gain: %s leads by %.1f standard errors "
            "only, %g are needed",
            in_words(check.best),
            check.lead,
            SURE,
        )


def searched(summed: Summed, gain: Floats) -> Mask:
    """Hot and dead pixels of the movies; how many is said."""
    found: FoundDefects = find_defects(summed.halves * gain)
    good = gain > 0
    hot = found.hot & good
    if found.dead is None:
        log.info("%d hot pixels; too few electrons were counted to tell dead ones", hot.sum())
        return hot
    log.info("%d hot and %d dead pixels", hot.sum(), (found.dead & good).sum())
    return hot | (found.dead & good)
