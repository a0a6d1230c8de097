"""What the documentation tells people to type exists."""

import re
from pathlib import Path

import pytest

import vitreous
from vitreous.cli.main import FACES, build

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def typed_commands(page: Path) -> list[list[str]]:
    """The words of each vitreous command in a page's shell blocks, comments cut off."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    words = [line.partition(" #")[0].split() for line in lines]
    return [line for line in words if line and Path(line[0]).name == "vitreous"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_and_option_in_the_docs_exists(page: Path) -> None:
    app = build()
    everywhere = {"--help", "--verbose", "--quiet", "-v", "-q", "--version"}

    for _, command, *words in typed_commands(page):
        if command == "COMMAND":
            continue
        assert command in app, f"{page.name}: vitreous {command}"
        if command.startswith("-") or command in FACES:  # a face has its program's own options
            continue
        options = app[command].assemble_argument_collection(parse_docstring=True)
        known = everywhere.union(*(option.names for option in options))
        unknown = {word for word in words if re.match(r"-[^\d]", word)} - known  # -4.3 is a value
        assert not unknown, f"{page.name}: vitreous {command} {' '.join(unknown)}"


def test_the_readme_has_commands_to_check() -> None:
    assert len(typed_commands(PAGES[0])) > 5


def test_the_example_of_the_api_runs() -> None:
    page = (ROOT / "docs" / "api.md").read_text()
    block = page.partition("This runs as it stands:")[2].partition("```python\n")[2]

    exec(block.partition("```")[0], {})


def test_the_api_page_has_every_public_name() -> None:
    shown = re.findall(r"^::: vitreous\.(\w+)$", (ROOT / "docs" / "api.md").read_text(), re.M)

    assert set(vitreous.__all__) <= set(shown)
