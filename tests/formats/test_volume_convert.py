import numpy as np
import pytest

from vitreous.formats import volumes
from vitreous.formats.mrc import MrcWriter, open_stack, read_volume
from vitreous.formats.volume_convert import GreyScale, convert_volume


@pytest.fixture
def volume(tmp_path, rng):
    """(path, values (z, y, x)) of a float volume about 500 with an SD of 20."""
    values = (500 + 20 * rng.normal(size=(7, 5, 6))).astype(np.float32)
    path = tmp_path / "a.mrc"
    with MrcWriter(path, values.shape, 4.0) as writer:
        writer.write((0, 0, 0), values)
    return path, values


@pytest.fixture(params=[64_000_000, 250])
def block_bytes(request, monkeypatch):
    """All sections at once, or two by two."""
    monkeypatch.setattr(volumes, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("block_bytes")
def test_axes_turn_as_clip_rotx_and_back(tmp_path, volume):
    path, values = volume

    convert_volume(path, tmp_path / "xzy.mrc", axes="xyz-to-xzy")
    convert_volume(tmp_path / "xzy.mrc", tmp_path / "xyz.mrc", axes="xzy-to-xyz")

    turned = read_volume(tmp_path / "xzy.mrc").data
    for z, y, x in np.ndindex(values.shape):
        assert turned[y, len(values) - 1 - z, x] == values[z, y, x]
    again = read_volume(tmp_path / "xyz.mrc")
    np.testing.assert_array_equal(again.data, values)
    assert again.voxel_size == 4.0


@pytest.mark.usefixtures("block_bytes")
@pytest.mark.parametrize("mode", ["int8", "int16"])
def test_integers_hold_the_mean_and_eight_deviations(tmp_path, volume, mode):
    path, values = volume

    scale = convert_volume(path, tmp_path / "b.mrc", mode=mode)

    with open_stack(tmp_path / "b.mrc") as stored:
        found = np.stack([stored.read(i) for i in range(7)])
        assert f"{mode}, axes keep, {scale}" in stored.header.labels
    assert found.dtype == mode
    np.testing.assert_allclose(found, (values + scale.add) * scale.multiply, atol=0.51)
    assert found.std() * 8 == pytest.approx(np.iinfo(mode).max, rel=0.05)


def test_a_scaling_of_ones_own_may_cut_and_says_so(tmp_path, volume, caplog):
    path, values = volume

    convert_volume(path, tmp_path / "b.mrc", mode="int8", grey_scale=GreyScale(-500.0, 10.0))

    found = read_volume(tmp_path / "b.mrc").data
    wanted = np.clip(np.rint((values - 500) * 10), -128, 127)
    np.testing.assert_array_equal(found, wanted)
    beyond = int((abs((values - 500) * 10 + 0.5) > 128).sum())
    assert beyond
    assert f"{beyond} voxels beyond the range of int8 were cut" in caplog.text


def test_values_that_fit_stay(tmp_path, volume):
    path, values = volume
    convert_volume(path, tmp_path / "half.mrc", mode="float16")
    convert_volume(path, tmp_path / "int8.mrc", mode="int8")

    scale = convert_volume(tmp_path / "int8.mrc", tmp_path / "int16.mrc", mode="int16")

    assert scale == GreyScale()
    np.testing.assert_array_equal(
        read_volume(tmp_path / "int16.mrc").data, read_volume(tmp_path / "int8.mrc").data
    )
    np.testing.assert_array_equal(
        read_volume(tmp_path / "half.mrc").data, values.astype(np.float16)
    )


def test_a_stack_keeps_its_angles(tmp_path):
    path = tmp_path / "s.mrc"
    angles = np.array([-3.0, 0.0, 3.0])
    with MrcWriter(path, (3, 4, 5), 2.0, is_stack=True, tilt_angles=angles) as writer:
        writer.write((0, 0, 0), np.ones((3, 4, 5), np.float32))

    convert_volume(path, tmp_path / "b.mrc", mode="float16")

    with open_stack(tmp_path / "b.mrc") as stored:
        np.testing.assert_array_equal(stored.tilt_angles, angles)
        assert stored.header.ispg == 0


def test_a_pixel_size_can_be_given(tmp_path, volume):
    convert_volume(volume[0], tmp_path / "b.mrc", pixel_size=7.5)

    assert read_volume(tmp_path / "b.mrc").voxel_size == 7.5
