"""`vitreous motion`: movies become averages without the specimen's motion."""

import logging
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.motion import MovieFacts

log = logging.getLogger(__name__)


def motion(
    *movies: str,
    output: Annotated[Path, Parameter(help="Folder for the averages; made if it isn't there.")],
    gain: Annotated[
        Path | None,
        Parameter(help="Gain reference as `vitreous gain` writes it; frames are multiplied by it."),
    ] = None,
    defects: Annotated[
        Path | None,
        Parameter(help="Defects besides those of gain 0: a text of 'x y width height', or a map."),
    ] = None,
    facts: Annotated[MovieFacts, Parameter(name="*")] = MovieFacts.model_construct(),  # noqa: B008
    settings: Annotated[MotionSettings, Parameter(name="*")] = MotionSettings.model_construct(),  # noqa: B008
    reading: Annotated[MovieSettings, Parameter(name="*")] = MovieSettings.model_construct(),  # noqa: B008
    cpus: Annotated[int | None, Parameter(help="Threads. Default: all cores it may use.")] = None,
) -> None:
    """Correct the motion in MOVIES (TIFF, MRC, EER: files, or patterns in quotes).

    All frames of a movie are aligned at once, with weights that the movie itself tells. Motion that
    differs across the field is corrected where the movie proves it. In --output there will be for
    each movie NAME.mrc, dose-weighted where --dose is given, the sums of its even and odd frames
    NAME_EVN.mrc and NAME_ODD.mrc, NAME.star for RELION, NAME.json with all that was measured and
    NAME.png, the tracks; and corrected_micrographs.star, motion.log and motion.err.

      vitreous motion 'frames/*.tif' --gain gain.mrc --dose 3 --output averages
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.errors import OutputError, UserError, VitreousError
    from vitreous.formats import relion_motion
    from vitreous.formats.movies import open_movie, upsampling_of
    from vitreous.kernels import machine
    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.logs import logged_beside
    from vitreous.pipeline.motion import correct_movie, in_words, opened_gain, products_of
    from vitreous.pipeline.patterns import files_of

    paths = files_of(movies, "movies")
    if not paths:
        raise UserError("no movies are named: vitreous motion 'frames/*.tif' --output averages")
    planned = list(products_of(paths, output))
    for _, product in planned:
        require_apart(product, gain, defects, *paths)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{output} can't be made: {error.strerror}") from error
    threads = min(cpus or machine.cores(), machine.cores())

    gains, rows, failed = {}, [], []
    with logged_beside(output / "motion.log"):
        for number, (path, product) in enumerate(planned, 1):
            try:
                movie = open_movie(path, reading, facts.pixel_size or 1.0, facts.dose)
                shape = movie.shape[1:]
                if shape not in gains:
                    gains[shape] = opened_gain(gain, defects, shape, upsampling_of(movie))
                with progress_bar(f"{number} of {len(planned)}: {path.name}") as progress:
                    found = correct_movie(
                        path, product, settings, facts, reading, gains[shape], threads, progress
                    )
            except OutputError:
                raise
            except VitreousError as error:
                log.error("%s", error if str(path) in str(error) else f"{path}: {error}")
                failed.append(path)
                continue
            log.info("%s: %s", product, in_words(found.motion))
            rows.append(relion_motion.row_of(product, found.motion, found.exposure))
        if rows:
            overview = output / "corrected_micrographs.star"
            relion_motion.write_overview(overview, rows, found.sums.pixel_size, facts.kv)
    if failed:
        raise UserError(f"{len(failed)} of {len(planned)} movies could not be corrected, see above")
