"""The contrast transfer of a stack's sections, from whichever program's file."""

import json
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from vitreous.errors import FormatError, UserError
from vitreous.formats.ctf_tables import read_ctffind, read_defocus
from vitreous.formats.facts import PartialFacts
from vitreous.formats.kinds import Kind, kind_of
from vitreous.formats.relion_ctf import DEFOCUS, OPTICS
from vitreous.formats.relion_ctf import read_ctfs as read_relion
from vitreous.formats.relion_sets import read_tomogram, sections_of
from vitreous.records.ctf import Ctf

ENDINGS = ("_ctf.json", ".defocus", "_CTF.txt", "_ctffind.txt", "_ctf.star")
"""Of tables beside a stack, in the order in which they are taken: what says most first."""


def read_ctfs(
    path: Path, sections: int, optics: Ctf, *, tomogram: str | None = None
) -> tuple[Ctf | None, ...]:
    """The CTF of each section of a stack of so many; None where the file has none.

    What the file doesn't say of the microscope is as in `optics`. IMOD's files may hold one line
    for several views: what lies between is interpolated, as there.
    """
    kind = kind_of(path)
    if kind is Kind.DEFOCUS:
        return interpolated(read_defocus(path, optics), sections, path)
    if kind is Kind.CTF_TABLE:
        return by_section(read_ctffind(path, optics), sections, path)
    if kind is Kind.JSON:
        return by_section(read_json(path), sections, path)
    if kind is Kind.STAR:
        return read_star(path, sections, tomogram)
    raise FormatError(
        f"this is {kind.value}, no table of CTFs",
        path=path,
        hint="Known are CTFFIND's and AreTomo's text, IMOD's .defocus, RELION's STAR, and the "
        "_ctf.json of 'vitreous ctf'.",
    )


def by_section(
    found: Sequence[tuple[int, Ctf]], sections: int, path: Path
) -> tuple[Ctf | None, ...]:
    """Lines of a file put to the sections of a stack."""
    ctfs: list[Ctf | None] = [None] * sections
    for section, ctf in found:
        if not 0 <= section < sections:
            raise UserError(
                f"{path} tells of image {section + 1}, the stack has {sections}: it belongs to "
                "another stack"
            )
        ctfs[section] = ctf
    return tuple(ctfs)


def interpolated(found: Sequence[tuple[int, Ctf]], sections: int, path: Path) -> tuple[Ctf, ...]:
    """The same, linear between the sections that have a line; beyond them as the nearest."""
    known = {n: ctf for n, ctf in enumerate(by_section(found, sections, path)) if ctf}
    at = sorted(known)
    every = np.arange(sections)
    u, v = (
        np.interp(every, at, [getattr(known[n], name) for n in at])
        for name in ("defocus_u", "defocus_v")
    )
    nearest = [known[at[int(np.abs(np.array(at) - n).argmin())]] for n in every]
    return tuple(
        replace(ctf, defocus_u=float(u[n]), defocus_v=float(v[n])) for n, ctf in enumerate(nearest)
    )


def read_json(path: Path) -> list[tuple[int, Ctf]]:
    """What `vitreous ctf` wrote, or the manifest of that step: (0-based section, transfer)."""
    try:
        views = json.loads(path.read_text(encoding="utf-8"))["views"]
        return [(int(view["section"]), ctf_of(view["ctf"])) for view in views]
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError) as error:
        raise FormatError(
            f"no 'views' with a 'section' and a 'ctf' each ({error})",
            path=path,
            hint="The _ctf.json of 'vitreous ctf' has them.",
        ) from None


def ctf_of(numbers: dict[str, Any]) -> Ctf:
    """A record from the numbers of a JSON file."""
    return Ctf(
        **{field.name: numbers[field.name] for field in fields(Ctf) if field.name in numbers}
    )


def read_star(path: Path, sections: int, name: str | None) -> tuple[Ctf | None, ...]:
    """A series of a RELION set, or its own table."""
    tomogram = read_tomogram(path, name)
    lost = [label for label in DEFOCUS if label not in tomogram.tilts]
    lost += [label for label in OPTICS if label not in tomogram.row]
    if lost:
        raise FormatError(f"{tomogram.name} has no {', '.join(lost)}", path=path)
    rows, total = sections_of(tomogram.tilts, PartialFacts(sections=sections), path)
    return read_relion(tomogram, rows, total)
