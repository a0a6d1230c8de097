"""Resampling of tilt images onto sheared lines, and coverage, on the CPU."""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz"}
BORDER = 2  # rows and columns of coefficients beyond the image's edge
POLE = math.sqrt(3) - 2  # of the cubic B-spline's inverse filter
TAIL = 10  # taps to either side: what is cut off is 1.4e-6 of the sum


@njit(error_model="numpy")
def _weights(w):  # type: ignore[no-untyped-def]
    one = np.float32(1)
    six = np.float32(1 / 6)
    r = one - w
    k0 = r * r * r * six
    k3 = w * w * w * six
    k1 = (np.float32(4) + w * w * (np.float32(3) * w - np.float32(6))) * six
    return k0, k1, one - k0 - k1 - k3, k3


@njit(error_model="numpy")
def _inside(start, step, end, low, high):  # type: ignore[no-untyped-def]
    """Narrow [low, high] to the x for which 0 <= start + x step <= end."""
    if abs(step) < 1e-12:
        if start < -1e-9 or start > end + 1e-9:
            return low, low - 1.0
        return low, high
    a = -start / step
    b = (end - start) / step
    # a hair of slack: a point that lies on the edge by construction belongs to the image
    return max(low, min(a, b) - 1e-9), min(high, max(a, b) + 1e-9)


@njit(fastmath=FAST, error_model="numpy")
def _sample(flat, pitch, base, u, v):  # type: ignore[no-untyped-def]
    """The cubic B-spline surface at (u, v), counted from the first coefficient of the border."""
    i = int(u)
    j = int(v)
    a0, a1, a2, a3 = _weights(np.float32(u - i))
    b0, b1, b2, b3 = _weights(np.float32(v - j))
    p = base + np.uint64(j - 1) * pitch + np.uint64(i - 1)
    q = p + pitch
    r = q + pitch
    s = r + pitch
    one = np.uint64(1)
    two = np.uint64(2)
    three = np.uint64(3)
    return (
        b0 * (a0 * flat[p] + a1 * flat[p + one] + a2 * flat[p + two] + a3 * flat[p + three])
        + b1 * (a0 * flat[q] + a1 * flat[q + one] + a2 * flat[q + two] + a3 * flat[q + three])
        + b2 * (a0 * flat[r] + a1 * flat[r + one] + a2 * flat[r + two] + a3 * flat[r + three])
        + b3 * (a0 * flat[s] + a1 * flat[s + one] + a2 * flat[s + two] + a3 * flat[s + three])
    )


@njit(fastmath=FAST, error_model="numpy")
def _moved(field, x, y, step):  # type: ignore[no-untyped-def]
    """Bilinear value of one displacement component (gy, gx) with nodes every `step` pixels."""
    gy, gx = field.shape
    a = min(max(x / step, 0.0), gx - 1.001)
    b = min(max(y / step, 0.0), gy - 1.001)
    i = int(a)
    j = int(b)
    a -= i
    b -= j
    return (1 - b) * ((1 - a) * field[j, i] + a * field[j, i + 1]) + b * (
        (1 - a) * field[j + 1, i] + a * field[j + 1, i + 1]
    )


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
        for x in range(first, last + 1):
            u = u0 + x * u_step
            v = v0 + x * v_step
            if moves:
                du = _moved(field[t, 0], u, v, field_step)
                v += _moved(field[t, 1], u, v, field_step)
                u += du
                if u < 0.0 or v < 0.0 or u > u_end or v > v_end:
                    continue
            u = min(max(u, 0.0), u_end) + BORDER
            v = min(max(v, 0.0), v_end) + BORDER
            row[x + TAIL] = _sample(flat, pitch, base, u, v)
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
