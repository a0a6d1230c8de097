"""RELION's tomogram sets: which tomogram, its row in the set and its table of tilts.

RELION 5: a table `data_global` with a row per tomogram (rlnTomoName, rlnTomoTiltSeriesStarFile,
rlnTomoTiltSeriesPixelSize, ...) and for each a file with a table `data_<rlnTomoName>`, a row per
tilt. RELION 4: `data_global` and all the tables in one file. An optimisation set names its tomogram
set in rlnTomoTomogramsFile. Paths are relative to the project folder; where that isn't the working
directory it is sought upwards from the file that holds them. Names are text ('00255').

Columns that we don't know are kept in `Tomogram` and in the `extra` of series and tilts.

A table of tilts may lack images of the stack. We write which they are in vitreousSection ('3/41':
third of 41 sections) and name the image in rlnMicrographName ('000003@stack.mrcs'); both are read.
"""

import difflib
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.facts import NOTHING, Told, miscounted, settled
from vitreous.formats.numbers import parse_number, shortened
from vitreous.formats.products import output_error
from vitreous.formats.star import Table, names_of, read_star, table_named, write_star
from vitreous.records.tilt_series import Tilt, TiltSeries

log = logging.getLogger(__name__)

VERSION = "version 50001"
SECTION = "vitreousSection"
FOLDER_OF_SERIES = "tilt_series"
FEW = 10
OPTICS = {
    "rlnVoltage": 300.0,
    "rlnSphericalAberration": 2.7,
    "rlnAmplitudeContrast": 0.1,
}
"""What RELION must be told, and what it is told where nobody knows."""

SERIES_COLUMNS = ("rlnTomoYTilt", "rlnTomoProjX", "rlnTomoNominalStageTiltAngle")


@dataclass(frozen=True, slots=True)
class Tomogram:
    """One tomogram of a set: its row in the set (empty for a series by itself), its tilts.

    in_one_file: RELION 4's layout.
    """

    name: str
    tilts: Table
    row: Mapping[str, str] = field(default_factory=dict)
    in_one_file: bool = False
    path: Path = Path()

    def number(self, label: str) -> float | None:
        """A number of the tomogram's row, None where it isn't there."""
        word = self.row.get(label)
        return None if word is None else parse_number(word, label, self.path)

    @property
    def pixel_size(self) -> float | None:
        """A/px of the tilt images."""
        return self.number("rlnTomoTiltSeriesPixelSize")

    @property
    def size(self) -> tuple[int, int, int] | None:
        """(x, y, z) of the tomogram in unbinned pixels."""
        sides = [self.number(f"rlnTomoSize{axis}") for axis in "XYZ"]
        if any(side is None for side in sides):
            return None
        x, y, z = (int(side) for side in sides if side is not None)
        return x, y, z


# -- reading ------------------------------------------------------------------------------------


def tomogram_names(path: Path) -> list[str]:
    """Names of the tomograms in a set (or of a series by itself)."""
    tables, path = _set_tables(path)
    overview = _overview(tables)
    return overview.texts("rlnTomoName") if overview else [_lone_series(tables, path).name]


def read_tomogram(path: Path, name: str | None = None) -> Tomogram:
    """One tomogram of a set, an optimisation set or a series by itself.

    A set of several needs the name.
    """
    tables, path = _set_tables(path)
    return _tomogram(tables, path, name)


def read_tomograms(path: Path, names: Sequence[str] | None = None) -> list[Tomogram]:
    """The same for several, or all of a set."""
    tables, path = _set_tables(path)
    overview = _overview(tables)
    if overview is None and names is None:
        return [_tomogram(tables, path, None)]
    wanted = overview.texts("rlnTomoName") if overview and names is None else names
    return [_tomogram(tables, path, name) for name in wanted or ()]


def _tomogram(tables: Sequence[Table], path: Path, name: str | None) -> Tomogram:
    overview = _overview(tables)
    if overview is None:
        series = _lone_series(tables, path)
        if name not in (None, series.name):
            raise UserError(f"{path} is the series {series.name!r}, not {name!r}")
        return Tomogram(series.name, series, path=path)
    row = _chosen(list(overview.rows()), name, path)
    name = row["rlnTomoName"]
    if "rlnTomoTiltSeriesStarFile" not in overview:
        return Tomogram(name, table_named(tables, name, path), row, in_one_file=True, path=path)
    series_path = find(row["rlnTomoTiltSeriesStarFile"], path)
    found = read_star(series_path)
    return Tomogram(name, table_named(found, name, series_path), row, path=path)


def _set_tables(path: Path) -> tuple[list[Table], Path]:
    """The tables of a set and its path; an optimisation set leads to its tomogram set."""
    tables = read_star(path)
    for table in tables:
        if "rlnTomoTomogramsFile" in table and len(table):
            path = find(table.texts("rlnTomoTomogramsFile")[0], path)
            return read_star(path), path
    return tables, path


def _overview(tables: Sequence[Table]) -> Table | None:
    for table in tables:
        if "rlnTomoName" in table and (
            "rlnTomoTiltSeriesStarFile" in table or "rlnTomoTiltSeriesName" in table
        ):
            return table
    return None


def _lone_series(tables: Sequence[Table], path: Path) -> Table:
    for table in tables:
        if any(label in table for label in SERIES_COLUMNS):
            return table
    raise FormatError(
        "no tilt series and no set of tomograms",
        path=path,
        line=1,
        hint=f"It has {names_of(tables)}.",
    )


def _chosen(rows: list[dict[str, str]], name: str | None, path: Path) -> dict[str, str]:
    names = [row["rlnTomoName"] for row in rows]
    if not rows:
        raise FormatError("the set has no tomograms", path=path, line=1)
    if name is None and len(rows) > 1:
        raise UserError(f"{path} has several tomograms, say which: {', '.join(names)}")
    if name is not None and name not in names:
        raise UserError(f"{path} has no tomogram {name!r}. {_nearest(name, names)}")
    return rows[0 if name is None else names.index(name)]


def _nearest(name: str, names: Sequence[str]) -> str:
    """Names that may have been meant: all of a few, else those like it."""
    if len(names) <= FEW:
        return f"It has {', '.join(names)}"
    like = difflib.get_close_matches(name, names, FEW, 0.5) or list(names[:FEW])
    return f"Of its {len(names)} nearest to that: {', '.join(like)}"


def find(name: str, mentioned_in: Path) -> Path:
    """A path of a set: from the working directory, from any folder above the set, beside it."""
    wanted = Path(name)
    folders = [Path(), *mentioned_in.resolve().parents]
    beside = mentioned_in.parent / wanted.name
    for candidate in [*(folder / wanted for folder in folders), beside]:
        if candidate.is_file():
            return candidate
    raise UserError(
        f"{mentioned_in} names {shortened(name)}, which isn't there. Its paths are relative to "
        "RELION's project folder: start there."
    )


def sections_of(tilts: Table, told: Told, path: Path) -> tuple[NDArray[np.intp], int]:
    """(0-based sections of the rows, how many the stack has)."""
    if SECTION in tilts:
        parts = [_parts(word, tilts, i) for i, word in enumerate(tilts.texts(SECTION))]
        found, totals = zip(*parts, strict=True)
        return _checked(np.array(found) - 1, totals[0], tilts), totals[0]
    names = tilts.columns.get("rlnMicrographName", [])
    numbered = [re.match(r"(\d{1,6})@(.+)", name) for name in names]
    if names and all(numbered) and len({match[2] for match in numbered if match}) == 1:
        listed = [int(match[1]) for match in numbered if match]
        total = told.sections or max(listed)
        return _checked(np.array(listed) - 1, total, tilts), total
    if told.sections not in (None, len(tilts)):
        raise miscounted(path, len(tilts), told.sections)
    return np.arange(len(tilts)), len(tilts)


def _parts(word: str, tilts: Table, row: int) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", word)
    if not match:
        raise FormatError(
            f"{SECTION}: expected 'section/sections', found {shortened(word)}",
            path=tilts.path,
            line=tilts.line_of(row),
        )
    return int(match[1]), int(match[2])


def _checked(sections: NDArray[np.intp], total: int, tilts: Table) -> NDArray[np.intp]:
    if (
        len(set(sections.tolist())) != len(sections)
        or sections.min() < 0
        or sections.max() >= total
    ):
        raise FormatError(
            f"table {tilts.name!r}: its rows are no {len(sections)} different sections "
            f"of a stack of {total}",
            path=tilts.path,
            line=tilts.line,
        )
    return sections


# -- tilt series --------------------------------------------------------------------------------

OF_TILTS = ("rlnTomoNominalStageTiltAngle", "rlnMicrographPreExposure", "rlnMicrographMovieName")


def read_tilt_series(path: Path, told: Told = NOTHING, *, name: str | None = None) -> TiltSeries:
    """What a set says of a series beside its alignment; other columns go to `extra`."""
    tomogram = read_tomogram(path, name)
    table = tomogram.tilts
    sections, total = sections_of(table, told, path)
    facts = settled(path, told, sections=total, pixel_size=tomogram.pixel_size)
    angles = table.numbers("rlnTomoNominalStageTiltAngle")
    doses = "rlnMicrographPreExposure" in table and table.numbers("rlnMicrographPreExposure")
    tilts = [
        Tilt(
            section=int(section),
            nominal_tilt_degrees=float(angles[i]),
            pre_exposure=None if doses is False else float(doses[i]),
            movie=row.get("rlnMicrographMovieName", ""),
            extra={label: word for label, word in row.items() if label not in OF_TILTS},
        )
        for i, (section, row) in enumerate(zip(sections, table.rows(), strict=True))
    ]
    axis = "rlnTomoNominalTiltAxisAngle"
    return TiltSeries(
        name=tomogram.name,
        tilts=tuple(sorted(tilts, key=lambda tilt: tilt.section)),
        pixel_size=facts.pixel_size,
        image_size=facts.image_size,
        nominal_axis_degrees=float(table.numbers(axis)[0]) if axis in table else None,
        voltage_kv=tomogram.number("rlnVoltage"),
        spherical_aberration_mm=tomogram.number("rlnSphericalAberration"),
        amplitude_contrast=tomogram.number("rlnAmplitudeContrast"),
        extra=dict(tomogram.row),
    )


def kept_rows(
    source: Path, name: str | None, told: Told, sections: Sequence[int]
) -> tuple[str, list[dict[str, str]], dict[str, str]]:
    """(name, rows of the given sections, the set's row) as a set has them."""
    tomogram = read_tomogram(source, name)
    found, _ = sections_of(tomogram.tilts, told, source)
    rows = dict(zip(found.tolist(), tomogram.tilts.rows(), strict=True))
    return tomogram.name, [rows[section] for section in sections], dict(tomogram.row)


def rows_of(series: TiltSeries | None, sections: Sequence[int]) -> list[dict[str, str]]:
    """What a series knows of its tilts, as RELION's columns, for the given sections."""
    tilts = {tilt.section: tilt for tilt in series.tilts} if series else {}
    rows, unknown = [], 0
    for section in sections:
        tilt = tilts.get(section)
        row = _labels(tilt.extra) if tilt else {}
        if tilt:
            row |= {"rlnMicrographMovieName": tilt.movie} if tilt.movie else {}
            row["rlnTomoNominalStageTiltAngle"] = f"{tilt.nominal_tilt_degrees:.6f}"
        unknown += tilt is None or tilt.pre_exposure is None
        row["rlnMicrographPreExposure"] = f"{(tilt and tilt.pre_exposure) or 0.0:.6f}"
        if series and series.nominal_axis_degrees is not None:
            row["rlnTomoNominalTiltAxisAngle"] = f"{series.nominal_axis_degrees:.6f}"
        rows.append(row)
    if unknown:
        log.warning("the pre-exposure of %d tilts is unknown, written as 0", unknown)
    return rows


def _labels(extra: Mapping[str, str]) -> dict[str, str]:
    """What is a STAR file's own of the fields kept: the keys of an .mdoc begin with a capital."""
    return {label: word for label, word in extra.items() if label[:1].islower()}


def row_of(series: TiltSeries | None, name: str) -> dict[str, str]:
    """What a series knows of itself, as a row of the set; optics that nobody knows are said."""
    known = {
        "rlnVoltage": series and series.voltage_kv,
        "rlnSphericalAberration": series and series.spherical_aberration_mm,
        "rlnAmplitudeContrast": series and series.amplitude_contrast,
    }
    row = _labels(series.extra) if series else {}
    row["rlnTomoName"] = name
    if guessed := [label for label, value in known.items() if value is None and label not in row]:
        said = ", ".join(f"{label} {OPTICS[label]:g}" for label in guessed)
        log.warning("the optics are not all known; RELION's table gets the usual: %s", said)
    for label, value in known.items():
        row[label] = f"{OPTICS[label] if value is None else value:.6f}"
    return {"rlnTomoHand": "-1.000000", "rlnOpticsGroupName": "opticsGroup1"} | row


# -- writing ------------------------------------------------------------------------------------


def write_set(path: Path, tomogram: Tomogram, remarks: Sequence[str] = ()) -> list[Path]:
    """Write a set of one tomogram, in RELION 4's or 5's layout; remarks: comments at its head."""
    row = dict(tomogram.row)
    if tomogram.in_one_file:
        overview = _table_of_rows("global", [row], remarks)
        write_star(path, [overview, tomogram.tilts])
        return [path]
    series_path = path.parent / FOLDER_OF_SERIES / f"{tomogram.name}.star"
    row["rlnTomoTiltSeriesStarFile"] = str(series_path)
    return write_tomograms(path, [replace(tomogram, row=row)], remarks)


def write_tomograms(
    path: Path, tomograms: Sequence[Tomogram], remarks: Sequence[str] = ()
) -> list[Path]:
    """Write a set in RELION 5's layout: the tables of tilts where the rows name them, then it."""
    written = [write_tilts(tomogram) for tomogram in tomograms]
    write_star(path, [_table_of_rows("global", [dict(t.row) for t in tomograms], remarks)])
    return [path, *written]


def write_tilts(tomogram: Tomogram) -> Path:
    """Write the table of tilts to the file that the tomogram's row names."""
    path = Path(tomogram.row["rlnTomoTiltSeriesStarFile"])
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(path.parent, error) from error
    write_star(path, [tomogram.tilts])
    return path


def number_text(value: float) -> str:
    """A number as RELION writes it: 12 characters at most."""
    scientific = 0 < abs(value) < 1e-3 or abs(value) > 1e5
    return f"{value:.{5 if value < 0 else 6}{'e' if scientific else 'f'}}"


def table_of_tilts(name: str, rows: Sequence[Mapping[str, str]]) -> Table:
    """A table of tilts; a column that some rows lack is left."""
    common = [label for label in rows[0] if all(label in row for row in rows)]
    return _table_of_rows(name, [{label: row[label] for label in common} for row in rows])


def _table_of_rows(
    name: str, rows: Sequence[Mapping[str, str]], remarks: Sequence[str] = ()
) -> Table:
    columns = {label: [row[label] for row in rows] for label in rows[0]}
    return Table(name, columns, comments=(VERSION, *remarks))
