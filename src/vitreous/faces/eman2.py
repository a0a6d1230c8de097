"""EMAN2's command lines: their options become our settings, the same steps do the work.

A program's name is taken with or without `.py`.
"""

import difflib
from collections.abc import Sequence
from pathlib import PurePath

from vitreous.errors import UserError

PROGRAMS = {
    "e2make3dpar": "a map from projections, by Fourier inversion",
    "e2make3d": "the same, as the older program takes it",
    "processors": "list the processors of --preprocess and --postprocess",
}


def run(words: Sequence[str]) -> None:
    """Run a program of EMAN2's by its command line."""
    if not words or words[0] in ("--help", "-h"):
        rows = "".join(f"\n  {name:<12} {text}" for name, text in PROGRAMS.items())
        print(f"Usage: vitreous eman2 PROGRAM OPTIONS\n\nPrograms:{rows}")
        return
    program = PurePath(words[0]).name.removesuffix(".py")
    if program not in PROGRAMS:
        near = difflib.get_close_matches(program, PROGRAMS, 1)
        raise UserError(
            f"EMAN2's {words[0]} isn't understood here; vitreous eman2 knows {', '.join(PROGRAMS)}"
            + (f". Is it {near[0]}?" if near else "")
        )
    if program == "processors":
        list_processors(words[1:])
        return
    from vitreous.faces.eman2_options import parse

    options = parse(program, words[1:])
    if options is not None:
        from vitreous.faces.eman2_make3d import make3d

        make3d(options)


def list_processors(names: Sequence[str]) -> None:
    """Print the processors, or those whose names hold one of the words."""
    from vitreous.average.processors import described

    rows = [row for row in described() if not names or any(name in row[0] for name in names)]
    if not rows:
        raise UserError(f"no processor's name holds {' or '.join(names)}")
    for name, parameters, text in rows:
        print(f"{name}{':' if parameters else ''}{parameters}\n    {text}")
