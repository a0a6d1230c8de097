"""What is to be made of each series: where it is, what is known of it, its settings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from vitreous.align.settings import AlignSettings
from vitreous.ctf.settings import CtfSettings
from vitreous.errors import UserError, VitreousError
from vitreous.formats.beside import mdoc_beside
from vitreous.formats.images import image_facts
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.movie_settings import MovieSettings
from vitreous.motion.gain_settings import GainSettings
from vitreous.motion.settings import MotionSettings
from vitreous.pipeline.inputs import AlignmentInput, SeriesInput, unsaid
from vitreous.pipeline.intake import Source
from vitreous.pipeline.newstack_settings import NewstackSettings
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.project_file import ProjectFile, SeriesSettings
from vitreous.pipeline.session import Files, Session, session_for, shared_movies
from vitreous.reconstruct.settings import ReconstructSettings

FEWEST_PIXELS = 4.0  # of the longest period of rings
ALIGNMENTS = (".xf", ".aln", ".star", ".xml", ".json", ".tlt")


@dataclass(frozen=True, slots=True)
class MovieJob:
    """What comes before the stack of a series that is begun with movies; given: as the user did."""

    session: Session
    given: SeriesInput
    reading: MovieSettings
    gain: GainSettings
    motion: MotionSettings
    newstack: NewstackSettings

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps up to the stack."""
        return (*(("gain",) if self.session.gain else ()), "motion", "newstack")


@dataclass(frozen=True, slots=True)
class Job:
    """One series to be run; a worker process takes it as it is.

    movies: what its stack is made of; then `source` has the stack where it will lie. ctf: None
    where the contrast transfer isn't estimated. ctf_table: the _ctf.json of another series that
    holds for this one too.
    """

    project: Path
    source: Source
    given: SeriesInput
    align: AlignSettings
    reconstruct: ReconstructSettings
    movies: MovieJob | None = None
    ctf: CtfSettings | None = None
    ctf_table: Path | None = None

    @property
    def name(self) -> str:
        """The name of the series."""
        return self.source.name

    @property
    def stack(self) -> Path:
        """The stack of a series without a problem."""
        assert self.source.stack is not None
        return self.source.stack

    @property
    def steps(self) -> tuple[str, ...]:
        """The steps that it takes: an alignment that is given isn't found again."""
        of_movies = self.movies.steps if self.movies else ()
        align = () if self.given.alignment else ("align",)
        ctf = () if self.ctf is None else ("ctf",)
        return (*of_movies, *align, *ctf, "reconstruct")

    @property
    def alignment(self) -> AlignmentInput:
        """The alignment given, or where the one found will lie: IMOD's files hold all of it."""
        if self.given.alignment is not None:
            return self.given.with_alignment(self.given.alignment)
        return self.given.aligned_as(self.folder("align").product(".xf"))

    @property
    def align_settings(self) -> AlignSettings:
        """Tilts that the tomogram leaves out have no part in the alignment either."""
        lists = filter(None, (self.align.exclude_tilts, self.reconstruct.exclude_tilts))
        return self.align.model_copy(update={"exclude_tilts": ",".join(dict.fromkeys(lists))})

    def folder(self, step: str) -> StepFolder:
        """Where a step leaves its products."""
        return StepFolder(self.project, self.name, step)


def jobs_for(sources: Sequence[Source], settings: ProjectFile, project: Path) -> list[Job]:
    """A job for each series, with its own settings; what it lacks is the problem of its source."""
    require_one_each(settings, sources)
    files = Files()
    jobs = [job_for(source, settings, project, files) for source in sources]
    return told_missing(told_shared(jobs))


def job_for(source: Source, settings: ProjectFile, project: Path, files: Files) -> Job:
    """The job of one series; begun with its movies where they are found."""
    own = settings.settings_for(source.name)
    movies = None
    if source.notes is not None:
        source, movies = with_movies(source, own, files)
    elif own.given.begin_with == "movies" and not source.problem:
        source = replace(source, problem="nothing tells of movies: there is a stack alone")
    given, problem = own.given, source.problem
    if movies is not None:
        stack = StepFolder(project, source.name, "newstack").product(".st")
        source = replace(source, stack=stack, mdoc=None)
        given = given.model_copy(update={"pixel_size": None})
    elif source.stack is None and not problem:
        problem = "there is no stack to begin with"
    if source.stack is not None and not problem:
        try:
            require_uses(given)
            if given.alignment is not None:
                found = alignment_for(source.stack, source.name, given.alignment)
                given = given.model_copy(update={"alignment": found})
        except UserError as error:
            problem = str(error)
    source = replace(source, problem=problem)
    needed = movies is not None or own.reconstruct.needs_ctf
    ctf = own.ctf if takes_ctf(source, given, own.ctf, needed=needed) else None
    return Job(project, source, given, own.align, own.reconstruct, movies, ctf)


def takes_ctf(source: Source, given: SeriesInput, ctf: CtfSettings, *, needed: bool) -> bool:
    """Whether the contrast transfer is estimated: as asked for, else where it is `needed` (of
    movies, for the tomogram), and of a stack that we align where the optics are known and its
    pixels are fine enough for rings.
    """
    if given.estimate_ctf is not None:
        return given.estimate_ctf
    if needed:
        return True
    if source.stack is None or source.problem or given.alignment is not None:
        return False
    if given.cs is None or given.amplitude_contrast is None:
        return False
    try:
        mdoc = source.mdoc or mdoc_beside(source.stack)
        if given.kv is None and not (mdoc and read_mdoc(mdoc).get("Voltage")):
            return False
        pixel_size = given.pixel_size or image_facts(source.stack).pixel_size
    except VitreousError:
        return False  # the step that reads the file tells what is wrong with it
    return pixel_size is not None and pixel_size < ctf.low / FEWEST_PIXELS


def with_movies(
    source: Source, own: SeriesSettings, files: Files
) -> tuple[Source, MovieJob | None]:
    """A source and its movies; where there are too few of them its stack, or its problem."""
    given = own.given
    assert source.notes is not None
    try:
        session = session_for(
            source.name, source.notes, files, given, has_stack=source.stack is not None
        )
        if session is None:
            return source, None
        if given.angles is not None:
            raise UserError("--angles is for stacks: the .mdoc tells the angles of movies")
    except VitreousError as error:
        return replace(source, problem=str(error)), None
    movies = MovieJob(session, given, own.reading, own.gain, own.motion, own.newstack)
    return replace(source, problem=None), movies


def told_shared(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that have a movie in common with others have that as their problem."""
    shared = shared_movies({job.name: job.movies.session.files for job in jobs if job.movies})
    return [
        replace(job, source=replace(job.source, problem=shared[job.name]))
        if job.name in shared
        else job
        for job in jobs
    ]


def told_missing(jobs: Sequence[Job]) -> list[Job]:
    """Jobs with what neither files nor options say as their problem.

    Where that holds for all of them, all is named in one UserError.
    """
    missing = {
        job.name: unsaid(job.stack, job.given, job.source.mdoc)
        for job in jobs
        if not job.source.problem and job.movies is None
    }
    if jobs and all(missing.get(job.name) for job in jobs):
        raise UserError(f"nothing says {'; '.join(settings_missing(missing))}")
    return [
        replace(
            job, source=replace(job.source, problem=f"nothing says its {' and its '.join(lost)}")
        )
        if (lost := missing.get(job.name))
        else job
        for job in jobs
    ]


def settings_missing(missing: Mapping[str, Sequence[str]]) -> list[str]:
    """'the pixel size (--pixel) of TS_1, TS_2': each setting with the series that lack it."""
    settings = dict.fromkeys(setting for lost in missing.values() for setting in lost)
    lacking = {each: [name for name in missing if each in missing[name]] for each in settings}
    return [f"the {each} of {', '.join(names)}" for each, names in lacking.items()]


def require_uses(given: SeriesInput) -> None:
    """Raise a `UserError` for what is given and has nothing to work on."""
    if given.alignment is not None:
        if given.tilt_axis is not None:
            raise UserError("--tilt-axis is for finding an alignment, --alignment gives one")
        return
    idle = [name for name in ("x_tilts", "tomogram", "aretomo_kernel") if getattr(given, name)]
    if idle:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in idle)
        raise UserError(f"{options}: only with --alignment")


def require_one_each(settings: ProjectFile, sources: Sequence[Source]) -> None:
    """Raise a `UserError` where one alignment or list of angles is given for several series."""
    given = settings.settings_for("").given
    require_uses(given)
    if len(sources) < 2:
        return
    if given.alignment is None and given.angles is not None:
        raise UserError(
            f"{given.angles} is one list of angles, but there are several inputs: put NAME.rawtlt "
            "beside each"
        )
    if given.alignment is not None and not given.alignment.is_dir():
        raise UserError(
            f"{given.alignment} is one alignment, but there are several inputs: give the folder "
            "with an alignment for each"
        )


def alignment_for(stack: Path, name: str, given: Path) -> Path:
    """The alignment file of a stack: the file given, or the one named like it in the folder."""
    if not given.is_dir():
        return given
    found = [given / f"{name}{suffix}" for suffix in ALIGNMENTS]
    there = [path for path in found if path.exists()]
    if not there:
        raise UserError(f"{given} holds no alignment for {stack.name}: {found[0].name} or the like")
    return there[0]
