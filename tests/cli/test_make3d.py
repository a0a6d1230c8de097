"""`vitreous make3d` against truth."""

from pathlib import Path

import numpy as np
import pytest

from tests.projected import SIZE, likeness, matrices, mrcs, phantom, projection, transform
from vitreous.cli.main import main
from vitreous.formats.eman_hdf import read_hdf_volume, write_hdf
from vitreous.formats.mrc import read_volume
from vitreous.geometry.euler import relion_angles


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    images = [
        (projection(m), {"xform.projection": transform(m), "apix_x": 2.5}) for m in matrices(80)
    ]
    write_hdf(tmp_path / "in.hdf", images)
    return tmp_path / "in.hdf"


def run(*words: object) -> int:
    return main(["make3d", *(str(word) for word in words)])


def test_a_map_of_projections_is_the_object(stack: Path) -> None:
    output = stack.with_name("map.mrc")

    code = run(stack, output)

    assert code == 0
    assert read_volume(output).voxel_size == 2.5
    assert likeness(output) > 0.985
    scale = (read_volume(output).data * phantom()).sum() / (phantom() ** 2).sum()
    assert scale == pytest.approx(1, abs=0.03)


def test_a_mirrored_convention_would_show(stack: Path) -> None:
    run(stack, stack.with_name("map.mrc"))

    assert likeness(stack.with_name("map.mrc"), phantom()[::-1]) < 0.7


def test_orientations_come_from_a_table_of_relions_angles(tmp_path: Path) -> None:
    views = matrices(80)
    shifts = np.random.default_rng(3).uniform(-2, 2, (80, 2))
    mrcs(tmp_path / "in.mrcs", views, shifts)
    np.savetxt(tmp_path / "angles.txt", np.column_stack([*relion_angles(np.array(views)), shifts]))

    code = run(tmp_path / "in.mrcs", tmp_path / "map.hdf", "--angles", tmp_path / "angles.txt")

    assert code == 0
    assert likeness(tmp_path / "map.hdf") > 0.985


def test_symmetry_is_imposed(stack: Path) -> None:
    output = stack.with_name("map.hdf")

    assert run(stack, output, "--symmetry", "C2") == 0

    found, header = read_hdf_volume(output)
    turned = found[:, :0:-1, :0:-1]  # 180 degrees about z and the centre n // 2
    np.testing.assert_allclose(found[:, 1:, 1:], turned, atol=0.02 * found.max())
    assert header["apix_x"] == 2.5
    assert found.shape == (SIZE,) * 3


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--symmetry", "Q5"], "Q5"),
        (["--angles", "missing.txt"], "missing.txt"),
        (["--size", "100000", "100000", "100000"], "GB"),
    ],
)
def test_what_cannot_be_done_is_said(
    stack: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(stack, stack.with_name("map.mrc"), *words)

    assert code == 1
    assert said in capsys.readouterr().err
    assert not stack.with_name("map.mrc").exists()
