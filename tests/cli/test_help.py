"""Help is quick: it loads no array library and costs less than half a second of CPU."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

import vitreous.cli
from vitreous.cli.main import COMMANDS

HEAVY = {"numpy", "scipy", "numba", "mrcfile", "tifffile", "imagecodecs", "gemmi", "matplotlib"}
HEAVY |= {"PIL", "cupy", "h5py", "zarr", "pandas"}

LINES = [["--help"], *([command, "--help"] for command in COMMANDS)]
LINES += [["relion", "--help"], ["relion", "tomo_reconstruct_tomogram", "--help"]]

LIST_MODULES = """
import sys
from vitreous.cli.main import main
code = main(sys.argv[1:])
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_help_loads_no_array_library(words: list[str]) -> None:
    report = subprocess.run(
        [sys.executable, "-c", LIST_MODULES, *words], capture_output=True, text=True, check=True
    )

    assert report.stdout.startswith("Usage: vitreous")
    assert not HEAVY & {name.partition(".")[0] for name in report.stderr.split()}


@pytest.mark.parametrize("words", LINES, ids=" ".join)
def test_help_costs_less_than_half_a_cpu_second(words: list[str]) -> None:
    costs = []
    while len(costs) < 8 and min(costs, default=1) >= 0.5:  # other jobs share the machine's caches
        costs.append(cpu_seconds_of(words))

    assert min(costs) < 0.5


def cpu_seconds_of(words: list[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [Path(sys.executable).with_name("vitreous"), *words], capture_output=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def test_the_help_of_the_program_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    from vitreous.cli.main import main

    main(["--help"])

    shown = capsys.readouterr().out
    assert all(f"\n  {command} " in shown for command in COMMANDS)


def test_every_module_with_a_command_is_in_the_table() -> None:
    folder = Path(vitreous.cli.__file__).parent
    commands = {
        path.stem for path in folder.glob("*.py") if f"\ndef {path.stem}(" in path.read_text()
    }

    assert commands - {"main"} == set(COMMANDS)
