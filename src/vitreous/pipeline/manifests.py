"""What was made, of what and by what: the JSON that says a step is done.

It is written last. A product is taken for done where the fingerprint is that of what is wanted now,
and the files are there as they were written.
"""

import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from vitreous.formats.products import write_text
from vitreous.pipeline.fingerprints import Making, product_facts
from vitreous.version import __version__


def write_manifest(
    path: Path,
    making: Making,
    products: Mapping[str, Path],
    facts: Mapping[str, Any],
    cost: Mapping[str, Any] | None = None,
) -> None:
    """Write down that `products`, in the manifest's folder or below, are made."""
    made = {
        "vitreous": __version__,
        "python": platform.python_version(),
        "finished": now(),
        "fingerprint": making.fingerprint,
        "version_of_step": making.version,
        "inputs": making.inputs,
        "settings": making.settings,
        "settings_changed": making.changed,
        "products": {name: product_facts(file, path.parent) for name, file in products.items()},
        "cost": cost or {},
        **facts,
    }
    write_text(path, json.dumps(made, indent=2, default=str) + "\n")


def holds(path: Path, making: Making) -> bool:
    """Whether the products of a manifest are whole and are those that `making` would give."""
    facts = read_facts(path)
    return facts.get("fingerprint") == making.fingerprint and is_whole(facts, path.parent)


def is_whole(manifest: dict[str, Any], folder: Path) -> bool:
    """Whether the products are there as the manifest has them."""
    products: dict[str, dict[str, Any]] = manifest["products"]
    return all(_is_as_made(product, folder) for product in products.values())


def _is_as_made(product: dict[str, Any], folder: Path) -> bool:
    path = folder / product["path"]
    return path.exists() and product_facts(path, folder) == product


def read_facts(path: Path) -> dict[str, Any]:
    """A small JSON file; nothing where there is none, or none that can be read."""
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def now() -> str:
    """The time, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")
