"""How far an alignment is from the truth, when its gauge is removed.

For series whose truth.json has the keys of the reference data's SIMULATED.md, and for tracks of
fiducials measured in the raw images.
"""

from dataclasses import dataclass

import numpy as np

from vitreous.simulate.scores import alignment_error, places_seen, points_in_ice


@dataclass(frozen=True)
class Score:
    """rms_px over all views and points; per_view_px (n,); axis_degrees: mean error."""

    rms_px: float
    per_view_px: np.ndarray
    axis_degrees: float


def simulated_score(truth, alignment):
    """Score of an alignment against a simulated series' truth, after the best similarity.

    The similarity may mirror the specimen (all tilts negated then): parallel projections can't
    tell. Points outside the image of a view are not counted.
    """
    points = points_in_ice(truth)
    views = [truth["tilts"][section] for section in alignment.sections]
    error = alignment_error(alignment, points, places_seen(truth, views, points))
    axis = np.mean(alignment.axes_degrees - [view["axis"] for view in views])
    return Score(error.rms_px, error.per_view_px, float((axis + 90) % 180 - 90))


def track_residual(tracks, alignment):
    """RMS length (px) of what is left of bead tracks after the best 3D positions.

    tracks: rows of bead, 0-based section, x, y (0-based pixels of the raw images). Also (n,) the
    mean residual length of each view of the alignment.
    """
    row = {int(section): view for view, section in enumerate(alignment.sections)}
    maps = alignment.projections / alignment.pixel_size
    centre = np.asarray(alignment.image_size) // 2 + alignment.shifts_px
    squares = [[] for _ in alignment.sections]
    for bead in np.unique(tracks[:, 0]):
        own = np.array([t for t in tracks if t[0] == bead and int(t[1]) in row])
        at = [row[int(section)] for section in own[:, 1]]
        system, measured = maps[at].reshape(-1, 3), (own[:, 2:4] - centre[at]).ravel()
        rest = measured - system @ np.linalg.lstsq(system, measured, rcond=None)[0]
        for view, square in zip(at, (rest.reshape(-1, 2) ** 2).sum(1), strict=True):
            squares[view].append(square)
    everything = np.concatenate(squares)
    return float(np.sqrt(everything.mean())), np.array([np.sqrt(np.mean(s)) for s in squares])


def without_beads(images, tracks, radius=10):
    """The images with what surrounds each bead in its place, as noise of the same spread."""
    rng, out = np.random.default_rng(0), images.copy()
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    for _, section, u, v in tracks[:, :4]:
        distance = np.hypot(x - u, y - v)
        inside = distance < radius
        ring = (distance >= radius) & (distance < radius + 6)
        if inside.any():
            image = images[int(section)]
            out[int(section)][inside] = rng.choice(image[ring], inside.sum())
    return out
