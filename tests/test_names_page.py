"""The table of other programs' names speaks of options that exist."""

import re
from pathlib import Path

from vitreous.cli.main import build
from vitreous.reconstruct.settings import ReconstructSettings

PAGE = Path(__file__).resolve().parents[1] / "docs" / "names.md"


def options_of(command):
    return {
        name
        for option in build()[command].assemble_argument_collection(parse_docstring=True)
        for name in option.names
    }


def test_every_option_on_the_page_exists():
    commands = ("reconstruct", "convert", "align", "ctf", "motion", "newstack", "run")
    known = set().union(*map(options_of, commands))

    named = set(re.findall(r"--[a-z][a-z-]+", PAGE.read_text()))

    assert named <= known


def test_every_setting_of_the_reconstruction_is_on_the_page():
    text = PAGE.read_text()
    ours_only = {"keep_mean", "taper", "relaxation", "binning"}  # --bin is on it

    for setting in set(ReconstructSettings.model_fields) - ours_only:
        assert f"--{setting.replace('_', '-')}" in text, setting
