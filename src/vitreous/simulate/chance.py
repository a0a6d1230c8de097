"""Random numbers: a stream of its own for each part, so that one part's change shifts no other."""

import zlib

import numpy as np
from numpy.typing import NDArray


def stream(seed: int, part: str, index: int = 0) -> np.random.Generator:
    """The generator of a part ("beads", "counts of view 7"...), the same for the same seed."""
    key = (zlib.crc32(part.encode()), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def random_rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """(3, 3) uniform over all orientations: a random unit quaternion."""
    quaternion = rng.normal(size=4)
    w, x, y, z = quaternion / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
