"""Fourier slices into a grid and out of it, on the CPU, for `vitreous.kernels.insertion`.

A grid point holds (real, imaginary, weight, 0) side by side, so one update is one vector of four.
The grid is centred, with a border of BORDER points all round and as many columns of negative x:
the inner loops have no branch. `fold` joins the Friedel mates at the end.

The grid is cut into slabs along z. Each slab goes through all slices in the same order and takes
of every slice row the interval whose kernel touches it (z is linear along a row). So each sum is
made by one thread in one order: the same bits for any number of threads and any slab.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, prange, types
from numba.extending import intrinsic

FAST = {"contract", "nsz"}
BORDER = 7  # the widest kernel reaches 3.5 points; a point may lie 3.5 beyond the grid itself
STEPS = 1024  # entries of a kernel's table per grid step

LINEAR, TABLE, GAUSS, GAUSS_SHARE = 0, 1, 2, 3


@intrinsic
def _add_eight(typing, flat, at, row, start, g):  # type: ignore[no-untyped-def]
    """flat[at : at + 8] += g row[start : start + 8] as one vector: LLVM finds none by itself."""

    def build(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        eight = ir.VectorType(ir.FloatType(), 8)
        places = []
        for array, index in ((0, 1), (2, 3)):
            made = context.make_array(signature.args[array])(context, builder, arguments[array])
            pointer = builder.gep(made.data, [arguments[index]])
            places.append(builder.bitcast(pointer, eight.as_pointer()))
        scale = ir.Constant(eight, [0.0] * 8)
        for k in range(8):
            scale = builder.insert_element(scale, arguments[4], ir.Constant(ir.IntType(32), k))
        out, added = (builder.load(place, align=4) for place in places)
        added = builder.fmul(scale, added, flags=("contract",))
        builder.store(builder.fadd(out, added, flags=("contract",)), places[0], align=4)
        return context.get_dummy_value()

    return types.void(flat, types.uint64, row, types.uint64, types.float32), build


@njit(fastmath=FAST, error_model="numpy", forceinline=True)
def _fill(out, at, width, f, lowest, kind, table, h, q):  # type: ignore[no-untyped-def]
    """out[at + a] = the kernel at distance f - a along one axis, a Gaussian over `_common`.

    q = exp(-h).
    """
    if kind == LINEAR:
        out[at] = np.float32(1 - f)
        out[at + 1] = np.float32(f)
    elif kind == TABLE:
        row = int((f - lowest) * STEPS + 0.5)
        for a in range(width):
            out[at + a] = table[row, a]
    else:  # exp(-h (d - m)^2) / exp(-h d^2), outward from the nearest point
        near = _nearest(f, width)
        up = math.exp(np.float32(2) * h * np.float32(f - near))
        out[at + near] = np.float32(1)
        value, ratio = np.float32(1), up * q
        for a in range(near + 1, width):
            value *= ratio
            out[at + a] = value
            ratio *= q * q
        value, ratio = np.float32(1), q / up
        for a in range(near - 1, -1, -1):
            value *= ratio
            out[at + a] = value
            ratio *= q * q


@njit(error_model="numpy", forceinline=True)
def _nearest(f, width):  # type: ignore[no-untyped-def]
    return min(max(int(f + 0.5), 0), width - 1)


@njit(fastmath=FAST, error_model="numpy", forceinline=True)
def _common(kind, h, q, fx, fy, fz, width):  # type: ignore[no-untyped-def]
    """What all points of a Gaussian share: its value at the nearest, EMAN2's norm of gauss_3."""
    if kind < GAUSS:
        return np.float32(1)
    dx, dy, dz = fx - _nearest(fx, width), fy - _nearest(fy, width), fz - _nearest(fz, width)
    share = np.float32(math.exp(-h * np.float32(dx * dx + dy * dy + dz * dz)))
    if kind == GAUSS_SHARE:
        share /= (np.float32(1) + q + q) ** 3
    return share


@njit(fastmath=FAST, error_model="numpy", forceinline=True)
def _sharpness(table, r2):  # type: ignore[no-untyped-def]
    """h at a distance from the origin, linear between whole distances."""
    r = math.sqrt(r2)
    low = min(int(r), table.size - 2)
    return np.float32(table[low] + np.float32(r - low) * (table[low + 1] - table[low]))


@njit(error_model="numpy", forceinline=True)
def _base(x, start, width, mate):  # type: ignore[no-untyped-def]
    """The first point of the kernel; that of a mate mirrors that of the point itself."""
    if mate:
        return math.ceil(x + start) - (width - 1)
    return math.floor(x - start)


@njit(error_model="numpy", forceinline=True)
def _interval(low, high, slope, offset, mate):  # type: ignore[no-untyped-def]
    """The part of low ... high where slope i + offset >= 0 (a mate's: > 0)."""
    if slope == 0:
        if offset < 0 or (mate and offset == 0):
            return low, low - 1.0
        return low, high
    edge = -offset / slope
    if slope > 0:
        return max(low, math.floor(edge) + 1.0 if mate else math.ceil(edge)), high
    return low, min(high, math.ceil(edge) - 1.0 if mate else math.floor(edge))


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def insert_slices(  # type: ignore[no-untyped-def]
    points,
    slices,
    weights,
    factors,
    steps,
    reach,
    twice,
    start,
    kind,
    table,
    sharpness,
    width,
    slab,
):
    """Add slices to the points (z, y, x, 4) of a grid.

    slices (n, y, x // 2 + 1, 2) float32, rows in FFT order; weights like it without the last axis,
    or (1, 1, 1) for 1 everywhere; factors (n,) times both. steps (n, 3, 2): grid step (x, y, z) per
    slice step (x, y). reach (2,): half axes of the ellipse of slice points that are taken, px.
    """
    count, size, half, _ = slices.shape
    nz, ny, nx, _ = points.shape
    flat = points.reshape(-1)
    weighted = weights.size > 1
    pairs = (width + 1) // 2
    middle_y, middle_z = ny // 2, nz // 2
    spread = width / 2 + 1.01
    lowest = min(start, width - 2 - start)
    for part in prange((nz + slab - 1) // slab):
        bottom = np.int64(part) * slab
        top = min(bottom + slab, nz)
        along = np.empty(3 * width, np.float32)
        row = np.zeros(4 * pairs * 2, np.float32)  # an even number of points
        for s in range(count):
            factor = factors[s]
            if factor == 0:
                continue
            for j in range(size):
                v = j if j < (size + 1) // 2 else j - size
                rest = 1 - (v / reach[1]) ** 2
                if rest < 0:
                    continue
                last = min(int(reach[0] * math.sqrt(rest)), half - 1)
                # Of a column that holds both members of each pair one is enough.
                first = 1.0 if v < 0 and 2 * v != -size and not twice else 0.0
                for side in range(2):
                    sign = 1.0 if side == 0 else -1.0
                    px, qx = sign * steps[s, 0, 0], sign * steps[s, 0, 1] * v
                    py, qy = sign * steps[s, 1, 0], sign * steps[s, 1, 1] * v + middle_y
                    pz, qz = sign * steps[s, 2, 0], sign * steps[s, 2, 1] * v + middle_z
                    low, high = _interval(first, float(last), px, qx, side == 1)
                    if abs(pz) > 1e-6:
                        e0 = (bottom - spread - qz) / pz
                        e1 = (top + spread - qz) / pz
                        low = max(low, math.ceil(min(e0, e1)))
                        high = min(high, math.floor(max(e0, e1)))
                    elif qz < bottom - spread or qz > top + spread:
                        continue
                    for i in range(int(low), int(high) + 1):
                        weight = factor * (weights[s, j, i] if weighted else np.float32(1))
                        if weight == 0:
                            continue
                        x = px * i + qx + BORDER
                        y = py * i + qy
                        z = pz * i + qz
                        ix = _base(x, start, width, side == 1)
                        iy = _base(y, start, width, side == 1)
                        iz = _base(z, start, width, side == 1)
                        if iy < 0 or iy + width > ny or ix < 0 or ix + 2 * pairs > nx:
                            continue
                        c0, c1 = max(0, bottom - iz), min(width, top - iz)
                        if c0 >= c1:
                            continue
                        h, q = np.float32(0), np.float32(0)
                        if kind >= GAUSS:
                            r2 = (x - BORDER) ** 2 + (y - middle_y) ** 2 + (z - middle_z) ** 2
                            h = _sharpness(sharpness, r2)
                            q = np.float32(math.exp(-h))
                        _fill(along, 0, width, x - ix, lowest, kind, table, h, q)
                        _fill(along, width, width, y - iy, lowest, kind, table, h, q)
                        _fill(along, 2 * width, width, z - iz, lowest, kind, table, h, q)
                        share = _common(kind, h, q, x - ix, y - iy, z - iz, width)
                        real = share * factor * slices[s, j, i, 0]
                        imaginary = share * factor * np.float32(sign) * slices[s, j, i, 1]
                        weight *= share
                        for a in range(width):
                            row[4 * a] = along[a] * real
                            row[4 * a + 1] = along[a] * imaginary
                            row[4 * a + 2] = along[a] * weight
                        for c in range(c0, c1):
                            for b in range(width):
                                g = along[2 * width + c] * along[width + b]
                                at = np.uint64((((iz + c) * ny + iy + b) * nx + ix) * 4)
                                for pair in range(pairs):
                                    k = np.uint64(8 * pair)
                                    _add_eight(flat, at + k, row, k, g)  # type: ignore[call-arg]


@njit(error_model="numpy", forceinline=True)
def _twin(k, n):  # type: ignore[no-untyped-def]
    """The other frequency that shares a place with k, or k itself."""
    return -k if 2 * abs(k) == n else k


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def fold(points, columns, data, weight):  # type: ignore[no-untyped-def]
    """Sum a grid and its Friedel mates into data and weight (z, y, columns // 2 + 1), FFT order."""
    nz, ny, half = data.shape
    gz, gy = points.shape[:2]
    for plane in prange(nz):
        z = np.int64(plane)
        kz0 = z if z < (nz + 1) // 2 else z - nz
        for y in range(ny):
            ky0 = y if y < (ny + 1) // 2 else y - ny
            for kx0 in range(half):
                real, imaginary, total = np.float32(0), np.float32(0), np.float32(0)
                for turn in range(8):
                    kz, ky, kx = kz0, ky0, kx0
                    if turn & 1:
                        kz = _twin(kz0, nz)
                        if kz == kz0:
                            continue
                    if turn & 2:
                        ky = _twin(ky0, ny)
                        if ky == ky0:
                            continue
                    if turn & 4:
                        kx = _twin(kx0, columns)
                        if kx == kx0:
                            continue
                    if kx + BORDER >= 0:
                        point = points[kz + gz // 2, ky + gy // 2, kx + BORDER]
                        real += point[0]
                        imaginary += point[1]
                        total += point[2]
                    if BORDER - kx >= 0:
                        point = points[gz // 2 - kz, gy // 2 - ky, BORDER - kx]
                        real += point[0]
                        imaginary -= point[1]
                        total += point[2]
                data[z, y, kx0] = complex(real, imaginary)
                weight[z, y, kx0] = total


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def unfold(transform, columns, points):  # type: ignore[no-untyped-def]
    """Spread a half transform (z, y, columns // 2 + 1) over a centred, bordered grid (z, y, x).

    The transpose of `fold`: frequencies beyond Nyquist are 0.
    """
    nz, ny, _ = transform.shape
    gz, gy, gx = points.shape
    for plane in prange(gz):
        z = np.int64(plane)
        kz = z - gz // 2
        for y in range(gy):
            ky = y - gy // 2
            for x in range(gx):
                kx = x - BORDER
                points[z, y, x] = 0
                if 2 * abs(kz) > nz or 2 * abs(ky) > ny or 2 * abs(kx) > columns:
                    continue
                if kx >= 0:
                    points[z, y, x] = transform[kz % nz, ky % ny, kx]
                else:
                    points[z, y, x] = np.conj(transform[-kz % nz, -ky % ny, -kx])


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def extract_slices(  # type: ignore[no-untyped-def]
    points, slices, steps, reach, start, kind, table, sharpness, width
):
    """Read slices (n, y, x // 2 + 1) complex64 from a bordered grid: `insert_slices` transposed."""
    count, size, half = slices.shape
    nz, ny, nx = points.shape
    middle_y, middle_z = ny // 2, nz // 2
    lowest = min(start, width - 2 - start)
    for item in prange(count * size):
        s, j = np.int64(item) // size, np.int64(item) % size
        along = np.empty(3 * width, np.float32)
        v = j if j < (size + 1) // 2 else j - size
        rest = 1 - (v / reach[1]) ** 2
        last = -1 if rest < 0 else min(int(reach[0] * math.sqrt(rest)), half - 1)
        for i in range(half):
            slices[s, j, i] = 0
            if i > last:
                continue
            x = steps[s, 0, 0] * i + steps[s, 0, 1] * v
            mate = x < 0
            sign = -1.0 if mate else 1.0
            x = sign * x + BORDER
            y = sign * (steps[s, 1, 0] * i + steps[s, 1, 1] * v) + middle_y
            z = sign * (steps[s, 2, 0] * i + steps[s, 2, 1] * v) + middle_z
            ix = _base(x, start, width, mate)
            iy = _base(y, start, width, mate)
            iz = _base(z, start, width, mate)
            if min(ix, iy, iz) < 0 or ix + width > nx or iy + width > ny or iz + width > nz:
                continue
            h, q = np.float32(0), np.float32(0)
            if kind >= GAUSS:
                r2 = (x - BORDER) ** 2 + (y - middle_y) ** 2 + (z - middle_z) ** 2
                h = _sharpness(sharpness, r2)
                q = np.float32(math.exp(-h))
            _fill(along, 0, width, x - ix, lowest, kind, table, h, q)
            _fill(along, width, width, y - iy, lowest, kind, table, h, q)
            _fill(along, 2 * width, width, z - iz, lowest, kind, table, h, q)
            real, imaginary = np.float32(0), np.float32(0)
            for c in range(width):
                for b in range(width):
                    g = along[2 * width + c] * along[width + b]
                    for a in range(width):
                        value = points[iz + c, iy + b, ix + a]
                        real += g * along[a] * value.real
                        imaginary += g * along[a] * value.imag
            share = _common(kind, h, q, x - ix, y - iy, z - iz, width)
            real *= share
            imaginary *= share
            slices[s, j, i] = complex(real, -imaginary if mate else imaginary)
