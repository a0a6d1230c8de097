"""Electrons of a raw EER frame: a stream of gaps and sub-pixel places, counted into an image."""

import numpy as np
from numba import njit

PADDING = 4  # bytes that may be looked at beyond the end of a stream


@njit(nogil=True, cache=True, error_model="numpy")
def add_electrons(  # type: ignore[no-untyped-def]
    stream, run_bits, x_bits, y_bits, symbol_after_full_run, columns, rows, upsampling, out, count
):
    """Count each electron of a frame `count` times into `out` (rows, columns, both * upsampling).

    stream: uint8, its bits from the least significant on, with PADDING bytes at its end: the gap
    to the next electron, then its place in the pixel, y before x in the higher bits, the highest
    of each turned over. The longest gap says that no electron follows. Returns the pixel at which
    the frame ends, rows * columns if all is well.
    """
    total = rows * columns
    bits_in_all = 8 * (len(stream) - PADDING)
    longest = (1 << run_bits) - 1
    place_bits = x_bits + y_bits
    x_mask, x_turn = (1 << x_bits) - 1, (1 << x_bits) >> 1
    y_turn = (1 << y_bits) >> 1
    at = 0
    position = 0
    while at + run_bits <= bits_in_all:
        word = np.uint32(0)
        byte = at >> 3
        for k in range(4):
            word |= np.uint32(stream[byte + k]) << np.uint32(8 * k)
        word >>= np.uint32(at & 7)
        gap = int(word & np.uint32(longest))
        at += run_bits
        position += gap
        if position >= total:
            return position
        if gap == longest:
            if symbol_after_full_run:
                at += place_bits
            continue
        place = int(word >> np.uint32(run_bits)) & ((1 << place_bits) - 1)
        at += place_bits
        fx = (place & x_mask) ^ x_turn
        fy = (place >> x_bits) ^ y_turn
        x = ((((position % columns) << x_bits) + fx) * upsampling) >> x_bits
        y = ((((position // columns) << y_bits) + fy) * upsampling) >> y_bits
        out[y, x] += count
        position += 1
    return position
