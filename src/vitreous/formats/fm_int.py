"""MotionCor's -FmIntFile: which raw frames of a movie make a frame, and the dose of each.

A text of lines 'FRAMES SIZE [DOSE]': so many raw frames, summed in groups of SIZE, e/A^2 of each.
The first line decides for all whether there are doses; 0 is none. What a line has too few of for a
group goes to the next line; in the end, one by one, to the last frames, the last first. A movie of
more raw frames has them in the last line, of fewer loses them at the end. Where the lines differ in
dose each raw frame is a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import FormatError
from vitreous.formats.content import read_text

SAME_DOSE = 1e-4  # e/A^2


@dataclass(frozen=True, slots=True)
class Integration:
    """`frames` raw frames, summed in groups of `size`; dose: e/A^2 of each, None: not known."""

    frames: int
    size: int
    dose: float | None = None


def read_fm_int(path: Path) -> tuple[Integration, ...]:
    """Read the lines of a file."""
    lines: list[Integration] = []
    columns = 0
    for number, text in enumerate(read_text(path).splitlines(), start=1):
        words = text.split()
        if not words:
            continue
        columns = columns or min(len(words), 3)
        try:
            frames, size = int(words[0]), int(words[1])
            dose = float(words[2]) if columns == 3 else 0.0
        except (ValueError, IndexError):
            frames, size, dose = 0, 0, 0.0
        if frames < 1 or size < 1 or not 0 <= dose < np.inf:
            raise FormatError(
                f"{text.strip()!r} is no line of frames to be summed",
                path=path,
                line=number,
                hint="A line is 'FRAMES SIZE', or in all lines 'FRAMES SIZE DOSE': raw frames, how "
                "many are summed, e/A^2 of a raw frame",
            )
        lines.append(Integration(frames, size, dose or None))
    if not lines:
        raise FormatError("no line says which frames are summed", path=path)
    return tuple(lines)


def fitted(lines: Sequence[Integration], raw_frames: int) -> list[Integration]:
    """The lines for a movie of so many raw frames."""
    fitting: list[Integration] = []
    left = raw_frames
    for line in lines:
        taken = min(line.frames, left)
        if taken:
            fitting.append(replace(line, frames=taken))
        left -= taken
    if left:
        fitting[-1] = replace(fitting[-1], frames=fitting[-1].frames + left)
    return fitting


def integrated_groups(lines: Sequence[Integration], raw_frames: int) -> list[range]:
    """The raw frames of each frame."""
    fitting = fitted(lines, raw_frames)
    doses = [line.dose or 0.0 for line in fitting]
    if max(doses) - min(doses) > SAME_DOSE:
        return [range(raw, raw + 1) for raw in range(raw_frames)]
    sizes: list[int] = []
    rest = 0
    for line in fitting:
        count, rest = divmod(rest + line.frames, line.size)
        sizes += [line.size] * count
    sizes = sizes or [0]
    for extra in range(rest):
        sizes[-1 - extra % len(sizes)] += 1
    stops = np.cumsum(sizes).tolist()
    return [range(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]


def raw_doses(lines: Sequence[Integration], raw_frames: int) -> NDArray[np.float64] | None:
    """e/A^2 of each raw frame; None where the file has none."""
    fitting = fitted(lines, raw_frames)
    if any(line.dose is None for line in fitting):
        return None
    return np.repeat([line.dose or 0.0 for line in fitting], [line.frames for line in fitting])
