"""Makes a page for each command from the command itself, when MkDocs builds the site.

What a page says of an option stands in the settings model, the command's signature or the table of
another program's options only.
"""

from collections.abc import Sequence

from cyclopts.docs.markdown import generate_markdown_docs
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from vitreous.cli.main import COMMANDS, build
from vitreous.faces.aretomo_line import TITLES
from vitreous.faces.aretomo_options import OPTIONS
from vitreous.faces.relion_line import Option
from vitreous.faces.relion_particle_options import OPTIONS as PARTICLE_OPTIONS
from vitreous.faces.relion_subtomo import OPTIONS as SUBTOMO_OPTIONS
from vitreous.faces.relion_tomogram_options import OPTIONS as TOMOGRAM_OPTIONS

ARETOMO_OPTIONS = "<!-- aretomo options -->"
RELION_OPTIONS = {
    "<!-- relion tomo_reconstruct_tomogram options -->": TOMOGRAM_OPTIONS,
    "<!-- relion tomo_reconstruct_particle options -->": PARTICLE_OPTIONS,
    "<!-- relion tomo_subtomo options -->": SUBTOMO_OPTIONS,
}
KINDS = {"idle": "not used"}


def page(command: str) -> str:
    """Path of a command's page in the site's source."""
    return f"commands/{command}.md"


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """List the commands in the navigation."""
    for entry in config.nav or ():
        if "Commands" in entry:
            entry["Commands"] = [{f"vitreous {command}": page(command)} for command in COMMANDS]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Write the pages."""
    app = build()
    for command in COMMANDS:
        text = generate_markdown_docs(app, commands_filter=[command])
        content = f"# vitreous {command}\n\n{text}"
        files.append(File.generated(config, page(command), content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put the tables of other programs' options where a page has the place for them."""
    for place, options in RELION_OPTIONS.items():
        if place in markdown:
            markdown = markdown.replace(place, relion_options(options))
    return markdown.replace(ARETOMO_OPTIONS, aretomo_options())


def relion_options(options: Sequence[Option]) -> str:
    """The options of one of RELION's programs in a table."""
    rows = [
        f"| {' '.join(f'`--{name}`' for name in option.names.split())} "
        f"| {f'`{option.value}`'.replace('|', ' or ') if option.value else ''} "
        f"| {option.four} | {option.five} | {KINDS.get(option.kind, option.kind)} "
        f"| {option.text.replace('|', ' or ')} |"
        for option in options
    ]
    head = ["| option | value | RELION 4 | RELION 5 | here | |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows])


def aretomo_options() -> str:
    """AreTomo's options in tables, one for each form."""
    blocks = []
    for form, title in TITLES.items():
        rows = [
            f"| {' '.join(f'`-{name}`' for name in option.names.split())} "
            f"| `{option.values.replace('|', ' or ')}` | {KINDS.get(option.kind, option.kind)} "
            f"| {option.text.replace('|', ' or ')} |"
            for option in OPTIONS
            if option.form == form
        ]
        head = ["| option | values | here | |", "|---|---|---|---|"]
        blocks.append("\n".join([f"### {title}", "", *head, *rows]))
    return "\n\n".join(blocks)
