"""Voxels as a file stores them, and what a file of ours says of itself."""

import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.version import __version__


def as_stored(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Values of another type, rounded for integers and cut to its range.

    The same memory where nothing is to be done.
    """
    if values.dtype == dtype:
        return np.ascontiguousarray(values)
    if np.can_cast(values.dtype, dtype):
        return values.astype(dtype)
    if dtype.kind == "f":
        largest = np.finfo(dtype).max
        return np.clip(values, -largest, largest).astype(dtype)
    range_ = np.iinfo(dtype)
    rounded = np.rint(values) if values.dtype.kind == "f" else values
    return np.clip(rounded, range_.min, range_.max).astype(dtype)


def our_label() -> str:
    """What a file of ours says of its origin."""
    now = datetime.datetime.now().astimezone()
    return f"vitreous {__version__}".ljust(40) + now.strftime("%Y-%m-%d  %H:%M:%S")
