"""`vitreous view`: a picture and a page of a volume."""

import re

import numpy as np
import pytest
from PIL import Image

from tests.report.browser import chromium, found
from tests.series import write_series, write_stack
from vitreous.formats import volumes
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.volume_convert import convert_volume
from vitreous.pipeline.view import overview_of
from vitreous.pipeline.view_settings import ViewSettings

SHAPE = (24, 40, 52)


def write_volume(path, values, voxel_size=10.0):
    with MrcWriter(path, values.shape, voxel_size) as writer:
        writer.write((0, 0, 0), values.astype(np.float32))
    return path


@pytest.fixture
def volume(tmp_path, rng):
    """Noise within a frame of zeros."""
    values = np.zeros(SHAPE, np.float32)
    values[4:20, 5:35, 6:46] = rng.normal(size=(16, 30, 40))
    return write_volume(tmp_path / "map.mrc", values)


def test_the_picture_stands_beside_nothing_else(vitreous, volume, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    ended = vitreous("-q", "view", volume)

    assert (ended.code, ended.said) == (0, "")
    with Image.open(tmp_path / "map_view.png") as picture:
        assert picture.size[0] == 1440
    assert sorted(path.name for path in tmp_path.iterdir()) == ["map.mrc", "map_view.png"]


def test_the_page_has_sliders_fsc_and_facts_and_a_browser_likes_it(vitreous, volume, tmp_path):
    half = write_volume(tmp_path / "half <1>.mrc", np.random.default_rng(2).normal(size=SHAPE))
    page = tmp_path / "map.html"

    ended = vitreous("-q", "view", volume, "--output", page, "--fsc", half)

    assert (ended.code, ended.said) == (0, "")
    text = page.read_text()
    assert text.count('type="range"') == 3
    assert "FSC of map.mrc and half &lt;1&gt;.mrc" in text
    assert not re.search(r"https?://", text)
    if (program := found()) is None:
        pytest.skip("no Chromium here: the page was not opened in one")
    with chromium(program, tmp_path / "profile") as browser:
        browser.resize(1280)
        browser.open(page.as_uri())
        before = browser.picture(".plane.xy .window")
        browser.ask("document.querySelector('#slide-xy').focus()")
        for _ in range(4):
            browser.press("ArrowRight")
        assert browser.picture(".plane.xy .window") != before
        assert browser.problems == []
        assert all(url.startswith(("file:", "data:")) for url in browser.fetched)


@pytest.mark.parametrize("block", [64_000_000, 5_000])
def test_strips_of_any_size_show_the_same(volume, tmp_path, block, monkeypatch):
    convert_volume(volume, tmp_path / "map.zarr")
    monkeypatch.setattr(volumes, "BLOCK_BYTES", block)
    with volumes.open_volume(volume) as file:
        values = file.block(slice(None), slice(None))

    for path in (volume, tmp_path / "map.zarr"):
        seen = overview_of(path, ViewSettings(slab=10, at=(7, 6, 5)))

        np.testing.assert_array_equal(seen.slices.xy, values[4])
        np.testing.assert_array_equal(seen.slices.xz, values[:, 5])
        np.testing.assert_allclose(seen.projections.xy, values.mean(0), atol=1e-6)
        np.testing.assert_allclose(seen.projections.zy, values.mean(2).T, atol=1e-6)
        np.testing.assert_allclose(seen.sampled.xy, (values != 0).mean(0), atol=1e-6)
        assert seen.sampled_as == "share of the voxels with data"
        told = dict(seen.facts)
        assert told["without data"] == "61.5 % of the voxels, which are 0"
        assert told["grey values"] == f"{values.min():.4g} to {values.max():.4g}"


def test_where_every_voxel_holds_data_all_is_sampled(tmp_path, rng):
    path = write_volume(tmp_path / "full.mrc", rng.normal(size=SHAPE))

    seen = overview_of(path, ViewSettings())

    assert (seen.sampled.xy == 1).all()
    assert "without data" not in dict(seen.facts)


def test_holes_are_counted_and_shown_as_empty(tmp_path, rng, caplog):
    values = rng.normal(size=SHAPE)
    values[3, 4, 5:9] = np.nan

    seen = overview_of(write_volume(tmp_path / "holes.mrc", values), ViewSettings())

    assert dict(seen.facts)["not a number"] == "4 voxels"
    assert np.isfinite(seen.projections.xy).all()
    assert "4 voxels are no finite numbers" in caplog.text


def test_the_tilts_of_a_tomogram_are_those_of_its_manifest(vitreous, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    series = write_series(tmp_path)
    words = ("run", series.stack, "--alignment", series.transforms, "--exclude-tilts", "1,2")
    assert vitreous("-q", *words, "--project", "project", "--thickness", "400A").code == 0
    tomogram = tmp_path / "project" / "ts" / "reconstruct" / "ts.mrc"

    by_manifest = overview_of(tomogram, ViewSettings())
    named = overview_of(tomogram, ViewSettings(alignment=series.transforms, stack=series.stack))

    assert by_manifest.sampled_as == "share of the 13 tilts that see it"
    assert by_manifest.tilts == pytest.approx((series.alignment.tilts_degrees[2], 60.0), abs=0.01)
    assert named.sampled_as == "share of the 15 tilts that see it"
    alignment = series.alignment.without([0, 1])
    seen = alignment.pixels(np.array([[-310.0, 0.0, 0.0]]))[:, 0]
    share = ((seen >= 0) & (seen <= np.array(alignment.image_size) - 1)).all(-1).mean()
    assert by_manifest.sampled.xy[28, 1] == pytest.approx(share)


def test_two_halves_are_correlated_with_one_another(volume, tmp_path, rng):
    halves = [write_volume(tmp_path / f"{name}.mrc", rng.normal(size=SHAPE)) for name in ("a", "b")]

    noise = overview_of(volume, ViewSettings(), halves).fsc
    itself = overview_of(volume, ViewSettings(), [volume]).fsc

    assert noise.between == "of a.mrc and b.mrc"
    assert np.abs(noise.curve.correlation[5:]).max() < 0.3
    np.testing.assert_allclose(itself.curve.correlation[1:], 1, atol=1e-5)
    assert itself.curve.resolution() is None


# -- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--at", 53, 1, 1], "no voxel 53, 1, 1"),
        (["--output", "map.jpg"], "a picture ends in .png"),
        (["--fsc", "small.mrc"], "has 10 x 10 x 10 voxels"),
        (["--fsc", "coarse.mrc"], "has voxels of 20 A"),
        (["--fsc", "coarse.mrc", "small.mrc", "map.mrc"], "of two volumes"),
        (["--fsc", "none.mrc"], "none.mrc can't be read"),
    ],
)
def test_what_cant_be_shown_is_said_and_nothing_is_left(
    vitreous, volume, tmp_path, monkeypatch, words, said
):
    monkeypatch.chdir(tmp_path)
    write_volume(tmp_path / "small.mrc", np.ones((10, 10, 10)))
    write_volume(tmp_path / "coarse.mrc", np.ones(SHAPE), voxel_size=20.0)

    ended = vitreous("-q", "view", "map.mrc", *words)

    assert ended.code == 1
    assert said in ended.said
    assert len(ended.said.splitlines()) == 1
    assert not list(tmp_path.glob("*.png"))


def test_a_picture_that_would_replace_an_input_is_refused(vitreous, volume):
    ended = vitreous("-q", "view", volume, "--output", volume)

    assert ended.code == 1
    assert "is an input" in ended.said


def test_a_stack_without_pixel_size_asks_for_it(vitreous, tmp_path):
    path = write_stack(tmp_path / "s.mrc", np.ones((3, 8, 8)), pixel_size=0.0)

    ended = vitreous("-q", "view", path)

    assert ended.code == 1
    assert "--pixel" in ended.said
