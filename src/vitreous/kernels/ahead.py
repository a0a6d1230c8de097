"""Images read and unpacked in threads while others are computed with."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vitreous.records.images import ImageStack


def read_ahead(
    stack: ImageStack, indices: Sequence[int] | None = None, threads: int = 2, ahead: int = 2
) -> Iterator[NDArray[np.generic]]:
    """The images of a stack, or some of them, in the order of `indices`.

    At most `ahead` images are in memory besides the one handed out. An error of an image comes when
    its turn comes.
    """
    wanted = iter(range(stack.shape[0]) if indices is None else indices)
    reading: deque[Future[NDArray[np.generic]]] = deque()
    with ThreadPoolExecutor(min(threads, ahead)) as pool:
        try:
            for index in wanted:
                reading.append(pool.submit(stack.read, index))
                if len(reading) >= ahead:
                    yield reading.popleft().result()
            while reading:
                yield reading.popleft().result()
        finally:
            for image in reading:
                image.cancel()
