"""EMAN2's bit-reduced storage: grey values as integers of few bits between two limits.

    value = integer / (2^bits - 1) * (high - low) + low         all in float32

Up to 8 bits are stored as uint8, up to 16 as uint16. Unless the full range is asked for, up to
max(voxels // 20000, 8) of the extreme values at each end are cut, as EMAN2 does (its way without
outliers). The limits are moved so that integers, or an exact zero, survive.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError

Floats = NDArray[np.float32]

MOST_BITS = 16
BINS = 4096
VOXELS_PER_OUTLIER = 20000
FEWEST_OUTLIERS = 8


@dataclass(frozen=True, slots=True)
class Storage:
    """How grey values are stored: bits, 0 or below for float32; how the limits are chosen.

    limits: the lowest and the highest value; sigmas: the same in standard deviations from the
    mean; neither: the range without outliers, or with full_range the whole one.
    """

    bits: int = 10
    full_range: bool = False
    limits: tuple[float, float] | None = None
    sigmas: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        if self.bits > MOST_BITS:
            raise UserError(f"{self.bits} bits: EMAN2's HDF holds at most {MOST_BITS} bits a value")


@dataclass(frozen=True, slots=True)
class Reduced:
    """Integers, the limits they lie between, and how many values were cut."""

    integers: NDArray[np.unsignedinteger]
    low: np.float32
    high: np.float32
    bits: int
    truncated: int


def storage_from_suffix(text: str, default: Storage) -> Storage:
    """EMAN2's suffix of a file name: 'BITS', 'BITS:f', 'BITS:o', 'BITS:LOW:HIGH', 'BITS:-3s:5s'."""
    if not text:
        return default
    words = text.split(":")
    if re.fullmatch(r"-?\d+", words[0]):
        bits, rest = int(words[0]), words[1:]
        if not rest or rest == ["o"]:
            return Storage(bits)
        if rest == ["f"]:
            return Storage(bits, full_range=True)
        if len(rest) == 2 and all(re.fullmatch(r"[-+.\deE]+s?", word) for word in rest):
            low, high = (_number(word.removesuffix("s"), text) for word in rest)
            if all(word.endswith("s") for word in rest):
                return Storage(bits, sigmas=(low, high))
            if not any(word.endswith("s") for word in rest):
                return Storage(bits, limits=(low, high))
    raise UserError(f"':{text}' after the name: BITS, BITS:f, BITS:o, BITS:LOW:HIGH or BITS:-3s:5s")


def _number(word: str, text: str) -> float:
    try:
        return float(word)
    except ValueError:
        raise UserError(f"':{text}' after the name: {word!r} is no number") from None


def reduced(values: Floats, storage: Storage) -> Reduced:
    """Grey values as integers of `storage.bits` (1 to 16) bits."""
    low, high = _chosen(values, storage)
    low, high = _moved(values, low, high, storage.bits)
    most = (1 << storage.bits) - 1
    outside = (values < low) | (values > high)
    share = np.clip((values - low) / (high - low or np.float32(1)), 0, 1) * np.float32(most)
    integers = np.floor(share + np.float32(0.5)).astype(np.uint8 if storage.bits <= 8 else "<u2")
    return Reduced(integers, low, high, storage.bits, int(outside.sum()))


def restored(integers: NDArray[np.generic], low: float, high: float, bits: int) -> Floats:
    """The grey values of stored integers."""
    most, low_, high_ = np.float32(2**bits - 1), np.float32(low), np.float32(high)
    found: Floats = integers.astype(np.float32) / most * (high_ - low_) + low_
    return found


def _chosen(values: Floats, storage: Storage) -> tuple[np.float32, np.float32]:
    """The limits that are asked for, or found by a histogram that leaves out outliers."""
    if storage.limits is not None:
        return np.float32(storage.limits[0]), np.float32(storage.limits[1])
    lowest, highest = float(values.min()), float(values.max())
    if storage.sigmas is not None:
        mean, deviation = float(values.mean()), float(values.std())
        low, high = (mean + sigma * deviation for sigma in storage.sigmas)
        return np.float32(max(low, lowest)), np.float32(min(high, highest))
    if storage.full_range or lowest == highest:
        return np.float32(lowest), np.float32(highest)
    outliers = max(values.size // VOXELS_PER_OUTLIER, FEWEST_OUTLIERS)
    per_value = np.float32(BINS - 1) / (np.float32(highest) - np.float32(lowest))
    bins = np.floor((values - np.float32(lowest)) * per_value + np.float32(0.5))
    counts = np.bincount(np.clip(bins, 0, BINS - 1).astype(int).ravel(), minlength=BINS)
    first = min(int(np.argmax(np.cumsum(counts) > outliers)), BINS // 2 - 1)
    last = max(BINS - 1 - int(np.argmax(np.cumsum(counts[::-1]) > outliers)), BINS // 2 + 1)
    step = (highest - lowest) / (BINS - 1)
    low, high = first * step + lowest, last * step + lowest
    if _whole(values):
        low, high = round(low), round(high)
    return np.float32(low), np.float32(high)


def _moved(
    values: Floats, low: np.float32, high: np.float32, bits: int
) -> tuple[np.float32, np.float32]:
    """Limits that keep integers, or else an exact zero."""
    levels = 1 << bits
    cut = np.clip(values, low, high) if high > low else values
    least, most = np.float32(cut.min()), np.float32(cut.max())
    if most - least == 1:
        return least, most
    if _whole(cut):
        if most - least < levels:
            return least, np.float32(least + levels - 1)
        step = np.float32(1 << (int(np.ceil(np.log2(most - least + 1))) - bits))
        start = np.floor(least / step + np.float32(0.5)) * step if least < 0 < most else least
        return np.float32(start), np.float32(start + step * (levels - 1))
    if least < 0 < most and levels > 2:
        step = np.float32((most - least) / np.float32(levels - 1))
        if least == np.float32(np.floor(least / step) * step):
            return least, most
        step = np.float32((most - least) / np.float32(levels - 2))
        start = np.float32(np.floor(least / step) * step)
        return start, np.float32(start + step * np.float32(levels - 1))
    return low, high


def _whole(values: Floats) -> bool:
    return bool((values == np.trunc(values)).all())
