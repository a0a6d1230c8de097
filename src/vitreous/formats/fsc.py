"""Fourier shell correlations as files: STAR as RELION has it, CSV and JSON.

STAR: data_fsc, a row per shell: rlnSpectralIndex, rlnResolution (1/A), rlnAngstromResolution,
rlnFourierShellCorrelation, or the columns of several curves as in RELION's postprocess.star.
data_general, where something is said of them as a whole.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path

from vitreous.errors import UserError
from vitreous.formats.products import write_text
from vitreous.formats.star import Table, write_star
from vitreous.kernels.fsc import ShellCorrelation

CURVE = "rlnFourierShellCorrelation"
INFINITE = 999.0  # what RELION writes for the period of shell 0


def write_curve(path: Path, curve: ShellCorrelation) -> None:
    """Write one curve by the file's ending: .star, .csv, .json."""
    write_curves(path, {CURVE: curve})


def write_curves(
    path: Path,
    curves: Mapping[str, ShellCorrelation],
    facts: Mapping[str, float | str] | None = None,
) -> None:
    """Write curves of the same shells by their labels (rln...), by the file's ending.

    facts: what is said of them as a whole, by label; a CSV has no place for it.
    """
    frequency = next(iter(curves.values())).frequency.tolist()
    columns: dict[str, list[float]] = {
        "rlnSpectralIndex": list(range(len(frequency))),
        "rlnResolution": frequency,
        "rlnAngstromResolution": [1 / k if k else INFINITE for k in frequency],
        **{label: each.correlation.tolist() for label, each in curves.items()},
    }
    match path.suffix:
        case ".star":
            texts = {label: [_plain(v) for v in values] for label, values in columns.items()}
            tables = [Table("fsc", texts)]
            if facts:
                said = {label: [_plain(fact)] for label, fact in facts.items()}
                tables.insert(0, Table("general", said, is_loop=False))
            write_star(path, tables)
        case ".csv":
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(columns)
            rows.writerows(zip(*columns.values(), strict=True))
            write_text(path, text.getvalue())
        case ".json":
            write_text(path, json.dumps({**(facts or {}), **columns}, indent=1) + "\n")
        case _:
            raise UserError(f"{path}: a curve is written as .star, .csv or .json")


def _plain(value: float | str) -> str:
    if isinstance(value, str):
        return value
    return f"{value:d}" if isinstance(value, int) else f"{value:.6f}"
