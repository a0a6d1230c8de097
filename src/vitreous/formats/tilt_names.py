"""What a file's name says of its tilt: microscopes put the angle and a number there.

Only where no file tells them: names hold the angle that was asked for, not the stage's reading.
"""

import re

STEEPEST = 90.0  # degrees; what exceeds it is a date or a magnification
IN_BRACKETS = re.compile(r"\[(-?\d+(?:\.\d+)?)\]")
DECIMAL = re.compile(r"(?:^|_)(-?\d+\.\d+)(?=[_.\]]|$)")
WHOLE = re.compile(r"_(-?\d+)$")
NUMBER = re.compile(r"(?:^|_)(\d{1,5})_\[?$")


def tilt_in_name(name: str) -> float | None:
    """Degrees in 'TS_01_003_-6.00.mrc', 'x[-60.00].tif', 'x_60.0_Jan01_12.00.00', 'x_-60.mc.mrc'.

    A whole number counts only if it is all that stands between the last '_' and the first '.'.
    """
    found = _decimal(name)
    if found is not None:
        return float(found[1])
    whole = WHOLE.search(name.partition(".")[0])
    return float(whole[1]) if whole and abs(float(whole[1])) <= STEEPEST else None


def number_in_name(name: str) -> int | None:
    """The number of acquisition that stands before a decimal angle: 3 in 'TS_01_003_-6.00.mrc'."""
    found = _decimal(name)
    if found is None:
        return None
    before = name[: found.start(1)]
    number = NUMBER.search(before)
    return int(number[1]) if number else None


def series_in_name(name: str) -> str | None:
    """What stands before number and angle: TS_01 in 'TS_01_003_-6.00.mrc'.

    '' where nothing does, None where there is no decimal angle.
    """
    found = _decimal(name)
    if found is None:
        return None
    before = name[: found.start(1)]
    numbered = NUMBER.search(before)
    return (before[: numbered.start()] if numbered else before).rstrip("_[")


def _decimal(name: str) -> re.Match[str] | None:
    for pattern in (IN_BRACKETS, DECIMAL):
        for found in pattern.finditer(name):
            if abs(float(found[1])) <= STEEPEST:
                return found
    return None
