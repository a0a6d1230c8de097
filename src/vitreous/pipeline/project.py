"""A project on disk: one folder a series, one folder a step, and what a step leaves there.

PROJECT/SERIES/reconstruct/SERIES.mrc          the tomogram
                           SERIES_slices.png   three orthogonal slices
                           reconstruct.log     what was done, first what differs from defaults
                           manifest.json       inputs, settings, grid, scaling, versions
"""

import json
import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitreous.errors import OutputError
from vitreous.formats.products import write_text
from vitreous.version import __version__


@dataclass(frozen=True, slots=True)
class StepFolder:
    """Where one step of one series leaves its products."""

    project: Path
    series: str
    step: str

    @property
    def path(self) -> Path:
        """PROJECT/SERIES/STEP."""
        return self.project / self.series / self.step

    def make(self) -> None:
        """Make the folder if it isn't there."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(f"{self.path}: can't be made: {error.strerror}") from error

    @property
    def log(self) -> Path:
        """STEP.log."""
        return self.path / f"{self.step}.log"

    def product(self, ending: str) -> Path:
        """SERIES + ending."""
        return self.path / f"{self.series}{ending}"

    def write_manifest(self, facts: dict[str, Any]) -> None:
        """What the products were made of, and by what."""
        made = {
            "vitreous": __version__,
            "python": platform.python_version(),
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
        }
        write_text(self.path / "manifest.json", json.dumps(made, indent=2, default=str) + "\n")


def fingerprint(path: Path) -> dict[str, Any]:
    """Size and time of an input, enough to see that it was exchanged."""
    found = path.stat()
    return {"path": str(path), "bytes": found.st_size, "modified": found.st_mtime}
