"""Motion of the specimen while a movie was taken."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Exposure:
    """What is known of a movie's dose, e/A^2: of each frame, and before the first.

    doses: of each frame of the movie, where they differ; then dose_per_frame is their mean.
    """

    dose_per_frame: float
    pre_exposure: float = 0.0
    voltage_kv: float = 300.0
    doses: tuple[float, ...] | None = None

    def of(self, frames: NDArray[np.intp]) -> Array:
        """e/A^2 of frames, counted from 0."""
        if self.doses is None:
            return np.full(len(frames), self.dose_per_frame)
        return np.asarray(self.doses, np.float64)[frames]

    def before(self, frames: NDArray[np.intp]) -> Array:
        """e/A^2 that the specimen had before these frames."""
        if self.doses is None:
            return self.pre_exposure + np.asarray(frames, np.float64) * self.dose_per_frame
        return self.pre_exposure + (np.cumsum(self.doses) - self.doses)[frames]


@dataclass(frozen=True, slots=True, eq=False)
class LocalMotion:
    """Displacement beyond that of the whole frame; its mean over the field and the frames is 0.

    coefficients (frames, 2, 5), angstrom: x and y components of u, v, u^2 - 1/3, u v, v^2 - 1/3,
    where u and v go from -1 to 1 across the image. standard_error: expected error of a displacement
    (length of the vector, RMS over field and frames), angstrom.
    """

    coefficients: Array
    standard_error: float


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """Where each frame shows the specimen, relative to the mean over the frames: displacements.

    frames (n,): the frames of the movie that were used, from 0, of `frame_count`; displacements
    (n, 2): of the whole frame, x and y, angstrom; image_size (x, y) px. standard_error: expected
    error of a displacement (length of the vector, RMS over the frames), angstrom; None where
    nothing could be measured. local: None where there is none or the movie can't prove it;
    log_evidence: for local motion, None where it wasn't looked for. group: the most frames aligned
    as one.
    """

    frames: NDArray[np.intp]
    frame_count: int
    displacements: Array
    image_size: tuple[int, int]
    pixel_size: float
    standard_error: float | None = None
    local: LocalMotion | None = None
    log_evidence: float | None = None
    group: int = 1

    def at(self, points: Array) -> Array:
        """(n, m, 2) displacements, angstrom, at image points (m, 2), px counted from pixel 0."""
        found = np.repeat(self.displacements[:, None], len(points), 1)
        if self.local is not None:
            terms = space_terms(across(points, self.image_size))
            found += np.einsum("mt,nct->nmc", terms, self.local.coefficients)
        return found

    @property
    def path_length(self) -> float:
        """Way of the whole frame from the first to the last one, angstrom."""
        return float(np.linalg.norm(np.diff(self.displacements, axis=0), axis=1).sum())


def across(points: Array, image_size: tuple[int, int]) -> Array:
    """(m, 2) pixels -> (u, v): -1 and 1 at the image's edges."""
    size = np.asarray(image_size, np.float64)
    return (points - (size - 1) / 2) / (size / 2)


def space_terms(places: Array) -> Array:
    """(m, 5) the terms of local motion at (u, v) (m, 2)."""
    u, v = places.T
    return np.stack([u, v, u * u - 1 / 3, u * v, v * v - 1 / 3], -1)
