"""Self-contained pages: of a series, a project, a volume. They fetch nothing from anywhere."""

from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from vitreous.formats.products import readable
from vitreous.report import numbers
from vitreous.report.facts import File, Series, Sheet, Tomogram
from vitreous.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

    from vitreous.report.overview import Overview

UNKNOWN = "–"
BARS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # nm
LARGEST_BAR = 0.25  # of the picture's width
MOVED_BY = {"z": "xy", "y": "xz", "x": "zy"}  # along an axis go the slices of these two others
KINDS = {  # by how a file's path ends; the first that fits
    "_gain.mrc": "gain reference of the movies",
    "_gain.png": "movies without gain, gain, movies with gain",
    "_defects.txt": "defects: x y width height",
    "_EVN.st": "the stack of even frames",
    "_ODD.st": "the stack of odd frames",
    ".st": "the stack in order of angle",
    ".st.mdoc": "what the microscope noted, in the stack's order",
    ".rawtlt": "nominal tilt angles",
    "_TLT.txt": "angle, order and dose for AreTomo",
    "_order.csv": "order of acquisition for RELION",
    "_dose.txt": "dose before each tilt",
    "_ctffind.txt": "contrast transfer as CTFFIND has it",
    "_CTF.txt": "contrast transfer as AreTomo has it",
    ".defocus": "contrast transfer for IMOD",
    "_ctf.star": "contrast transfer for RELION 5",
    "_ctf.json": "contrast transfer, all numbers",
    "_ctf.png": "rings measured and fitted",
    "_slices.png": "three slices through the middle",
    "_half1.mrc": "the tomogram of one half",
    "_half2.mrc": "the tomogram of the other half",
    "_fsc.png": "what both halves have in common, by frequency",
    "_fsc.csv": "the same as a table",
    "_fsc.json": "the same, all numbers",
    ".mrc": "the tomogram",
    ".xf": "alignment for IMOD: transforms",
    ".xtilt": "alignment for IMOD: x tilts",
    ".tlt": "alignment for IMOD: refined tilt angles",
    "_tilts.txt": "with it: sections used, thickness",
    ".aln": "alignment for AreTomo",
    ".star": "alignment for RELION 5",
    "manifest.json": "inputs, settings and findings of the step",
    ".log": "all that was said",
    ".err": "warnings and errors",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A scale bar: its name, and its length in percent of a picture's width."""

    name: str
    percent: float


@dataclass(frozen=True, slots=True)
class Totals:
    """Of all series of a project."""

    sentence: str
    wall_seconds: float
    cpu_seconds: float
    tomogram_bytes: int


def series_page(series: Series, project: str) -> str:
    """The page of one series; project: its name."""
    from vitreous.report.figures import figures_of
    from vitreous.report.movie_figures import figures_of_ctf, figures_of_motion

    return _rendered(
        "series.html",
        project=project,
        series=series,
        figures=figures_of(series.aligned) if series.aligned else [],
        figures_of_motion=figures_of_motion(series.moved),
        figures_of_ctf=figures_of_ctf(series.transfer) if series.transfer else [],
        bar=_bar_of(series.tomogram) if series.tomogram else None,
        moved_by=MOVED_BY,
    )


def project_page(all_series: Sequence[Series], project: str) -> str:
    """The page of a project with all its series; their links go to SERIES/report.html."""
    return _rendered(
        "project.html",
        project=project,
        all_series=all_series,
        failed=[series for series in all_series if series.how == "failed"],
        totals=totals_of(all_series),
    )


def view_page(seen: "Overview") -> str:
    """The page of one volume, with sliders through it."""
    from vitreous.report.overview import figures_of_view, fsc_figure, planes_of

    return _rendered(
        "view.html",
        seen=seen,
        planes=planes_of(seen),
        figures=figures_of_view(seen),
        fsc=fsc_figure(seen.fsc) if seen.fsc else None,
        bar=_bar_of(seen),
        moved_by=MOVED_BY,
    )


def totals_of(all_series: Sequence[Series]) -> Totals:
    """How many series are how, and what they cost."""
    if not all_series:
        return Totals("There are no series in this project yet.", 0, 0, 0)
    counts = Counter(series.how for series in all_series)
    states = ", ".join(f"{count} {how}" for how, count in counts.most_common())
    doubtful = sum(bool(each.aligned and not each.aligned.trusted) for each in all_series)
    distrust = f"; {doubtful} alignment{'s' if doubtful > 1 else ''} not trusted"
    return Totals(
        f"{len(all_series)} series: {states}{distrust if doubtful else ''}.",
        sum(series.wall_seconds for series in all_series),
        sum(series.cpu_seconds for series in all_series),
        sum(file.size for each in all_series for file in each.files if file.path.endswith(".mrc")),
    )


def _bar_of(seen: "Tomogram | Overview") -> Bar | None:
    return scale_bar(seen.size[0] * seen.voxel_size / 10)


def scale_bar(width: float) -> Bar | None:
    """A bar of a round length, at most a quarter of a picture's width in nm."""
    fitting = [length for length in BARS if length <= LARGEST_BAR * width]
    return Bar(f"{fitting[-1]} nm", round(100 * fitting[-1] / width, 2)) if fitting else None


# -- filters of the templates ----------------------------------------------------------------------


def data_uri(picture: bytes, kind: str = "jpeg") -> str:
    """A picture as an address that holds it."""
    return f"data:image/{kind};base64,{b64encode(picture).decode()}"


def link(path: str) -> str:
    """A relative path as a link: all but letters, digits, '-', '.', '_', '~' and '/' encoded."""
    return quote(path, errors="surrogateescape")


def sentence(text: str) -> str:
    """With a capital and a full stop."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def kind(file: File) -> str:
    """What a file is."""
    return next((what for ending, what in KINDS.items() if file.path.endswith(ending)), "")


def behind(sheet: Sheet, frame: int) -> str:
    """The style of a box that shows one frame of a sheet that is its background."""
    column, row = sheet.place(frame)
    x = 100 * column / max(1, sheet.across - 1)
    y = 100 * row / max(1, sheet.down - 1)
    return (
        f"aspect-ratio: {sheet.width} / {sheet.height}; "
        f"background-size: {100 * sheet.across}% {100 * sheet.down}%; "
        f"background-position: {x:.3f}% {y:.3f}%"
    )


def trust_look(series: Series) -> str:
    """The class of the style for what is said of trust."""
    looks = {"trusted": "trusted", "not trusted": "untrusted"}
    return looks.get(series.trust, "doubtful" if series.aligned else "")


def share_of(value: float, highest: float) -> float:
    """Percent, 0 to 100."""
    return round(min(max(100 * value / (highest or 1.0), 0), 100), 1)


def _or_unknown(written: Any) -> Any:
    def of(value: float | None, *more: Any) -> str:
        return UNKNOWN if value is None else written(value, *more)

    return of


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("vitreous.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    made.filters |= {
        "data_uri": data_uri,
        "link": link,
        "sentence": sentence,
        "kind": kind,
        "behind": behind,
        "trust_look": trust_look,
        "share_of": share_of,
        "signed": _or_unknown(numbers.signed),
        "degrees": _or_unknown(numbers.degrees),
        "duration": _or_unknown(numbers.duration),
        "bytes": _or_unknown(readable),
    }
    return made


def _rendered(template: str, **facts: Any) -> str:
    written = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = _environment().get_template(template)
    text = page.render(version=__version__, written=written, **facts)
    return text.encode(errors="replace").decode()  # names may hold bytes that are no text
