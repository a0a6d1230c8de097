"""AreTomo3's form for many series: stacks in, its layout of results out.

OUTDIR/NAME.aln, _TLT.txt, _Vol.mrc, _EVN_Vol.mrc, _ODD_Vol.mrc, _2ND_Vol.mrc, _3RD_Vol.mrc
       NAME_Imod/, NAME_Log/NAME_AT_GL.csv
       TiltSeries_Metrics.csv, TiltSeries_TimeStamp.csv, AreTomo3_Session.json
       MdocFound.txt, MdocDone.txt
       vitreous/        a project of ours: what was done, of what, logs, errors, report.html

The work is that of `vitreous run`; the volumes are the project's, under a second name (a link).
"""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path

from vitreous.errors import OutputError, UserError, VitreousError
from vitreous.faces.aretomo_line import Line
from vitreous.faces.aretomo_opened import PROJECT
from vitreous.faces.aretomo_series import Made, make_series
from vitreous.faces.aretomo_settings import require_sense
from vitreous.formats.aretomo_layout import write_metrics
from vitreous.formats.beside import series_name
from vitreous.formats.products import write_text
from vitreous.pipeline.failures import why_and_what_to_do
from vitreous.pipeline.logs import logged_beside
from vitreous.pipeline.pages import write_project_page
from vitreous.version import __version__

log = logging.getLogger(__name__)

MADE_BY_ARETOMO = ("_EVN", "_ODD", "_Vol", "_CTF", "_projXY", "_projXZ")
SECONDS_BETWEEN_LOOKS = 1.0

Facts = tuple[int, int]
"""Bytes of a file and when it was written."""


def run_batch(line: Line) -> None:
    """Make every series that is there, and those that come while -Serial waits.

    A failure of one is no matter to the others.
    """
    folder = line.needed("OutDir")
    require_sense(line)
    require_series(line)
    make_folder(folder / PROJECT)
    write_session(line, folder)
    done: dict[str, Made] = {}
    failed: dict[str, str] = {}
    for path in arrivals(line):
        name = series_name(path)
        begun = time.monotonic()
        own = folder / f"{name}_Log"
        try:
            make_folder(own)
            with logged_beside(own / f"{name}.aln"):
                done[name] = make_series(line, name, path, folder)
            failed.pop(name, None)
        except (VitreousError, OSError, MemoryError) as error:
            failed[name] = " ".join(why_and_what_to_do(error)).strip()
            done.pop(name, None)
            log.error("%s failed: %s", name, failed[name])
        keep_lists(folder, done, failed)
        keep_times(folder, name, time.monotonic() - begun)
    conclude(line, folder, done, failed)


def make_folder(folder: Path) -> None:
    """Make a folder if it isn't there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} can't be made: {error.strerror}") from error


# -- which series ---------------------------------------------------------------------------------


def find(line: Line) -> list[Path]:
    """The files that -InPrefix, -InSuffix and -InSkips mean, without those that AreTomo makes."""
    prefix, suffix = line.needed("InPrefix"), line.text("InSuffix") or ""
    if prefix.is_file():
        return [prefix]
    folder, begins = (prefix, "") if prefix.is_dir() else (prefix.parent, prefix.name)
    if not folder.is_dir():
        raise UserError(f"-InPrefix {prefix}: there is no folder {folder}")
    skips = [skip for text in line.values.get("inskips", ()) for skip in text.split(",") if skip]
    found = []
    for path in sorted(folder.iterdir()):
        is_named = path.name.startswith(begins) and path.name.endswith(suffix)
        is_left = series_name(path).endswith(MADE_BY_ARETOMO) or any(s in path.name for s in skips)
        if is_named and not is_left and not path.name.startswith(".") and path.is_file():
            found.append(path)
    return found


def arrivals(line: Line) -> Iterator[Path]:
    """The series that are there; with -Serial those, too, that come or change until none does.

    A file is taken when it looks the same as a second before.
    """
    patience = line.number("Serial", 0.0)
    if patience <= 0:
        yield from find(line)
        return
    seen: dict[Path, Facts] = {}
    tried: dict[Path, Facts] = {}
    quiet_since = time.monotonic()
    while time.monotonic() - quiet_since < patience:
        there = {path: file_facts(path) for path in find(line)}
        if there != seen:
            quiet_since = time.monotonic()
        for path, facts in there.items():
            if seen.get(path) == facts != tried.get(path):
                tried[path] = facts
                yield path
                quiet_since = time.monotonic()
        seen = there
        time.sleep(SECONDS_BETWEEN_LOOKS)


def file_facts(path: Path) -> Facts:
    """Size and time; of a file that is gone since, none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return found.st_size, found.st_mtime_ns


# -- what is kept of all --------------------------------------------------------------------------


def write_session(line: Line, folder: Path) -> None:
    """Write AreTomo3_Session.json: the options as they were given."""
    given = {name: list(words) for name, words in line.values.items()}
    session = {"software": f"vitreous {__version__}", "parameters": given}
    write_text(folder / "AreTomo3_Session.json", json.dumps(session, indent=2) + "\n")


def keep_lists(folder: Path, done: dict[str, Made], failed: dict[str, str]) -> None:
    """MdocFound.txt, MdocDone.txt: earlier runs' names stay; what failed now isn't done."""
    found = [*_names(folder / "MdocFound.txt"), *done, *failed]
    finished = [*_names(folder / "MdocDone.txt"), *done]
    for name, names in (("MdocFound.txt", found), ("MdocDone.txt", finished)):
        kept = [n for n in dict.fromkeys(names) if name == "MdocFound.txt" or n not in failed]
        write_text(folder / name, "".join(f"{each}\n" for each in kept))
    write_metrics(folder / "TiltSeries_Metrics.csv", [made.metrics for made in done.values()])


def _names(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def keep_times(folder: Path, name: str, seconds: float) -> None:
    """TiltSeries_TimeStamp.csv: a line more for a series."""
    path = folder / "TiltSeries_TimeStamp.csv"
    head = ["Tilt_Series,GPU,Operation,Time(s)"]
    lines = [*(_names(path) or head), f"{name},-1,all,{seconds:.1f}"]
    write_text(path, "".join(f"{each}\n" for each in lines))


def require_series(line: Line) -> None:
    """Raise a `UserError` where there is no series, and none is waited for."""
    if not find(line) and not line.positive("Serial"):
        raise UserError(
            f"no series: nothing begins with {line.text('InPrefix')} and ends with "
            f"'{line.text('InSuffix') or ''}'"
        )


def conclude(line: Line, folder: Path, done: dict[str, Made], failed: dict[str, str]) -> None:
    """Write the page, and say in one sentence how it ended; an error where a series failed."""
    try:
        write_project_page(folder / PROJECT)
    except OutputError as error:
        log.warning("no report: %s", error)
    if not line.has("CorrCTF"):
        log.info("volumes are not corrected for the CTF: -CorrCTF 1 does (AreTomo3's own default)")
    if failed:
        raise UserError(
            f"{len(failed)} of {len(done) + len(failed)} series failed: {', '.join(failed)}; "
            f"{folder}/NAME_Log/NAME.err tells why"
        )
    skipped = sum(not made.is_new for made in done.values())
    also = f"; {skipped} up to date already" if skipped else ""
    log.info("done: %d series in %s%s", len(done), folder, also)
