"""The steps from movies to a stack, and its contrast transfer: each writes products and manifest.

gain      the reference turned onto the movies, held against them, defects found
motion    each movie's average, the sums of its even and odd frames, its motion
newstack  the averages in order of angle, with .mdoc, angles, doses
ctf       defocus of each tilt, astigmatism, hand
"""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.ctf.settings import CtfSettings
from vitreous.errors import OutputError, UserError, VitreousError
from vitreous.formats import motion_json
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, require_frames, upsampling_of
from vitreous.formats.products import write_text
from vitreous.kernels.machine import Share
from vitreous.motion.gain import OrientationCheck
from vitreous.motion.gain import in_words as orientation_in_words
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.ctf import Images, as_numbers, estimated, hand_in_words, say_ctf, write_ctf
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.fingerprints import Making, product_facts
from vitreous.pipeline.gain import PreparedGain, prepare_gain, write_gain
from vitreous.pipeline.manifests import read_facts
from vitreous.pipeline.motion import MovieFacts, MovieGain, correct_movie, in_words, opened_gain
from vitreous.pipeline.movie_makings import movie_of
from vitreous.pipeline.movie_series import MovieOfTilt, MovieSeries
from vitreous.pipeline.newstack import make_stack
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.newstack_sources import Gathered, Taken
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.session import MOST_LOST
from vitreous.records.motion import Motion
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import named_tilt

log = logging.getLogger(__name__)

DONE = "movies.json"  # what of a series is corrected already
NO_DOSE = "nothing says the dose: no frame is weighted by it. --dose-per-tilt says it"
ENDINGS = (".mrc", "_EVN.mrc", "_ODD.mrc", "_unweighted.mrc", ".star", ".json", ".png")


# -- gain -----------------------------------------------------------------------------------------


def gain(
    folder: StepFolder,
    making: Making,
    reference: Path,
    defects: Path | None,
    movies: Sequence[Path],
    settings: GainSettings,
    reading: MovieSettings,
    pixel_size: float,
    *,
    progress: Progress = ignore_progress,
) -> None:
    """Write the gain reference of the movies, its defects, and a picture to judge it by."""
    prepared = prepare_gain(
        reference, movies, settings, reading=reading, defects=defects, progress=progress
    )
    written = write_gain(prepared, folder.product("_gain.mrc"), pixel_size)
    log.info("wrote %s in %s", ", ".join(path.name for path in written), folder.path)
    products = dict(zip(("gain", "defects", "picture"), written, strict=True))
    folder.finish(making, products, facts_of_gain(prepared, reference))


def facts_of_gain(prepared: PreparedGain, reference: Path) -> dict[str, Any]:
    """How the gain was laid on, and what the movies say of that."""
    facts: dict[str, Any] = {
        "reference": str(reference),
        "orientation": orientation_in_words(prepared.orientation),
        "defects": int(prepared.defects.sum()),
        "warnings": [],
    }
    check = prepared.check
    if check is None:
        return facts
    facts["check"] = {
        "fits": orientation_in_words(check.best),
        "lead": round(float(check.lead), 2),
        "is_sure": bool(check.is_sure),
        "correlations": {
            orientation_in_words(orientation): round(float(correlation), 5)
            for orientation, correlation in check.correlations.items()
        },
    }
    if warning := warning_of(check, prepared.orientation):
        facts["warnings"].append(warning)
    return facts


def warning_of(check: OrientationCheck, chosen: tuple[int, int]) -> str:
    """What is doubtful about the orientation taken; '' if nothing is."""
    if not check.is_sure:
        return "the movies don't tell the orientation of the gain reference"
    if check.best == chosen:
        return ""
    return (
        f"the movies fit the gain reference with {orientation_in_words(check.best)}, not with "
        f"{orientation_in_words(chosen)} as taken: --gain.auto takes what fits"
    )


# -- motion ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Correction:
    """What motion correction of a series is made with.

    gain: MRC of the gain step, with the defects in it; None: none, then defects may be a list.
    fingerprint: of both.
    """

    gain: Path | None
    defects: Path | None
    fingerprint: str
    settings: MotionSettings
    reading: MovieSettings


def motion(
    folder: StepFolder,
    making: Making,
    series: MovieSeries,
    how: Correction,
    *,
    share: Share,
    progress: Progress = ignore_progress,
) -> None:
    """Correct each movie of a series; what an earlier run finished of it isn't done again.

    A movie that can't be corrected loses its tilt, and too many of them the series.
    """
    done = read_facts(folder.path / DONE)
    left_out: dict[str, str] = {}
    gains: dict[tuple[int, ...], MovieGain] = {}
    parts = len(series.movies)
    if not any(movie.tilt.dose for movie in series.movies):
        log.warning("%s: %s", series.series.name, NO_DOSE)
    for number, movie in enumerate(series.movies):
        own = movie_of(movie, series, how.fingerprint, how.settings, how.reading)
        if is_done(folder, done.get(movie.name, {}), own):
            log.debug("%s is corrected already", movie.path.name)
        else:
            part = part_of(progress, number, parts)
            try:
                correct(folder, movie, series, how, gains, share.threads, part)
            except OutputError:
                raise
            except VitreousError as error:
                why = " ".join(filter(None, why_and_what_to_do(error)))
                left_out[movie.path.name] = why
                degrees = movie.tilt.nominal_tilt_degrees
                said = why if movie.path.name in why else f"{movie.path.name}: {why}"
                log.warning("%s left out: %s", named_tilt(movie.tilt.section, degrees), said)
                require_enough(left_out, parts)
                continue
            done[movie.name] = record_of(folder, movie, own)
            write_text(folder.path / DONE, json.dumps(done, indent=1) + "\n")
        progress(number + 1, parts)
    kept = [movie for movie in series.movies if movie.path.name not in left_out]
    products = {path.name: path for movie in kept for path in files_of(folder, movie)}
    facts = facts_of_motion(folder, series, kept, left_out)
    say_motion(facts["movies"])
    folder.finish(making, products, facts)


def correct(
    folder: StepFolder,
    movie: MovieOfTilt,
    series: MovieSeries,
    how: Correction,
    gains: dict[tuple[int, ...], MovieGain],
    threads: int,
    progress: Progress,
) -> None:
    """Correct one movie and write its products."""
    tilt = movie.tilt
    opened = open_movie(movie.path, how.reading, pixel_size=1.0, dose=tilt.dose)
    shape = opened.shape[1:]
    if movie.frames is not None:
        require_frames(opened, movie.frames)
    opened.close()
    if shape not in gains:
        gains[shape] = opened_gain(how.gain, how.defects, shape, upsampling_of(opened))
    found = correct_movie(
        movie.path,
        folder.path / f"{movie.name}.mrc",
        how.settings,
        MovieFacts.model_construct(
            pixel_size=series.pixel_size,
            dose=tilt.dose or None,
            pre_exposure=tilt.pre_exposure or 0.0,
            kv=series.voltage_kv,
        ),
        how.reading,
        gains[shape],
        threads,
        progress,
    )
    degrees = tilt.nominal_tilt_degrees
    log.debug("%s: %s", named_tilt(tilt.section, degrees), in_words(found.motion))


def say_motion(movies: Sequence[dict[str, Any]]) -> None:
    """Log how far the movies went, and how well that is known."""
    corrected = [facts for facts in movies if "left_out" not in facts]
    ways = [facts["path_angstrom"] for facts in corrected]
    errors = [facts["standard_error_angstrom"] for facts in corrected]
    known = [error for error in errors if error is not None]
    log.info(
        "%d of %d movies corrected: ways of %.1f to %.1f A, standard error %s; local motion "
        "corrected in %d",
        len(corrected),
        len(movies),
        min(ways),
        max(ways),
        f"{np.median(known):.2f} A (median)" if known else "unknown",
        sum(facts["local"] for facts in corrected),
    )


def part_of(progress: Progress, number: int, parts: int) -> Progress:
    """The progress within one movie of many."""
    return lambda done, total: progress(number * total + done, parts * total)


def require_enough(left_out: dict[str, str], count: int) -> None:
    """Raise a `UserError` where too many movies can't be corrected."""
    if len(left_out) > MOST_LOST * count:
        first, why = next(iter(left_out.items()))
        said = why if first in why else f"{first}: {why}"
        raise UserError(
            f"{len(left_out)} of {count} movies could not be corrected, the series is given up. "
            f"The first: {said}"
        )


def files_of(folder: StepFolder, movie: MovieOfTilt) -> list[Path]:
    """The products of a movie that are there."""
    paths = [folder.path / f"{movie.name}{ending}" for ending in ENDINGS]
    return [path for path in paths if path.exists()]


def record_of(folder: StepFolder, movie: MovieOfTilt, making: Making) -> dict[str, Any]:
    """Of what the products of a movie were made, and that they are whole."""
    products = {path.name: product_facts(path, folder.path) for path in files_of(folder, movie)}
    return {"fingerprint": making.fingerprint, "products": products}


def is_done(folder: StepFolder, record: dict[str, Any], making: Making) -> bool:
    """Whether the products of a movie are whole and those that would be made."""
    return record.get("fingerprint") == making.fingerprint and folder.is_whole(record)


def facts_of_motion(
    folder: StepFolder,
    series: MovieSeries,
    kept: Sequence[MovieOfTilt],
    left_out: dict[str, str],
) -> dict[str, Any]:
    """Of each tilt its average and motion, or why there is none."""
    averages = {movie.tilt.movie: f"{movie.name}.mrc" for movie in kept}
    reasons = {
        movie.tilt.movie: left_out[movie.path.name]
        for movie in series.movies
        if movie.path.name in left_out
    }
    there = averages | reasons
    told = []
    for tilt in series.series.tilts:
        facts: dict[str, Any] = {"degrees": tilt.nominal_tilt_degrees, "movie": tilt.movie}
        if tilt.movie not in there:
            facts["left_out"] = "its movie isn't there" if tilt.movie else "it has no movie"
        elif tilt.movie in reasons:
            facts["left_out"] = reasons[tilt.movie]
        else:
            record = (folder.path / averages[tilt.movie]).with_suffix(".json")
            facts |= facts_of_movie(motion_json.read(record))
            facts["dose"] = tilt.dose
        told.append(facts)
    lost = [facts for facts in told if "left_out" in facts]
    no_dose = [] if any(movie.tilt.dose for movie in kept) else [NO_DOSE]
    return {
        "averages": averages,
        "movies": told,
        "pixel_size": series.pixel_size,
        "warnings": no_dose
        + [
            f"{facts['movie'] or 'a tilt'} ({facts['degrees']:.1f} degrees) is left out: "
            f"{facts['left_out']}"
            for facts in lost
        ],
    }


def facts_of_movie(motion: Motion) -> dict[str, Any]:
    """What the motion of a movie was."""
    error = motion.standard_error
    local = motion.local
    return {
        "frames": len(motion.frames),
        "track_angstrom": motion.displacements.round(3).tolist(),
        "path_angstrom": round(motion.path_length, 2),
        "standard_error_angstrom": None if error is None else round(error, 3),
        "local": local is not None,
    }


# -- newstack -------------------------------------------------------------------------------------


def newstack(
    folder: StepFolder,
    making: Making,
    series: MovieSeries,
    averages: Path,
    names: dict[str, str],
    settings: NewstackSettings,
    *,
    progress: Progress = ignore_progress,
) -> None:
    """Join the averages into the stack SERIES.st with its .mdoc, lists and half stacks.

    averages: the folder of the motion step; names: of an average by that of its movie.
    """
    images: list[Taken] = []
    for tilt in series.series.tilts:
        if tilt.movie not in names:
            continue
        path = averages / names[tilt.movie]
        even, odd = (path.with_stem(path.stem + ending) for ending in ("_EVN", "_ODD"))
        halves = (even, odd) if even.exists() and odd.exists() else (None, None)
        images.append(Taken(path, 0, replace(tilt, section=len(images)), *halves))
    known = series.series
    gathered = Gathered(tuple(images), known.nominal_axis_degrees, known.voltage_kv)
    made = make_stack(gathered, folder.product(".st"), settings, progress=progress)
    angles = made.series.nominal_tilts_degrees
    log.info(
        "%s: %d images, %.2f to %.2f degrees, %g A/px",
        made.files[0],
        len(angles),
        angles.min(),
        angles.max(),
        made.series.pixel_size,
    )
    log.info("beside it: %s", ", ".join(path.name for path in made.files[1:]))
    products = {path.name: path for path in made.files}
    facts = {
        "tilts": [
            {"degrees": tilt.nominal_tilt_degrees, "movie": tilt.movie, "dose": tilt.dose}
            for tilt in made.series.tilts
        ],
        "warnings": [],
    }
    folder.finish(making, products, facts)


# -- ctf ------------------------------------------------------------------------------------------


def ctf(
    folder: StepFolder,
    making: Making,
    images: Images,
    settings: CtfSettings,
    *,
    share: Share,
    progress: Progress = ignore_progress,
) -> None:
    """Estimate the contrast transfer of an aligned stack; tables for other programs, a picture."""
    found = estimated(images, settings, share.threads, progress)
    say_ctf(found, images.name, settings)
    written = write_ctf(found, images, folder.product)
    log.info("wrote %s in %s", ", ".join(path.name for path in written), folder.path)
    seen = [fit for fit in found.fits if fit.has_rings]
    warnings = [] if seen else ["no rings are seen in any image: the defocus is not known"]
    folder.finish(
        making,
        {path.name: path for path in written},
        {
            **as_numbers(found),
            "hand_in_words": hand_in_words(found),
            "has_rings": bool(seen),
            "mean_defocus": round(float(np.mean([fit.ctf.defocus for fit in found.fits])), 1),
            "warnings": warnings,
        },
    )
