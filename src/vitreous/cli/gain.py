"""`vitreous gain`: the gain reference of a session, as its movies need it."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.gain_settings import GainSettings


def gain(
    reference: Path,
    /,
    *,
    output: Annotated[Path, Parameter(help="The gain of the movies' size (MRC).")],
    movies: Annotated[
        tuple[str, ...],
        Parameter(help="Movies that it is for: files, or a pattern in quotes ('frames/*.tif')."),
    ] = (),
    settings: Annotated[GainSettings, Parameter(name="*")] = GainSettings.model_construct(),  # noqa: B008
    defects: Annotated[
        Path | None,
        Parameter(
            help="Defects of the camera: a text of 'x y width height', or a map (MRC, TIFF)."
        ),
    ] = None,
    pixel: Annotated[
        float | None, Parameter(help="Angstrom a pixel, for the header of the output.")
    ] = None,
    reading: Annotated[MovieSettings, Parameter(name="*")] = MovieSettings.model_construct(),  # noqa: B008
) -> None:
    """Turn REFERENCE (MRC, TIFF, DM3, DM4, EER's .gain) into the gain of a session's movies.

    Rotation comes first, then flip, transposition and inversion; all as seen with row 0 at the
    bottom, after the rows of TIFF and DM files have been turned round as their movies' are. A
    super-resolution gain is brought to the movies' size. With --movies all 8 orientations are tried
    against their mean; where another fits better, it is said, and --auto takes it.

    Beside the output there will be NAME_defects.txt ('x y width height'; the gain is 0 there),
    NAME.png to judge it by, NAME.log with all that was found and NAME.err with its warnings.

      vitreous gain CountRef.dm4 --movies 'frames/*.tif' --auto --output gain.mrc
    """
    from vitreous.cli.progress import progress_bar
    from vitreous.pipeline.gain import prepare_gain, write_gain
    from vitreous.pipeline.inputs import require_apart
    from vitreous.pipeline.logs import logged_beside
    from vitreous.pipeline.patterns import files_of

    paths = files_of(movies, "movies")
    require_apart(output, reference, defects, *paths)
    with logged_beside(output):
        with progress_bar("summing movies") as progress:
            prepared = prepare_gain(
                reference, paths, settings, reading=reading, defects=defects, progress=progress
            )
        write_gain(prepared, output, pixel)
