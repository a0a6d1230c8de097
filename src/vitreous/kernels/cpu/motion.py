"""Frames of a movie on the CPU: likelihood of their displacements, and their sum.

Spectra are held as the half discs of the frequencies in use, row after row: row r of a disc has
frequency ky[r] and the columns 0, 1, ... up to its end, kx = column x kx_step; its coefficients are
[starts[r], starts[r + 1]). Real and imaginary parts are apart, so that loops become vector code.
"""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz", "reassoc"}
BLOCK = 32  # px over which a displacement is taken as linear
PIECE = BLOCK + 3
CHUNK = 64  # coefficients of a row that are worked on together
TWO_PI = 2 * math.pi


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def windowed(frame, scale, rows, columns, out):  # type: ignore[no-untyped-def]
    """out (y, x) = (frame scale - 1) rows(y) columns(x): the contrast, tapered; all float32."""
    one = np.float32(1)
    for y in prange(frame.shape[0]):
        row = rows[y]
        for x in range(frame.shape[1]):
            out[y, x] = (frame[y, x] * scale - one) * (row * columns[x])


@njit(nogil=True, error_model="numpy")
def _ramp():  # type: ignore[no-untyped-def]
    """0, 1, 2, ...: a table, for LLVM doesn't turn counters into vectors of float32."""
    return np.arange(CHUNK).astype(np.float32)


@njit(nogil=True, error_model="numpy")
def _tables(moves, kx_step, widest):  # type: ignore[no-untyped-def]
    """(frames, columns x 2): CHUNK cosines, then CHUNK sines of 2 pi kx dx, and so on."""
    chunks = (widest + CHUNK - 1) // CHUNK
    table = np.empty((moves.shape[0], chunks * 2 * CHUNK), np.float32)
    for f in range(moves.shape[0]):
        step = TWO_PI * kx_step * moves[f, 0]
        for x in range(chunks * CHUNK):
            at = x // CHUNK * 2 * CHUNK + x % CHUNK
            table[f, at] = np.float32(math.cos(step * x))
            table[f, at + CHUNK] = np.float32(math.sin(step * x))
    return table


@njit(nogil=True, error_model="numpy")
def _widest(starts):  # type: ignore[no-untyped-def]
    widest = 0
    for r in range(starts.size - 1):
        widest = max(widest, starts[r + 1] - starts[r])
    return widest


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _move(flat, re, im, count, table, at, turn, moved, to):  # type: ignore[no-untyped-def]
    """Coefficients flat[re:], flat[im:] times the phases table[at:] and exp(i turn).

    Real parts go to moved[to:], imaginary ones CHUNK behind them.
    """
    c, s = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    chunk = np.uint64(CHUNK)
    real, imag, first, out = np.uint64(re), np.uint64(im), np.uint64(at), np.uint64(to)
    for k in range(np.uint64(count)):
        p, q = table[first + k], table[first + chunk + k]
        a = p * c - q * s
        b = p * s + q * c
        moved[out + k] = flat[real + k] * a - flat[imag + k] * b
        moved[out + chunk + k] = flat[real + k] * b + flat[imag + k] * a


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _add(moved, at, count, total):  # type: ignore[no-untyped-def]
    """total: sums of real parts, imaginary parts and powers, CHUNK of each."""
    chunk, first = np.uint64(CHUNK), np.uint64(at)
    for k in range(np.uint64(count)):
        re, im = moved[first + k], moved[first + chunk + k]
        total[k] += re
        total[chunk + k] += im
        total[chunk + chunk + k] += re * re + im * im


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _cross(moved, at, count, total, weight, first, ramp):  # type: ignore[no-untyped-def]
    """Sums of w Im(conj(total) frame), and of the same times the column from 0."""
    chunk, own, w = np.uint64(CHUNK), np.uint64(at), np.uint64(first)
    across, along = np.float32(0), np.float32(0)
    for k in range(np.uint64(count)):
        product = total[k] * moved[own + chunk + k] - total[chunk + k] * moved[own + k]
        cross = product * weight[w + k]
        across += cross
        along += cross * ramp[k]
    return across, along


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _pairs(count, total, weight, first, ramp):  # type: ignore[no-untyped-def]
    """Sums of w |total|^2, and of w (|total|^2 - powers) times columns from 0 to 0, 1, 2."""
    chunk, w = np.uint64(CHUNK), np.uint64(first)
    gain, none, one, two = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
    for k in range(np.uint64(count)):
        whole = total[k] * total[k] + total[chunk + k] * total[chunk + k]
        pairs = (whole - total[chunk + chunk + k]) * weight[w + k]
        gain += whole * weight[w + k]
        none += pairs
        one += pairs * ramp[k]
        two += pairs * (ramp[k] * ramp[k])
    return gain, none, one, two


@njit(nogil=True, error_model="numpy")
def _row_slopes(  # type: ignore[no-untyped-def]
    spectra, first, last, ky, kx_step, moves, table, weight, ramp, gradient, power
):
    """Add a row's part of the gradient (frames, 2) and of power (4), see `slopes`."""
    frames, size = spectra.shape[0], spectra.shape[2]
    flat = spectra.reshape(-1)
    moved, total = np.empty(frames * 2 * CHUNK, np.float32), np.empty(3 * CHUNK, np.float32)
    curve = 2 * TWO_PI * TWO_PI / (frames - 1)
    for chunk in range((last - first + CHUNK - 1) // CHUNK):
        begin = first + chunk * CHUNK
        count = min(CHUNK, last - begin)
        column = chunk * CHUNK
        total[:] = 0
        for f in range(frames):
            re, to = 2 * f * size + begin, f * 2 * CHUNK
            turn = TWO_PI * ky * moves[f, 1]
            _move(flat, re, re + size, count, table[f], 2 * column, turn, moved, to)
            _add(moved, to, count, total)
        for f in range(frames):
            across, along = _cross(moved, f * 2 * CHUNK, count, total, weight, begin, ramp)
            gradient[f, 0] -= 2 * TWO_PI * kx_step * (along + column * across)
            gradient[f, 1] -= 2 * TWO_PI * ky * across
        gain, none, one, two = _pairs(count, total, weight, begin, ramp)
        two += 2 * column * one + column * column * none
        one += column * none
        power[0] += gain
        power[1] += curve * kx_step * kx_step * two
        power[2] += curve * kx_step * ky * one
        power[3] += curve * ky * ky * none


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def slopes(spectra, starts, ky, kx_step, moves, weight, gradient, power):  # type: ignore[no-untyped-def]
    """Of L = sum over k of weight |sum over frames of F exp(2 pi i k d)|^2.

    spectra (frames, 2, coefficients) float32; moves (frames, 2): d (x, y), angstrom. Written are
    gradient (frames, 2) = dL/dd and power (4): L and the curvature xx, xy, yy that is common to all
    frames: -d2L/dd2 for displacements whose mean is 0, expected for pairs of frames.
    """
    table, ramp = _tables(moves, kx_step, _widest(starts)), _ramp()
    gradients, powers = np.zeros((ky.size, spectra.shape[0], 2)), np.zeros((ky.size, 4))
    for r in prange(ky.size):
        _row_slopes(
            spectra, starts[r], starts[r + 1], ky[r], kx_step, moves, table, weight, ramp,
            gradients[r], powers[r],
        )  # fmt: skip
    gradient[:] = 0
    power[:] = 0
    for r in range(ky.size):
        gradient += gradients[r]
        power += powers[r]


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def slopes_of_patches(spectra, starts, ky, kx_step, moves, weight, gradient, power):  # type: ignore[no-untyped-def]
    """`slopes` of patches (patches, frames, 2, coefficients) with moves (patches, frames, 2)."""
    widest, ramp = _widest(starts), _ramp()
    gradient[:] = 0
    power[:] = 0
    for p in prange(spectra.shape[0]):
        table = _tables(moves[p], kx_step, widest)
        for r in range(ky.size):
            _row_slopes(
                spectra[p], starts[r], starts[r + 1], ky[r], kx_step, moves[p], table, weight,
                ramp, gradient[p], power[p],
            )  # fmt: skip


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def moved_sum(spectra, starts, ky, kx_step, moves, out):  # type: ignore[no-untyped-def]
    """out (2, coefficients) = sum over frames of F exp(2 pi i k d), in the terms of `slopes`."""
    table = _tables(moves, kx_step, _widest(starts))
    size = spectra.shape[2]
    flat = spectra.reshape(-1)
    for r in prange(ky.size):
        moved, total = np.empty(2 * CHUNK, np.float32), np.empty(3 * CHUNK, np.float32)
        for chunk in range((starts[r + 1] - starts[r] + CHUNK - 1) // CHUNK):
            begin = starts[r] + chunk * CHUNK
            count = min(CHUNK, starts[r + 1] - begin)
            total[:] = 0
            for f in range(spectra.shape[0]):
                re, at = 2 * f * size + begin, 2 * chunk * CHUNK
                turn = TWO_PI * ky[r] * moves[f, 1]
                _move(flat, re, re + size, count, table[f], at, turn, moved, 0)
                _add(moved, 0, count, total)
            out[0, begin : begin + count] = total[:count]
            out[1, begin : begin + count] = total[CHUNK : CHUNK + count]


# -- sums -----------------------------------------------------------------------------------------


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def add_shifted(spectrum, columns, dx, dy, share, out):  # type: ignore[no-untyped-def]
    """out[r] += share[r] spectrum exp(2 pi i (kx dx + ky dy)): an image moved by (-dx, -dy) px.

    spectrum (y, x // 2 + 1) of a real image with `columns` columns; out (sums, y, x // 2 + 1).
    What only one of a pair of Nyquist frequencies holds stays real in the image.
    """
    rows, half = spectrum.shape
    cosines, sines = np.empty(half, np.float32), np.empty(half, np.float32)
    for x in range(half):
        angle = TWO_PI * dx * x / columns
        cosines[x] = np.float32(math.cos(angle))
        sines[x] = np.float32(math.sin(angle))
    for y in prange(rows):
        ky = y if 2 * y < rows else y - rows
        angle = TWO_PI * dy * ky / rows
        c, s = np.float32(math.cos(angle)), np.float32(math.sin(angle))
        for x in range(half):
            a = cosines[x] * c - sines[x] * s
            b = cosines[x] * s + sines[x] * c
            value = spectrum[y, x]
            re = value.real * a - value.imag * b
            im = value.real * b + value.imag * a
            for r in range(out.shape[0]):
                out[r, y, x] += np.complex64(complex(re * share[r], im * share[r]))


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _weights(start, step, ramp, count, weight):  # type: ignore[no-untyped-def]
    """The cubic B-spline's weights at points that lie start, start + step, ... behind a sample.

    weight (4 PIECE): all of the sample before that one, all of its own and so on, flat, so that
    LLVM sees one array. The spline's pieces meet with two equal derivatives: a point that lies e
    outside 0 ... 1 costs an error of e^3 / 6 only.
    """
    one, three, four = np.float32(1), np.float32(3), np.float32(4)
    six, sixth = np.float32(6), np.float32(1 / 6)
    first, change = np.float32(start), np.float32(step)
    for k in range(np.uint64(count)):
        w = first + change * ramp[k]
        r = one - w
        weight[k] = r * r * r * sixth
        weight[k + np.uint64(PIECE)] = (four + w * w * (three * w - six)) * sixth
        weight[k + np.uint64(2 * PIECE)] = (four + r * r * (three * r - six)) * sixth
        weight[k + np.uint64(3 * PIECE)] = w * w * w * sixth


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _blend_rows(flat, at, pitch, weight, count, out):  # type: ignore[no-untyped-def]
    """out = four rows of an image from flat[at:] on, weighed point by point."""
    piece, start, step = np.uint64(PIECE), np.uint64(at), np.uint64(pitch)
    second, third, fourth = start + step, start + step + step, start + step + step + step
    for k in range(np.uint64(count)):
        out[k] = (
            weight[k] * flat[start + k]
            + weight[k + piece] * flat[second + k]
            + weight[k + piece + piece] * flat[third + k]
            + weight[k + piece + piece + piece] * flat[fourth + k]
        )


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _blend_columns(row, weight, count, out):  # type: ignore[no-untyped-def]
    """out = four neighbours in a row, weighed point by point."""
    piece, one, two, three = np.uint64(PIECE), np.uint64(1), np.uint64(2), np.uint64(3)
    for k in range(np.uint64(count)):
        out[k] = (
            weight[k] * row[k]
            + weight[k + piece] * row[k + one]
            + weight[k + piece + piece] * row[k + two]
            + weight[k + piece + piece + piece] * row[k + three]
        )


@njit(nogil=True, error_model="numpy")
def _edge_piece(frame, top, left, count, out):  # type: ignore[no-untyped-def]
    """out: 4 rows of PIECE, a part of the frame that may lie beyond it: its edge goes on."""
    rows, columns = frame.shape
    for j in range(4):
        y = min(max(top + j, 0), rows - 1)
        for k in range(count):
            out[j * PIECE + k] = frame[y, min(max(left + k, 0), columns - 1)]


@njit(nogil=True, fastmath=FAST, error_model="numpy")
def _add_scaled(value, factor, count, out):  # type: ignore[no-untyped-def]
    for k in range(np.uint64(count)):
        out[k] += factor * value[k]


@njit(parallel=True, cache=True, nogil=True, error_model="numpy")
def add_moved(frame, field, share, out):  # type: ignore[no-untyped-def]
    """out[r, y, x] += share[r] x (the cubic B-spline whose coefficients are `frame`) at (x, y) + d.

    field (2, gy, gx): d (x, y), px, linear between nodes every BLOCK px from pixel 0; it may change
    by little in a block (see `_weights`). Columns are blended by the d of where they stand, rows by
    that of the point. Beyond the frame its edge goes on. The spline of the samples themselves is a
    blurred image: whoever sums sharpens at the end, see `weighed_sum`.
    """
    rows, columns = frame.shape
    flat = frame.reshape(-1)
    blocks = (columns + BLOCK - 1) // BLOCK
    ramp = _ramp()
    for y in prange(rows):
        j = y // BLOCK
        below = (y - j * BLOCK) / BLOCK
        across, down = np.empty(4 * PIECE, np.float32), np.empty(4 * PIECE, np.float32)
        value, blended = np.empty(PIECE, np.float32), np.empty(PIECE, np.float32)
        piece = np.empty(4 * PIECE, np.float32)
        for i in range(blocks):
            first = i * BLOCK
            count = min(BLOCK, columns - first)
            dx = field[0, j, i] * (1 - below) + field[0, j + 1, i] * below
            dy = field[1, j, i] * (1 - below) + field[1, j + 1, i] * below
            x_step = (
                field[0, j, i + 1] * (1 - below) + field[0, j + 1, i + 1] * below - dx
            ) / BLOCK
            y_step = (
                field[1, j, i + 1] * (1 - below) + field[1, j + 1, i + 1] * below - dy
            ) / BLOCK
            right, up = math.floor(dx + BLOCK / 2 * x_step), math.floor(dy + BLOCK / 2 * y_step)
            left, top = first + int(right) - 1, y + int(up) - 1
            _weights(dx - right, x_step, ramp, count, across)
            _weights(dy - up - y_step, y_step, ramp, count + 3, down)
            if left >= 0 and left + count + 3 <= columns and top >= 0 and top + 4 <= rows:
                _blend_rows(flat, top * columns + left, columns, down, count + 3, blended)
            else:
                _edge_piece(frame, top, left, count + 3, piece)
                _blend_rows(piece, 0, PIECE, down, count + 3, blended)
            _blend_columns(blended, across, count, value)
            for r in range(out.shape[0]):
                _add_scaled(value, share[r], count, out[r, y, first : first + count])


@njit(parallel=True, cache=True, nogil=True, fastmath=FAST, error_model="numpy")
def weighed_sum(spectra, columns, tables, sharpen, out):  # type: ignore[no-untyped-def]
    """out = sum over r of spectra[r] tables[r](|k|), half spectra (y, x // 2 + 1).

    tables (sums, steps): at frequencies from 0 evenly to sqrt(1/2) cycles per px, linear between
    them. sharpen: divide by the blur of a cubic B-spline that has an image as its coefficients.
    """
    rows, half = out.shape
    last = tables.shape[1] - 1
    scale = last / math.sqrt(0.5)
    across = np.empty(half, np.float32)
    for x in range(half):
        across[x] = np.float32((2 + math.cos(TWO_PI * x / columns)) / 3)
    for y in prange(rows):
        ky = (y if 2 * y < rows else y - rows) / rows
        along = np.float32((2 + math.cos(TWO_PI * ky)) / 3)
        for x in range(half):
            kx = x / columns
            at = math.sqrt(kx * kx + ky * ky) * scale
            i = min(int(at), last - 1)
            rest = np.float32(at - i)
            factor = np.float32(1)
            if sharpen:
                factor = factor / (along * across[x])
            value = np.complex64(0)
            for r in range(spectra.shape[0]):
                weight = tables[r, i] + (tables[r, i + 1] - tables[r, i]) * rest
                value += spectra[r, y, x] * (weight * factor)
            out[y, x] = value
