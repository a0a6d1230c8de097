"""OME-Zarr from the command line: reconstruct into it, convert it, say what it holds."""

import numpy as np
import pytest

from tests.series import PIXEL_SIZE, volume_of, write_series
from vitreous.formats.ome_zarr import open_ome_zarr


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path)


def test_a_tomogram_goes_into_an_ome_zarr_as_into_an_mrc_file(vitreous, series, tmp_path):
    words = (series.stack, "--alignment", series.transforms, "--thickness", 41, "--mode", "int16")
    for name in ("rec.mrc", "rec.ome.zarr"):
        ended = vitreous("-q", "reconstruct", *words, "--output", tmp_path / name)
        assert (ended.code, ended.said) == (0, "")

    sections, _, labels = volume_of(tmp_path / "rec.mrc")
    with open_ome_zarr(tmp_path / "rec.ome.zarr") as volume:
        assert volume.pixel_size == pytest.approx(PIXEL_SIZE)
        assert labels[1:] == volume.labels[1:]
        np.testing.assert_array_equal(volume.block(slice(None), slice(None)), sections)
    assert not list(tmp_path.glob(".*"))


def test_a_tomogram_doesnt_replace_a_folder_of_something_else(vitreous, series, tmp_path):
    (tmp_path / "rec.zarr").mkdir()
    (tmp_path / "rec.zarr" / "mine.txt").write_text("mine")

    words = (series.stack, "--alignment", series.transforms, "--output", tmp_path / "rec.zarr")
    ended = vitreous("-q", "reconstruct", *words)

    assert ended.code == 1
    assert "is something else" in ended.said
    assert (tmp_path / "rec.zarr" / "mine.txt").read_text() == "mine"


def test_info_tells_version_size_and_levels(vitreous, series, tmp_path):
    words = (series.stack, tmp_path / "a.zarr", "--zarr-version", "0.5")
    assert vitreous("-q", "convert", *words).code == 0

    ended = vitreous("info", tmp_path / "a.zarr")

    assert ended.code == 0
    told = dict(line.split(maxsplit=1) for line in ended.shown.splitlines()[1:])
    assert told["kind"] == "OME-Zarr multiscale volume"
    assert told["version"] == "0.5"


def test_converting_there_and_back_keeps_every_voxel(vitreous, series, tmp_path):
    for source, target in [(series.stack, "a.zarr"), (tmp_path / "a.zarr", "b.mrc")]:
        assert vitreous("-q", "convert", source, tmp_path / target).code == 0

    there, size, _ = volume_of(tmp_path / "b.mrc")
    np.testing.assert_array_equal(there, volume_of(series.stack)[0])
    assert size == pytest.approx(PIXEL_SIZE)
