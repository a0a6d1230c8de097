"""-Cmd 0 of a series of movies: gain, motion and newstack as a project has them; the stack named
as AreTomo3 names it.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from vitreous.align.settings import AlignSettings
from vitreous.errors import UserError
from vitreous.faces.aretomo_line import Line
from vitreous.faces.aretomo_products import link
from vitreous.faces.aretomo_settings import raw_input, whole_bin
from vitreous.formats.aretomo import read_tlt_txt
from vitreous.formats.aretomo_layout import write_motion_log
from vitreous.formats.eer import is_eer
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline import series as steps
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.intake import find_series
from vitreous.pipeline.jobs import Job, MovieJob, with_movies
from vitreous.pipeline.movie_series import open_movies
from vitreous.pipeline.movie_steps import DONE
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.project_file import SeriesSettings
from vitreous.pipeline.session import Files
from vitreous.reconstruct.settings import ReconstructSettings

if TYPE_CHECKING:
    from vitreous.kernels.machine import Share

log = logging.getLogger(__name__)

OF_STACK = {
    ".st": ".mrc",
    "_EVN.st": "_EVN.mrc",
    "_ODD.st": "_ODD.mrc",
    ".st.mdoc": ".mrc.mdoc",
    "_TLT.txt": "_TLT.txt",
}
"""Endings of the newstack step, and AreTomo3's."""

USUAL_INTEGRATION = 10  # -FmInt where it isn't given
LEAST_DOSE = 0.15  # e/A^2 in a frame with -FmInt 0
UNDOSED_FRAMES = 12  # of a movie with -FmInt 0 whose dose isn't known


def make_stack(
    line: Line, name: str, mdoc: Path, folder: Path, project: Path, share: "Share", is_kept: bool
) -> bool:
    """Make OUTDIR/NAME.mrc of the movies that an .mdoc names; False: that was done already."""
    job = movie_job(line, name, mdoc, project)
    assert job.movies is not None
    is_new = False
    for step in job.movies.steps:
        place = job.folder(step)
        if not is_kept:
            place.manifest.unlink(missing_ok=True)
            (place.path / DONE).unlink(missing_ok=True)
        is_new |= steps.run_step(job, step, share)
    for ours, theirs in OF_STACK.items():
        made = job.folder("newstack").product(ours)
        if made.exists():
            link(made, folder / f"{name}{theirs}")
    motion = job.folder("motion").read_manifest()
    tracks = [
        (facts["degrees"], np.array(facts["track_angstrom"]))
        for facts in motion["movies"]
        if "track_angstrom" in facts
    ]
    listed = read_tlt_txt(folder / f"{name}_TLT.txt")
    table = folder / f"{name}_Log" / f"{name}_MC_GL.csv"
    write_motion_log(table, tracks, listed, motion["pixel_size"])
    return is_new


def movie_job(line: Line, name: str, mdoc: Path, project: Path) -> Job:
    """The series with its movies, as a project has it."""
    source = replace(find_series([mdoc])[0], name=name)
    own = settings_of(line)
    if source.notes is None and not source.problem:
        raise UserError(f"{mdoc} names no movies")
    if source.notes is not None:
        source, movies = with_movies(source, own, Files())
    if source.problem or movies is None:
        raise UserError(source.problem or f"{mdoc}: its movies aren't there")
    movies = with_integration(with_dose_of_frames(line, movies), name)
    stack = StepFolder(project, name, "newstack").product(".st")
    source = replace(source, stack=stack, mdoc=None)
    given = own.given.model_copy(update={"pixel_size": None})
    return Job(project, source, given, AlignSettings(), ReconstructSettings(), movies)


def with_dose_of_frames(line: Line, movies: MovieJob) -> MovieJob:
    """With -FmDose the dose of a tilt is that of all raw frames of the first movie."""
    dose = line.positive("FmDose")
    if dose is None:
        return movies
    frames = raw_frames_of(movies.session.files[0])
    log.info("%d raw frames of %g e/A^2: %g e/A^2 a tilt", frames, dose, dose * frames)
    given = movies.given.model_copy(update={"dose_per_tilt": dose * frames})
    return replace(movies, given=given)


def with_integration(movies: MovieJob, name: str) -> MovieJob:
    """With -FmInt 0 the raw frames in a frame are those that the first EER movie asks for."""
    first, reading = movies.session.files[0], movies.reading
    if reading.eer_group is not None or reading.fm_int_file is not None or not is_eer(first):
        return movies
    series = open_movies(
        name, movies.session, movies.given, movies.given.pixel_size, movies.reading
    )
    frames = raw_frames_of(first)
    size = integrated(frames, series.movies[0].tilt.dose or 0.0)
    log.info("%d raw frames: %d make a frame", frames, size)
    return replace(movies, reading=movies.reading.model_copy(update={"eer_group": size}))


def integrated(raw_frames: int, dose: float) -> int:
    """AreTomo3's raw frames in a frame for -FmInt 0; dose: e/A^2 of the tilt, 0: not known."""
    size = int(LEAST_DOSE / (dose / raw_frames)) if dose > 0 else raw_frames // UNDOSED_FRAMES
    return max(size, 1)


def raw_frames_of(path: Path) -> int:
    """How many frames a movie's file has."""
    opened = open_movie(path, MovieSettings(eer_group=1), pixel_size=1.0)
    frames = opened.shape[0]
    opened.close()
    return frames


def settings_of(line: Line) -> SeriesSettings:
    """The options of motion correction as our settings."""
    facts = raw_input(line, None, None).model_dump(exclude={"angles"})
    given = SeriesInput(
        **facts,
        begin_with="movies",
        gain=line.path("Gain"),
        no_gain=not line.has("Gain"),
        defects=line.path("DefectFile"),
    )
    has_halves = line.choice("SplitSum", 1, (0, 1)) == 1
    return SeriesSettings(
        given=given,
        reading=reading_of(line),
        gain=GainSettings.model_validate(
            {
                "rotate": line.choice("RotGain", 0, range(4)),
                "flip": line.choice("FlipGain", 0, range(3)),
                "invert": line.choice("InvGain", 0, (0, 1)) == 1,
            }
        ),
        motion=motion_of(line, has_halves),
        newstack=NewstackSettings(halves=has_halves),
    )


def reading_of(line: Line) -> MovieSettings:
    """-EerSampling 1, 2, 3 are 1, 2, 4 pixels along a side; -FmInt 0 waits for the movies."""
    upsampling = {1: 1, 2: 2, 3: 4}[line.choice("EerSampling", 1, (1, 2, 3))]
    grouped = line.whole("FmInt", USUAL_INTEGRATION) or None
    return MovieSettings.model_validate(
        {
            "eer_upsampling": upsampling,
            "eer_group": grouped,
            "eer_join_rest": True,
            "fm_int_file": line.path("FmIntFile"),
        }
    )


def motion_of(line: Line, has_halves: bool) -> MotionSettings:
    """Local motion is looked for with patches only, frames are never weighted, as in AreTomo3."""
    columns, rows, *_ = line.numbers("McPatch", (1.0, 1.0))
    first, last = (int(count) for count in line.numbers("Throw", (0.0, 0.0)))
    given: dict[str, Any] = {"group": line.whole("Group", 1)} if line.has("Group") else {}
    return MotionSettings(
        leave_out_first=first,
        leave_out_last=last,
        local=columns * rows > 1,
        binning=whole_bin(line.number("McBin", 1.0)),
        dose_weighting=False,
        even_odd=has_halves,
        **given,
    )
