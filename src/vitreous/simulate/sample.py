"""The sample: macromolecules, vesicles and gold beads in a slab of ice, as Gaussian blobs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.geometry.rotations import rotation_z
from vitreous.simulate.acquisition import Exposure
from vitreous.simulate.chance import random_rotation, stream
from vitreous.simulate.molecules import BLOB_SIGMA, Molecule, molecules
from vitreous.simulate.motion import Deformation, random_deformation
from vitreous.simulate.packing import Packing
from vitreous.simulate.settings import SimulateSettings
from vitreous.simulate.slab import Slab

Array = NDArray[np.float64]

GOLD_RADIUS, GOLD_SPREAD = 50.0, 0.06
GOLD_POTENTIAL = 5.0  # V, chosen for the contrast of 10 nm beads, not gold's own
GOLD_BLOBS = 320
LEAST_GRAZING = 0.15
UPPER_SHARE = 2 / 3  # of the beads
VESICLE_RADII = (180.0, 520.0)
ELLIPTICITY = 0.06
LEAFLETS_APART = 36.0
LEAFLET_POTENTIAL = 18.0  # V A: the potential above ice, summed through a leaflet
LIPID_AREA = 225.0  # A^2 of a leaflet for each of its blobs
WALL = LEAFLETS_APART + 4 * BLOB_SIGMA


Cloud = tuple[Array, Array]
"""positions (n, 3) and weights (n,) of the blobs of a body."""


@dataclass(frozen=True, slots=True, eq=False)
class Blobs:
    """positions (n, 3): angstrom; weights (n,): V A^3; motion (n, 3): angstrom, by all the dose."""

    positions: Array
    weights: Array
    motion: Array

    def __len__(self) -> int:
        return len(self.weights)


@dataclass(frozen=True, slots=True, eq=False)
class Particle:
    """A molecule at X = rotation model + position, angstrom."""

    molecule: Molecule
    position: Array
    rotation: Array


@dataclass(frozen=True, slots=True, eq=False)
class Vesicle:
    """A closed membrane; axes (3, 3): its columns are the half axes of the middle surface."""

    centre: Array
    axes: Array

    @property
    def radius(self) -> float:
        """That of the sphere of its volume."""
        return float(abs(np.linalg.det(self.axes)) ** (1 / 3))


@dataclass(frozen=True, slots=True)
class Bead:
    """A gold bead; side: 1 on the upper surface of the ice, -1 on the lower one."""

    position: Array
    radius: float
    side: int


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """What the microscope looks at; `matter` and `gold` are all of it, as blobs.

    half_field (x, y): half sides of the field of the untilted view, angstrom; the sample goes on
    beyond it so far that the tilted views are full.
    """

    slab: Slab
    particles: tuple[Particle, ...]
    vesicles: tuple[Vesicle, ...]
    beads: tuple[Bead, ...]
    matter: Blobs
    gold: Blobs
    half_field: tuple[float, float]
    deformation: Deformation

    def in_field(self, position: Array) -> bool:
        """Whether a point lies in the field of the untilted view."""
        return bool((np.abs(position[:2]) < self.half_field).all())


def slab_of(settings: SimulateSettings) -> Slab:
    """The ice of a series."""
    return Slab(
        settings.thickness_angstrom,
        settings.pitch_x,
        settings.pitch_y,
        settings.bend_angstrom,
        half_field=max(settings.size) / 2 * settings.pixel_size,
    )


def random_sample(settings: SimulateSettings, tilts: Sequence[Exposure]) -> Sample:
    """A sample that fills all views; each kind of body has random numbers of its own."""
    slab = slab_of(settings)
    size = np.array(settings.size)
    half_x, half_y = size / 2 * settings.pixel_size
    field = (float(half_x), float(half_y))
    packing = Packing(slab, field, region(settings, slab, tilts))
    share = (2 * packing.reach[0] * 2 * packing.reach[1]) / (4 * field[0] * field[1]) - 1

    vesicles = _vesicles(settings, packing, share)
    particles = _particles(settings, packing, share)
    beads = _beads(settings, packing, share)
    deformation = random_deformation(settings.seed, settings.local_motion, 2 * max(field))
    return assembled(slab, particles, vesicles, beads, field, deformation, settings.seed)


def region(
    settings: SimulateSettings, slab: Slab, tilts: Sequence[Exposure]
) -> tuple[float, float]:
    """Half sides (x, y), angstrom, of the part of the specimen that the views show."""
    half = np.array(settings.size) / 2 * settings.pixel_size * 1.04
    height = slab.thickness / 2 + slab.bend
    reach = np.zeros(2)
    for tilt in tilts:
        shift = np.abs(tilt.shift_px) * settings.pixel_size
        corners = np.array([[1, 1], [1, -1]]) * (half + shift)
        across = np.abs(corners @ rotation_z(tilt.axis)[:2, :2]).max(0)
        cos, tan = np.cos(np.deg2rad(tilt.tilt)), np.tan(np.deg2rad(abs(tilt.tilt)))
        grazing = 1 - slab.steepest * tan
        if grazing < LEAST_GRAZING:
            raise UserError(
                f"at {tilt.tilt:.0f} degrees a view looks along ice that is so pitched or bent: "
                "lower max_tilt, pitch or bend"
            )
        reach = np.maximum(reach, [(across[0] / cos + height * tan) / grazing, across[1]])
    return float(reach[0]), float(reach[1])


def assembled(
    slab: Slab,
    particles: Sequence[Particle],
    vesicles: Sequence[Vesicle],
    beads: Sequence[Bead],
    half_field: tuple[float, float],
    deformation: Deformation,
    seed: int,
) -> Sample:
    """The sample that consists of these bodies."""
    matter = [
        (p.molecule.positions @ p.rotation.T + p.position, p.molecule.weights) for p in particles
    ]
    matter += [membrane(vesicle, stream(seed, "lipids", i)) for i, vesicle in enumerate(vesicles)]
    gold = [gold_blobs(bead, stream(seed, "gold", i)) for i, bead in enumerate(beads)]
    return Sample(
        slab,
        tuple(particles),
        tuple(vesicles),
        tuple(beads),
        _blobs(matter, deformation),
        _blobs(gold, deformation),
        half_field,
        deformation,
    )


def _blobs(parts: Sequence[Cloud], deformation: Deformation) -> Blobs:
    positions = np.concatenate([np.zeros((0, 3)), *(part[0] for part in parts)])
    weights = np.concatenate([np.zeros(0), *(part[1] for part in parts)])
    return Blobs(positions, weights, deformation.motion(positions))


def _counts(in_field: float, share: float) -> list[bool]:
    """For each body whether it lies in the field: so many there, as densely beyond."""
    inside = round(in_field)
    return [True] * inside + [False] * round(in_field * share)


def _vesicles(settings: SimulateSettings, packing: Packing, share: float) -> list[Vesicle]:
    rng = stream(settings.seed, "vesicles")
    smallest, largest = VESICLE_RADII
    largest = min(largest, packing.slab.thickness / 2 / (1 + ELLIPTICITY) - WALL)
    if largest < smallest:
        return []
    found = []
    for in_field in _counts(settings.vesicles * packing.field_area, share):
        radius = rng.uniform(smallest, largest)
        outer = radius * (1 + ELLIPTICITY) + WALL / 2
        room = packing.slab.thickness / 2 - outer
        wall = WALL + 2 * ELLIPTICITY * radius
        place = packing.place(rng, outer, (-room, room), in_field, wall)
        stretched = np.diag(radius * (1 + rng.uniform(-ELLIPTICITY, ELLIPTICITY, 3)))
        found.append(Vesicle(place, random_rotation(rng) @ stretched))
    return found


def _particles(settings: SimulateSettings, packing: Packing, share: float) -> list[Particle]:
    """Large molecules first: they find room while there is some."""
    volume = packing.field_area * packing.slab.thickness / 1e4  # um^3
    found = []
    species = sorted(
        zip(molecules(), settings.molecules, strict=True), key=lambda kind: -kind[0].radius
    )
    for molecule, thousands in species:
        rng = stream(settings.seed, f"particles {molecule.name}")
        room = max(packing.slab.thickness / 2 - molecule.radius, 0)
        for in_field in _counts(thousands * 1000 * volume, share):
            place = packing.place(rng, molecule.radius, (-room, room), in_field)
            found.append(Particle(molecule, place, random_rotation(rng)))
    return found


def _beads(settings: SimulateSettings, packing: Packing, share: float) -> list[Bead]:
    """At most a radius away from the surfaces."""
    rng = stream(settings.seed, "beads")
    found = []
    for in_field in _counts(settings.beads * packing.field_area, share):
        radius = GOLD_RADIUS * (1 + rng.uniform(-GOLD_SPREAD, GOLD_SPREAD))
        side = 1 if rng.uniform() < UPPER_SHARE else -1
        surface = side * packing.slab.thickness / 2
        place = packing.place(rng, radius, (surface - radius, surface + radius), in_field)
        found.append(Bead(place, radius, side))
    return found


def gold_blobs(bead: Bead, rng: np.random.Generator) -> Cloud:
    """A ball of blobs whose centre of mass is exactly the bead's position."""
    directions = rng.normal(size=(GOLD_BLOBS, 3))
    directions /= np.linalg.norm(directions, axis=1)[:, None]
    positions = bead.radius * np.cbrt(rng.uniform(size=(GOLD_BLOBS, 1))) * directions
    positions += bead.position - positions.mean(0)
    volume = 4 / 3 * np.pi * bead.radius**3
    return positions, np.full(GOLD_BLOBS, GOLD_POTENTIAL * volume / GOLD_BLOBS)


def membrane(vesicle: Vesicle, rng: np.random.Generator) -> Cloud:
    """Two leaflets of blobs."""
    inner, outer = (_leaflet(vesicle, side * LEAFLETS_APART / 2, rng) for side in (-1, 1))
    return np.concatenate([inner[0], outer[0]]), np.concatenate([inner[1], outer[1]])


def _leaflet(vesicle: Vesicle, outwards: float, rng: np.random.Generator) -> Cloud:
    """Points at random on the vesicle's surface, moved outwards along its normals."""
    area = 4 * np.pi * (vesicle.radius + outwards) ** 2
    count = round(area / LIPID_AREA)
    unit = rng.normal(size=(count, 3))
    unit /= np.linalg.norm(unit, axis=1)[:, None]
    normals = unit @ np.linalg.inv(vesicle.axes)
    normals /= np.linalg.norm(normals, axis=1)[:, None]
    positions = vesicle.centre + unit @ vesicle.axes.T + outwards * normals
    return positions, np.full(count, LEAFLET_POTENTIAL * area / count)
