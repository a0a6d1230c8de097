"""Back-projection and projection of sheared planes on the CPU, for `vitreous.kernels.shear`.

A sheared plane is a tilt image resampled so that every plane z of the volume sees it merely
shifted along x. So no index is computed per voxel: a whole row of the volume receives a whole row
of an image. Three ways to take the fraction of a pixel:

- `backproject_cubic`: rows that hold cubic B-spline coefficients along x are evaluated once at
  each of PHASES sub-pixel positions that occurs; a plane takes the nearest. One load and one add
  an update, no damping, position to 1 / (2 PHASES) px. For back-projection of thick slabs.
- `backproject_uneven`: where tilts also move along y, each by its own amount, a row can't serve
  many planes. So it is evaluated at pixels and half pixels only, and a plane takes the line between
  two of these: two loads and two FMA, half the preparation, errors like those of 16 phases.
- `backproject_linear` and its exact transpose `project_linear`: linear interpolation between
  pixels, two loads and two FMA an update. For iterative methods, which need the transpose.

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
PHASES = 16  # sub-pixel positions of backproject_cubic
LINE_STEPS = 8  # heights between two lines of backproject_uneven
SWEEP = 8  # tilts a row of the volume receives at once, where an update is one load
DEPTH = 16  # planes that share the rows of four tilts while these are in L1
PITCH = 16  # floats in a cache line: rows are padded by one so that they don't share L1 sets


@njit(error_model="numpy")
def _padded(width):  # type: ignore[no-untyped-def]
    """Length of a row with room to its next, whole cache lines."""
    return (width + 2 * PITCH - 1) // PITCH * PITCH


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


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def backproject_cubic(planes, sixteenths, first_line, volume):  # type: ignore[no-untyped-def]
    """volume += back-projection of planes of B-spline coefficients.

    planes (n, lines, width) float32, coefficients along x. Row r of plane z of the volume (z,
    rows, x) lies on line first_line[z] + r of the planes; voxel x of it reads tilt t at column
    x + sixteenths[z, t] / 16 (in this kernel's PHASES). The tables are int64; every read must lie
    inside the planes.
    """
    n, lines, width = planes.shape
    nz, rows, nx = volume.shape
    flat = planes.reshape(-1)
    out = volume.reshape(-1)
    pitch = _padded(width)
    lowest = first_line.min()
    for item in prange(first_line.max() - lowest + rows):
        line = lowest + item
        ready = np.empty((SWEEP * PHASES + 1) * pitch, np.float32)
        nothing = np.uint64(SWEEP * PHASES * pitch)  # a row of 0 fills a sweep up
        ready[nothing:] = 0
        at = np.empty(SWEEP, np.uint64)
        made = np.empty((SWEEP, PHASES), np.bool_)
        for t0 in range(0, n, SWEEP):
            count = min(SWEEP, n - t0)
            made[:] = False
            for z in range(nz):
                row = line - first_line[z]
                if row < 0 or row >= rows:
                    continue
                for j in range(count):
                    whole = sixteenths[z, t0 + j] // PHASES
                    phase = sixteenths[z, t0 + j] - whole * PHASES
                    place = (j * PHASES + phase) * pitch
                    if not made[j, phase]:
                        made[j, phase] = True
                        source = np.uint64(((t0 + j) * lines + line) * width)
                        _shift_row(
                            ready, np.uint64(place), np.uint64(width - 2), flat, source, phase
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
def _add_four_weighted(  # type: ignore[no-untyped-def]
    out, at, n, rows, pa, qa, wa, pb, qb, wb, pc, qc, wc, pd, qd, wd
):
    """out += (1 - w) rows[p + ...] + w rows[q + ...] of four tilts."""
    one = np.float32(1)
    va = one - wa
    vb = one - wb
    vc = one - wc
    vd = one - wd
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
def _add_one_weighted(out, at, n, rows, pa, qa, wa):  # type: ignore[no-untyped-def]
    va = np.float32(1) - wa
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
    blocks = (nz + DEPTH - 1) // DEPTH
    pitch = lines * width
    for item in prange(lines * blocks):
        y = item // blocks
        z0 = item % blocks * DEPTH
        for t in range(0, n - 3, 4):
            source = (t * lines + y) * width
            for z in range(z0, min(z0 + DEPTH, nz)):
                a = source + whole[z, t]
                b = source + pitch + whole[z, t + 1]
                c = source + 2 * pitch + whole[z, t + 2]
                d = source + 3 * pitch + whole[z, t + 3]
                _add_four_weighted(
                    out, np.uint64((z * lines + y) * nx), np.uint64(nx), flat,
                    np.uint64(a), np.uint64(a + 1), rest[z, t],
                    np.uint64(b), np.uint64(b + 1), rest[z, t + 1],
                    np.uint64(c), np.uint64(c + 1), rest[z, t + 2],
                    np.uint64(d), np.uint64(d + 1), rest[z, t + 3],
                )  # fmt: skip
        for t in range(n // 4 * 4, n):
            for z in range(z0, min(z0 + DEPTH, nz)):
                a = (t * lines + y) * width + whole[z, t]
                _add_one_weighted(
                    out, np.uint64((z * lines + y) * nx), np.uint64(nx), flat,
                    np.uint64(a), np.uint64(a + 1), rest[z, t],
                )  # fmt: skip


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def correct_linear(planes, positions, weight, lowest, volume):  # type: ignore[no-untyped-def]
    """volume = max(lowest, volume + weight * back-projection of the planes), as one pass.

    planes, positions, volume as in `backproject_linear`; weight like volume. A step of SIRT: sums
    are made in a few rows that stay in L2, volume and weight are read and written once.
    """
    n, lines, width = planes.shape
    nz, _, nx = volume.shape
    flat = planes.reshape(-1)
    out = volume.reshape(-1)
    factor = weight.reshape(-1)
    whole, rest = _whole_and_rest(positions)
    blocks = (nz + DEPTH - 1) // DEPTH
    pitch = lines * width
    for item in prange(lines * blocks):
        y = item // blocks
        z0 = item % blocks * DEPTH
        sums = np.zeros(DEPTH * nx, np.float32)
        for t in range(0, n - 3, 4):
            source = (t * lines + y) * width
            for z in range(z0, min(z0 + DEPTH, nz)):
                a = source + whole[z, t]
                b = source + pitch + whole[z, t + 1]
                c = source + 2 * pitch + whole[z, t + 2]
                d = source + 3 * pitch + whole[z, t + 3]
                _add_four_weighted(
                    sums, np.uint64((z - z0) * nx), np.uint64(nx), flat,
                    np.uint64(a), np.uint64(a + 1), rest[z, t],
                    np.uint64(b), np.uint64(b + 1), rest[z, t + 1],
                    np.uint64(c), np.uint64(c + 1), rest[z, t + 2],
                    np.uint64(d), np.uint64(d + 1), rest[z, t + 3],
                )  # fmt: skip
        for t in range(n // 4 * 4, n):
            for z in range(z0, min(z0 + DEPTH, nz)):
                a = (t * lines + y) * width + whole[z, t]
                _add_one_weighted(
                    sums, np.uint64((z - z0) * nx), np.uint64(nx), flat,
                    np.uint64(a), np.uint64(a + 1), rest[z, t],
                )  # fmt: skip
        for z in range(z0, min(z0 + DEPTH, nz)):
            at = np.uint64((z * lines + y) * nx)
            made = np.uint64((z - z0) * nx)
            _apply(out, at, np.uint64(nx), factor, sums, made, np.float32(lowest))


@njit(fastmath=FAST, error_model="numpy")
def _apply(out, at, n, factor, sums, made, lowest):  # type: ignore[no-untyped-def]
    for x in range(n):
        out[at + x] = max(lowest, out[at + x] + factor[at + x] * sums[made + x])


@njit(error_model="numpy")
def _steepest(whole):  # type: ignore[no-untyped-def]
    """By how many columns four planes in a row differ at most, over all tilts."""
    nz, n = whole.shape
    most = 0
    for t in range(n):
        for z in range(0, nz, 4):
            last = min(z + 3, nz - 1)
            most = max(most, abs(whole[last, t] - whole[z, t]) + 1)
    return most


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
    end = _steepest(whole) + 2  # four planes are read at once, each past its own ends
    room = nx + 2 * end
    for y in prange(lines):
        four = np.zeros((4, room), np.float32)  # four planes' rows, with empty ends to read past
        flat = four.reshape(-1)
        for z in range(0, nz, 4):
            for j in range(4):
                if z + j < nz:
                    four[j, end : end + nx] = volume[z + j, y]
                else:
                    four[j] = 0
            z1 = min(z + 1, nz - 1)
            z2 = min(z + 2, nz - 1)
            z3 = min(z + 3, nz - 1)
            for t in range(n):
                low = min(min(whole[z, t], whole[z1, t]), min(whole[z2, t], whole[z3, t]))
                high = max(max(whole[z, t], whole[z1, t]), max(whole[z2, t], whole[z3, t]))
                start = end + low
                a = start - whole[z, t]
                b = start + room - whole[z1, t]
                c = start + 2 * room - whole[z2, t]
                d = start + 3 * room - whole[z3, t]
                _add_four_weighted(
                    out, np.uint64((t * lines + y) * width + low),
                    np.uint64(min(nx + 1 + high - low, width - low)), flat,
                    np.uint64(a), np.uint64(a - 1), rest[z, t],
                    np.uint64(b), np.uint64(b - 1), rest[z1, t],
                    np.uint64(c), np.uint64(c - 1), rest[z2, t],
                    np.uint64(d), np.uint64(d - 1), rest[z3, t],
                )  # fmt: skip


@njit(fastmath=FAST, error_model="numpy")
def _pixels_and_halves(out, at, half, n, rows, start):  # type: ignore[no-untyped-def]
    """The spline with coefficients rows[start + ...]: out[at:] at pixels, out[half:] between."""
    sixth = np.float32(1 / 6)
    outer = np.float32(1 / 48)
    s0 = start - np.uint64(1)
    s2 = start + np.uint64(1)
    s3 = start + np.uint64(2)
    for x in range(n):
        a, b, c, d = rows[s0 + x], rows[start + x], rows[s2 + x], rows[s3 + x]
        out[at + x] = sixth * (a + np.float32(4) * b + c)
        out[half + x] = outer * ((a + d) + np.float32(23) * (b + c))


@njit(error_model="numpy")
def _half_pixel_table(columns, pitch):  # type: ignore[no-untyped-def]
    """Where each plane finds its two rows among those of four tilts, and how far it is between.

    Tilt t of a sweep has its pixels at row 2 (t % 4), its halves in the next; what fills the last
    sweep up reads row 8.
    """
    nz, n = columns.shape
    low = np.full((nz, (n + 3) // 4 * 4), 8 * pitch)
    high = low.copy()
    weight = np.zeros(low.shape, np.float32)
    for z in range(nz):
        for t in range(n):
            halves = int(2 * columns[z, t])
            row = 2 * (t % 4) * pitch + halves // 2
            low[z, t] = row + halves % 2 * pitch
            high[z, t] = row + 1 if halves % 2 else row + pitch
            weight[z, t] = np.float32(2 * columns[z, t] - halves)
    return low, high, weight


@njit(error_model="numpy")
def _planes_on(line, first_line, rows):  # type: ignore[no-untyped-def]
    """First and last + 1 of the planes that have a row on this line."""
    begin = 0
    while begin < first_line.size and not 0 <= line - first_line[begin] < rows:
        begin += 1
    end = begin
    while end < first_line.size and 0 <= line - first_line[end] < rows:
        end += 1
    return begin, end


@njit(error_model="numpy")
def _lift(ready, j, flat, source, width, first, n, up, steps):  # type: ignore[no-untyped-def]
    """Rows 2 j and 2 j + 1 of `ready`, columns first ... first + n - 1, from a line of `flat`.

    The line begins at `source`; it is taken up / steps lines higher, by way of row 9.
    """
    pitch = np.uint64(ready.size // 10)
    at = np.uint64(2 * j) * pitch + np.uint64(first)
    whole = up // steps
    start = np.uint64(source + whole * width + first)
    if up == whole * steps:
        _pixels_and_halves(ready, at, at + pitch, np.uint64(n), flat, start)
        return
    one = np.uint64(1)  # a coefficient before, two behind what is evaluated
    weight = _six_point_weights((up - whole * steps) / steps)
    spare = np.uint64(9) * pitch + np.uint64(first)
    _between_lines(
        ready, spare - one, np.uint64(n + 3), flat, start - one, np.uint64(width), weight
    )
    _pixels_and_halves(ready, at, at + pitch, np.uint64(n), ready, spare)


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def backproject_uneven(  # type: ignore[no-untyped-def]
    planes, columns, eighths, first_line, volume, steps=LINE_STEPS
):
    """volume += back-projection of planes of B-spline coefficients, each tilt at its own height.

    As `backproject_cubic`, but voxel x reads tilt t at column x + columns[z, t] (float64), linear
    between the spline's values at half pixels, and at line first_line[z] + r + eighths[z, t] / 8,
    or another power of 2 (steps), by six-point interpolation. first_line and columns rise or fall
    with z.
    """
    n, lines, width = planes.shape
    _, rows, nx = volume.shape
    flat = planes.reshape(-1)
    out = volume.reshape(-1)
    pitch = _padded(width)
    low, high, weight = _half_pixel_table(columns, pitch)
    lowest = first_line.min()
    for item in prange(first_line.max() - lowest + rows):
        line = lowest + item
        begin, end = _planes_on(line, first_line, rows)
        ready = np.zeros(10 * pitch, np.float32)  # two rows a tilt, one of 0, one spare
        until = np.empty(4, np.int64)  # the plane from which a tilt's rows don't serve any more
        for t0 in range(0, n, 4):
            until[:] = begin
            z0 = begin
            while z0 < end:
                z1 = min(z0 + DEPTH, end)
                for j in range(min(4, n - t0)):
                    t = t0 + j
                    if until[j] == z0:
                        last = z0
                        while last + 1 < end and eighths[last + 1, t] == eighths[z0, t]:
                            last += 1
                        until[j] = last + 1
                        left = int(min(columns[z0, t], columns[last, t]))
                        right = int(max(columns[z0, t], columns[last, t])) + nx + 1
                        source = (t * lines + line) * width
                        _lift(
                            ready, j, flat, source, width, left, right - left, eighths[z0, t], steps
                        )
                    z1 = min(z1, until[j])
                for z in range(z0, z1):
                    start = np.uint64((z * rows + line - first_line[z]) * nx)
                    if t0 == n - 1:
                        _add_one_weighted(
                            out, start, np.uint64(nx), ready,
                            np.uint64(low[z, t0]), np.uint64(high[z, t0]), weight[z, t0],
                        )  # fmt: skip
                        continue
                    _add_four_weighted(
                        out, start, np.uint64(nx), ready,
                        np.uint64(low[z, t0]), np.uint64(high[z, t0]), weight[z, t0],
                        np.uint64(low[z, t0 + 1]), np.uint64(high[z, t0 + 1]), weight[z, t0 + 1],
                        np.uint64(low[z, t0 + 2]), np.uint64(high[z, t0 + 2]), weight[z, t0 + 2],
                        np.uint64(low[z, t0 + 3]), np.uint64(high[z, t0 + 3]), weight[z, t0 + 3],
                    )  # fmt: skip
                z0 = z1


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
