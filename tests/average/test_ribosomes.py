"""Forty real ribosomes, as stacks that WarpTools cut out, average to the map beside them."""

import numpy as np
import pytest

from tests.series import volume_of
from vitreous.cli.main import main
from vitreous.kernels.fsc import fourier_shell_correlation

# What a plain insertion reached (the data's README), shells 1 to 11.
REACHED = np.array([0.98, 0.94, 0.89, 0.85, 0.79, 0.65, 0.60, 0.68, 0.64, 0.60, 0.52])


def fsc_with(ours, theirs):
    axis = np.arange(32) - 16
    ball = sum(np.meshgrid(axis**2, axis**2, axis**2)) < 13**2
    return fourier_shell_correlation(ours, theirs, 12.0, mask=ball).correlation


@pytest.fixture(scope="module")
def found(shared, tmp_path_factory):
    folder = shared / "data" / "ribosome70s_particles"
    output = tmp_path_factory.mktemp("ribosomes")
    files = next(folder.glob("*_optimisation_set.star"))
    line = ["-q", "average", str(files), "--images", "stacks", "--processes", "1"]
    assert main([*line, "--output", str(output)]) == 0
    return volume_of(output / "merged.mrc")[0]


def test_the_map_has_the_right_hand_and_more_detail_than_a_plain_insertion(shared, found):
    """As stored the particles have the other hand: the map is the mirror of the one beside them."""
    wanted = volume_of(next((shared / "data" / "ribosome70s_particles").glob("*.mrc")))[0]
    mirrored = found[(32 - np.arange(32)) % 32]

    curve = fsc_with(mirrored, wanted)

    assert (curve[1:12] >= REACHED - 0.02).all()
    assert (curve[1:12] >= 0.5).all()
    assert curve[4:12].mean() > 0.6
    assert fsc_with(found, wanted)[4:12].mean() < 0.25


def test_stacks_of_another_size_are_told(shared, tmp_path, capfd):
    folder = shared / "data" / "ribosome70s_particles"
    stars = {path.name: path.read_text() for path in folder.glob("*.star")}
    for name, text in stars.items():
        (tmp_path / name).write_text(text.replace("12.00000  32  0.070", "12.00000  48  0.070"))
    (tmp_path / next(folder.glob("*box-32_angpix-12")).name).symlink_to(
        next(folder.glob("*box-32_angpix-12"))
    )
    files = next(tmp_path.glob("*_optimisation_set.star"))
    output = tmp_path / "out"

    line = ["-q", "average", str(files), "--images", "stacks", "--processes", "1"]
    code = main([*line, "--output", str(output)])

    assert code == 1
    assert "are 32 x 32 px, those of its optics group 48 px" in capfd.readouterr().err
    assert not list(output.glob("*.mrc"))
