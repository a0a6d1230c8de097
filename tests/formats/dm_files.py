"""DM3 and DM4 files made by hand: a thumbnail, then an image, as DigitalMicrograph nests them."""

import struct

import numpy as np

CODES = {  # type of the tag, DataType of the image
    "int16": (2, 1),
    "int32": (3, 7),
    "uint16": (4, 10),
    "uint32": (5, 11),
    "float32": (6, 2),
    "float64": (7, 12),
    "uint8": (10, 6),
}


def dm_bytes(image, version=4, scale=0.15, unit="nm"):
    """The bytes of a DM file whose image has its top row first."""

    def number(value):
        return struct.pack(">q" if version == 4 else ">i", value)

    def entry(kind, name, body):
        head = bytes([kind]) + struct.pack(">h", len(name)) + name.encode()
        return head + (number(len(body)) if version == 4 else b"") + body

    def data(name, info, raw):
        head = b"%%%%" + number(len(info)) + b"".join(map(number, info))
        return entry(21, name, head + raw)

    def folder(name, items):
        body = b"\0\1" + number(len(items)) + b"".join(items)
        return body if name is None else entry(20, name, body)

    def calibration(size):
        text = unit.encode("utf-16-le")
        return folder(
            "",
            [
                data("Scale", [6], struct.pack("<f", size)),
                data("Units", [20, 4, len(unit)], text),
            ],
        )

    def as_image(pixels):
        tag, kind = CODES[pixels.dtype.name]
        raw = pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
        sides = [data("", [5], struct.pack("<I", side)) for side in pixels.shape[::-1]]
        parts = [
            folder("Calibrations", [folder("Dimension", [calibration(scale)] * 2)]),
            data("Data", [20, tag, pixels.size], raw),
            data("DataType", [5], struct.pack("<I", kind)),
            folder("Dimensions", sides),
        ]
        return folder("", [folder("ImageData", parts)])

    thumbnail = as_image(np.zeros((64, 64), np.uint8))
    root = folder(None, [folder("ImageList", [thumbnail, as_image(image)])])
    return struct.pack(">i", version) + number(len(root)) + struct.pack(">i", 1) + root + b"\0" * 8
