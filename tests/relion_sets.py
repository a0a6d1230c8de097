"""A small tomogram set on disk: RELION 5's layout, and RELION 4's beside it."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from vitreous.formats import relion
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.relion_sets import read_tomogram
from vitreous.formats.star import Table, read_star, write_star
from vitreous.records.images import StackFacts

TILTS = np.array([-40.0, -20, 0, 20, 40])
SIZE = (32, 24, 12)


@dataclass(frozen=True)
class Project:
    """set, old_set: the tomogram set of RELION 5 and of RELION 4; images (5, 24, 32)."""

    folder: Path
    images: np.ndarray
    name: str = "TS_1"

    @property
    def set(self) -> Path:
        return self.folder / "tilt_series.star"

    @property
    def old_set(self) -> Path:
        return self.folder / "tomograms_r4.star"

    @property
    def series(self) -> Path:
        return self.folder / "tilt_series" / f"{self.name}.star"

    def change_tilts(self, **columns):
        self._change(self.series, lambda table: {**table.columns, **columns})

    def drop_tilts(self, *labels):
        self._change(self.series, lambda t: {k: v for k, v in t.columns.items() if k not in labels})

    def change_row(self, **values):
        self._change(
            self.set, lambda t: {**t.columns, **{label: [v] for label, v in values.items()}}
        )

    def drop_row(self, *labels):
        self._change(self.set, lambda t: {k: v for k, v in t.columns.items() if k not in labels})

    def reorder(self, rows):
        self._change(
            self.series, lambda t: {label: [v[k] for k in rows] for label, v in t.columns.items()}
        )

    def rename_images(self, named):
        names = [named(k, f"img/t{k}.mrc") for k in range(len(TILTS))]
        self.change_tilts(rlnMicrographName=names)

    def _change(self, path, changed):
        (table,) = read_star(path)
        write_star(path, [Table(table.name, changed(table))])


def write_set(folder: Path, name: str = "TS_1", seed: int = 0) -> Project:
    """A set of one tomogram with random images, their halves, a stack of all, and both tables."""
    images = np.random.default_rng(seed).normal(10, 2, (5, 24, 32)).astype(np.float32)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    (folder / "tilt_series").mkdir(exist_ok=True)
    for k, image in enumerate(images):
        write_image(folder / f"img/t{k}.mrc", image)
        write_image(folder / f"img/t{k}_EVN.mrc", image * 0.25)
        write_image(folder / f"img/t{k}_ODD.mrc", image * 0.75)
    with MrcWriter(folder / "stack.mrcs", images.shape, 5.0, is_stack=True) as writer:
        writer.write((0, 0, 0), images)
    project = Project(folder, images, name)
    write_star(project.series, [Table(name, tilts_of())])
    write_star(project.set, [Table("global", {k: [v] for k, v in row_of(project).items()})])
    write_old_set(project)
    return project


def write_image(path: Path, image: np.ndarray) -> None:
    with MrcWriter(path, (1, *image.shape), 5.0, is_stack=True) as writer:
        writer.write((0, 0, 0), image[None])


def tilts_of() -> dict[str, list[str]]:
    numbers = {
        "rlnTomoNominalStageTiltAngle": TILTS,
        "rlnMicrographPreExposure": 3.0 * np.arange(5),
        "rlnDefocusU": 23000.0 + 100 * np.arange(5),
        "rlnDefocusV": 22400.0 + 100 * np.arange(5),
        "rlnDefocusAngle": np.full(5, 35.0),
        "rlnTomoXTilt": np.full(5, 0.5),
        "rlnTomoYTilt": TILTS + 0.1,
        "rlnTomoZRot": np.full(5, -4.0),
        "rlnTomoXShiftAngst": 5.0 * np.arange(5),
        "rlnTomoYShiftAngst": -3.0 * np.arange(5),
    }
    names = {
        "rlnMicrographName": [f"img/t{k}.mrc" for k in range(5)],
        "rlnMicrographNameEven": [f"img/t{k}_EVN.mrc" for k in range(5)],
        "rlnMicrographNameOdd": [f"img/t{k}_ODD.mrc" for k in range(5)],
    }
    return names | {label: [f"{x:.6f}" for x in column] for label, column in numbers.items()}


def row_of(project: Project) -> dict[str, str]:
    return {
        "rlnTomoName": project.name,
        "rlnVoltage": "300.000000",
        "rlnSphericalAberration": "2.700000",
        "rlnAmplitudeContrast": "0.100000",
        "rlnTomoHand": "-1.000000",
        "rlnTomoTiltSeriesPixelSize": "5.000000",
        "rlnTomoTiltSeriesStarFile": f"tilt_series/{project.name}.star",
    }


def write_old_set(project: Project) -> None:
    """The same as RELION 4 has it: matrices, one stack, a size."""
    found = read_tomogram(project.set)
    alignment = relion.alignment_of(found, project.set, StackFacts(5, (32, 24), 5.0))
    matrices = relion.alignment_to_matrices(alignment, SIZE)
    tilts = {
        label: [f"[{','.join(f'{x:.12g}' for x in matrix[k])}]" for matrix in matrices]
        for k, label in enumerate(relion.MATRIX)
    }
    kept = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle", "rlnMicrographPreExposure")
    tilts |= {label: found.tilts.columns[label] for label in kept}
    row = row_of(project) | {f"rlnTomoSize{a}": str(n) for a, n in zip("XYZ", SIZE, strict=True)}
    row |= {"rlnTomoTiltSeriesName": "stack.mrcs", "rlnTomoFrameCount": "5"}
    del row["rlnTomoTiltSeriesStarFile"]
    overview = Table("global", {label: [value] for label, value in row.items()})
    write_star(project.old_set, [overview, Table(project.name, tilts)])
