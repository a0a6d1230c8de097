"""How an alignment and a tomogram compare with the specimen that was simulated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.records.alignment import Alignment

Array = NDArray[np.float64]
Truth = Mapping[str, Any]

COUNTED = np.array([0.44, 0.44, 0.45])  # of field and thickness to each side


@dataclass(frozen=True, slots=True, eq=False)
class AlignmentError:
    """How far an alignment shows points from where they are seen, when its gauge is removed.

    rms_px: over all views and points; per_view_px (n,). mirrored: whether the mirror image fits
    better: parallel projections can't tell. `places` maps true points into the alignment's frame.
    """

    rms_px: float
    per_view_px: Array
    mirrored: bool
    rotation: Array
    scale: float
    shift: Array

    def places(self, points: Array) -> Array:
        """True points (m, 3), angstrom, where the alignment has them."""
        return self.scale * points @ self.rotation.T + self.shift


def alignment_error(found: Alignment, points: Array, seen: Array) -> AlignmentError:
    """Error over specimen points (m, 3), angstrom, that are truly seen at (n, m, 2) pixels (x, y).

    After the similarity, mirrored or not, that brings the specimens together best. What a view
    shows outside its image is not counted.
    """
    inside: NDArray[np.bool_] = np.all((seen > 0) & (seen < np.array(found.image_size) - 1), -1)
    fits = [_fitted(found, points, seen, inside, mirror) for mirror in (1, -1)]
    best = 0 if fits[0][1] <= fits[1][1] else 1
    rotation, scale, shift = fits[best][0]
    squares = ((found.pixels(scale * points @ rotation.T + shift) - seen) ** 2).sum(-1)
    squares[~inside] = 0
    counted = inside.sum(1)
    return AlignmentError(
        rms_px=float(np.sqrt(squares.sum() / counted.sum())),
        per_view_px=np.sqrt(squares.sum(1) / np.maximum(counted, 1)),
        mirrored=best == 1,
        rotation=rotation,
        scale=scale,
        shift=shift,
    )


def _fitted(
    found: Alignment, points: Array, seen: Array, inside: NDArray[np.bool_], mirror: int
) -> tuple[tuple[Array, float, Array], float]:
    """The best similarity of one hand (rotation, scale, shift in angstrom), and its cost."""
    from scipy.optimize import least_squares
    from scipy.spatial.transform import Rotation

    degree, hundredth = np.pi / 180, 0.01  # so that all seven parameters are of one size

    def similarity(v: Array) -> tuple[Array, float, Array]:
        turned = Rotation.from_rotvec(v[:3] * degree).as_matrix() * [1, 1, mirror]
        return turned, 1 + hundredth * v[6], v[3:6] * found.pixel_size

    def off(v: Array) -> Array:
        rotation, scale, shift = similarity(v)
        away: Array = (found.pixels(scale * points @ rotation.T + shift) - seen)[inside]
        return away.ravel()

    fit = least_squares(off, np.zeros(7))
    return similarity(fit.x), float(fit.cost)


# -- as truth.json has it --------------------------------------------------------------------------


def points_in_ice(truth: Truth, count: int = 7) -> Array:
    """(m, 3) angstrom: `count` points along x and y, three along z, on the slab's mean plane."""
    size = np.array([truth["nx"], truth["ny"], truth["thickness_px"]]) * truth["pixel"]
    x, y, z = COUNTED * size
    sides = np.linspace(-x, x, count), np.linspace(-y, y, count), [-z, 0, z]
    points = np.stack([side.ravel() for side in np.meshgrid(*sides)], 1)
    about_x, about_y = np.tan(np.deg2rad([truth["slab_tilt_x_deg"], truth["slab_tilt_y_deg"]]))
    points[:, 2] += about_x * points[:, 1] - about_y * points[:, 0]
    return points


def places_seen(truth: Truth, tilts: Sequence[Truth], points: Array) -> Array:
    """(n, m, 2) pixels (x, y) where tilts of truth["tilts"] show points (m, 3), angstrom.

    The dose has moved them: X + deformation_f u(X).
    """
    wave, pixel = truth["deformation"], truth["pixel"]
    a, k, phase = (np.array(wave[key]) for key in ("a_angst", "k_rad_per_angst", "phase_rad"))
    angle = k[:, :, 0, None] * points[:, 0] + k[:, :, 1, None] * points[:, 1] + phase[:, :, None]
    motion = (a[:, :, None] * np.cos(angle)).sum(1).T
    moved = points + np.array([tilt["deformation_f"] for tilt in tilts])[:, None, None] * motion
    matrices = np.array([tilt["P"] for tilt in tilts])[:, :2]
    seen: Array = moved / pixel @ matrices[:, :, :3].transpose(0, 2, 1) + matrices[:, None, :, 3]
    return seen


# -- tomograms -------------------------------------------------------------------------------------


def dark_centre(volume: NDArray[np.generic], near: ArrayLike, radius: float) -> Array:
    """(x, y, z) sub-voxel centre of the dark spot next to the voxel `near` (x, y, z).

    Centre of mass of what is darker than halfway between the spot and its surroundings, in a ball
    of `radius` voxels that follows it.
    """
    centre = np.asarray(near, np.float64)
    reach = int(np.ceil(2 * radius))
    size = np.array(volume.shape[::-1])
    start = np.clip(np.round(centre).astype(int) - reach, 0, size - 1)
    stop = np.clip(np.round(centre).astype(int) + reach + 1, 1, size)
    window = tuple(slice(*ends) for ends in zip(start[::-1], stop[::-1], strict=True))
    box = np.asarray(volume[window], np.float64)
    z, y, x = np.indices(box.shape)
    points = np.stack([x, y, z], -1) + start
    for _ in range(20):
        inside = np.linalg.norm(points - centre, axis=-1) <= radius
        darkest = box[inside].min()
        weight = np.where(inside, ((np.median(box) + darkest) / 2 - box).clip(0), 0)
        found: Array = (weight[..., None] * points).sum((0, 1, 2)) / weight.sum()
        if np.abs(found - centre).max() < 1e-4:
            break
        centre = found
    return found
