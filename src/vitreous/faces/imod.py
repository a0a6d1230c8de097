"""IMOD's command lines: their options become our settings, the same steps do the work.

An option is a '-' and a name, its own or a longer one, cut short as long as it is the only one that
begins so. `-StandardInput` takes lines 'Name value' from standard input, as command files have it.
"""

import sys
from collections.abc import Sequence

from vitreous.errors import UserError
from vitreous.faces import imod_newstack

PROGRAMS = {"newstack": imod_newstack.run}


def run(words: Sequence[str]) -> None:
    """Run a program of IMOD's by its command line."""
    if not words or words[0] in ("--help", "-h", "-help"):
        print(f"Usage: vitreous imod PROGRAM OPTIONS\n\nPrograms: {', '.join(PROGRAMS)}")
        return
    program, *options = words
    if program not in PROGRAMS:
        raise UserError(
            f"IMOD's {program} isn't understood here; vitreous imod knows {', '.join(PROGRAMS)}"
        )
    PROGRAMS[program](options, sys.stdin)
