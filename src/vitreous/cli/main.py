"""`vitreous`: the commands, and how they end.

Exit codes: 0 done, 1 it could not be done, 2 the command line or a kind of file isn't understood,
130 interrupted (Ctrl-C), 143 told to stop (SIGTERM).
"""

import os
import sys
from collections.abc import Collection, Sequence
from importlib import import_module
from typing import Annotated

from cyclopts import App, CycloptsError, Group, Parameter

from vitreous.cli.help import NO_CONSOLE
from vitreous.cli.messages import complain, set_up_logging
from vitreous.cli.options import (
    Command,
    is_validation_error,
    paragraphs,
    usage_message,
    validation_message,
)
from vitreous.errors import UnknownFormatError, VitreousError
from vitreous.pipeline.stops import Terminated, listen
from vitreous.version import __version__

COMMANDS = {
    "run": "Make tomograms of tilt series: the main job.",
    "check": "Say what a session holds and lacks, before any work begins.",
    "gain": "Turn a gain reference onto a session's movies, and find the camera's defects.",
    "status": "Say how far a project is: series, steps, what failed and why.",
    "newstack": "Join a tilt series' images into its stack, in order of angle.",
    "motion": "Correct the motion in movies: averages, tracks, dose weighting.",
    "ctf": "Estimate the contrast transfer of a tilt series or of images.",
    "align": "Align a raw tilt series without markers.",
    "reconstruct": "Reconstruct one stack and its alignment into a tomogram.",
    "extract": "Cut particles out of tilt series: stacks of tilts, or volumes with weights.",
    "average": "Average the particles of tilt series into a map, with half maps and FSC.",
    "make3d": "Make a map from projections whose orientations are known.",
    "reproject": "Project a volume into the tilts of an alignment.",
    "convert": "Convert alignments between programs, volumes between modes and axis orders.",
    "view": "Show a volume: slices, projections, sampled region, FSC; picture or page.",
    "fsc": "Correlate half maps or maps shell by shell: resolution, mask correction, plot.",
    "simulate": "Simulate a tilt series whose truth is known, as a microscope leaves it.",
    "info": "Say what files are, by their content, and what they hold.",
    "demo": "Reconstruct a built-in phantom: found against truth.",
    "doctor": "Say what this installation and machine have, and what is missing.",
}
"""Name and summary of every command; `vitreous NAME` calls `vitreous.cli.NAME.NAME`."""

FACES = {
    "imod": "IMOD's programs with their own options: vitreous imod newstack -in ...",
    "eman2": "EMAN2's programs with their own options: vitreous eman2 e2make3dpar --input ...",
    "aretomo": "AreTomo's command lines, one stack or many: vitreous aretomo -InMrc ...",
    "relion": "RELION's programs with their own options: vitreous relion tomo_reconstruct_tomogram",
}
"""Command lines of other programs; `vitreous NAME` calls `vitreous.faces.NAME.run`."""

MESSAGES = Group("Messages", sort_key=90)


def build(loaded: Collection[str] = COMMANDS) -> App:
    """The command line. Commands that are not `loaded` have a name and a summary, no more."""
    app = Command(
        name="vitreous",
        help="Cryo-electron tomography: from tilt series to tomograms and averaged maps.",
        version=__version__,
        help_format="plaintext",
        group_parameters=Group("Options"),
        console=NO_CONSOLE,
        error_console=NO_CONSOLE,
        default_parameter=Parameter(negative_iterable=(), negative_none=(), consume_multiple=True),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        suppress_keyboard_interrupt=False,
    )
    for name, summary in COMMANDS.items():
        if name in loaded:
            function = getattr(import_module(f"vitreous.cli.{name}"), name)
            app.command(function, name=name, help=paragraphs(function.__doc__))
        else:
            app.command(Command(name=name, help=summary))
    for name, summary in FACES.items():
        app.command(Command(name=name, help=summary))
    app.command(install_completion, name="--install-completion")

    app.meta.suppress_keyboard_interrupt = False

    @app.meta.default
    def launch(
        *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        verbose: Annotated[
            bool,
            Parameter(name=("--verbose", "-v"), negative="", group=MESSAGES, help="Say more."),
        ] = False,
        quiet: Annotated[
            bool,
            Parameter(name=("--quiet", "-q"), negative="", group=MESSAGES, help="Say errors only."),
        ] = False,
    ) -> None:
        set_up_logging(verbose=verbose, quiet=quiet)
        app(words)

    return app


def main(words: Sequence[str] | None = None) -> int:
    """Run a command line and return its exit code."""
    if words is None:
        words = sys.argv[1:]
        listen()
    try:
        if words and words[0] in FACES:
            set_up_logging(verbose=False, quiet=False)
            import_module(f"vitreous.faces.{words[0]}").run(words[1:])
        else:
            build(called(words)).meta(words)
        sys.stdout.flush()
    except CycloptsError as error:
        complain(usage_message(error))
        return 2
    except UnknownFormatError as error:
        complain(str(error))
        return 2
    except VitreousError as error:
        complain(str(error))
        return 1
    except KeyboardInterrupt as stop:
        complain(str(stop) or "interrupted")
        return 143 if isinstance(stop, Terminated) else 130
    except MemoryError as error:
        complain(f"out of memory ({error}): allow less with --memory, bin, or use fewer --cpus")
        return 1
    except BrokenPipeError:
        # Whoever read our output is gone: Python's last flush must find another door.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.filename is None:
            raise
        complain(f"{error.filename}: {error.strerror}")
        return 1
    except ValueError as error:
        if not is_validation_error(error):
            raise
        complain(validation_message(error))
        return 2
    return 0


def install_completion() -> None:
    """Let your shell (bash, zsh, fish) complete vitreous' commands and options, and exit."""
    print(f"written to {build().install_completion()}; it works in a new shell")


def called(words: Sequence[str]) -> Collection[str]:
    """The command that a command line calls, if any: the only one that has to be loaded."""
    return [word for word in words if word in COMMANDS][:1]


if __name__ == "__main__":
    sys.exit(main())
