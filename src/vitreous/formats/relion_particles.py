"""RELION's particle sets, trajectories and optimisation sets <-> Particles.

A particle set has the tables `data_general` (version 5), `data_optics` and `data_particles`, a row
per particle. From voxel size // 2 of the tomogram, our origin, a particle lies at

    X = pixel (c - size // 2) - A_box o

c: unbinned voxel from 0: rlnCoordinateX, Y, Z, or rlnCenteredCoordinateX, Y, ZAngst / pixel +
size / 2 (a real half); o: rlnOriginX, Y, ZAngst; A_box from rlnTomoSubtomogramRot, Tilt, Psi. The
map's turn is A_box A, A from rlnAngleRot, Tilt, Psi; what is missing counts as 0.

Trajectories: a table per particle, named as it, a row per tilt: rlnOriginX, Y, ZAngst, added to X
(origins are subtracted). A table named 0 is nameless: those go by their order.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError, UserError
from vitreous.formats.relion_sets import VERSION, find
from vitreous.formats.star import Table, read_star, write_star
from vitreous.geometry.euler import relion_matrix
from vitreous.records.particles import Particles

Array = NDArray[np.float64]

CENTRED = ("rlnCenteredCoordinateXAngst", "rlnCenteredCoordinateYAngst",
           "rlnCenteredCoordinateZAngst")  # fmt: skip
VOXELS = ("rlnCoordinateX", "rlnCoordinateY", "rlnCoordinateZ")
ORIGINS = ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst")
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
BOX_ANGLES = ("rlnTomoSubtomogramRot", "rlnTomoSubtomogramTilt", "rlnTomoSubtomogramPsi")
VISIBLE = "rlnTomoVisibleFrames"
NAMELESS = "0"


# -- what belongs together ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OptimisationSet:
    """The files of an average: particles, tomograms, and if there are, trajectories, maps, mask."""

    particles: Path
    tomograms: Path
    trajectories: Path | None = None
    half_maps: tuple[Path, Path] | None = None
    mask: Path | None = None
    fsc: Path | None = None


LABELS = {
    "particles": "rlnTomoParticlesFile",
    "tomograms": "rlnTomoTomogramsFile",
    "trajectories": "rlnTomoTrajectoriesFile",
    "mask": "rlnTomoReferenceMaskFile",
    "fsc": "rlnTomoReferenceFscFile",
}
HALF_MAPS = ("rlnTomoReferenceMap1File", "rlnTomoReferenceMap2File")


def read_optimisation_set(
    path: Path | None,
    *,
    particles: Path | None = None,
    tomograms: Path | None = None,
    trajectories: Path | None = None,
) -> OptimisationSet:
    """What an optimisation set names; files that are given go before its own."""
    named: dict[str, Path] = {}
    halves: tuple[Path, Path] | None = None
    if path is not None:
        words = _only_row(path)
        for role, label in LABELS.items():
            if words.get(label):
                named[role] = find(words[label], path)
        if all(words.get(label) for label in HALF_MAPS):
            halves = find(words[HALF_MAPS[0]], path), find(words[HALF_MAPS[1]], path)
    given = {"particles": particles, "tomograms": tomograms, "trajectories": trajectories}
    named |= {role: file for role, file in given.items() if file is not None}
    if missing := [role for role in ("particles", "tomograms") if role not in named]:
        where = f"{path} doesn't name them" if path else "no optimisation set was given"
        raise UserError(f"there are no {' and no '.join(missing)}: {where}")
    return OptimisationSet(half_maps=halves, **named)


def _only_row(path: Path) -> dict[str, str]:
    known = {*LABELS.values(), *HALF_MAPS}
    for table in read_star(path):
        if known & set(table.columns) and len(table):
            return next(table.rows())
    raise FormatError(
        "no optimisation set", path=path, line=1, hint=f"It has none of {', '.join(sorted(known))}."
    )


def write_optimisation_set(path: Path, files: OptimisationSet) -> None:
    """Write which files belong together."""
    words = {
        label: str(getattr(files, role))
        for role, label in LABELS.items()
        if getattr(files, role) is not None
    }
    if files.half_maps is not None:
        words |= dict(zip(HALF_MAPS, map(str, files.half_maps), strict=True))
    columns = {label: [word] for label, word in words.items()}
    write_star(path, [Table("", columns, is_loop=False, comments=(VERSION,))])


# -- particles ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ParticleSet:
    """A particle set as the file has it: everything, also what we don't know."""

    path: Path
    particles: Table
    optics: Table | None
    general: Mapping[str, str]

    @property
    def tomograms(self) -> list[str]:
        """Names of the tomograms with particles, in order of their first particle."""
        return list(dict.fromkeys(self.particles.texts("rlnTomoName")))

    @property
    def are_stacks(self) -> bool:
        """Each particle's images are a stack of its own (pseudo-subtomograms of RELION 5)."""
        return self.general.get("rlnTomoSubTomosAre2DStacks", "0").split(".")[0] == "1"

    @property
    def has_half_sets(self) -> bool:
        """The particles are divided into half sets."""
        return "rlnRandomSubset" in self.particles


def read_particle_set(path: Path) -> ParticleSet:
    """Read a particle set; what it lacks to be one is told in one message."""
    tables = read_star(path)
    table = next((t for t in tables if t.name == "particles"), None)
    if table is None:
        table = next((t for t in tables if "rlnTomoName" in t and _place(t)), None)
    if table is None:
        raise FormatError(
            "no table data_particles with rlnTomoName and coordinates",
            path=path,
            line=1,
            hint=f"It has {', '.join(f'data_{t.name}' for t in tables)}.",
        )
    if not len(table):
        raise FormatError("the particle set is empty", path=path, line=table.line)
    lacking = [] if "rlnTomoName" in table else ["rlnTomoName"]
    if _place(table) is None:
        lacking.append(f"{' '.join(CENTRED)} (or {' '.join(VOXELS)})")
    for labels in (ORIGINS, ANGLES, BOX_ANGLES):
        if any(label in table for label in labels):
            lacking += [label for label in labels if label not in table]
    if lacking:
        raise FormatError(f"columns are missing: {', '.join(lacking)}", path=path, line=table.line)
    optics = next((t for t in tables if t.name == "optics"), None)
    general = next((next(t.rows(), {}) for t in tables if t.name == "general"), {})
    return ParticleSet(path, table, optics, general)


def _place(table: Table) -> tuple[str, str, str] | None:
    for labels in (CENTRED, VOXELS):
        if all(label in table for label in labels):
            return labels
    return None


def particles_of(
    found: ParticleSet, tomogram: str, size: tuple[int, int, int], pixel_size: float
) -> Particles:
    """The particles of one tomogram of `size` (x, y, z) unbinned voxels."""
    table = found.particles
    rows = np.flatnonzero([name == tomogram for name in table.texts("rlnTomoName")])
    if not len(rows):
        raise UserError(
            f"{found.path} has no particles in the tomogram {tomogram!r}. It has "
            f"{', '.join(found.tomograms)}"
        )
    part = Table(
        table.name,
        {label: [words[row] for row in rows] for label, words in table.columns.items()},
        path=table.path,
        line=table.line,
        row_lines=tuple(table.line_of(int(row)) or 0 for row in rows),
    )
    box = _matrices(part, BOX_ANGLES)
    rotations = box @ _matrices(part, ANGLES)
    positions = _coordinates(part, size, pixel_size)
    if ORIGINS[0] in part:
        positions = positions - np.einsum("nij,nj->ni", box, _columns(part, ORIGINS))
    return Particles(
        tomogram=tomogram,
        names=tuple(_names(part, tomogram)),
        rows=rows,
        positions=positions,
        rotations=rotations,
        half_sets=_half_sets(part),
        boxes=box,
        optics_groups=tuple(part.columns.get("rlnOpticsGroup", ["1"] * len(rows))),
    )


def _names(table: Table, tomogram: str) -> list[str]:
    if "rlnTomoParticleName" in table:
        return table.texts("rlnTomoParticleName")
    return [f"{tomogram}/{i}" for i in range(1, len(table) + 1)]


def _columns(table: Table, labels: Sequence[str]) -> Array:
    return np.stack([table.numbers(label) for label in labels], -1)


def _matrices(table: Table, labels: Sequence[str]) -> Array:
    """(n, 3, 3); the identity where the angles are missing."""
    if labels[0] not in table:
        return np.broadcast_to(np.eye(3), (len(table), 3, 3)).copy()
    return relion_matrix(*_columns(table, labels).T)


def _coordinates(table: Table, size: tuple[int, int, int], pixel_size: float) -> Array:
    """(n, 3) angstrom from voxel size // 2."""
    whole = np.array(size)
    if all(label in table for label in CENTRED):
        return _columns(table, CENTRED) + (whole / 2 - whole // 2) * pixel_size
    return (_columns(table, VOXELS) - whole // 2) * pixel_size


def _half_sets(table: Table) -> NDArray[np.intp]:
    if "rlnRandomSubset" not in table:
        return np.zeros(len(table), np.intp)
    numbers = table.numbers("rlnRandomSubset")
    if wrong := np.flatnonzero(~np.isin(numbers, (1, 2))).tolist():
        raise FormatError(
            f"rlnRandomSubset: expected 1 or 2, found {numbers[wrong[0]]:g}",
            path=table.path,
            line=table.line_of(wrong[0]),
        )
    return numbers.astype(np.intp)


def visible_of(
    found: ParticleSet, particles: Particles, sections: NDArray[np.intp], section_count: int
) -> NDArray[np.bool_] | None:
    """(n, section_count): rlnTomoVisibleFrames, whose k-th flag is for the stack's sections[k]."""
    if VISIBLE not in found.particles:
        return None
    words = found.particles.texts(VISIBLE)
    visible = np.zeros((len(particles), section_count), bool)
    for i, row in enumerate(particles.rows):
        flags = words[row].strip("[]").split(",")
        if len(flags) != len(sections):
            raise FormatError(
                f"{VISIBLE} of {particles.names[i]} has {len(flags)} flags, the tilt series "
                f"{particles.tomogram} has {len(sections)} tilts",
                path=found.path,
                line=found.particles.line_of(int(row)),
            )
        visible[i, sections] = [flag.strip() not in ("0", "0.0", "") for flag in flags]
    return visible


# -- trajectories -------------------------------------------------------------------------------


class Trajectories:
    """The tables of a trajectory file, found by the particle's name."""

    def __init__(self, path: Path) -> None:
        tables = [t for t in read_star(path) if all(label in t for label in ORIGINS)]
        if not tables:
            raise FormatError(
                f"no trajectories: no table has {' '.join(ORIGINS)}", path=path, line=1
            )
        self.path, self._tables = path, tables
        self._named = {table.name: table for table in tables if table.name != NAMELESS}

    def of(self, particles: Particles, sections: NDArray[np.intp], section_count: int) -> Array:
        """(n, section_count, 3) angstrom; row k of a table is for the stack's sections[k]."""
        tracks = np.zeros((len(particles), section_count, 3))
        for i, (name, row) in enumerate(zip(particles.names, particles.rows, strict=True)):
            table = self._table(name, int(row))
            moves = _columns(table, ORIGINS)
            if len(moves) != len(sections):
                raise FormatError(
                    f"the trajectory of {name} has {len(moves)} rows, the tilt series "
                    f"{particles.tomogram} has {len(sections)} tilts",
                    path=self.path,
                    line=table.line,
                )
            tracks[i, sections] = moves
        return tracks

    def _table(self, name: str, row: int) -> Table:
        if not self._named and row < len(self._tables):
            return self._tables[row]
        if name in self._named:
            return self._named[name]
        near = difflib.get_close_matches(name, list(self._named), 3)
        raise FormatError(
            f"no trajectory of the particle {name!r}",
            path=self.path,
            line=1,
            hint=f"Near to it: {', '.join(near)}." if near else "",
        )


# -- writing ------------------------------------------------------------------------------------


def write_particle_set(path: Path, tables: Sequence[Table]) -> None:
    """Write the tables of a set in RELION 5's layout."""
    write_star(
        path,
        [Table(t.name, t.columns, is_loop=t.is_loop, comments=(VERSION,)) for t in tables],
    )


def rows_chosen(table: Table, rows: Sequence[int]) -> Table:
    """A table with some of its rows, every column as it stood."""
    columns = {label: [words[row] for row in rows] for label, words in table.columns.items()}
    return Table(table.name, columns, table.is_loop, table.comments)
