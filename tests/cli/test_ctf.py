"""`vitreous ctf` as a user calls it."""

import json

import numpy as np
import pytest

from tests.ctf.ice import Slab, ice_series
from tests.series import write_stack
from vitreous.formats.ctf_tables import read_defocus
from vitreous.formats.imod import write_angles
from vitreous.records.ctf import Ctf

SLAB = Slab(size=512, tilts=tuple(np.arange(-48.0, 49.0, 12.0)), axis=10.0, ice=0.15)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A series TS_01.mrc with its angles, and one image of it, image.mrc."""
    folder, series = tmp_path_factory.mktemp("ctf"), ice_series(SLAB)
    write_stack(folder / "TS_01.mrc", series.stack.data, SLAB.pixel_size)
    write_angles(folder / "TS_01.rawtlt", np.array(SLAB.tilts))
    write_stack(folder / "image.mrc", series.stack.data[4:5], SLAB.pixel_size)
    return folder


def test_a_stack_becomes_tables_pictures_and_logs(folder, vitreous, tmp_path):
    from PIL import Image

    out = tmp_path / "out"

    ended = vitreous("ctf", folder / "TS_01.mrc", "--tilt-axis", 10, "--kv", 300, "--output", out)

    assert ended.code == 0, ended.said
    assert "TS_01: defocus" in ended.said
    true = ice_series(SLAB).defocus
    rows = np.loadtxt(out / "TS_01_ctffind.txt")
    assert np.median(np.abs(rows[:, 1:3].mean(1) - true)) < 300
    aretomo = np.loadtxt(out / "TS_01_CTF.txt")
    np.testing.assert_allclose(aretomo[:, 1:3], rows[:, 1:3], atol=0.01)
    imod = [ctf.defocus for _, ctf in read_defocus(out / "TS_01.defocus", Ctf(0, 0))]
    np.testing.assert_allclose(imod, rows[:, 1:3].mean(1), atol=0.1)
    assert "rlnDefocusU" in (out / "tilt_series" / "TS_01.star").read_text()
    numbers = json.loads((out / "TS_01_ctf.json").read_text())
    assert len(numbers["views"]) == len(true)
    with Image.open(out / "TS_01_ctf.png") as page:
        assert min(page.size) > 300
    assert "section 3, tilt -24.0" in (out / "TS_01_ctf.log").read_text()
    assert (out / "TS_01_ctf.err").exists()


def test_single_images_are_estimated_one_by_one_and_a_bad_one_stops_no_other(
    folder, vitreous, tmp_path
):
    broken = tmp_path / "broken.mrc"
    broken.write_bytes((folder / "image.mrc").read_bytes()[:5000])
    out = tmp_path / "out"

    ended = vitreous("ctf", broken, folder / "image.mrc", "--kv", 300, "--output", out)

    assert ended.code == 1
    assert "1 of 2 could not be estimated" in ended.said
    assert "broken.mrc" in ended.said
    row = np.loadtxt(out / "image_ctffind.txt")
    assert row[1:3].mean() == pytest.approx(ice_series(SLAB).defocus[4], abs=500)
    assert not (out / "image.defocus").exists()
    assert not (out / "broken_ctffind.txt").exists()


def test_a_tilted_series_without_an_axis_is_refused(folder, vitreous, tmp_path):
    ended = vitreous("ctf", folder / "TS_01.mrc", "--output", tmp_path / "out")

    assert ended.code == 1
    assert "Give --tilt-axis or --alignment" in ended.said


def test_images_have_to_be_named(vitreous, tmp_path):
    ended = vitreous("ctf", "--output", tmp_path / "out")

    assert ended.code == 1
    assert "no images are named" in ended.said
