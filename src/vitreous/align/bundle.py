"""Robust bundle adjustment: one geometry of all views for the displacements of patches."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

from vitreous.align.patches import Displacements
from vitreous.align.views import Views
from vitreous.geometry.rotations import rotation_x, rotation_z

Array = NDArray[np.float64]

SPREAD_AXIS = 0.05  # degrees: what a view may leave the common axis by, at one standard deviation
SPREAD_TILT = 0.10  # degrees from the stage's angle
SPREAD_MAGNIFICATION = 0.001
SPREAD_HEIGHT = 0.05  # of the field: heights of patches
SPREAD_PLACE = 0.02  # of the field: patches along the plane
SPREAD_COMMON = 10.0  # degrees by which the axis of all may turn
LEAST_HEIGHT = 4.5  # standard deviations; a lower peak of a patch is noise
GOOD_HEIGHT = 8.0  # a peak of this height counts 1
CAUCHY = 1.5  # times the median residual: where a residual counts half
ROUNDS = 12
SETTLED = 2e-3  # px: a step of the shifts that changes nothing more


@dataclass(frozen=True, slots=True, eq=False)
class Bundle:
    """Views, the patches' places (p, 3) px, and what is left of the displacements.

    residual_px: rms of those that count; per_view_px (n,): median length of a view's residuals.
    """

    views: Views
    points: Array
    residual_px: float
    per_view_px: Array


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """Measured positions: of patch[k] in view[k] at seen[k] (x, y) px from the image's centre."""

    view: NDArray[np.intp]
    patch: NDArray[np.intp]
    seen: Array
    weight: Array


def tracks_of(views: Views, displacements: Displacements) -> Tracks:
    """Where in the images the patches were found."""
    view, patch = np.nonzero(displacements.heights > LEAST_HEIGHT)
    on_plane = displacements.centres[patch] - displacements.moves[view, patch]
    seen = views.shifts[view] + np.einsum("kij,kj->ki", views.in_plane[view], on_plane)
    weight = np.minimum(displacements.heights[view, patch] / GOOD_HEIGHT, 1.5)
    return Tracks(view, patch, seen, weight)


def adjusted(
    views: Views,
    nominal_tilts: Array,
    displacements: Displacements,
    field: float,
    *,
    is_axis_fixed: bool = False,
) -> Bundle:
    """Views that best explain the displacements; Gauss-Newton with Cauchy weights.

    Free are every view's shift, axis, tilt and magnification, the patches' places and the axis of
    all; the SPREADs hold them to the axis of all, to nominal_tilts (degrees), to 1, and to a plane.
    field: px. A fixed axis is that of the views, which all have it.
    """
    tracks = tracks_of(views, displacements)
    n, p = displacements.heights.shape
    flat = np.column_stack([displacements.centres, np.zeros(p)])
    points, common = flat, float(views.axes.mean())
    if len(tracks.view) == 0:
        return Bundle(views, points, np.nan, np.full(n, np.nan))
    held, tightness = _priors(n, p), 1 / _spreads(n, p, field) ** 2
    stiffness = held.T @ (held * tightness[:, None])
    for _ in range(ROUNDS):
        residual = tracks.seen - _seen(views, points, tracks)
        length = np.hypot(*residual.T)
        spread = max(1.4826 * float(np.median(length)), 0.02)
        weight = tracks.weight / np.sqrt(1 + (length / (CAUCHY * spread)) ** 2)
        system = sparse.diags(np.repeat(weight, 2)) @ _system(views, points, tracks, is_axis_fixed)
        departed = _departed(views, common, nominal_tilts, points - flat)
        normal = (system.T @ system).toarray() + spread**2 * stiffness
        right = system.T @ (residual * weight[:, None]).ravel()
        right -= spread**2 * (held.T @ (departed * tightness))
        step = _solved(normal, right, 5 * n)
        views, points, common = _stepped(views, points, common, step)
        if np.abs(step[: 2 * n]).max() < SETTLED:
            break
    residual = tracks.seen - _seen(views, points, tracks)
    length = np.hypot(*residual.T)
    counts = weight > 0.5 * tracks.weight
    per_view = [
        np.median(length[tracks.view == i]) if (tracks.view == i).any() else np.nan
        for i in range(n)
    ]
    return Bundle(views, points, float(np.sqrt((length[counts] ** 2).mean())), np.array(per_view))


def _solved(normal: Array, right: Array, views: int) -> Array:
    """normal^-1 right. The patches' places, three unknowns each after the first `views`, depend
    on each other through the views only: they are eliminated first. The axis of all comes last.
    """
    of_patches = slice(views, len(right) - 1)
    others = np.r_[:views, len(right) - 1]
    places = normal[of_patches, of_patches].reshape(-1, 3, len(right) - 1 - views)
    own = np.arange(len(places))
    inverse = np.linalg.inv(np.stack([places[i, :, 3 * i : 3 * i + 3] for i in own]))
    coupling = normal[others, of_patches].reshape(len(others), -1, 3)
    through = np.einsum("upi,pij->upj", coupling, inverse).reshape(len(others), -1)
    left = normal[np.ix_(others, others)] - through @ coupling.reshape(len(others), -1).T
    step = np.empty(len(right))
    step[others] = linalg.solve(left, right[others] - through @ right[of_patches], assume_a="pos")
    rest = (right[of_patches] - step[others] @ normal[others, of_patches]).reshape(-1, 3)
    step[of_patches] = np.einsum("pij,pj->pi", inverse, rest).ravel()
    return step


def _seen(views: Views, points: Array, tracks: Tracks) -> Array:
    """(k, 2) where the geometry puts what was measured."""
    maps = views.maps[tracks.view]
    return views.shifts[tracks.view] + np.einsum("kij,kj->ki", maps, points[tracks.patch])


def _spreads(n: int, p: int, field: float) -> Array:
    """One standard deviation of every unknown, in the order of `_departed`."""
    place, height = SPREAD_PLACE * field, SPREAD_HEIGHT * field
    return np.concatenate(
        [
            np.full(2 * n, 1e3),
            np.full(n, SPREAD_AXIS),
            np.full(n, SPREAD_TILT),
            np.full(n, SPREAD_MAGNIFICATION),
            np.tile([place, place, height], p),
            [SPREAD_COMMON],
        ]
    )


def _priors(n: int, p: int) -> Array:
    """What each prior holds: its own unknown; a view's axis to that of all."""
    held = np.eye(5 * n + 3 * p + 1)
    held[2 * n : 3 * n, -1] = -1
    return held


def _departed(views: Views, common: float, nominal_tilts: Array, moved: Array) -> Array:
    """How far every unknown is from where its prior holds it."""
    return np.concatenate(
        [
            np.zeros(2 * len(views)),
            views.axes - common,
            views.tilts - nominal_tilts,
            views.magnifications - 1,
            moved.ravel(),
            [0.0],
        ]
    )


def _system(views: Views, points: Array, tracks: Tracks, is_axis_fixed: bool) -> sparse.csr_matrix:
    """(2 k, unknowns) derivatives of the positions: each depends on eight unknowns and no more.

    Of a fixed axis the images say nothing: its prior alone is left, which moves it nowhere.
    """
    n, p, k = len(views), len(points), len(tracks.view)
    view, patch = tracks.view, tracks.patch
    maps = views.maps[view]
    at = points[patch]
    where = np.einsum("kij,kj->ki", maps, at)
    by_axis = np.column_stack([-where[:, 1], where[:, 0]]) * np.deg2rad(not is_axis_fixed)
    by_tilt = np.einsum("kij,kj->ki", _by_tilt(views)[view], at)
    by_growth = where / views.magnifications[view, None]
    by_shift = np.broadcast_to(np.eye(2), (k, 2, 2))
    angles = np.stack([by_axis, by_tilt, by_growth], -1)
    values = np.concatenate([by_shift, angles, maps], -1)
    of_view = np.stack([2 * view, 2 * view + 1, 2 * n + view, 3 * n + view, 4 * n + view], -1)
    of_patch = 5 * n + 3 * patch[:, None] + np.arange(3)
    columns = np.repeat(np.concatenate([of_view, of_patch], -1), 2, axis=0)
    rows = np.repeat(np.arange(2 * k), 8)
    shape = (2 * k, 5 * n + 3 * p + 1)
    return sparse.csr_matrix((values.ravel(), (rows, columns.ravel())), shape=shape)


def _by_tilt(views: Views) -> Array:
    """(n, 2, 3): derivative of the maps for a degree of tilt."""
    angle = np.deg2rad(views.tilts)
    turning = np.zeros((len(views), 3, 3))
    turning[:, 0, 0] = turning[:, 2, 2] = -np.sin(angle)
    turning[:, 0, 2], turning[:, 2, 0] = np.cos(angle), -np.cos(angle)
    whole = rotation_z(views.axes) @ turning @ rotation_x(views.x_tilt)
    return views.magnifications[:, None, None] * whole[:, :2] * np.deg2rad(1)


def _stepped(views: Views, points: Array, common: float, step: Array) -> tuple[Views, Array, float]:
    n, p = len(views), len(points)
    axes, tilts, growth = step[2 * n : 5 * n].reshape(3, n)
    moved = replace(
        views,
        shifts=views.shifts + step[: 2 * n].reshape(n, 2),
        axes=views.axes + axes,
        tilts=views.tilts + tilts,
        magnifications=views.magnifications + growth,
    )
    return moved, points + step[5 * n : -1].reshape(p, 3), common + float(step[-1])
