"""The page 'Coming from EMAN2' speaks of every option, and of none that isn't there."""

import re
from pathlib import Path

from vitreous.average.processors import PROCESSORS
from vitreous.faces.eman2_options import MODES, OPTIONS

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "eman2.md").read_text()


def test_every_option_has_its_row() -> None:
    rows = "\n".join(line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `--"))

    named = set(re.findall(r"`(--\w+)`", rows))

    assert named == {option.names.split()[0] for option in OPTIONS}


def test_every_mode_is_named() -> None:
    assert all(mode in PAGE for mode in MODES)


def test_the_processors_on_the_page_exist() -> None:
    part = PAGE.partition("## Processors")[2].partition("## Files")[0]

    named = set(re.findall(r"`((?:filter|math|normalize|xform)\.[\w.]+)`", part))

    assert len(named) > 6
    assert named <= set(PROCESSORS)
