"""Curves as files."""

import csv
import json

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.formats.fsc import CURVE, write_curve, write_curves
from vitreous.formats.star import read_star
from vitreous.kernels.fsc import ShellCorrelation


@pytest.fixture
def curve():
    return ShellCorrelation(np.arange(4) / 30, np.array([1, 0.75, -0.25, 0.125]), np.ones(4))


def test_a_star_file_has_relions_columns(tmp_path, curve):
    write_curve(tmp_path / "fsc.star", curve)

    (table,) = read_star(tmp_path / "fsc.star")
    assert table.name == "fsc"
    assert table.texts("rlnSpectralIndex") == ["0", "1", "2", "3"]
    assert table.texts("rlnAngstromResolution") == [
        "999.000000", "30.000000", "15.000000", "10.000000",
    ]  # fmt: skip
    assert [float(text) for text in table.texts(CURVE)] == curve.correlation.tolist()


def test_several_curves_stand_side_by_side_with_what_is_said_of_them(tmp_path, curve):
    curves = {"rlnFourierShellCorrelationCorrected": curve, "rlnOther": curve}
    facts = {"rlnFinalResolution": 12.5}
    for ending in ("star", "csv", "json"):
        write_curves(tmp_path / f"fsc.{ending}", curves, facts)

    general, table = read_star(tmp_path / "fsc.star")
    assert general.texts("rlnFinalResolution") == ["12.500000"]
    with (tmp_path / "fsc.csv").open() as file:
        rows = list(csv.DictReader(file))
    held = json.loads((tmp_path / "fsc.json").read_text())
    assert held["rlnFinalResolution"] == 12.5
    for label in curves:
        assert [float(text) for text in table.texts(label)] == curve.correlation.tolist()
        assert [float(row[label]) for row in rows] == curve.correlation.tolist()
        assert held[label] == curve.correlation.tolist()


def test_another_ending_is_refused(tmp_path, curve):
    with pytest.raises(UserError, match=r"\.star, \.csv or \.json"):
        write_curve(tmp_path / "fsc.txt", curve)
