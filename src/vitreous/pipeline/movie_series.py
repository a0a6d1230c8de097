"""A series of movies opened: what its .mdoc and options say of each tilt, and its movie's file."""

import logging
from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import UserError, VitreousError
from vitreous.formats.fm_int import raw_doses, read_fm_int
from vitreous.formats.mdoc_series import movie_pixel_size, own_frames, tilt_series
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, raw_frames_of
from vitreous.pipeline.inputs import UNSET, MicroscopeInput, as_given
from vitreous.pipeline.session import Session
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)

USUAL_VOLTAGE = 300.0


@dataclass(frozen=True, slots=True)
class MovieOfTilt:
    """A tilt and its movie; frames: raw ones, as recorded; None where nobody says."""

    tilt: Tilt
    path: Path
    frames: int | None

    @property
    def name(self) -> str:
        """Of its products: the movie's, without its ending."""
        return self.path.stem


@dataclass(frozen=True, slots=True)
class MovieSeries:
    """All that is known of a series of movies before they are read.

    series: its tilts, of which some may have no movie here; pixel_size, image_size (x, y): of the
    movies' frames as the camera counts pixels.
    """

    series: TiltSeries
    movies: tuple[MovieOfTilt, ...]

    @property
    def pixel_size(self) -> float:
        """A/px."""
        return self.series.pixel_size

    @property
    def voltage_kv(self) -> float:
        """As stated, else the usual one."""
        return self.series.voltage_kv or USUAL_VOLTAGE


def open_movies(
    name: str,
    session: Session,
    given: MicroscopeInput,
    pixel_size: float | None,
    reading: MovieSettings,
) -> MovieSeries:
    """The series of a session's movies; raises UserError where its pixel size isn't known."""
    mdoc = session.notes.read()
    path = session.notes.mdocs[0] if session.notes.mdocs else None
    size, own = first_readable(session, reading)
    known = pixel_size or movie_pixel_size(mdoc, size, path) or own
    if known is None:
        raise UserError(
            "nothing says the pixel size of the movies: the .mdoc has no PixelSpacing. "
            "Give it with --pixel"
        )
    series = as_given(
        tilt_series(
            mdoc,
            name,
            path=path,
            pixel_size=known,
            image_size=size,
            dose_per_tilt=given.dose_per_tilt or listed_dose(session, reading),
        ),
        given,
    )
    of_name, frames = dict(session.movies), own_frames(mdoc)
    movies = tuple(
        MovieOfTilt(tilt, of_name[tilt.movie], frames.get(tilt.movie))
        for tilt in series.tilts
        if tilt.movie in of_name
    )
    stems = [movie.name for movie in movies]
    if twice := sorted({stem for stem in stems if stems.count(stem) > 1}):
        raise UserError(f"several movies are called {twice[0]}: rename them and the .mdoc")
    return MovieSeries(series, movies)


def first_readable(
    session: Session, reading: MovieSettings
) -> tuple[tuple[int, int], float | None]:
    """((x, y) of the camera, A/px as the file says) of the first movie that can be opened."""
    faults: list[str] = []
    for path in session.files:
        try:
            movie = open_movie(path, undosed(reading), pixel_size=1.0)
            _, rows, columns = movie.shape
            movie.close()
        except VitreousError as error:
            faults.append(str(error))
            continue
        finer = upsampling(path, reading)
        return (columns // finer, rows // finer), own_pixel_size(path, reading)
    raise UserError(f"none of {len(faults)} movies can be read: {faults[0]}")


def listed_dose(session: Session, reading: MovieSettings) -> float | None:
    """e/A^2 of a movie by the doses of its raw frames in the -FmIntFile; None where it has none."""
    if reading.fm_int_file is None:
        return None
    lines = read_fm_int(reading.fm_int_file)
    for path in session.files:
        try:
            movie = open_movie(path, undosed(reading), pixel_size=1.0)
        except VitreousError:
            continue
        movie.close()
        doses = raw_doses(lines, raw_frames_of(movie))
        return None if doses is None else float(doses.sum())
    return None


def own_pixel_size(path: Path, reading: MovieSettings) -> float | None:
    """A/px of the camera that a movie itself says; None for 1 A, as of programs that know none."""
    try:
        movie = open_movie(path, undosed(reading))
    except VitreousError:
        return None
    movie.close()
    size = movie.pixel_size * upsampling(path, reading)
    return None if size == UNSET else size


def upsampling(path: Path, reading: MovieSettings) -> int:
    """Pixels of a frame along a side of the camera's."""
    return reading.eer_upsampling if path.suffix.lower() == ".eer" else 1


def undosed(reading: MovieSettings) -> MovieSettings:
    """The same for movies whose dose isn't known yet."""
    return reading.model_copy(update={"eer_dose": None})
