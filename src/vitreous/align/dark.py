"""Tilts that show nothing: blank, or much darker than the path through the ice explains."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

DARK = 0.4  # of the brightness that the other tilts let expect
ROUNDS = 5
UNTILTED = 7  # tilts nearest to 0 that AreTomo compares the others with
NEVER_DARK = 3.5  # degrees: tilts nearer to 0 AreTomo keeps


def blank_reason(image: NDArray[np.generic], missing: int) -> str | None:
    """Why an image holds nothing at all, if so; missing: its NaN and infinite pixels."""
    if missing == image.size:
        return "holds NaN only"
    if missing > image.size // 2:
        return f"{100 * missing / image.size:.0f} % of its pixels are NaN or infinite"
    if image.min() == image.max():
        return f"blank: one grey value ({image.min():g}) all over"
    return None


def dark_reasons(tilts: Array, means: Array, deviations: Array) -> dict[int, str]:
    """Views (index: reason) darker than log(brightness) = level - path length lets expect.

    tilts in degrees; means and deviations (n,) of the grey values. Where the grey scale has an
    offset (a mean of 0 or below, or signed bytes) the mean says nothing: the variance, which for
    counted electrons is proportional to the dose, stands in for it.
    """
    counts = bool((means > 0).all()) and bool(np.median(means / np.maximum(deviations, 1e-30)) > 1)
    brightness = means if counts else deviations**2
    what = "brightness" if counts else "variance"
    logarithm = np.log(np.maximum(brightness, 1e-9 * brightness.max()))
    path = 1 / np.maximum(np.cos(np.deg2rad(tilts)), 0.05)
    bright = logarithm > np.median(logarithm) + np.log(DARK)
    expected = logarithm
    for _ in range(ROUNDS):
        expected = _expected(path, logarithm, bright)
        again = logarithm - expected > np.log(DARK)
        if (again == bright).all() or again.sum() < 3:
            break
        bright = again
    share = np.exp(logarithm - expected)
    return {
        int(i): f"dark: {100 * share[i]:.0f} % of the {what} that the other tilts let expect"
        for i in np.flatnonzero(share < DARK)
    }


def _expected(path: Array, logarithm: Array, bright: NDArray[np.bool_]) -> Array:
    """A line through the bright views' log(brightness) against path; it never rises with it."""
    x, y = path[bright], logarithm[bright]
    spread = ((x - x.mean()) ** 2).sum()
    slope = min(((x - x.mean()) * (y - y.mean())).sum() / spread, 0.0) if spread > 1e-6 else 0.0
    return np.asarray(y.mean() + slope * (path - x.mean()), np.float64)


def below_tolerance(tilts: Array, means: Array, deviations: Array, tolerance: float) -> list[int]:
    """Views that AreTomo's -DarkTol takes for dark, by |mean| / deviation.

    Dark is what has at most `tolerance` of the mean of the tilts nearest to 0, of which the
    largest of all is left aside. tilts in degrees; all (n,).
    """
    ratio = np.abs(means) / np.maximum(deviations, 1e-30)
    near = np.argsort(np.abs(tilts), kind="stable")[:UNTILTED]
    others = near[near != ratio.argmax()]
    least = tolerance * ratio[others if len(others) else near].mean()
    return np.flatnonzero((ratio <= least) & (np.abs(tilts) >= NEVER_DARK)).tolist()
