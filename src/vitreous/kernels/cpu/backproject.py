"""Back-projection and projection of sheared planes on the CPU, for `vitreous.kernels.shear`.

A sheared plane is a tilt image resampled so that every plane z of the volume sees it merely
shifted along x. So no index is computed per voxel: a whole row of the volume receives a whole row
of an image. Two ways to take the fraction of a pixel:

- `backproject_cubic`: rows that hold cubic B-spline coefficients along x are evaluated once at
  each of PHASES sub-pixel positions that occurs; a plane takes the nearest. One load and one add
  an update, no damping, position to 1 / (2 PHASES) px. For back-projection of thick slabs.
- `backproject_linear` and its exact transpose `project_linear`: linear interpolation, two loads
  and two FMA an update. For iterative methods, which need the transpose.

How the loops look is measured, not taste: unsigned indices (signed ones are tested for wrapping
and keep LLVM from vectorising), one flat array and offsets, float32 literals (a Python 1 makes
float64), sums as one chain of FMAs without `reassoc`, several tilts a sweep so that a volume row
is loaded and stored once for all of them.
"""

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

Array = NDArray[np.float32]
Table = NDArray[np.int64]

FAST = {"contract", "nsz"}
PHASES = 16
SWEEP = 8
REACH = 3  # lines to either side that the six-point interpolation between lines may touch
PITCH = 16  # floats in a cache line: rows are padded by one so that they don't share L1 sets


@njit(fastmath=FAST, error_model="numpy")
def _add_eight(out, at, n, rows, a, b, c, d, e, f, g, h):  # type: ignore[no-untyped-def]
    for x in range(n):
        out[at + x] = out[at + x] + (
            ((rows[a + x] + rows[b + x]) + (rows[c + x] + rows[d + x]))
            + ((rows[e + x] + rows[f + x]) + (rows[g + x] + rows[h + x]))
        )


@njit(fastmath=FAST, error_model="numpy")
def _add_one(out, at, n, rows, a):  # type: ignore[no-untyped-def]
    for x in range(n):
        out[at + x] = out[at + x] + rows[a + x]


@njit(fastmath=FAST, error_model="numpy")
def _shift_row(out, at, n, rows, start, phase):  # type: ignore[no-untyped-def]
    """out[at + x] = the spline with coefficients rows[start + ...] at x + phase / PHASES."""
    w = np.float32(phase) / np.float32(PHASES)
    one = np.float32(1)
    six = np.float32(1 / 6)
    r = one - w
    k0 = r * r * r * six
    k3 = w * w * w * six
    k1 = (np.float32(4) + w * w * (np.float32(3) * w - np.float32(6))) * six
    k2 = one - k0 - k1 - k3
    s0 = start - np.uint64(1)
    s2 = start + np.uint64(1)
    s3 = start + np.uint64(2)
    for x in range(np.uint64(1), n):
        out[at + x] = (
            k0 * rows[s0 + x] + k1 * rows[start + x] + k2 * rows[s2 + x] + k3 * rows[s3 + x]
        )


@njit(error_model="numpy")
def _six_point_weights(w):  # type: ignore[no-untyped-def]
    """Lagrange weights at w in [0, 1) between nodes 0 and 1, nodes -2 .. 3."""
    a = np.empty(6, np.float32)
    a[0] = -(w + 1) * w * (w - 1) * (w - 2) * (w - 3) / 120
    a[1] = (w + 2) * w * (w - 1) * (w - 2) * (w - 3) / 24
    a[2] = -(w + 2) * (w + 1) * (w - 1) * (w - 2) * (w - 3) / 12
    a[3] = (w + 2) * (w + 1) * w * (w - 2) * (w - 3) / 12
    a[4] = -(w + 2) * (w + 1) * w * (w - 1) * (w - 3) / 24
    a[5] = (w + 2) * (w + 1) * w * (w - 1) * (w - 2) / 120
    return a


@njit(fastmath=FAST, error_model="numpy")
def _between_lines(out, at, n, rows, start, pitch, weight):  # type: ignore[no-untyped-def]
    """out = six lines of `rows`, the third of which begins at `start`, weighted."""
    a, b, c = weight[0], weight[1], weight[2]
    d, e, f = weight[3], weight[4], weight[5]
    p0 = start - pitch - pitch
    p1 = start - pitch
    p3 = start + pitch
    p4 = p3 + pitch
    p5 = p4 + pitch
    for x in range(n):
        out[at + x] = (
            a * rows[p0 + x]
            + b * rows[p1 + x]
            + c * rows[start + x]
            + d * rows[p3 + x]
            + e * rows[p4 + x]
            + f * rows[p5 + x]
        )


@njit(fastmath=FAST, error_model="numpy")
def _ready_row(  # type: ignore[no-untyped-def]
    ready, at, flat, width, line, t, lines, y_sixteenths, phase, lifted, spare
):
    """Fill ready[at:] with line `line` + y_sixteenths / PHASES of tilt t at sub-pixel `phase`.

    `lifted` remembers at which height the row in ready[spare:] was last made for this tilt.
    """
    whole = y_sixteenths // PHASES
    start = np.uint64((t * lines + line + whole) * width)
    rest = y_sixteenths - whole * PHASES
    if rest == 0:
        _shift_row(ready, at, np.uint64(width - 2), flat, start, phase)
        return lifted
    if lifted != y_sixteenths:
        weight = _six_point_weights(rest / PHASES)
        _between_lines(ready, spare, np.uint64(width), flat, start, np.uint64(width), weight)
    _shift_row(ready, at, np.uint64(width - 2), ready, spare, phase)
    return y_sixteenths


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def backproject_cubic(  # type: ignore[no-untyped-def]
    planes, x_sixteenths, y_sixteenths, first_line, volume
):
    """volume += back-projection of planes of B-spline coefficients.

    planes (n, lines, width) float32, coefficients along x. Row r of plane z of the volume (z,
    rows, x) lies on line first_line[z] + r of the planes; voxel x of it reads tilt t at column
    x + x_sixteenths[z, t] / 16 and at line + y_sixteenths[z, t] / 16 (in this kernel's PHASES).
    The tables are int64; every read must lie inside the planes.
    """
    n, lines, width = planes.shape
    nz, rows, nx = volume.shape
    flat = planes.reshape(-1)
    out = volume.reshape(-1)
    pitch = (width + 2 * PITCH - 1) // PITCH * PITCH
    lowest = first_line.min()
    for item in prange(first_line.max() - lowest + rows):
        line = lowest + item
        ready = np.empty((SWEEP * (PHASES + 1) + 1) * pitch, np.float32)
        nothing = np.uint64(SWEEP * (PHASES + 1) * pitch)  # a row of 0 fills a sweep up
        ready[nothing:] = 0
        at = np.empty(SWEEP, np.uint64)
        made = np.empty((SWEEP, PHASES), np.int64)
        lifted = np.empty(SWEEP, np.int64)
        for t0 in range(0, n, SWEEP):
            count = min(SWEEP, n - t0)
            made[:] = np.iinfo(np.int64).min
            lifted[:] = np.iinfo(np.int64).min
            for z in range(nz):
                row = line - first_line[z]
                if row < 0 or row >= rows:
                    continue
                for j in range(count):
                    t = t0 + j
                    whole = x_sixteenths[z, t] // PHASES
                    phase = x_sixteenths[z, t] - whole * PHASES
                    place = (j * (PHASES + 1) + phase) * pitch
                    if made[j, phase] != y_sixteenths[z, t]:
                        made[j, phase] = y_sixteenths[z, t]
                        lifted[j] = _ready_row(
                            ready,
                            np.uint64(place),
                            flat,
                            width,
                            line,
                            t,
                            lines,
                            y_sixteenths[z, t],
                            phase,
                            lifted[j],
                            np.uint64((j * (PHASES + 1) + PHASES) * pitch),
                        )
                    at[j] = np.uint64(place + whole)
                start = np.uint64((z * rows + row) * nx)
                if count >= SWEEP // 2:
                    for j in range(count, SWEEP):
                        at[j] = nothing
                    _add_eight(
                        out, start, np.uint64(nx), ready,
                        at[0], at[1], at[2], at[3], at[4], at[5], at[6], at[7],
                    )  # fmt: skip
                else:
                    for j in range(count):
                        _add_one(out, start, np.uint64(nx), ready, at[j])


@njit(fastmath=FAST, error_model="numpy")
def _add_four_weighted(out, at, n, rows, pa, wa, pb, wb, pc, wc, pd, wd):  # type: ignore[no-untyped-def]
    one = np.float32(1)
    va = one - wa
    vb = one - wb
    vc = one - wc
    vd = one - wd
    step = np.uint64(1)
    qa = pa + step
    qb = pb + step
    qc = pc + step
    qd = pd + step
    for x in range(n):
        out[at + x] = (
            out[at + x]
            + va * rows[pa + x]
            + wa * rows[qa + x]
            + vb * rows[pb + x]
            + wb * rows[qb + x]
            + vc * rows[pc + x]
            + wc * rows[qc + x]
            + vd * rows[pd + x]
            + wd * rows[qd + x]
        )


@njit(fastmath=FAST, error_model="numpy")
def _add_one_weighted(out, at, n, rows, pa, wa):  # type: ignore[no-untyped-def]
    va = np.float32(1) - wa
    qa = pa + np.uint64(1)
    for x in range(n):
        out[at + x] = out[at + x] + va * rows[pa + x] + wa * rows[qa + x]


@njit(error_model="numpy")
def _whole_and_rest(positions):  # type: ignore[no-untyped-def]
    """Integer part and float32 fraction of a table of positions >= 0."""
    whole = np.empty(positions.shape, np.int64)
    rest = np.empty(positions.shape, np.float32)
    for z in range(positions.shape[0]):
        for t in range(positions.shape[1]):
            whole[z, t] = int(positions[z, t])
            rest[z, t] = np.float32(positions[z, t] - whole[z, t])
    return whole, rest


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def backproject_linear(planes, positions, volume):  # type: ignore[no-untyped-def]
    """volume += back-projection with linear interpolation along x.

    planes (n, lines, width), volume (z, lines, x) float32; positions (z, n) float64: the column
    of tilt t that voxel x = 0 of plane z reads; 0 <= position and position + nx + 1 <= width.
    """
    n, lines, width = planes.shape
    nz, _, nx = volume.shape
    flat = planes.reshape(-1)
    out = volume.reshape(-1)
    whole, rest = _whole_and_rest(positions)
    depth = 16  # planes that share the rows of four tilts while these are in L1
    blocks = (nz + depth - 1) // depth
    pitch = lines * width
    for item in prange(lines * blocks):
        y = item // blocks
        z0 = item % blocks * depth
        for t in range(0, n - 3, 4):
            a = (t * lines + y) * width
            for z in range(z0, min(z0 + depth, nz)):
                _add_four_weighted(
                    out, np.uint64((z * lines + y) * nx), np.uint64(nx), flat,
                    np.uint64(a + whole[z, t]), rest[z, t],
                    np.uint64(a + pitch + whole[z, t + 1]), rest[z, t + 1],
                    np.uint64(a + 2 * pitch + whole[z, t + 2]), rest[z, t + 2],
                    np.uint64(a + 3 * pitch + whole[z, t + 3]), rest[z, t + 3],
                )  # fmt: skip
        for t in range(n // 4 * 4, n):
            for z in range(z0, min(z0 + depth, nz)):
                _add_one_weighted(
                    out, np.uint64((z * lines + y) * nx), np.uint64(nx), flat,
                    np.uint64((t * lines + y) * width + whole[z, t]), rest[z, t],
                )  # fmt: skip


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def project_linear(volume, positions, planes):  # type: ignore[no-untyped-def]
    """planes += projection of the volume: the exact transpose of `backproject_linear`.

    Tilts and planes change roles: each row of a tilt gathers the volume's rows, four at a time,
    so no two threads write to one place.
    """
    n, lines, width = planes.shape
    nz, _, nx = volume.shape
    out = planes.reshape(-1)
    whole, rest = _whole_and_rest(positions)
    one = np.float32(1)
    room = nx + 2 * width
    deep = (nz + 3) // 4 * 4
    for y in prange(lines):
        rows = np.zeros((deep, room), np.float32)  # this line's rows, with empty ends to read past
        rows[:nz, width : width + nx] = volume[:, y, :]
        flat = rows.reshape(-1)
        for z in range(0, deep, 4):
            b = min(z + 1, nz - 1)
            c = min(z + 2, nz - 1)
            d = min(z + 3, nz - 1)
            for t in range(n):
                low = min(min(whole[z, t], whole[b, t]), min(whole[c, t], whole[d, t]))
                high = max(max(whole[z, t], whole[b, t]), max(whole[c, t], whole[d, t]))
                start = z * room + width + low - 1
                _add_four_weighted(
                    out, np.uint64((t * lines + y) * width + low),
                    np.uint64(min(nx + 1 + high - low, width - low)), flat,
                    np.uint64(start - whole[z, t]), one - rest[z, t],
                    np.uint64(start + room - whole[b, t]), one - rest[b, t],
                    np.uint64(start + 2 * room - whole[c, t]), one - rest[c, t],
                    np.uint64(start + 3 * room - whole[d, t]), one - rest[d, t],
                )  # fmt: skip


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def level_lines(lines_in, first_line, fraction, out):  # type: ignore[no-untyped-def]
    """out[z, r] = lines_in[z] at first_line[z] + r + fraction[z], six-point Lagrange.

    Undoes the shear along y that all tilts share. lines_in (z, lines, x), out (z, rows, x).
    """
    nz, lines, nx = lines_in.shape
    rows = out.shape[1]
    flat = lines_in.reshape(-1)
    flat_out = out.reshape(-1)
    for z in prange(nz):
        weight = _six_point_weights(fraction[z])
        for r in range(rows):
            start = np.uint64((z * lines + first_line[z] + r) * nx)
            at = np.uint64((z * rows + r) * nx)
            _between_lines(flat_out, at, np.uint64(nx), flat, start, np.uint64(nx), weight)
