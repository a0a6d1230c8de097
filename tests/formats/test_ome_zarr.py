"""OME-Zarr: what is written validates, comes back as it was, and lies where it lay."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaozarrs
import zarr

from vitreous.errors import FormatError, OutputError, UserError
from vitreous.formats import ome_zarr, volumes
from vitreous.formats.mrc import MrcWriter, read_volume
from vitreous.formats.ome_zarr import OmeZarrWriter, meaned, open_ome_zarr
from vitreous.formats.volume_convert import convert_volume

VERSIONS = ("0.4", "0.5")


@pytest.fixture
def chunk(monkeypatch):
    """Small chunks, so that small volumes have several, and levels."""
    monkeypatch.setattr(ome_zarr, "CHUNK", 16)
    return 16


def written(path, values, version="0.4", voxel_size=5.0):
    with OmeZarrWriter(path, values.shape, voxel_size, values.dtype, version=version) as writer:
        writer.write((0, 0, 0), values)
    return path


@pytest.fixture
def values(rng):
    """(z, y, x), odd sides."""
    return rng.normal(size=(21, 50, 37)).astype(np.float32)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_written_validates_and_comes_back(tmp_path, values, version):
    path = written(tmp_path / "a.ome.zarr", values, version)

    yaozarrs.validate_zarr_store(str(path))
    with open_ome_zarr(path) as volume:
        assert (volume.shape, volume.pixel_size, volume.version) == ((21, 50, 37), 5.0, version)
        np.testing.assert_array_equal(volume.block(slice(0, 21), slice(0, 50)), values)
        np.testing.assert_array_equal(volume.block(slice(3, 9), slice(17, 40)), values[3:9, 17:40])


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("version", VERSIONS)
def test_the_unit_is_angstrom_and_every_level_lies_where_its_means_do(tmp_path, version):
    """A ramp along each axis: the value of a voxel is its place in angstrom."""
    z, y, x = np.indices((20, 48, 40)) * 5.0
    ramps = {"z": z, "y": y, "x": x}
    for along, ramp in enumerate(ramps.values()):
        path = written(tmp_path / "ramp.zarr", ramp.astype(np.float32), version)

        group = zarr.open_group(path, mode="r")
        held = group.attrs.asdict()["ome"] if version == "0.5" else group.attrs.asdict()
        (multiscale,) = held["multiscales"]
        assert [axis["unit"] for axis in multiscale["axes"]] == ["angstrom"] * 3
        assert len(multiscale["datasets"]) == 3
        for dataset in multiscale["datasets"]:
            scale, translation = dataset["coordinateTransformations"]
            level = group[dataset["path"]]
            places = np.arange(level.shape[along]) * scale["scale"][along]
            places += translation["translation"][along]
            shown = np.moveaxis(np.asarray(level[:]), along, 0).reshape(len(places), -1)
            np.testing.assert_allclose(shown, np.broadcast_to(places[:, None], shown.shape))


@pytest.mark.usefixtures("chunk")
def test_levels_are_means_of_eight_voxels_and_a_thin_axis_stays(tmp_path, rng):
    values = rng.normal(size=(2, 40, 33)).astype(np.float32)

    path = written(tmp_path / "thin.zarr", values)

    group = zarr.open_group(path, mode="r")
    assert [group[str(level)].shape for level in range(3)] == [(2, 40, 33), (1, 20, 16), (1, 10, 8)]
    means = values[:, :, :32].reshape(1, 2, 20, 2, 16, 2).mean((1, 3, 5), dtype=np.float64)
    np.testing.assert_allclose(group["1"][:], means, atol=1e-6)
    assert open_ome_zarr(path).levels[2].scale == (10.0, 20.0, 20.0)


def test_means_of_integers_are_rounded(tmp_path):
    assert meaned(np.full((2, 2, 2), 3, np.int8), (2, 2, 2)).item() == 3.0

    values = np.zeros((130, 2, 2), np.int8)
    values[0] = 3  # a mean of 1.5 in the level above
    path = written(tmp_path / "a.zarr", values)

    assert zarr.open_group(path, mode="r")["1"][0, 0, 0] == 2


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("corners", ["sections", "rows"])
def test_blocks_may_come_in_any_order_and_size(tmp_path, values, corners):
    nz, ny, _ = values.shape
    with OmeZarrWriter(tmp_path / "a.zarr", values.shape, 5.0) as writer:
        if corners == "rows":
            for y in reversed(range(0, ny, 7)):
                writer.write((0, y, 0), values[:, y : y + 7])
        else:
            for z in range(0, nz, 5):
                writer.write((z, 0, 0), values[z : z + 5])

    found = open_ome_zarr(tmp_path / "a.zarr").block(slice(None), slice(None))
    np.testing.assert_array_equal(found, values)


@pytest.mark.usefixtures("chunk")
@pytest.mark.parametrize("mode", ["float32", "float16", "int16", "int8"])
@pytest.mark.parametrize("axes", ["keep", "xyz-to-xzy", "xzy-to-xyz"])
def test_a_volume_goes_there_and_back(tmp_path, values, mode, axes, monkeypatch):
    monkeypatch.setattr(volumes, "BLOCK_BYTES", 20_000)  # many bricks
    with MrcWriter(tmp_path / "a.mrc", values.shape, 5.0) as writer:
        writer.write((0, 0, 0), values)
    back = {"keep": "keep", "xyz-to-xzy": "xzy-to-xyz", "xzy-to-xyz": "xyz-to-xzy"}[axes]

    convert_volume(tmp_path / "a.mrc", tmp_path / "direct.mrc", mode=mode)
    convert_volume(tmp_path / "a.mrc", tmp_path / "a.zarr", mode=mode, axes=axes)
    convert_volume(tmp_path / "a.zarr", tmp_path / "b.mrc", axes=back)

    again, direct = read_volume(tmp_path / "b.mrc"), read_volume(tmp_path / "direct.mrc")
    assert again.data.dtype == mode
    assert again.voxel_size == 5.0
    np.testing.assert_array_equal(again.data, direct.data)


def test_other_writers_units_and_leading_axes_are_understood(tmp_path, values):
    path = tmp_path / "theirs.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    array = group.create_array("full", shape=(1, *values.shape), dtype="f4")
    array[0] = values
    axes = [{"name": "c", "type": "channel"}]
    axes += [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"]
    datasets = [
        {
            "path": "full",
            "coordinateTransformations": [{"type": "scale", "scale": [1, 0.5, 0.5, 0.5]}],
        }
    ]
    group.attrs["multiscales"] = [{"version": "0.4", "axes": axes, "datasets": datasets}]

    with open_ome_zarr(path) as volume:
        assert volume.pixel_size == pytest.approx(5.0)
        np.testing.assert_array_equal(volume.block(slice(0, 2), slice(1, 5)), values[:2, 1:5])


# -- what goes wrong ------------------------------------------------------------------------------


def test_a_failed_write_leaves_what_was_there(tmp_path, values):
    path = written(tmp_path / "a.zarr", values)

    with pytest.raises(ZeroDivisionError), OmeZarrWriter(path, (9, 9, 9), 1.0) as writer:
        writer.write((0, 0, 0), np.zeros((3, 9, 9), np.float32) / (1 // 0))
    with pytest.raises(OutputError, match="only 0 of 729"), OmeZarrWriter(path, (9, 9, 9), 1.0):
        pass

    assert open_ome_zarr(path).shape == values.shape
    assert [found.name for found in tmp_path.iterdir()] == ["a.zarr"]


def test_a_whole_write_replaces_an_older_one(tmp_path, values):
    written(tmp_path / "a.zarr", values)

    written(tmp_path / "a.zarr", values[:5])

    assert open_ome_zarr(tmp_path / "a.zarr").shape == (5, 50, 37)
    assert [found.name for found in tmp_path.iterdir()] == ["a.zarr"]


def test_a_folder_that_is_no_volume_is_not_replaced(tmp_path, values):
    mine = tmp_path / "a.zarr" / "thesis.txt"
    mine.parent.mkdir()
    mine.write_text("years of work")

    with pytest.raises(OutputError, match="is something else"):
        written(tmp_path / "a.zarr", values)

    assert mine.read_text() == "years of work"


def test_a_damaged_chunk_is_named(tmp_path, values):
    path = written(tmp_path / "a.zarr", values)
    (path / "0" / "0" / "0" / "0").write_bytes(b"damaged")

    with pytest.raises(FormatError, match=r"a\.zarr: the Zarr store can't be read"):
        open_ome_zarr(path).block(slice(0, 1), slice(0, 1))


def test_a_damaged_chunk_among_many_leaves_nothing_under_way(tmp_path, rng):
    """Another process: what zarr complains of, it does at the end."""
    path = written(tmp_path / "a.zarr", rng.normal(size=(130, 260, 260)).astype(np.float32))
    (path / "0" / "0" / "0" / "0").write_bytes(b"damaged")
    command = Path(sys.executable).with_name("vitreous")

    words = [command, "-q", "convert", path, tmp_path / "b.mrc"]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert ended.stderr.startswith(f"error: {path}: the Zarr store can't be read")
    assert len(ended.stderr.splitlines()) == 1
    assert not (tmp_path / "b.mrc").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda held: held.pop("multiscales"), "not the metadata of an OME-Zarr image"),
        (lambda held: held["multiscales"][0]["axes"].reverse(), "the axes are x, y, z"),
        (lambda held: held["multiscales"][0]["datasets"][0].pop("path"), "levels of the image"),
    ],
)
def test_metadata_that_make_no_sense_are_a_format_error(tmp_path, values, change, said):
    path = written(tmp_path / "a.zarr", values)
    held = json.loads((path / ".zattrs").read_text())
    change(held)
    (path / ".zattrs").write_text(json.dumps(held))

    with pytest.raises(FormatError, match=said):
        open_ome_zarr(path)


def test_without_a_unit_the_pixel_size_has_to_be_given(tmp_path, values):
    path = written(tmp_path / "a.zarr", values)
    held = json.loads((path / ".zattrs").read_text())
    for axis in held["multiscales"][0]["axes"]:
        del axis["unit"]
    (path / ".zattrs").write_text(json.dumps(held))

    with pytest.raises(UserError, match="no unit of length; give --pixel"):
        open_ome_zarr(path)
    assert open_ome_zarr(path, 7.5).pixel_size == 7.5


MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:], stdout=subprocess.DEVNULL)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command from a small process: a child's peak begins with that of who started it."""


def test_memory_stays_below_the_volume(tmp_path):
    """800 MB of voxels pass through in bricks and in strips, in processes of their own."""
    shape = (400, 500, 1000)
    with MrcWriter(tmp_path / "a.mrc", shape, 5.0) as writer:
        for z in range(shape[0]):
            writer.write((z, 0, 0), np.full((1, *shape[1:]), z % 7, np.float32))

    for words in (("convert", "a.mrc", "a.zarr"), ("view", "a.mrc")):
        program = Path(sys.executable).with_name("vitreous")
        command = [sys.executable, "-c", MEASURED, program, "-q", *words]
        ended = subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True, text=True)

        peak = 1024 * int(ended.stdout.split()[-1])
        assert peak < 0.75 * 4 * np.prod(shape), words
