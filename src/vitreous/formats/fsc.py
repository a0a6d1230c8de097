"""Fourier shell correlations as files: STAR as RELION has it, CSV and JSON.

STAR: data_fsc, a row per shell: rlnSpectralIndex, rlnResolution (1/A), rlnAngstromResolution,
rlnFourierShellCorrelation and, where there are several curves, their columns.
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


def write_curve(
    path: Path, curve: ShellCorrelation, others: Mapping[str, ShellCorrelation] | None = None
) -> None:
    """Write a curve, and others of the same shells by their labels (rln...), by the file's ending.

    Endings: .star, .csv, .json.
    """
    curves = {CURVE: curve, **(others or {})}
    frequency = curve.frequency.tolist()
    columns: dict[str, list[float]] = {
        "rlnSpectralIndex": list(range(len(frequency))),
        "rlnResolution": frequency,
        "rlnAngstromResolution": [1 / k if k else INFINITE for k in frequency],
        **{label: each.correlation.tolist() for label, each in curves.items()},
    }
    match path.suffix:
        case ".star":
            texts = {label: [_plain(v) for v in values] for label, values in columns.items()}
            write_star(path, [Table("fsc", texts)])
        case ".csv":
            text = io.StringIO()
            rows = csv.writer(text, lineterminator="\n")
            rows.writerow(columns)
            rows.writerows(zip(*columns.values(), strict=True))
            write_text(path, text.getvalue())
        case ".json":
            write_text(path, json.dumps(columns, indent=1) + "\n")
        case _:
            raise UserError(f"{path}: a curve is written as .star, .csv or .json")


def _plain(value: float) -> str:
    return f"{value:d}" if isinstance(value, int) else f"{value:.6f}"
