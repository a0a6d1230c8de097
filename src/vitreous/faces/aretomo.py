"""AreTomo's command lines: one stack (AreTomo 1, 2), or many series (AreTomo3)."""

from collections.abc import Sequence

from vitreous.errors import UserError
from vitreous.faces.aretomo_line import Line, begins_with_movies, help_page, parse, say_understood

HELP = ("-h", "-help", "--help")


def run(words: Sequence[str]) -> None:
    """Do what a command line of AreTomo's says."""
    if not words or any(word.lower() in HELP for word in words):
        print(help_page(), end="")
        return
    line = parse(words)
    if is_of_many(line):
        say_understood(
            line, ("many series", "movies") if begins_with_movies(line) else ("many series",)
        )
        from vitreous.faces.aretomo_batch import run_batch

        run_batch(line)
    else:
        say_understood(line, ("one stack",))
        from vitreous.faces.aretomo_single import run_single

        run_single(line)


def is_of_many(line: Line) -> bool:
    """Whether the command line is of AreTomo3's form for many series."""
    one = [name for name in ("InMrc", "OutMrc") if line.has(name)]
    many = [name for name in ("InPrefix", "OutDir") if line.has(name)]
    if one and many:
        raise UserError(f"-{one[0]} and -{many[0]} don't go together: one stack, or many series")
    if not one and not many:
        raise UserError(
            "-InMrc and -OutMrc are needed for one stack, -InPrefix and -OutDir for many"
        )
    return bool(many)
