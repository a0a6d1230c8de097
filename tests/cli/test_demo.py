import re
from contextlib import chdir, redirect_stdout
from io import StringIO

import numpy as np
import pytest

from vitreous.cli.main import main


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """(folder, what was printed)."""
    folder = tmp_path_factory.mktemp("demo")
    with redirect_stdout(StringIO()) as printed, chdir(folder):
        assert main(["demo"]) == 0
    return folder, printed.getvalue()


def test_the_beads_are_found_where_they_are(demo):
    _, printed = demo

    rows = re.findall(r"^ +\d+ ((?: +[\d.]+){7})$", printed, re.MULTILINE)
    table = np.array([row.split() for row in rows], float)

    assert table.shape == (11, 7)
    apart = np.linalg.norm(table[:, 3:6] - table[:, :3], axis=1)
    np.testing.assert_allclose(table[:, 6], apart, atol=0.02)
    assert np.sqrt((apart**2).mean()) < 0.15  # noise of two thirds of the signal


def test_layers_and_hand_are_right(demo):
    _, printed = demo

    found, true = re.search(r"layers of gold: ([\d.]+) voxels, truth ([\d.]+)", printed).groups()
    itself = re.search(r"with the phantom: ([\d.]+)", printed).group(1)
    mirror = re.search(r"mirror image in z: ([\d.]+) \(so the hand is right\)", printed).group(1)

    assert float(found) == pytest.approx(float(true), abs=0.1)
    assert float(itself) > 0.7
    assert float(mirror) < 0.3


def test_the_project_is_that_of_vitreous_run(demo):
    folder, printed = demo

    made = folder / "demo-project" / "phantom" / "reconstruct"
    assert sorted(path.name for path in made.iterdir()) == [
        "manifest.json",
        "phantom.mrc",
        "phantom_slices.png",
        "reconstruct.err",
        "reconstruct.log",
    ]
    assert str(made.relative_to(folder) / "phantom.mrc") in printed


def test_a_folder_that_cant_be_made_is_an_error(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")

    assert main(["demo", "--folder", str(tmp_path / "file" / "project")]) == 1

    assert "can't be made" in capsys.readouterr().err
