"""`vitreous reconstruct --half-sets`: two tomograms and the curve of what they have in common."""

import csv
import json

import numpy as np
import pytest

from tests.series import beads_seen, tilts_seen, volume_of, write_series, write_stack
from vitreous.formats import volumes


@pytest.fixture
def series(tmp_path):
    """Beads in so much noise that the highest frequencies hold nothing else."""
    return write_series(tmp_path, images=beads_seen(tilts_seen(), noise=0.5))


def reconstructed(vitreous, series, *options):
    output = series.stack.with_name("rec.mrc")
    words = ("--alignment", series.transforms, "--thickness", 40, "--output", output)
    return vitreous("-q", "reconstruct", series.stack, *words, *options)


def test_half_sets_of_tilts_are_the_two_halves_and_their_curve(vitreous, series, tmp_path):
    ended = reconstructed(vitreous, series, "--half-sets", "tilts")

    assert (ended.code, ended.said) == (0, "")
    one, other = volume_of(tmp_path / "rec_half1.mrc")[0], volume_of(tmp_path / "rec_half2.mrc")[0]
    alone = reconstructed(vitreous, series, "--half", "even")
    assert alone.code == 0
    np.testing.assert_array_equal(other, volume_of(tmp_path / "rec.mrc")[0])
    assert not np.array_equal(one, other)
    told = json.loads((tmp_path / "rec_fsc.json").read_text())
    curve = np.array(told["rlnFourierShellCorrelation"])
    assert curve[2:6].mean() > 0.5 > abs(curve[-8:]).mean()
    rows = list(csv.reader((tmp_path / "rec_fsc.csv").read_text().splitlines()))
    assert len(rows) == len(curve) + 1
    assert (tmp_path / "rec_fsc.png").read_bytes().startswith(b"\x89PNG")


def test_half_sets_of_frames_are_made_of_the_stacks_beside(vitreous, series, tmp_path):
    images = series.images
    write_stack(tmp_path / "ts_EVN.mrc", images)
    write_stack(tmp_path / "ts_ODD.mrc", 3 * images)

    ended = reconstructed(vitreous, series, "--half-sets", "frames")

    assert (ended.code, ended.said) == (0, "")
    one, other = volume_of(tmp_path / "rec_half1.mrc")[0], volume_of(tmp_path / "rec_half2.mrc")[0]
    np.testing.assert_allclose(other, 3 * one, atol=1e-4 * other.std())
    told = json.loads((tmp_path / "rec_fsc.json").read_text())
    np.testing.assert_allclose(told["rlnFourierShellCorrelation"][1:], 1, atol=1e-4)


def test_frames_that_are_not_there_are_told_before_any_work(vitreous, series, tmp_path):
    ended = reconstructed(vitreous, series, "--half-sets", "frames")

    assert ended.code == 1
    assert "ts_EVN.mrc and ts_ODD.mrc" in ended.said
    assert not (tmp_path / "rec.mrc").exists()


def test_halves_of_another_size_are_refused(vitreous, series, tmp_path):
    for name in ("ts_EVN.mrc", "ts_ODD.mrc"):
        write_stack(tmp_path / name, series.images[:, :20])

    ended = reconstructed(vitreous, series, "--half-sets", "frames")

    assert ended.code == 1
    assert "15 x 64 x 20 images, the stack 15 x 64 x 56" in ended.said


def test_half_sets_of_an_ome_zarr_are_ome_zarrs(vitreous, series, tmp_path):
    words = (series.stack, "--alignment", series.transforms, "--thickness", "20")
    output = tmp_path / "rec.ome.zarr"

    ended = vitreous("-q", "reconstruct", *words, "--half-sets", "tilts", "--output", output)

    assert ended.code == 0
    made = {path.name for path in tmp_path.glob("rec*")}
    assert made == {
        "rec.ome.zarr", "rec_half1.ome.zarr", "rec_half2.ome.zarr",
        "rec_fsc.csv", "rec_fsc.json", "rec_fsc.png",
    }  # fmt: skip


def test_boxes_cover_a_volume(tmp_path, monkeypatch, rng):
    values = rng.normal(size=(9, 21, 30)).astype(np.float32)
    monkeypatch.setattr(volumes, "LARGEST_BOX", 10)

    with volumes.open_volume(write_stack(tmp_path / "volume.mrc", values)) as volume:
        boxes = list(volumes.boxes(volume))

    assert [box.shape for box in boxes] == [(9, 7, 10)] * 9
    np.testing.assert_array_equal(boxes[4], values[:, 7:14, 10:20])


def test_a_run_makes_half_sets_where_its_reconstruct_step_asks_for_them(vitreous, series, tmp_path):
    words = ("--alignment", series.transforms, "--thickness", 40, "--half-sets", "tilts")

    ended = vitreous("-q", "run", series.stack, *words, "--project", tmp_path / "project")

    assert (ended.code, ended.said) == (0, "")
    made = {path.name for path in (tmp_path / "project" / "ts" / "reconstruct").iterdir()}
    assert {"ts.mrc", "ts_half1.mrc", "ts_half2.mrc", "ts_fsc.json", "ts_fsc.png"} <= made
    page = (tmp_path / "project" / "ts" / "report.html").read_text()
    assert "what both halves have in common" in page
