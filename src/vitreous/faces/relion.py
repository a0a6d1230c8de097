"""RELION's command lines: their options become our settings, the same steps do the work.

A program's name is taken with or without `relion_` before and `_mpi` behind it.
"""

import difflib
import logging
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from vitreous.errors import UserError
from vitreous.faces.relion_control import Control

log = logging.getLogger(__name__)

PROGRAMS = {
    "tomo_reconstruct_tomogram": "vitreous.faces.relion_tomogram",
    "tomo_reconstruct_particle": "vitreous.faces.relion_particle",
    "tomo_subtomo": "vitreous.faces.relion_subtomo",
}
"""Program -> module, whose `run(words, control)` does what a command line says."""

OF_ALL = {"--pipeline_control": "DIR", "--theme": "NAME"}
"""Options of every program of RELION's."""


def run(words: Sequence[str]) -> None:
    """Run a program of RELION's by its command line."""
    if not words or words[0] in ("--help", "-h", "-help"):
        print(f"Usage: vitreous relion PROGRAM OPTIONS\n\nPrograms: {', '.join(PROGRAMS)}")
        return
    name, *options = words
    program = name.rpartition("/")[2].removeprefix("relion_").removesuffix("_mpi")
    if program not in PROGRAMS:
        near = difflib.get_close_matches(program, PROGRAMS, 1)
        raise UserError(
            f"RELION's {name} isn't understood here; vitreous relion knows {', '.join(PROGRAMS)}"
            + (f". Is it {near[0]}?" if near else "")
        )
    control, others = controlled(options)
    with control.reported():
        import_module(PROGRAMS[program]).run(others, control)


def controlled(words: Sequence[str]) -> tuple[Control, list[str]]:
    """Take the options of all programs out of a command line."""
    folder, others = None, []
    waiting = iter(words)
    for word in waiting:
        if word not in OF_ALL:
            others.append(word)
            continue
        value = next(waiting, None)
        if value is None:
            raise UserError(f"{word} needs a value: {OF_ALL[word]}")
        if word == "--pipeline_control" and value:
            folder = Path(value)
    return Control(folder), others
