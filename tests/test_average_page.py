"""The page 'Reconstruct particle' speaks of what the programs take, and of nothing else."""

import re
from pathlib import Path

from vitreous.faces.relion_line import parse
from vitreous.faces.relion_particle import (
    ABOVE_ZERO_IN_JOB,
    DIRECT_IN_JOB,
    HELIX_IN_JOB,
    IN_JOB,
)
from vitreous.faces.relion_particle_options import OPTIONS
from vitreous.faces.relion_subtomo import OPTIONS as SUBTOMO_OPTIONS

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "average.md").read_text()


def lines_of(program: str) -> list[str]:
    """What stands after a program's name in the page's commands."""
    return re.findall(rf"^vitreous relion (?:relion_)?{program} (.*)$", PAGE, re.MULTILINE)


def test_the_lines_of_the_page_are_understood() -> None:
    for program, options in (
        ("tomo_reconstruct_particle", OPTIONS),
        ("tomo_subtomo", SUBTOMO_OPTIONS),
    ):
        lines = lines_of(program)
        assert lines
        for line in lines:
            parse(line.split(), options)


def test_the_page_has_the_place_of_both_tables() -> None:
    assert "<!-- relion tomo_reconstruct_particle options -->" in PAGE
    assert "<!-- relion tomo_subtomo options -->" in PAGE


def test_every_variable_of_the_job_has_its_row_with_its_option() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| (IO|Average|Running) \|", line)]
    variables = IN_JOB | DIRECT_IN_JOB | ABOVE_ZERO_IN_JOB | HELIX_IN_JOB

    for option, variable in variables.items():
        (row,) = [row for row in rows if f"`{variable}`" in row]
        assert f"--{option}" in row


def test_options_that_the_page_names_exist() -> None:
    part = PAGE.partition("## What is put right")[2]
    known = {name for option in (*OPTIONS, *SUBTOMO_OPTIONS) for name in option.names.split()}

    named = set(re.findall(r"--(\w+)", part))

    assert len(named) > 10
    assert named - {"max_dose", "job"} <= known
