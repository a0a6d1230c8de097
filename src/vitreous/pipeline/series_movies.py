"""The steps of one series from its movies to its stack, and ctf: what decides and makes each."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from vitreous.ctf.settings import CtfSettings
from vitreous.errors import UserError
from vitreous.pipeline.fingerprints import Making, file_facts
from vitreous.pipeline.inputs import opened_raw
from vitreous.pipeline.jobs import Job, MovieJob
from vitreous.pipeline.movie_makings import ctf_of, gain_of, motion_of, newstack_of
from vitreous.pipeline.movie_series import MovieSeries, open_movies
from vitreous.pipeline.project import StepFolder
from vitreous.records.progress import Progress

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack
    from vitreous.kernels.machine import Share
    from vitreous.records.alignment import Alignment
    from vitreous.records.tilt_series import TiltSeries

    Aligned = tuple[MrcStack | TiffStack, TiltSeries, Alignment]

log = logging.getLogger(__name__)


# -- gain ------------------------------------------------------------------------------------------


def make_gain(
    job: Job, folder: StepFolder, making: Making, checked: list[Path], share: "Share", far: Progress
) -> None:
    """Prepare the gain reference of a series; checked: the movies it is held against."""
    from vitreous.pipeline import movie_steps

    movies = movies_of(job)
    for remark in movies.session.remarks:
        log.info("found: %s", remark)
    movie_steps.gain(
        folder,
        making,
        reference_of(movies),
        movies.session.defects,
        checked,
        movies.gain,
        movies.reading,
        series_of(job).pixel_size,
        progress=far,
    )


def gain_making(job: Job) -> tuple[list[Path], Making]:
    """The movies that the gain is held against, and what decides it."""
    movies = movies_of(job)
    checked = movies.gain.looked_at(movies.session.files)
    session = movies.session
    making = gain_of(reference_of(movies), session.defects, checked, movies.gain, movies.reading)
    return checked, making


def reference_of(movies: MovieJob) -> Path:
    """The stored gain reference."""
    if movies.session.gain is None:
        raise UserError("there is no gain reference")
    return movies.session.gain


# -- motion ----------------------------------------------------------------------------------------


def make_motion(
    job: Job, folder: StepFolder, making: Making, series: MovieSeries, share: "Share", far: Progress
) -> None:
    """Correct the movies of a series."""
    from vitreous.pipeline import movie_steps

    movies = movies_of(job)
    say_found(series, movies)
    reference = job.folder("gain").product("_gain.mrc") if movies.session.gain else None
    how = movie_steps.Correction(
        reference,
        None if reference else movies.session.defects,
        gain_fingerprint(job),
        movies.motion,
        movies.reading,
    )
    movie_steps.motion(folder, making, series, how, share=share, progress=far)


def motion_making(job: Job) -> tuple[MovieSeries, Making]:
    """The series of movies, and what decides its averages."""
    movies, series = movies_of(job), series_of(job)
    return series, motion_of(series, gain_fingerprint(job), movies.motion, movies.reading)


def gain_fingerprint(job: Job) -> str:
    """What decides gain and defects of the movies."""
    session = movies_of(job).session
    if session.gain is not None:
        return gain_making(job)[-1].fingerprint
    return "" if session.defects is None else str(file_facts(session.defects))


def say_found(series: MovieSeries, movies: MovieJob) -> None:
    """Log what is known of the movies, and where from."""
    known, session = series.series, movies.session
    doses = [tilt.dose for tilt in known.tilts if tilt.dose]
    axis = known.nominal_axis_degrees
    log.info(
        "%d movies of %s, %g A/px, %s, dose of a tilt %s, nominal axis %s",
        len(series.movies),
        ", ".join(path.name for path in session.notes.mdocs[:3]) or "no .mdoc",
        series.pixel_size,
        "voltage unknown" if known.voltage_kv is None else f"{known.voltage_kv:g} kV",
        f"{sum(doses) / len(doses):.3g} e/A^2" if doses else "unknown",
        "unknown" if axis is None else f"{axis:.1f} degrees",
    )
    if session.missing:
        log.warning("%d movies aren't there: %s", len(session.missing), ", ".join(session.missing))
    if session.gain is None:
        log.warning("there is no gain reference: the movies are taken as corrected")


# -- newstack --------------------------------------------------------------------------------------


def make_newstack(
    job: Job, folder: StepFolder, making: Making, series: MovieSeries, share: "Share", far: Progress
) -> None:
    """Join the averages of a series into its stack."""
    from vitreous.pipeline import movie_steps

    averages = job.folder("motion")
    movie_steps.newstack(
        folder,
        making,
        series,
        averages.path,
        averages.read_manifest()["averages"],
        movies_of(job).newstack,
        progress=far,
    )


def newstack_making(job: Job) -> tuple[MovieSeries, Making]:
    """The series of movies, and what decides its stack."""
    series, manifest = series_of(job), job.folder("motion").read_manifest()
    return series, newstack_of(series, manifest, movies_of(job).newstack)


# -- ctf -------------------------------------------------------------------------------------------


def make_ctf(
    job: Job, folder: StepFolder, making: Making, of: "Aligned", share: "Share", far: Progress
) -> None:
    """Estimate the contrast transfer of an aligned series."""
    from vitreous.pipeline import movie_steps
    from vitreous.pipeline.ctf import Images

    images = Images(job.stack, *of)
    if job.movies is None and job.given.estimate_ctf is None:
        log.info("voltage, Cs and amplitude contrast are known (--no-estimate-ctf leaves this out)")
    movie_steps.ctf(folder, making, images, ctf_settings_of(job), share=share, progress=far)


def ctf_making(job: Job) -> "tuple[Aligned, Making]":
    """The stack, what is known of its tilts, its alignment, and what decides its CTF."""
    from vitreous.formats.alignments import read_alignment
    from vitreous.records.images import facts_of

    stack, series = opened_raw(job.stack, job.given, job.source.mdoc)
    given = job.alignment
    alignment = read_alignment(
        given.alignment,
        facts_of(stack),
        angles=given.angles,
        x_tilts=given.x_tilts,
        tomogram=given.tomogram,
        aretomo_kernel=given.aretomo_kernel,
    )
    making = ctf_of(job.stack, series, alignment, ctf_settings_of(job))
    return (stack, series, alignment), making


def ctf_settings_of(job: Job) -> CtfSettings:
    """How the contrast transfer of a job that has this step is estimated."""
    assert job.ctf is not None
    return job.ctf


# -- what all need ---------------------------------------------------------------------------------


def movies_of(job: Job) -> MovieJob:
    """The movies of a job that has some."""
    assert job.movies is not None
    return job.movies


def series_of(job: Job) -> MovieSeries:
    """The series of its movies, opened."""
    movies = movies_of(job)
    return open_movies(
        job.name, movies.session, movies.given, movies.given.pixel_size, movies.reading
    )
