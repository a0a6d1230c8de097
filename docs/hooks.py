"""Makes a page for each command from the command itself, when MkDocs builds the site.

What a page says of an option stands in the settings model or the command's signature only.
"""

from cyclopts.docs.markdown import generate_markdown_docs
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from vitreous.cli.main import COMMANDS, build


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
