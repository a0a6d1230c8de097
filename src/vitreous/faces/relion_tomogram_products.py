"""Where tomo_reconstruct_tomogram leaves its products, and the set it writes of them.

RELION 4, one tomogram     FILE
RELION 5, or several       OUT + tomograms/rec_NAME.mrc, or _half1.mrc and _half2.mrc
                                 tomograms/rec_NAME.json         the manifest, of several
                                 projections/rec_NAME.mrc        with --do_proj
RELION 5, several                tilt_series/NAME.star, tomograms.star
"""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vitreous.faces.relion_tomogram_settings import AS_ONE
from vitreous.formats import relion
from vitreous.formats.facts import NOTHING
from vitreous.formats.relion_ctf import SCALE
from vitreous.formats.relion_sets import (
    FOLDER_OF_SERIES,
    VERSION,
    Tomogram,
    number_text,
    sections_of,
)
from vitreous.formats.star import Table
from vitreous.pipeline.tomogram_set import WHOLE, SetProducts, SetSeries, volume_grid

if TYPE_CHECKING:
    from vitreous.pipeline.tomogram_set import Settings

HALVES = ("half1", "half2")
VOLUMES = {
    WHOLE: "rlnTomoReconstructedTomogram",
    "half1": "rlnTomoReconstructedTomogramHalf1",
    "half2": "rlnTomoReconstructedTomogramHalf2",
}
SUMS = {
    WHOLE: "rlnTomogramProjection",
    "half1": "rlnTomogramProjectionHalf1",
    "half2": "rlnTomogramHProjectionalf2",  # as RELION spells it
}
BFACTOR = "rlnCtfBfactorPerElectronDose"
JOB_FOLDER = re.compile(r"^(?:.*/)?[A-Za-z]\w*/job\d+/")


@dataclass(frozen=True, slots=True)
class Output:
    """What --o says. prefix: how the paths of all products begin; file: RELION 4's only one."""

    prefix: str
    file: Path | None = None

    def products(
        self, name: str, *, halves: bool, has_sum: bool, has_manifest: bool
    ) -> SetProducts:
        """The products of a tomogram."""
        parts = HALVES if halves else (WHOLE,)
        volumes = {part: self._volume("tomograms/", name, part) for part in parts}
        sums = {part: self._volume("projections/", name, part) for part in parts if has_sum}
        manifest = volumes[parts[0]].with_name(f"rec_{name}.json") if has_manifest else None
        return SetProducts(volumes, sums, manifest)

    def _volume(self, folder: str, name: str, part: str) -> Path:
        ending = f"_{part}" if part else ""
        if self.file is not None:
            stem = f"{self.file.stem}{'_proj' if folder == 'projections/' else ''}{ending}"
            return self.file.with_name(f"{stem}{self.file.suffix}")
        return Path(f"{self.prefix}{folder}rec_{name}{ending}.mrc")

    def series(self, read_from: str) -> Path:
        """Where a series' table goes: what follows the job's folder in the path of the old one."""
        rest = JOB_FOLDER.sub("", read_from)
        if Path(rest).is_absolute():
            rest = f"{FOLDER_OF_SERIES}/{Path(rest).name}"
        return Path(f"{self.prefix}{rest}")

    @property
    def overview(self) -> Path:
        """The set."""
        return Path(f"{self.prefix}tomograms.star")


# -- the set --------------------------------------------------------------------------------------


def made_tomogram(
    series: SetSeries,
    settings: "Settings",
    output: Output,
    products: SetProducts,
    bfactor: float | None,
) -> Tomogram:
    """A tomogram as it stands in the set that is written: its row, its tilts."""
    found = series.tomogram
    row = dict(found.row)
    name = found.name
    read_from = row.get("rlnTomoTiltSeriesStarFile", f"{FOLDER_OF_SERIES}/{name}.star")
    row["rlnTomoTiltSeriesStarFile"] = str(output.series(read_from))
    binning = volume_grid(series, settings).voxel_size / series.alignment.pixel_size
    if abs(binning - 1) > AS_ONE:
        row["rlnTomoTomogramBinning"] = number_text(binning)
    sides = (settings.width, settings.height, settings.thickness)
    row |= {f"rlnTomoSize{axis}": str(side) for axis, side in zip("XYZ", sides, strict=True)}
    row |= {VOLUMES[part]: str(path) for part, path in products.volumes.items()}
    row |= {SUMS[part]: str(path) for part, path in products.sums.items()}
    if bfactor is not None:
        row[BFACTOR] = number_text(bfactor)
    return replace(found, row=row, tilts=made_tilts(series, settings), in_one_file=False)


def made_tilts(series: SetSeries, settings: "Settings") -> Table:
    """The table of tilts: angles in place of matrices, --tiltangle_offset in them, CTF scales."""
    found, offset = series.tomogram, settings.tilt_offset
    table, alignment = found.tilts, series.alignment
    sections, _ = sections_of(table, NOTHING, found.path)
    rows = alignment.sections.searchsorted(sections)
    columns = {label: words for label, words in table.columns.items() if label not in relion.MATRIX}
    if relion.is_by_matrix(found):
        angles, shifts = relion.alignment_to_angles(alignment)
        for label, numbers in zip(relion.ANGLES, angles[rows].T, strict=True):
            columns[label] = texts(numbers + (offset if label == "rlnTomoYTilt" else 0.0))
        for label, numbers in zip(relion.SHIFTS, shifts[rows].T, strict=True):
            columns[label] = texts(numbers)
    elif offset:
        columns["rlnTomoYTilt"] = texts(table.numbers("rlnTomoYTilt") + offset)
    columns.setdefault(SCALE, texts(relion.tilt_scales(alignment, sections, offset)))
    return Table(found.name, columns, comments=(VERSION,))


def texts(numbers: NDArray[np.float64]) -> list[str]:
    """Numbers as RELION writes them."""
    return [number_text(number) for number in numbers.tolist()]
