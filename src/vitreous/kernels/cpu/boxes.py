"""Boxes round particles out of a tilt image, and their transforms as a reconstruction takes them.

Loops run over boxes in parallel; each is worked on by one thread, so the result doesn't depend on
how many there are.
"""

import math

import numpy as np
from numba import njit, prange

FAST = {"contract", "nsz"}
PI_HIGH, PI_LOW = np.float32(3.140625), np.float32(9.676535897932795e-4)  # their sum is pi


@njit(cache=True, nogil=True, parallel=True, error_model="numpy")
def cut_boxes(image, corners, window, beyond, out):  # type: ignore[no-untyped-def]
    """out[i] (size, size) = the image from corners[i] (x, y) on; outside, its nearest pixel.

    Where `beyond` (size, size) has any pixel, each box first loses its mean over those; then it is
    multiplied by `window`.
    """
    rows, columns = image.shape
    count, size, _ = out.shape
    for i in prange(count):
        total = 0.0
        pixels = 0
        for y in range(size):
            v = min(max(corners[i, 1] + y, 0), rows - 1)
            for x in range(size):
                u = min(max(corners[i, 0] + x, 0), columns - 1)
                value = image[v, u]
                out[i, y, x] = value
                if beyond[y, x]:
                    total += value
                    pixels += 1
        mean = np.float32(total / max(pixels, 1))
        for y in range(size):
            for x in range(size):
                out[i, y, x] = (out[i, y, x] - mean) * window[y, x]


@njit(cache=True, nogil=True, inline="always", error_model="numpy")
def _sine(angle):  # type: ignore[no-untyped-def]
    """sin of a float32 to 1e-6 for |angle| < 1e4: whole turns off, then a polynomial of degree 9.

    Without a call, so that the loop over it becomes vector code.
    """
    half_turns = np.floor(angle * np.float32(1 / math.pi) + np.float32(0.5))
    rest = (angle - half_turns * PI_HIGH) - half_turns * PI_LOW
    odd = half_turns - np.float32(2) * np.floor(half_turns * np.float32(0.5))
    square = rest * rest
    tail = np.float32(2.6083159809786593e-06)
    tail = tail * square + np.float32(-1.9810690719494596e-04)
    tail = tail * square + np.float32(8.3330785855650902e-03)
    tail = tail * square + np.float32(-1.6666659712791443e-01)
    return (rest + rest * square * tail) * (np.float32(1) - np.float32(2) * odd)


@njit(cache=True, nogil=True, parallel=True, fastmath=FAST, error_model="numpy")
def transfer_boxes(  # type: ignore[no-untyped-def]
    spectra, turns, factor, phase, per_defocus, defocus, amplitude, data, weights
):
    """Crop, centre and multiply by the transfer: data (n, b, b // 2 + 1, 2), weights without the 2.

    Complex numbers are pairs of float32, so that the loop becomes vector code. spectra (n, size,
    size // 2 + 1, 2): transforms of boxes, index 0 at their corner; turns (n, 2): turns of the
    phase per step of frequency in x and y that bring the particle's centre to index 0; factor: of
    all values. The transfer of box i is sin(phase + per_defocus defocus[i]) amplitude, phase and
    per_defocus in radians and radians/A on (b, b // 2 + 1), rows in the order of the FFT; data is
    multiplied by it once, weights are its square.
    """
    count, size = spectra.shape[:2]
    rows, columns = amplitude.shape
    for i in prange(count):
        across_x = np.empty(columns, np.float32)
        across_y = np.empty(columns, np.float32)
        for x in range(columns):
            angle = 2 * math.pi * turns[i, 0] * x
            across_x[x] = math.cos(angle)
            across_y[x] = math.sin(angle)
        contrasts = np.empty(columns, np.float32)
        change = np.float32(defocus[i])
        for y in range(rows):
            k = y if y < (rows + 1) // 2 else y - rows
            angle = 2 * math.pi * turns[i, 1] * k
            up, side = np.float32(factor * math.cos(angle)), np.float32(factor * math.sin(angle))
            for x in range(columns):
                contrasts[x] = _sine(phase[y, x] + per_defocus[y, x] * change) * amplitude[y, x]
            row = k if k >= 0 else k + size
            for x in range(columns):
                contrast = contrasts[x]
                real = contrast * (across_x[x] * up - across_y[x] * side)
                imaginary = contrast * (across_x[x] * side + across_y[x] * up)
                value_re, value_im = spectra[i, row, x, 0], spectra[i, row, x, 1]
                data[i, y, x, 0] = value_re * real - value_im * imaginary
                data[i, y, x, 1] = value_re * imaginary + value_im * real
                weights[i, y, x] = contrast * contrast
