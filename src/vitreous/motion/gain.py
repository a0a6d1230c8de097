"""Gain references: turned, inverted, brought to the movies' size, and held against movies.

All images have row 0 at the bottom. Frames are multiplied by a gain; 0 marks a pixel that doesn't
count.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

ORIENTATIONS = tuple((rotate, flip) for flip in (0, 1) for rotate in range(4))
"""(quarter turns counter-clockwise, then 1: upside down): all ways to lay a rectangle."""

SMOOTH_PX = 9  # side of the box whose mean tells specimen and beam from single pixels
MIDDLE_PX = 2048  # side of the part that is looked at first
CUT = 5.0  # robust standard deviations: what lies beyond, X-rays and hot pixels, counts no more
SURE = 6.0  # standard errors by which the best orientation has to beat the next


def turned(gain: Floats, rotate: int = 0, flip: int = 0, transpose: bool = False) -> Floats:
    """Rotate by quarter turns counter-clockwise, then flip (1 upside down, 2 left to right), then
    transpose.
    """
    found = np.rot90(gain, -rotate)  # NumPy's rows run downwards, ours upwards
    if flip == 1:
        found = found[::-1]
    elif flip == 2:
        found = found[:, ::-1]
    return np.ascontiguousarray(found.T if transpose else found)


def orientation_of(rotate: int, flip: int, transpose: bool = False) -> tuple[int, int]:
    """Which of ORIENTATIONS does the same."""
    marked = np.arange(6, dtype=np.float32).reshape(2, 3)
    wanted = turned(marked, rotate, flip, transpose)
    return next(o for o in ORIENTATIONS if np.array_equal(turned(marked, *o), wanted))


def in_words(orientation: tuple[int, int]) -> str:
    """(1, 1) -> 'rotate 1, flip 1'."""
    return f"rotate {orientation[0]}, flip {orientation[1]}"


def inverted(gain: Floats) -> Floats:
    """mean / gain, the mean being that of pixels that count; 0 stays 0."""
    counts = gain > 0
    mean = gain[counts].mean(dtype=np.float64)
    return np.divide(mean, gain, out=np.zeros_like(gain), where=counts).astype(np.float32)


def require_gain(gain: Floats, name: str) -> None:
    """Raise a `UserError` where an image can't be a gain reference: empty, negative, all zero."""
    if (gain < 0).any():
        count = int((gain < 0).sum())
        raise UserError(f"{name}: {count} values of the gain are negative; is it a gain reference?")
    counting = np.count_nonzero(gain) / gain.size
    if counting < 0.5:
        said = "all values" if counting == 0 else f"{100 * (1 - counting):.0f} % of the values"
        raise UserError(f"{name}: {said} of the gain are 0; it is no gain reference, or not whole")


def sized(gain: Floats, shape: tuple[int, int], name: str) -> Floats:
    """The gain at the movies' size (y, x).

    One that is 2 or 4 times finer (super-resolution) is averaged, a coarser one repeated.
    """
    for times in (1, 2, 4):
        if gain.shape == (shape[0] * times, shape[1] * times):
            blocks = gain.reshape(shape[0], times, shape[1], times)
            broken = (blocks == 0).any((1, 3))
            return np.where(broken, 0, blocks.mean((1, 3), dtype=np.float32)).astype(np.float32)
        if shape == (gain.shape[0] * times, gain.shape[1] * times):
            return np.repeat(np.repeat(gain, times, 0), times, 1)
    (rows, columns), (movie_rows, movie_columns) = gain.shape, shape
    raise UserError(
        f"{name}: the gain has {columns} x {rows} pixels, the movies {movie_columns} x "
        f"{movie_rows}: they don't belong together, nor is one 2 or 4 times finer"
        + (". A quarter turn (--rotate 1 or 3) may help" if _fits((columns, rows), shape) else "")
    )


def _fits(gain_shape: tuple[int, int], shape: tuple[int, int]) -> bool:
    """Whether `sized` brings one to the other."""
    return any(
        (gain_shape[0] * a, gain_shape[1] * a) == (shape[0] * b, shape[1] * b)
        for a, b in ((1, 1), (1, 2), (1, 4), (2, 1), (4, 1))
    )


# -- held against movies --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OrientationCheck:
    """How well each orientation explains the unevenness of uncorrected movies.

    correlations: orientation -> correlation of the movies' pixel-to-pixel unevenness with that of
    1 / gain; negative where frames would have to be divided. lead: standard errors between the best
    and the next.
    """

    correlations: dict[tuple[int, int], float]
    lead: float

    @property
    def best(self) -> tuple[int, int]:
        """The orientation that explains most."""
        return max(self.correlations, key=lambda o: abs(self.correlations[o]))

    @property
    def is_sure(self) -> bool:
        """Whether the movies decide."""
        return self.lead >= SURE

    @property
    def divides(self) -> bool:
        """Whether the reference is one to divide by."""
        return self.correlations[self.best] < 0


def check_orientation(
    gain: Floats, mean: Floats, defects: Mask | None = None, name: str = "the gain"
) -> OrientationCheck:
    """Hold a stored gain, in each orientation that fits, against the mean (y, x) of raw movies.

    defects: pixels of the movies that are left out. Where the middle of the image decides, the rest
    isn't looked at.
    """
    counts = (mean > 0) if defects is None else (mean > 0) & ~defects
    check = _checked(gain, mean, counts, name, _middle(mean))
    if check.is_sure or max(mean.shape) <= MIDDLE_PX:
        return check
    return _checked(gain, mean, counts, name, (slice(None), slice(None)))


Part = tuple[slice, slice]


def _middle(image: Floats) -> Part:
    """Where the middle of an image is, as much as usually decides."""
    rows, columns = (
        slice(max((n - MIDDLE_PX) // 2, 0), max((n - MIDDLE_PX) // 2, 0) + MIDDLE_PX)
        for n in image.shape
    )
    return rows, columns


def _checked(gain: Floats, mean: Floats, counts: Mask, name: str, part: Part) -> OrientationCheck:
    """The check by a part of the image."""
    shape = (mean.shape[0], mean.shape[1])
    seen = _unevenness(mean[part], counts[part])
    patterns = {}
    for orientation in ORIENTATIONS:
        candidate = turned(gain, *orientation)
        if _fits((candidate.shape[0], candidate.shape[1]), shape):
            laid = sized(candidate, shape, name)[part]
            response = np.divide(1, laid, out=np.zeros_like(laid), where=laid > 0)
            patterns[orientation] = _unevenness(response, laid > 0)
    if not patterns:
        sized(gain, shape, name)  # raises, saying why
    scores = {o: _correlation(seen, pattern) for o, pattern in patterns.items()}
    ranked = sorted(scores, key=lambda o: -abs(scores[o]))
    if len(ranked) == 1:
        return OrientationCheck(scores, float("inf"))
    first, second = ranked[:2]
    alike = _correlation(patterns[first], patterns[second])
    apart = abs(scores[first]) - abs(scores[second])
    error = np.sqrt(2 * max(1 - abs(alike), 1e-9) / seen.size)
    return OrientationCheck(scores, float(apart / error))


def _unevenness(image: Floats, counts: Mask) -> Floats:
    """What single pixels differ from their surroundings by, relatively; 0 where none counts."""
    from scipy.ndimage import uniform_filter

    near = uniform_filter(np.where(counts, image, 0), SMOOTH_PX, mode="nearest")
    known = uniform_filter(counts.astype(np.float32), SMOOTH_PX, mode="nearest")
    # A box with few pixels in it or without any light tells nothing.
    counts = counts & (known > 0.3) & (near > 0)
    around = np.divide(near, known, out=np.ones_like(near), where=counts)
    uneven = np.where(counts, image / around - 1, 0)
    spread = 1.4826 * float(np.median(np.abs(uneven[counts]))) if counts.any() else 0.0
    most = CUT * (spread or 1.0)
    found: Floats = np.clip(uneven, -most, most).astype(np.float32)
    return found


def _correlation(a: Floats, b: Floats) -> float:
    norm = float(np.sqrt(np.vdot(a, a) * float(np.vdot(b, b))))
    return float(np.vdot(a, b)) / norm if norm else 0.0


def flatness(mean: Floats, gain: Floats) -> tuple[float, float]:
    """RMS unevenness between pixels in the middle of movies' mean, without and with the gain."""
    part = _middle(mean)
    mean, gain = mean[part], gain[part]
    counts = (mean > 0) & (gain > 0)
    raw, corrected = _unevenness(mean, counts), _unevenness(mean * gain, counts)
    return float(raw[counts].std()), float(corrected[counts].std())
