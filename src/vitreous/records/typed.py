"""Lengths, lists of tilts and hands as people type them."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from vitreous.errors import UserError

UNITS_ANGSTROM = {"A": 1.0, "nm": 10.0, "um": 10000.0}


def checked_length(text: str) -> str:
    """A length as typed: '300' or '300px' (unbinned pixels), '120nm', '1200A', '0.12um'."""
    if not re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)\s*(px|A|nm|um)?\s*", text):
        raise ValueError(
            f"'{text}' is no length: write unbinned pixels (300) or a unit (120nm, 1200A, 0.12um)"
        )
    return text.replace(" ", "")


def angstrom(length: str, pixel_size: float) -> float:
    """A checked length in angstrom; a bare number is unbinned pixels."""
    number, unit = re.fullmatch(r"([-+.\d]+)(\D*)", length).groups()  # type: ignore[union-attr]
    return float(number) * UNITS_ANGSTROM.get(unit, pixel_size)


def checked_list(text: str) -> str:
    """A list of 1-based numbers as typed: '3,4,12-14'."""
    number = r"\d{1,5}"
    if not re.fullmatch(rf"\s*({number}(-{number})?\s*(,\s*{number}(-{number})?\s*)*)?", text):
        raise ValueError(f"'{text}' is no list of tilt numbers: write it like 3,4,12-14")
    for first, last in re.findall(r"(\d+)-(\d+)", text):
        if int(first) > int(last):
            raise ValueError(f"the range {first}-{last} is empty: write it as {last}-{first}")
    return text.replace(" ", "")


def numbers_in(text: str) -> list[int]:
    """The numbers of a checked list, ranges written out."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def excluded_sections(text: str, count: int) -> list[int]:
    """0-based sections that exclude_tilts names; UserError for none such, or none left."""
    numbers = numbers_in(text)
    beyond = [number for number in numbers if not 1 <= number <= count]
    if beyond:
        tilts = "tilt" if len(beyond) == 1 else "tilts"
        named = ", ".join(map(str, beyond[:5])) + (", ..." if len(beyond) > 5 else "")
        raise UserError(f"exclude_tilts names {tilts} {named}, but there are 1 to {count}")
    if len(set(numbers)) == count:
        raise UserError("exclude_tilts leaves no tilt")
    return [number - 1 for number in numbers]


def number_of(typed: object) -> object:
    """A whole number as typed -> the number; anything else as it is, for pydantic to judge."""
    if isinstance(typed, str) and re.fullmatch(r"-?\d+", typed):
        return int(typed)
    return typed


AsNumber = BeforeValidator(number_of)
"""For a choice of whole numbers: a command line hands over text, which no Literal[1, 2] takes."""

Length = Annotated[str, AfterValidator(checked_length)]
TiltList = Annotated[str, AfterValidator(checked_list)]


def hand_as_typed(typed: object) -> object:
    """A number where "1" or "-1" comes from a command line; anything else as it is."""
    return int(typed) if isinstance(typed, str) and re.fullmatch(r"[-+]?1", typed) else typed


Hand = Annotated[Literal[-1, 1], BeforeValidator(hand_as_typed)]
