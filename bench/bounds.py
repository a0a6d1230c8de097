"""What one core of this machine can do at most: clock, float32 FMA, float32 loads from L1."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from measure import aligned, cpu_seconds
from numba import njit
from numpy.typing import NDArray

REASSOCIATED = {"contract", "reassoc", "nsz", "arcp"}


@dataclass(frozen=True)
class Bounds:
    """Rates a second. An update is one voxel that receives one tilt."""

    clock: float
    fma: float
    aligned_loads: float
    unaligned_loads: float

    @property
    def updates(self) -> float:
        """Updates of two unaligned loads and two FMA each."""
        return min(self.fma, self.unaligned_loads) / 2


def measure_bounds() -> Bounds:
    """One core; about ten CPU seconds."""
    one, half = np.float32(0.999), np.float32(0.001)
    steps, repeats = 200_000_000, 100_000
    _fma_chain(10, one, one, half)
    clock = 4 * steps / cpu_seconds(lambda: _fma_chain(steps, one, one, half))

    numbers = np.ones(1024, np.float32)
    _fma_peak(numbers, 1, one, half)
    seconds = cpu_seconds(lambda: _fma_peak(numbers, repeats, one, half), 10)
    fma = 18 * numbers.size * repeats / seconds

    rows = aligned((16, 272))
    shifted = aligned((16 * 272 + 16,))[3:-13].reshape(16, 272)
    return Bounds(clock, fma, _load_rate(rows), _load_rate(shifted))


def _load_rate(rows: NDArray[np.float32]) -> float:
    """float32 loads a second from 16 rows in L1."""
    rows[:] = 1
    out, repeats = aligned((256,)), 300_000
    _sum_rows(rows, out, 1)
    return 16 * out.size * repeats / cpu_seconds(lambda: _sum_rows(rows, out, repeats), 10)


def _kernel(**fast: set[str]) -> Callable[[Callable], Callable]:
    return njit(cache=True, error_model="numpy", **fast)


@_kernel(fastmath=REASSOCIATED)
def _fma_chain(n, v, c, d):  # type: ignore[no-untyped-def]
    """One dependent chain: 4 cycles a step on Zen 3 and on Intel since Skylake."""
    for _ in range(n):
        v = v * c + d
    return v


@_kernel(fastmath={"contract"})
def _fma_peak(a, repeats, c, d):  # type: ignore[no-untyped-def]
    """18 FMA on each element in 4 chains, operands in registers, elements independent."""
    for _ in range(repeats):
        for i in range(a.size):
            v = a[i]
            p, q, r, s = v * c + d, v * d + c, v * c + c, v * d + d
            p, q, r, s = p * c + d, q * d + c, r * c + c, s * d + d
            p, q, r, s = p * c + d, q * d + c, r * c + c, s * d + d
            p, q, r, s = p * q + d, q * r + c, r * s + c, s * c + d
            a[i] = p * q + (r * s + v)


@_kernel(fastmath=REASSOCIATED)
def _sum_rows(rows, out, repeats):  # type: ignore[no-untyped-def]
    """16 loads and one store an element: the load ports are what limits."""
    for _ in range(repeats):
        a, b, c, d = rows[0], rows[1], rows[2], rows[3]
        e, f, g, h = rows[4], rows[5], rows[6], rows[7]
        i, j, k, m = rows[8], rows[9], rows[10], rows[11]
        n, o, p, q = rows[12], rows[13], rows[14], rows[15]
        for x in range(out.size):
            out[x] = (
                ((a[x] + b[x]) + (c[x] + d[x]))
                + ((e[x] + f[x]) + (g[x] + h[x]))
                + (((i[x] + j[x]) + (k[x] + m[x])) + ((n[x] + o[x]) + (p[x] + q[x])))
            )
