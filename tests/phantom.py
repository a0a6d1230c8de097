"""Phantoms: ellipsoids and Gaussian blobs whose projections are known in closed form.

A body is a density on a unit ball that its axes stretch: with q = axes^-1 (X - centre)

    ellipsoid  density inside |q| <= 1        gaussian  density exp(-|q|^2 / 2)

A ray passes it at the whitened distance b, a quadratic form of the image point, and crosses
2 sqrt(1 - b^2) or sqrt(2 pi) exp(-b^2 / 2) of it, divided by |axes^-1 d| (d: along the ray). So any
view u = P X + s is exact, stretch and magnification included.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitreous.errors import UserError
from vitreous.records.alignment import Alignment
from vitreous.records.volume import Grid

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

REACH = {"ellipsoid": 1.0, "gaussian": 6.0}  # exp(-18) is below float32's resolution


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """centre (3,) angstrom; axes (3, 3): its columns are the half axes (or sigmas), angstrom."""

    shape: Literal["ellipsoid", "gaussian"]
    centre: Array
    axes: Array
    density: float


def ellipsoid(
    centre: ArrayLike, radii: ArrayLike, density: float = 1.0, rotation: Array | None = None
) -> Body:
    """A solid ellipsoid, radii (3,) or one number; rotation (3, 3) turns it about its centre."""
    return Body("ellipsoid", np.asarray(centre, np.float64), _axes(radii, rotation), density)


def gaussian(
    centre: ArrayLike, sigmas: ArrayLike, density: float = 1.0, rotation: Array | None = None
) -> Body:
    """A Gaussian blob, sigmas (3,) or one number; `density` is its height."""
    return Body("gaussian", np.asarray(centre, np.float64), _axes(sigmas, rotation), density)


def _axes(lengths: ArrayLike, rotation: Array | None) -> Array:
    axes = np.diag(np.broadcast_to(np.asarray(lengths, np.float64), 3))
    return axes if rotation is None else rotation @ axes


def mirrored(bodies: Sequence[Body], signs: tuple[int, int, int]) -> tuple[Body, ...]:
    """The mirror image: signs (x, y, z) are 1 or -1."""
    flip = np.array(signs, np.float64)
    return tuple(
        replace(body, centre=body.centre * flip, axes=flip[:, None] * body.axes) for body in bodies
    )


def projections(bodies: Sequence[Body], alignment: Alignment) -> Floats:
    """(n, y, x) the views of an alignment, in its order: density x path, angstrom.

    A pixel is the integral along the ray through its centre.
    """
    if alignment.displacement is not None:
        raise UserError("a phantom has closed-form views of affine maps only, not of local motion")
    columns, rows = alignment.image_size
    images = np.zeros((len(alignment), rows, columns), np.float32)
    for body in bodies:
        for view, image in enumerate(images):
            _add_view(body, alignment, view, image)
    return images


def _add_view(body: Body, alignment: Alignment, view: int, image: Floats) -> None:
    """Add what one body contributes to one image (y, x), in the window that it fills."""
    pixel_size = alignment.pixel_size
    projection = alignment.projections[view]
    along = np.cross(*projection)
    whiten = np.linalg.inv(body.axes)
    ray = whiten @ (along / np.linalg.norm(along))
    across = whiten @ np.linalg.pinv(projection) * pixel_size
    across -= np.outer(ray, ray @ across) / (ray @ ray)
    form = across.T @ across  # b^2 = p form p, p in pixels from the body's centre

    centre = (projection @ body.centre + alignment.shifts[view]) / pixel_size
    centre += np.asarray(alignment.image_size) // 2
    reach = REACH[body.shape] * np.linalg.norm(projection @ body.axes, axis=1) / pixel_size
    first = np.maximum(np.ceil(centre - reach), 0).astype(int)
    last = np.minimum(np.floor(centre + reach) + 1, alignment.image_size).astype(int)
    if (last <= first).any():
        return
    x = np.arange(first[0], last[0]) - centre[0]
    y = (np.arange(first[1], last[1]) - centre[1])[:, None]
    squared = form[0, 0] * x**2 + 2 * form[0, 1] * x * y + form[1, 1] * y**2
    path = _path(body.shape, squared) / np.linalg.norm(ray)
    image[first[1] : last[1], first[0] : last[0]] += (body.density * path).astype(np.float32)


def _path(shape: str, squared: Array) -> Array:
    """What a ray at the whitened distance sqrt(squared) crosses of a body of unit axes."""
    if shape == "ellipsoid":
        return 2 * np.sqrt(np.maximum(1 - squared, 0))
    return np.sqrt(2 * np.pi) * np.exp(-squared / 2)


def densities(bodies: Sequence[Body], grid: Grid) -> Floats:
    """(z, y, x) the density at the voxel centres of a grid."""
    volume = np.zeros(grid.shape, np.float32)
    for body in bodies:
        reach = REACH[body.shape] * np.linalg.norm(body.axes, axis=1)
        first = np.ceil(grid.indices(body.centre - reach)).clip(0, grid.size).astype(int)
        last = (np.floor(grid.indices(body.centre + reach)) + 1).clip(0, grid.size).astype(int)
        x, y, z = (np.arange(*ends, dtype=np.float64) for ends in zip(first, last, strict=True))
        points = np.stack(np.meshgrid(x, y, z, indexing="ij"), -1).T  # (3, z, y, x)
        whiten = np.linalg.inv(body.axes)
        from_centre = grid.specimen(np.moveaxis(points, 0, -1)) - body.centre
        squared = ((from_centre @ whiten.T) ** 2).sum(-1)
        inside = squared <= 1 if body.shape == "ellipsoid" else np.exp(-squared / 2)
        window = tuple(slice(*ends) for ends in zip(first[::-1], last[::-1], strict=True))
        volume[window] += (body.density * inside).astype(np.float32)
    return volume
