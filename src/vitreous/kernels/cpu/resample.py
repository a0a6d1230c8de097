"""Resampling of tilt images onto sheared lines, and coverage, on the CPU.

A line is sampled in blocks of points: what needs no look into the image (positions, cells,
weights) is found for a block at a time in small loops that LLVM turns into vector code, each with
few enough arrays for its run-time checks of overlap.
"""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz"}
BORDER = 2  # rows and columns of coefficients beyond the image's edge
POLE = math.sqrt(3) - 2  # of the cubic B-spline's inverse filter
BLOCK = 128  # points of a line that are sampled together
HAIR = 1e-8  # px by which a point may miss the image's edge that by construction lies on it
TAIL = 10  # taps to either side: what is cut off is 1.4e-6 of the sum


@njit(error_model="numpy")
def _inside(start, step, end, low, high):  # type: ignore[no-untyped-def]
    """Narrow [low, high] to the x for which 0 <= start + x step <= end."""
    if abs(step) < 1e-12:
        if start < -HAIR or start > end + HAIR:
            return low, low - 1.0
        return low, high
    a = -start / step
    b = (end - start) / step
    return max(low, min(a, b) - HAIR), min(high, max(a, b) + HAIR)


@njit(fastmath=FAST, error_model="numpy")
def _points(u, v, count, first, u0, u_step, v0, v_step):  # type: ignore[no-untyped-def]
    """Fill u and v with the image points of grid points first, first + 1, ... of a line."""
    for k in range(count):
        x = np.float64(first + np.int32(k))
        u[k] = u0 + x * u_step
        v[k] = v0 + x * v_step


@njit(fastmath=FAST, error_model="numpy")
def _move(u, v, count, field, step):  # type: ignore[no-untyped-def]
    """Add a displacement (2, gy, gx), bilinear between nodes every `step` px, to image points."""
    gy, gx = field.shape[1:]
    for k in range(count):
        a = min(max(u[k] / step, 0.0), gx - 1.001)
        b = min(max(v[k] / step, 0.0), gy - 1.001)
        i = int(a)
        j = int(b)
        a -= i
        b -= j
        w00, w01, w10, w11 = (1 - b) * (1 - a), (1 - b) * a, b * (1 - a), b * a
        x, y = field[0], field[1]
        u[k] += w00 * x[j, i] + w01 * x[j, i + 1] + w10 * x[j + 1, i] + w11 * x[j + 1, i + 1]
        v[k] += w00 * y[j, i] + w01 * y[j, i + 1] + w10 * y[j + 1, i] + w11 * y[j + 1, i + 1]


@njit(fastmath=FAST, error_model="numpy")
def _cells(position, count, end, cell, rest):  # type: ignore[no-untyped-def]
    """Split positions, held to 0 ... end, into coefficients (counted with border) and fractions."""
    for k in range(count):
        inside = min(max(position[k], 0.0), end) + BORDER
        cell[k] = np.int32(inside)
        rest[k] = np.float32(inside - cell[k])


@njit(fastmath=FAST, error_model="numpy")
def _weights(rest, count, weight):  # type: ignore[no-untyped-def]
    """weight (4, points): of the cubic B-spline at `rest` between the second and the third."""
    one = np.float32(1)
    three = np.float32(3)
    four = np.float32(4)
    six = np.float32(6)
    sixth = np.float32(1 / 6)
    for k in range(count):
        w = rest[k]
        r = one - w
        first = r * r * r * sixth
        second = (four + w * w * (three * w - six)) * sixth
        fourth = w * w * w * sixth
        weight[0, k] = first
        weight[1, k] = second
        weight[2, k] = one - first - second - fourth
        weight[3, k] = fourth


@njit(fastmath=FAST, error_model="numpy")
def _to_places(i, j, count, pitch):  # type: ignore[no-untyped-def]
    """Columns i become places in the image, of cells (i, j)."""
    for k in range(count):
        i[k] += j[k] * pitch


@njit(fastmath=FAST, error_model="numpy")
def _samples(flat, base, pitch, place, wi, wj, count, out, at):  # type: ignore[no-untyped-def]
    """out[at:] = the surface of the image that begins at `base`; place: of a point's second
    coefficient along both axes, wi and wj (4, points): its weights across and along the rows.
    """
    one = np.uint64(1)
    two = np.uint64(2)
    three = np.uint64(3)
    start = base - pitch - one
    for k in range(count):
        p = start + np.uint64(place[k])
        q = p + pitch
        r = q + pitch
        s = r + pitch
        a, b, c, d = wi[0, k], wi[1, k], wi[2, k], wi[3, k]
        out[at + k] = (
            wj[0, k] * (a * flat[p] + b * flat[p + one] + c * flat[p + two] + d * flat[p + three])
            + wj[1, k] * (a * flat[q] + b * flat[q + one] + c * flat[q + two] + d * flat[q + three])
            + wj[2, k] * (a * flat[r] + b * flat[r + one] + c * flat[r + two] + d * flat[r + three])
            + wj[3, k] * (a * flat[s] + b * flat[s + one] + c * flat[s + two] + d * flat[s + three])
        )


@njit(error_model="numpy")
def _clear_outside(out, at, count, u, v, u_end, v_end):  # type: ignore[no-untyped-def]
    for k in range(count):
        if u[k] < -HAIR or v[k] < -HAIR or u[k] > u_end + HAIR or v[k] > v_end + HAIR:
            out[at + k] = 0


@njit(fastmath=FAST, error_model="numpy")
def _to_coefficients(samples, first, last, out):  # type: ignore[no-untyped-def]
    """Cubic B-spline coefficients of a row that is 0 outside [first, last] of `samples`.

    samples: TAIL entries before and after the row, all 0 there. The inverse filter is
    sqrt(3) POLE^|k|, cut at TAIL and normalised to sum 1.
    """
    weight = np.empty(TAIL + 1, np.float32)
    total = 1.0
    for k in range(1, TAIL + 1):
        total += 2 * POLE**k
    for k in range(TAIL + 1):
        weight[k] = np.float32(POLE**k / total)
    width = out.size
    begin = max(first - TAIL, 0)
    end = min(last + TAIL + 1, width)
    out[:begin] = 0
    out[end:] = 0
    for x in range(np.uint64(begin), np.uint64(end)):
        c = x + np.uint64(TAIL)
        value = weight[0] * samples[c]
        for k in range(np.uint64(1), np.uint64(TAIL + 1)):
            value += weight[k] * (samples[c - k] + samples[c + k])
        out[x] = value


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def sheared_lines(  # type: ignore[no-untyped-def]
    images, linear, origin, first_column, first_line, field, field_step, as_coefficients, out
):
    """Resample every image onto lines of the grid, zero outside the image.

    images (n, rows + 4, columns + 4) float32: B-spline coefficients with a border of 2. Column x
    and line y of `out` (n, lines, width) lie at grid point (first_column + x, first_line + y): that
    is image point linear (n, 2, 2) @ (x, y) + origin (n, 2), pixels. field (n, 2, gy, gx): image
    points are moved by it, px, nodes every field_step px; gx = 0: no field. as_coefficients: the
    rows come out as B-spline coefficients along x, otherwise as values.
    """
    n, lines, width = out.shape
    rows, columns = images.shape[1:]
    flat = images.reshape(-1)
    pitch = np.uint64(columns)
    u_end = columns - 2 * BORDER - 1.0
    v_end = rows - 2 * BORDER - 1.0
    moves = field.shape[3] > 0
    for item in prange(n * lines):
        t = item // lines
        y = first_line + item % lines
        u0 = origin[t, 0] + linear[t, 0, 1] * y + linear[t, 0, 0] * first_column
        v0 = origin[t, 1] + linear[t, 1, 1] * y + linear[t, 1, 0] * first_column
        u_step = linear[t, 0, 0]
        v_step = linear[t, 1, 0]
        row = np.zeros(width + 2 * TAIL, np.float32)
        low = 0.0
        high = width - 1.0
        if not moves:
            low, high = _inside(u0, u_step, u_end, low, high)
            low, high = _inside(v0, v_step, v_end, low, high)
        first = math.ceil(low)
        last = math.floor(high)
        base = np.uint64(t) * np.uint64(rows * columns)
        u, v = np.empty(BLOCK), np.empty(BLOCK)
        i, j = np.empty(BLOCK, np.int32), np.empty(BLOCK, np.int32)
        rest = np.empty(BLOCK, np.float32)
        wi, wj = np.empty((4, BLOCK), np.float32), np.empty((4, BLOCK), np.float32)
        for begin in range(first, last + 1, BLOCK):
            count = np.uint64(min(BLOCK, last + 1 - begin))
            _points(u, v, count, np.int32(begin), u0, u_step, v0, v_step)
            if moves:
                _move(u, v, count, field[t], field_step)
            _cells(u, count, u_end, i, rest)
            _weights(rest, count, wi)
            _cells(v, count, v_end, j, rest)
            _weights(rest, count, wj)
            _to_places(i, j, count, np.int32(columns))
            _samples(flat, base, pitch, i, wi, wj, count, row, np.uint64(begin + TAIL))
            if moves:
                _clear_outside(row, np.uint64(begin + TAIL), count, u, v, u_end, v_end)
        if as_coefficients:
            _to_coefficients(row, first, last, out[t, item % lines])
        else:
            out[t, item % lines] = row[TAIL : TAIL + width]


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def coverage(linear, slope, origin, image_size, weight, first_line, out):  # type: ignore[no-untyped-def]
    """out[z, r, x] = sum of the weights of the views whose image shows the voxel.

    Voxel (x, first_line + r, z) is seen at linear @ (x, y) + slope z + origin; inside means
    0 <= u <= nx - 1 and the same for v. A row is written as differences at the ends of each
    view's interval, then summed up.
    """
    nz, rows, nx = out.shape
    u_end = image_size[0] - 1.0
    v_end = image_size[1] - 1.0
    for item in prange(nz * rows):
        z = item // rows
        y = first_line + item % rows
        change = np.zeros(nx + 1)
        for t in range(linear.shape[0]):
            u0 = origin[t, 0] + linear[t, 0, 1] * y + slope[t, 0] * z
            v0 = origin[t, 1] + linear[t, 1, 1] * y + slope[t, 1] * z
            low, high = _inside(u0, linear[t, 0, 0], u_end, 0.0, nx - 1.0)
            low, high = _inside(v0, linear[t, 1, 0], v_end, low, high)
            if high >= low:
                change[math.ceil(low)] += weight[t]
                change[math.floor(high) + 1] -= weight[t]
        total = 0.0
        for x in range(nx):
            total += change[x]
            out[z, item % rows, x] = total


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def divide_by_coverage(linear, slope, origin, image_size, first_line, volume):  # type: ignore[no-untyped-def]
    """volume[z, r, x] /= how many views show the voxel, where any does; as `coverage` has it."""
    nz, rows, nx = volume.shape
    u_end, v_end = image_size[0] - 1.0, image_size[1] - 1.0
    for item in prange(nz * rows):
        z, row = item // rows, item % rows
        y = first_line + row
        change = np.zeros(nx + 1, np.int32)
        for t in range(linear.shape[0]):
            u0 = origin[t, 0] + linear[t, 0, 1] * y + slope[t, 0] * z
            v0 = origin[t, 1] + linear[t, 1, 1] * y + slope[t, 1] * z
            low, high = _inside(u0, linear[t, 0, 0], u_end, 0.0, nx - 1.0)
            low, high = _inside(v0, linear[t, 1, 0], v_end, low, high)
            if high >= low:
                change[math.ceil(low)] += 1
                change[math.floor(high) + 1] -= 1
        seen, start = 0, 0
        while start < nx:
            seen += change[start]
            end = start + 1
            while end < nx and change[end] == 0:
                end += 1
            if seen > 1:
                share = np.float32(1) / np.float32(seen)
                for x in range(start, end):
                    volume[z, row, x] *= share
            start = end


@njit(fastmath=FAST, error_model="numpy")
def _faded(at, end, falloff):  # type: ignore[no-untyped-def]
    """What an image shows at `at` of 0 ... end, by the distance from the nearer end."""
    edge = max(min(at, end - at), 0.0)
    if edge + 1 >= falloff:
        return 1.0
    return 0.5 - 0.5 * math.cos(math.pi * (edge + 1) / falloff)


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def faded_coverage(  # type: ignore[no-untyped-def]
    linear, slope, origin, image_size, fading_size, falloff, weight, first_line, out
):
    """As `coverage`, of images that set in over `falloff` px from the edges of fading_size."""
    nz, rows, nx = out.shape
    u_end, v_end = fading_size[0] - 1.0, fading_size[1] - 1.0
    for item in prange(nz * rows):
        z = item // rows
        y = first_line + item % rows
        line = np.zeros(nx)
        for t in range(linear.shape[0]):
            u0 = origin[t, 0] + linear[t, 0, 1] * y + slope[t, 0] * z
            v0 = origin[t, 1] + linear[t, 1, 1] * y + slope[t, 1] * z
            low, high = _inside(u0, linear[t, 0, 0], image_size[0] - 1.0, 0.0, nx - 1.0)
            low, high = _inside(v0, linear[t, 1, 0], image_size[1] - 1.0, low, high)
            for x in range(math.ceil(low), math.floor(high) + 1):
                shown = _faded(u0 + linear[t, 0, 0] * x, u_end, falloff)
                shown *= _faded(v0 + linear[t, 1, 0] * x, v_end, falloff)
                line[x] += weight[t] * shown
        for x in range(nx):
            out[z, item % rows, x] = line[x]
