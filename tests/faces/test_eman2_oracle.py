"""`vitreous eman2 e2make3dpar` held to EMAN2's own runs on the same projections."""

import json
import shlex
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from vitreous.average.processor_fields import filtered
from vitreous.cli.main import main
from vitreous.formats.eman_hdf import read_hdf_volume

E1 = Path("oracles") / "E1_eman2_make3dpar"
NOT_REPRODUCED = {
    "fillangle12",  # EMAN2 loses phi
    "shift_lst",  # EMAN2 turns the shift round in a list
    "some",  # images without orientation take the one before
}
OUR_KERNEL = {"mode_gridding_5", "mode_gridding_7"}


@cache
def runs(readme: Path) -> dict[str, list[str]]:
    """Name -> arguments of the runs whose maps are kept."""
    rows = [line.split("|")[1:-1] for line in readme.read_text().splitlines() if "--input" in line]
    cells = [[cell.strip() for cell in row] for row in rows if len(row) == 8]
    return {row[0]: shlex.split(row[1]) for row in cells if row[7] == "kept"}


@pytest.fixture(scope="module")
def theirs(shared: Path) -> dict[str, np.ndarray]:
    """EMAN2's maps."""
    scales = json.loads((shared / E1 / "volume_scales.json").read_text())
    with np.load(shared / E1 / "volumes.npz") as stored:
        return {name: stored[name] * scales[name] for name in stored.files}


def kind_of_run(arguments: list[str]) -> str:
    """Which bound holds for a run."""
    mode = arguments[arguments.index("--mode") + 1] if "--mode" in arguments else "gauss_var"
    if "--iterative" in arguments:
        return "iterative"
    if mode == "gauss_var":
        padded = any(word.startswith("--pad") for word in arguments)
        return "gauss_var, padded" if padded else "gauss_var, not padded"
    if mode.startswith("gauss"):
        return "gauss_2, gauss_3, gauss_5"
    return "tilt series" if "--tlt" in arguments else "nearest and trilinear"


LEAST = {
    "nearest and trilinear": 0.9999,
    "tilt series": 0.9995,
    "gauss_2, gauss_3, gauss_5": 0.999,
    "iterative": 0.999,
    "gauss_var, padded": 0.998,  # EMAN2's default mode hangs on float32 underflow
    "gauss_var, not padded": 0.985,
}
"""The correlation that a run must reach."""


def correlation(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def smoothed(volume: np.ndarray) -> np.ndarray:
    """A Gaussian low-pass at two thirds of Nyquist."""
    return filtered(volume, lambda s: np.exp(-(s**2) / (1 / 3) ** 2))


def names_of_runs() -> list[str]:
    readme = Path(__file__).resolve().parents[3] / "shared" / E1 / "README.md"
    return [*runs(readme)] if readme.is_file() else []


@pytest.mark.parametrize("name", [n for n in names_of_runs() if n not in NOT_REPRODUCED])
def test_the_map_is_eman2s(
    name: str,
    shared: Path,
    theirs: dict[str, np.ndarray],
    eman_input: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    arguments = runs(shared / E1 / "README.md")[name]
    monkeypatch.chdir(eman_input)
    output = tmp_path / "out.hdf"

    code = main(["eman2", "e2make3dpar.py", *arguments, "--output", str(output)])

    assert code == 0
    found, _ = read_hdf_volume(output)
    expected = theirs[name]
    assert found.shape == expected.shape
    if name in OUR_KERNEL:  # not the same map, but about as near to the truth
        truth = np.load(eman_input / "truth.npz")["main"].astype(float)
        assert correlation(found, truth) > correlation(expected, truth) - 0.07
        return
    kind = kind_of_run(arguments)
    assert correlation(found, expected) >= LEAST[kind]
    if kind.startswith("gauss_var"):
        assert correlation(smoothed(found), smoothed(expected)) >= 0.9999
    assert (found * expected).sum() / (expected**2).sum() == pytest.approx(1, abs=0.01)
    apart = {
        other: float(np.abs(found - volume).std() / volume.std())
        for other, volume in theirs.items()
        if volume.shape == expected.shape
    }
    nearest = min(apart, key=apart.__getitem__)
    assert nearest == name or np.array_equal(theirs[nearest], expected)
