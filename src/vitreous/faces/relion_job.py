"""RELION's job.star: what its window had when a job was started.

data_job                    _rlnJobTypeLabel, _rlnJobIsContinue
data_joboptions_values      loop_ of _rlnJobOptionVariable, _rlnJobOptionValue
"""

from dataclasses import dataclass
from pathlib import Path

from vitreous.errors import FormatError, UserError
from vitreous.formats.star import read_star, table_named

YES = ("yes", "true", "1")


@dataclass(frozen=True, slots=True)
class Job:
    """A job's type, whether it goes on with an earlier one, and its options by RELION's names."""

    path: Path
    label: str
    is_continued: bool
    options: dict[str, str]

    def text(self, name: str) -> str:
        """The value of an option; '' where there is none."""
        return self.options.get(name, "")

    def is_yes(self, name: str) -> bool:
        """Whether a switch is on."""
        return self.text(name).lower() in YES


def read_job(path: Path, label: str) -> Job:
    """Read the job of a given type; another one is a `UserError`."""
    tables = read_star(path)
    head = table_named(tables, "job", path)
    found = head.texts("rlnJobTypeLabel")[0]
    if found != label and not found.startswith(f"{label}."):
        raise UserError(f"{path} is a job of the type {found}, not {label}")
    values = table_named(tables, "joboptions_values", path)
    names = values.texts("rlnJobOptionVariable")
    if not names:
        raise FormatError("the job has no options", path=path, line=values.line)
    options = dict(zip(names, values.texts("rlnJobOptionValue"), strict=True))
    continued = head.columns.get("rlnJobIsContinue", ["0"])[0]
    return Job(path, found, continued.lower() in YES, options)
