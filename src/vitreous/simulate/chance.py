"""Random numbers: a stream of its own for each part, so that one part's change shifts no other."""

import zlib

import numpy as np


def stream(seed: int, part: str, index: int = 0) -> np.random.Generator:
    """The generator of a part ("beads", "counts of view 7"...), the same for the same seed."""
    key = (zlib.crc32(part.encode()), index)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def random_rotation(rng: np.random.Generator) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """(3, 3) uniform over all orientations: a random unit quaternion."""
    w, x, y, z = (q := rng.normal(size=4)) / np.linalg.norm(q)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
