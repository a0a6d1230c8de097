"""EMAN2's HDF in `vitreous info` and `vitreous convert`."""

from pathlib import Path

import numpy as np
import pytest

from vitreous.cli.main import main
from vitreous.formats.eman_hdf import HdfImages, read_hdf_volume, write_hdf
from vitreous.formats.mrc import open_stack, read_volume


@pytest.fixture
def volume(tmp_path: Path, rng: np.random.Generator) -> Path:
    """A volume with a pixel size of 2.5 A."""
    header = {f"apix_{axis}": 2.5 for axis in "xyz"}
    write_hdf(tmp_path / "map.hdf", [(rng.normal(size=(6, 8, 10)).astype("f4"), header)])
    return tmp_path / "map.hdf"


def run(*words: object) -> int:
    return main([str(word) for word in words])


def test_info_says_what_is_in_a_file(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = run("info", volume)

    said = capsys.readouterr().out
    assert code == 0
    assert "EMAN2 volume" in said
    assert "10 x 8 x 6" in said
    assert "2.5 A" in said


def test_a_volume_goes_to_mrc_and_back(volume: Path) -> None:
    mrc, back = volume.with_suffix(".mrc"), volume.with_name("back.hdf")

    codes = run("convert", volume, mrc), run("convert", mrc, back)

    assert codes == (0, 0)
    np.testing.assert_array_equal(read_volume(mrc).data, read_hdf_volume(volume)[0])
    np.testing.assert_array_equal(read_hdf_volume(back)[0], read_hdf_volume(volume)[0])
    assert read_volume(mrc).voxel_size == 2.5
    assert read_hdf_volume(back)[1]["apix_z"] == 2.5


def test_bits_are_told_by_the_name(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("convert", volume, volume.with_suffix(".mrc"))

    code = run("convert", volume.with_suffix(".mrc"), volume.with_name("small.hdf:8"))

    small = volume.with_name("small.hdf")
    assert code == 0
    assert f"wrote {small}\n" in capsys.readouterr().out
    with HdfImages(small) as images:
        assert images.stored_as == "8 bits in uint8"


def test_a_stack_stays_a_stack(tmp_path: Path) -> None:
    images = [(np.full((4, 6), i, np.float32), {"apix_x": 3.0}) for i in range(3)]
    write_hdf(tmp_path / "a.hdf", images)

    codes = (
        run("convert", tmp_path / "a.hdf", tmp_path / "a.mrcs"),
        run("convert", tmp_path / "a.mrcs", tmp_path / "b.hdf"),
    )

    assert codes == (0, 0)
    with open_stack(tmp_path / "a.mrcs") as stack, HdfImages(tmp_path / "b.hdf") as back:
        assert stack.shape == (3, 4, 6)
        assert stack.header.ispg == 0
        assert back.count == 3
        assert back.read(2)[0, 0] == 2


def test_a_broken_file_is_one_message(volume: Path, capsys: pytest.CaptureFixture[str]) -> None:
    volume.write_bytes(volume.read_bytes()[:900])

    code = run("info", volume)

    assert code == 1
    assert "map.hdf" in capsys.readouterr().err
