"""Motion correction of movies in files: averages, and beside each what was found of its motion."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from vitreous.errors import UserError
from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.settings import MotionSettings
from vitreous.records.progress import Progress, ignore_progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from vitreous.motion.defects import Defects
    from vitreous.motion.movie import CorrectedMovie
    from vitreous.records.motion import Exposure, Motion

log = logging.getLogger(__name__)

SAME = 1e-6  # relative difference of doses that is none


class MovieFacts(BaseModel):
    """What is known of movies, where their files don't say it."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, populate_by_name=True)

    pixel_size: Annotated[
        float | None,
        Field(gt=0, alias="pixel", description="Angstrom a pixel. Default: what the file says."),
    ] = None
    dose: Annotated[
        float | None,
        Field(gt=0, description="e/A^2 of a whole movie. Default: unknown, no dose weighting."),
    ] = None
    pre_exposure: Annotated[
        float, Field(ge=0, description="e/A^2 that the specimen had before.")
    ] = 0.0
    kv: Annotated[float, Field(gt=0, le=2000, description="Voltage, kV.")] = 300.0

    def exposure(self, doses: "NDArray[np.float64] | None") -> "Exposure | None":
        """The same of a movie whose frames have such doses."""
        from vitreous.records.motion import Exposure

        if doses is None:
            return None
        differ = float(doses.max() - doses.min()) > SAME * float(doses.max())
        by_frame = tuple(doses.tolist()) if differ else None
        return Exposure(float(doses.mean()), self.pre_exposure, self.kv, by_frame)


@dataclass(frozen=True, slots=True, eq=False)
class MovieGain:
    """The gain reference (y, x) of the movies and the pixels that have none."""

    path: Path | None
    gain: "NDArray[np.float32] | None"
    defects: "Defects | None"


def opened_gain(
    gain: Path | None, defects: Path | None, shape: tuple[int, int], finer: int = 1
) -> MovieGain:
    """What frames of `shape` (y, x) are made right by; `gain` lies as the movies do.

    finer: pixels of a frame along a side of the camera's, which a list of defects counts.
    """
    import numpy as np

    from vitreous.formats.gains import read_gain
    from vitreous.motion.defects import Defects
    from vitreous.motion.gain import require_gain, sized
    from vitreous.pipeline.gain import read_defect_map

    mask, found = np.zeros(shape, bool), None
    if gain is not None:
        stored = read_gain(gain)
        require_gain(stored, str(gain))
        found = sized(stored, shape, str(gain))
        mask |= found == 0
    if defects is not None:
        mask |= read_defect_map(defects, shape, finer)
    return MovieGain(gain, found, Defects(mask) if mask.any() else None)


def correct_movie(
    path: Path,
    product: Path,
    settings: MotionSettings,
    facts: MovieFacts,
    reading: MovieSettings,
    gain: MovieGain,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> "CorrectedMovie":
    """Correct one movie and write its products; `product` is the average's path.

    Beside it lie NAME_EVN.mrc, NAME_ODD.mrc, NAME_unweighted.mrc as far as they are made, NAME.star
    for RELION, NAME.json and NAME.png.
    """
    from vitreous.formats import motion_json, relion_motion
    from vitreous.formats.movies import frame_doses, open_movie
    from vitreous.motion.frames import CorrectedFrames
    from vitreous.motion.movie import correct_motion
    from vitreous.report.motion import write_motion_picture

    movie = open_movie(path, reading, facts.pixel_size, facts.dose)
    exposure = facts.exposure(frame_doses(movie, reading, facts.dose))
    frames = CorrectedFrames(movie, gain.gain, gain.defects)
    found = correct_motion(frames, settings, exposure, threads, progress)
    movie.close()
    sums, motion = found.sums, found.motion
    for ending, image in (
        ("", sums.average),
        ("_EVN", sums.even),
        ("_ODD", sums.odd),
        ("_unweighted", sums.unweighted),
    ):
        if image is not None:
            _write_image(named(product, f"{ending}.mrc"), image, sums.pixel_size)
    relion_motion.write(
        motion,
        named(product, ".star"),
        movie=path,
        gain=gain.path,
        exposure=exposure,
        binning=settings.binning,
    )
    motion_json.write(motion, named(product, ".json"), exposure)
    write_motion_picture(named(product, ".png"), motion, path.name)
    return found


def named(product: Path, ending: str) -> Path:
    """A file beside the average."""
    return product.with_name(product.stem + ending)


def _write_image(path: Path, image: "NDArray[np.float32]", pixel_size: float) -> None:
    from vitreous.formats.mrc import MrcWriter

    with MrcWriter(path, (1, *image.shape), pixel_size, is_stack=True) as writer:
        writer.write((0, 0, 0), image[None])


def in_words(motion: "Motion") -> str:
    """What was found of a movie's motion, in one line."""
    if motion.standard_error is None:
        return f"{len(motion.frames)} frame: nothing to align"
    said = (
        f"{len(motion.frames)} of {motion.frame_count} frames, way {motion.path_length:.1f} A, "
        f"standard error {motion.standard_error:.2f} A"
    )
    if motion.group > 1:
        said += f", aligned in groups of {motion.group}"
    if motion.local is not None:
        return said + f"; local motion corrected (log evidence {motion.log_evidence:.0f})"
    if motion.log_evidence is not None:
        return said + f"; local motion isn't proven (log evidence {motion.log_evidence:.1f})"
    return said


def products_of(movies: Sequence[Path], folder: Path) -> Iterator[tuple[Path, Path]]:
    """Movies and their averages in a folder. Raises `UserError` where two have one name."""
    taken: dict[Path, Path] = {}
    for movie in movies:
        product = folder / f"{movie.stem}.mrc"
        if product in taken:
            raise UserError(f"{taken[product]} and {movie} would both become {product}")
        taken[product] = movie
        yield movie, product
