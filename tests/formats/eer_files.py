"""EER movies made by hand: planted electrons, packed as the cameras do."""

import struct

import numpy as np


def packed(events, total, run_bits, place_bits, symbol_after_full_run=False):
    """Electrons [(pixel, place)], sorted by pixel -> the bytes of a raw frame of `total` pixels."""
    bits = []

    def put(value, count):
        bits.extend((value >> k) & 1 for k in range(count))

    longest, following = (1 << run_bits) - 1, 0
    for pixel, place in [*events, (total, None)]:
        gap = pixel - following
        while gap >= longest:
            put(longest, run_bits)
            if symbol_after_full_run:
                put(0, place_bits)
            gap -= longest
        if place is None and gap == 0 and pixel > following:
            break  # the frame ended with a full gap
        put(gap, run_bits)
        if place is not None:
            put(place, place_bits)
            following = pixel + 1
    bits += [0] * (-len(bits) % 16)
    return np.packbits(np.array(bits, np.uint8), bitorder="little").tobytes()


def packed_pixels(pixels, places, total, run_bits=7, place_bits=4):
    """The same of many electrons at once, arrays, where no symbol follows a full gap."""
    longest, ends = (1 << run_bits) - 1, np.append(pixels, total)
    full, rest = np.divmod(np.diff(ends, prepend=-1) - 1, longest)
    if rest[-1] == 0 and full[-1]:
        full[-1], rest[-1] = full[-1] - 1, longest  # the frame ends with a full gap
    gaps = np.full(full.sum() + len(ends), longest)
    at = np.cumsum(full + 1) - 1
    gaps[at] = rest
    symbols = np.zeros((len(gaps), run_bits + place_bits), np.uint8)
    symbols[:, :run_bits] = gaps[:, None] >> np.arange(run_bits) & 1
    symbols[at[:-1], run_bits:] = places[:, None] >> np.arange(place_bits) & 1
    stored = np.zeros(symbols.shape, bool)
    stored[:, :run_bits] = True
    stored[at[:-1]] = True
    bits = symbols[stored]
    return np.packbits(np.pad(bits, (0, -len(bits) % 16)), bitorder="little").tobytes()


def stored_place(x, y, bits_along_a_side):
    """The place (x, y) in a pixel as the stream has it: the highest bit of each turned over."""
    turn = 1 << (bits_along_a_side - 1)
    return (y ^ turn) << bits_along_a_side | (x ^ turn)


METADATA = (
    '<metadata><item name="numberOfFrames">{frames}</item>'
    '<item name="sensorPixelSize.width" unit="m">1.54e-10</item>'
    '<item name="totalDose" unit="e/pixel">{dose}</item></metadata>'
)


def write_eer(path, frames, size, compression=65001, metadata=METADATA, dose=0.0, strips=1):
    """A little-endian TIFF file with a directory for each frame (bytes); size (columns, rows)."""
    raw = bytearray(b"II*\0\0\0\0\0")
    link = 4  # where the offset of the next directory goes
    for number, frame in enumerate(frames):
        parts = [frame] if strips == 1 else [frame[: len(frame) // 2], frame[len(frame) // 2 :]]
        offsets = []
        for part in parts:
            offsets.append(len(raw))
            raw += part + b"\0" * (len(part) % 2)
        tags = [
            (256, 4, [size[0]]),
            (257, 4, [size[1]]),
            (258, 3, [1]),
            (259, 3, [compression]),
            (262, 3, [1]),
            (273, 4, offsets),
            (277, 3, [1]),
            (278, 4, [-(-size[1] // len(parts))]),
            (279, 4, [len(part) for part in parts]),
        ]
        if number == 0 and metadata:
            noted = metadata.format(frames=len(frames), dose=dose).encode()
            tags.append((65001, 7, noted))
        if compression == 65002:
            tags += [(65007, 3, [7]), (65008, 3, [1]), (65009, 3, [1])]
        entries = b""
        for tag, kind, values in tags:
            layout = {3: "H", 4: "I"}.get(kind)
            body = struct.pack(f"<{len(values)}{layout}", *values) if layout else values
            if len(body) > 4:
                place = struct.pack("<I", len(raw))
                raw += body + b"\0" * (len(body) % 2)
            else:
                place = body.ljust(4, b"\0")
            entries += struct.pack("<HHI", tag, kind, len(values)) + place
        raw[link : link + 4] = struct.pack("<I", len(raw))
        raw += struct.pack("<H", len(tags)) + entries
        link = len(raw)
        raw += b"\0\0\0\0"
    path.write_bytes(raw)
    return path
