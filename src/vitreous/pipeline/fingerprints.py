"""What a step is made of, so that nothing is made twice and nothing old is taken for new."""

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

SMALL = 1_000_000  # bytes up to which a file's content counts, not its time


@dataclass(frozen=True, slots=True)
class Making:
    """What decides the products of a step: its inputs, its settings and its own version.

    inputs: fingerprints of files (`file_facts`) and records (`record_digest`) by name. changed: the
    settings that differ from the defaults, for whoever reads.
    """

    version: int
    inputs: dict[str, Any]
    settings: dict[str, Any]
    changed: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of all of it; where the inputs lie is no matter."""
        inputs = {name: without_path(facts) for name, facts in self.inputs.items()}
        everything = {"version": self.version, "inputs": inputs, "settings": self.settings}
        text = json.dumps(everything, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()


def file_facts(path: Path) -> dict[str, Any]:
    """Size of a file, and its content where that is small, else the time it was written."""
    found = path.stat()
    facts = {"path": str(path), "bytes": found.st_size}
    if found.st_size <= SMALL:
        return {**facts, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return {**facts, "modified_ns": found.st_mtime_ns}


def product_facts(path: Path, folder: Path) -> dict[str, Any]:
    """Size and time of a product in `folder`: a later making of the same size is another one."""
    found = path.stat()
    return {
        "path": str(path.relative_to(folder)),
        "bytes": found.st_size,
        "modified_ns": found.st_mtime_ns,
    }


def record_digest(record: Any) -> str:
    """SHA-256 of a frozen record: every array bit by bit, records within it included."""
    digest = hashlib.sha256()
    for part in _parts(record):
        digest.update(part + b"\0")
    return digest.hexdigest()


def without_path(facts: Any) -> Any:
    """The facts of an input less where it lies."""
    if not isinstance(facts, dict):
        return facts
    return {key: value for key, value in facts.items() if key != "path"}


def _parts(record: Any) -> list[bytes]:
    if isinstance(record, np.ndarray):
        return [f"{record.dtype.str} {record.shape}".encode(), record.tobytes()]
    if is_dataclass(record):
        named = [[each.name.encode(), *_parts(getattr(record, each.name))]
                 for each in fields(record)]  # fmt: skip
        return [part for parts in named for part in parts]
    return [repr(record).encode()]
