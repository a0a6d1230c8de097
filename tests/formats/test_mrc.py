import bz2
import gzip
import io
import struct
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import mrcfile
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mrcfile.dtypes import get_ext_header_dtype

from vitreous.errors import FormatError, OutputError, UnknownFormatError, UserError
from vitreous.formats.mrc import MrcWriter, open_stack, read_volume
from vitreous.formats.mrc_header import read_header

DTYPES = [np.float32, np.float16, np.int16, np.uint16, np.int8]


def header_bytes(size=(4, 3, 2), mode=2, pixel=2.5, order="<", extended=b"", patches=()):
    """A plain header by hand; patches: (byte, format, values) written last."""
    raw = bytearray(1024)
    nx, ny, nz = size
    struct.pack_into(order + "10i", raw, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
    struct.pack_into(order + "6f", raw, 40, nx * pixel, ny * pixel, nz * pixel, 90, 90, 90)
    struct.pack_into(order + "3i", raw, 64, 1, 2, 3)
    struct.pack_into(order + "i", raw, 92, len(extended))
    raw[208:212] = b"MAP "
    raw[212:216] = b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0"
    for byte, layout, *values in patches:
        struct.pack_into(order + layout, raw, byte, *values)
    return bytes(raw) + extended


def written(tmp_path, data, name="x.mrc", **kwargs):
    path = tmp_path / name
    path.write_bytes(header_bytes(**kwargs) + data.tobytes())
    return path


def validated(path):
    said = io.StringIO()
    assert mrcfile.validate(path, print_file=said), said.getvalue()
    return path


# -- reading --------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize(
    ("mode", "dtype"), [(0, "i1"), (1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")]
)
def test_every_mode_is_read_in_both_byte_orders(tmp_path, mode, dtype, order):
    data = np.arange(24).reshape(2, 3, 4).astype(order + dtype)
    path = written(tmp_path, data, mode=mode, order=order)

    with open_stack(path) as stack:
        images = np.stack([stack.read(i) for i in range(2)])

    assert (stack.shape, stack.pixel_size) == ((2, 3, 4), 2.5)
    assert images.dtype == stack.dtype == np.dtype(dtype)
    assert images.dtype.isnative
    np.testing.assert_array_equal(images, data)


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_packed_files_are_opened_as_they_are(tmp_path, pack):
    data = np.arange(24, dtype="<f4").reshape(2, 3, 4)
    path = tmp_path / "x.map"
    path.write_bytes(pack(header_bytes() + data.tobytes()))

    with open_stack(path) as stack:
        np.testing.assert_array_equal(stack.read(1), data[1])


@pytest.mark.parametrize(
    ("patches", "highest"),
    [
        ([(152, "2i", 1146047817, 0)], 255),
        ([(152, "2i", 1146047817, 1)], -1),
        ([(76, "3f", 0, 255, 100)], 255),
        ([(76, "3f", -128, 127, 0)], -1),
        ([], -1),
    ],
)
def test_bytes_are_signed_as_imod_says_or_as_the_range_shows(tmp_path, patches, highest):
    path = written(tmp_path, np.full((2, 3, 4), 255, np.uint8), mode=0, patches=patches)

    assert open_stack(path).read(0)[0, 0] == highest


@pytest.mark.parametrize("mode", [3, 4, 16])
def test_a_mode_that_is_not_read_says_so(tmp_path, mode):
    path = written(tmp_path, np.zeros(100, np.uint8), mode=mode)

    with pytest.raises(UnknownFormatError, match=rf"x.mrc: MRC mode {mode}, .* is not read"):
        open_stack(path)


@pytest.mark.parametrize(
    ("patches", "remark"),
    [
        ([(208, "4s", b"\0\0\0\0")], "no 'MAP ' at byte 208"),
        ([(212, "4s", b"\x44\0\0\0")], "odd machine stamp 44000000"),
        ([(212, "4s", b"\0\0\0\0")], "odd machine stamp 00000000"),
        ([(212, "4s", b"\x11\x11\0\0")], "contradicts the byte order"),
        ([(64, "3i", 0, 0, 0)], "axes of columns, rows and sections not stated"),
        ([(44, "f", 3 * 3.5)], "along y differs: 3.5 A"),
        ([(40, "f", 4.0), (44, "f", 3.0)], "exactly 1 A"),
    ],
)
def test_an_oddity_is_read_with_a_remark(tmp_path, patches, remark):
    path = written(tmp_path, np.ones((2, 3, 4), "<f4"), patches=patches)

    header = read_header(path)

    assert any(remark in said for said in header.remarks), header.remarks
    assert header.size == (4, 3, 2)
    assert open_stack(path).read(1).sum() == 12


@pytest.mark.parametrize("cell", [0.0, -40.0, float("nan"), 1e12])
def test_a_pixel_size_that_makes_no_sense_must_be_given(tmp_path, cell):
    path = written(tmp_path, np.ones((2, 3, 4), "<f4"), patches=[(40, "f", cell)])

    assert read_header(path).pixel_size is None
    with pytest.raises(UserError, match=r"x.mrc: .*pixel size.*give it with --pixel"):
        open_stack(path)
    assert open_stack(path, pixel_size=3.25).pixel_size == 3.25


def test_a_given_pixel_size_goes_before_the_headers(tmp_path):
    stack = open_stack(written(tmp_path, np.ones((2, 3, 4), "<f4")), pixel_size=7.0)

    assert (stack.pixel_size, stack.header.pixel_size) == (7.0, 2.5)


def test_a_truncated_file_names_the_byte_the_section_and_what_was_expected(tmp_path):
    whole = header_bytes() + np.ones((2, 3, 4), "<f4").tobytes()
    path = tmp_path / "x.mrc"
    path.write_bytes(whole[:-10])

    with pytest.raises(FormatError) as caught:
        open_stack(path)

    assert str(caught.value).startswith(
        f"{path}: byte 1110: the file ends in section 2 of 2: 1120 bytes expected "
        "(4x3x2 of mode 2), 1110 found"
    )


@pytest.mark.parametrize(
    ("cut", "message"),
    [
        (0, "byte 0: the file is empty"),
        (500, "byte 500: the file ends inside the MRC header"),
        (1030, "byte 1030: the file ends inside the extended header, which has 16 bytes"),
    ],
)
def test_a_header_that_is_cut_names_the_byte(tmp_path, cut, message):
    path = tmp_path / "x.mrc"
    path.write_bytes(header_bytes(extended=bytes(16))[:cut])

    with pytest.raises(FormatError, match=message):
        read_header(path)


def test_a_cut_gzip_is_a_format_error(tmp_path, rng):
    path = tmp_path / "x.mrc.gz"
    noise = rng.normal(size=(2, 3, 4)).astype("<f4")
    path.write_bytes(gzip.compress(header_bytes() + noise.tobytes())[:-60])

    with pytest.raises(FormatError, match="compression is damaged"):
        open_stack(path)


def test_a_section_that_is_not_there_is_named(tmp_path):
    stack = open_stack(written(tmp_path, np.ones((2, 3, 4), "<f4")))

    with pytest.raises(UserError, match="has 2 sections, there is no number 3"):
        stack.read(2)


@given(st.binary(max_size=1200), st.integers(0, 1100), st.binary(max_size=64))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_random_bytes_are_read_or_refused(tmp_path, noise, place, patch):
    good = bytearray(header_bytes() + np.ones((2, 3, 4), "<f4").tobytes())
    good[place : place + len(patch)] = patch
    path = tmp_path / "x.mrc"

    for content in (noise, bytes(good)):
        path.write_bytes(content)
        with suppress(FormatError, UserError):
            assert open_stack(path).read(0).ndim == 2


# -- extended headers -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
def test_serialem_angles_are_read(tmp_path, order):
    records = b"".join(
        struct.pack(order + "3h", angle, 1, 2) + bytes(8) for angle in (-6001, 0, 300)
    )
    extended = records + bytes(5)
    patches = [(104, "4s", b"SERI"), (128, "2h", 14, 61)]
    path = written(
        tmp_path,
        np.zeros((3, 3, 4), "<f4"),
        size=(4, 3, 3),
        order=order,
        extended=extended,
        patches=patches,
    )

    header = read_header(path)

    np.testing.assert_array_equal(header.tilt_angles, [-60.01, 0, 3])
    assert (header.extended_kind, header.extended_bytes) == ("SerialEM", 47)


@pytest.mark.parametrize("kind", [b"FEI1", b"FEI2"])
def test_fei_angles_and_pixel_size_are_read(tmp_path, kind):
    table = np.zeros(3, get_ext_header_dtype(kind, "<"))
    table["Metadata size"] = table.dtype.itemsize
    table["Alpha tilt"], table["Pixel size X"] = [-3.5, 0, 3.5], 1.7e-10
    path = written(
        tmp_path,
        np.zeros((3, 3, 4), "<f4"),
        size=(4, 3, 3),
        pixel=0,
        extended=table.tobytes(),
        patches=[(104, "4s", kind)],
    )

    header = read_header(path)

    np.testing.assert_array_equal(header.tilt_angles, [-3.5, 0, 3.5])
    assert header.pixel_size == pytest.approx(1.7)
    assert "pixel size from the extended header" in header.remarks


def test_feis_first_layout_is_read(tmp_path):
    table = np.zeros((1024, 32), "<f4")
    table[:3, 0], table[:3, 11] = [-3.5, 0, 3.5], 2e-10
    path = written(
        tmp_path,
        np.zeros((3, 3, 4), "<f4"),
        size=(4, 3, 3),
        pixel=0,
        extended=table.tobytes(),
        patches=[(128, "2h", 0, 32)],
    )

    header = read_header(path)

    np.testing.assert_array_equal(header.tilt_angles, [-3.5, 0, 3.5])
    assert header.pixel_size == pytest.approx(2.0)


@pytest.mark.parametrize("angle", [0.0, float("nan"), 1e9])
def test_angles_that_nobody_wrote_are_none(tmp_path, angle):
    table = np.full((2, 32), angle, "<f4")
    path = written(
        tmp_path,
        np.zeros((2, 3, 4), "<f4"),
        extended=table.tobytes(),
        patches=[(104, "4s", b"AGAR"), (128, "2h", 0, 32)],
    )

    assert read_header(path).tilt_angles is None


# -- writing --------------------------------------------------------------------------------------


@given(
    data=st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays(
            dtype,
            st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)),
            elements=(
                {"allow_nan": False, "min_value": -60000, "max_value": 60000}
                if np.dtype(dtype).kind == "f"
                else None
            ),
        )
    ),
    is_stack=st.booleans(),
    pixel_size=st.floats(0.1, 1000),
)
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_what_is_written_comes_back(tmp_path, data, is_stack, pixel_size):
    path = tmp_path / "x.mrc"

    with MrcWriter(path, data.shape, pixel_size, data.dtype, is_stack=is_stack) as writer:
        writer.write((0, 0, 0), data)

    with open_stack(path) as stack:
        images = np.stack([stack.read(i) for i in range(len(data))])
    np.testing.assert_array_equal(images, data)
    assert images.dtype == data.dtype
    assert stack.pixel_size == pytest.approx(pixel_size, rel=2e-6)
    assert (stack.header.ispg, stack.header.remarks[:1]) in [
        (0 if is_stack else 1, ()),
        (0 if is_stack else 1, ("a pixel size of exactly 1 A often means that it wasn't set",)),
    ]
    np.testing.assert_array_equal(mrcfile.read(path).reshape(data.shape), data)


@pytest.mark.parametrize("is_stack", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_written_is_valid(tmp_path, rng, dtype, is_stack):
    data = rng.normal(50, 10, (3, 4, 5)).astype(dtype)
    path = tmp_path / "x.mrc"

    with MrcWriter(path, data.shape, 2.5, data.dtype, is_stack=is_stack) as writer:
        writer.write((0, 0, 0), data)

    validated(path)


def test_blocks_may_come_in_any_order_from_any_thread(tmp_path, rng):
    volume = rng.normal(1000, 3, (10, 12, 14)).astype(np.float32)
    path = tmp_path / "x.mrc"
    corners = [(z, y, x) for z in (0, 5) for y in (0, 4, 8) for x in (0, 7)]

    with (
        MrcWriter(path, volume.shape, 3.0, labels=["a label"]) as writer,
        ThreadPoolExecutor(4) as pool,
    ):
        blocks = [volume[z : z + 5, y : y + 4, x : x + 7] for z, y, x in corners]
        list(pool.map(writer.write, corners, blocks))

    read = read_volume(validated(path))
    np.testing.assert_array_equal(read.data, volume)
    assert (read.grid.size, read.grid.centre, read.voxel_size) == ((14, 12, 10), (7, 6, 5), 3.0)
    header = read_header(path)
    assert header.labels[0].startswith("vitreous ")
    assert header.labels[1] == "a label"
    with mrcfile.open(path) as mrc:
        assert float(mrc.header.rms) == pytest.approx(volume.std(dtype=np.float64), rel=1e-5)
        assert float(mrc.header.dmean) == pytest.approx(volume.mean(dtype=np.float64), rel=1e-6)


def test_integers_are_rounded_and_cut_to_their_range(tmp_path):
    path = tmp_path / "x.mrc"

    with MrcWriter(path, (1, 1, 4), 3.0, np.int8) as writer:
        writer.write((0, 0, 0), np.array([[[-1e9, -1.5, 1.6, 1e9]]], np.float32))

    assert open_stack(validated(path)).read(0).tolist() == [[-128, -2, 2, 127]]


def test_signed_bytes_carry_imods_flag(tmp_path):
    path = tmp_path / "x.mrc"

    with MrcWriter(path, (1, 1, 1), 3.0, np.int8) as writer:
        writer.write((0, 0, 0), np.zeros((1, 1, 1), np.int8))

    assert struct.unpack("<2i", path.read_bytes()[152:160]) == (1146047817, 1)


def test_written_tilt_angles_come_back(tmp_path):
    path = tmp_path / "x.mrc"
    angles = np.array([-60.015, 0, 33.25])

    with MrcWriter(path, (3, 2, 2), 3.0, is_stack=True, tilt_angles=angles) as writer:
        writer.write((0, 0, 0), np.ones((3, 2, 2), np.float32))

    with open_stack(validated(path)) as stack:
        np.testing.assert_allclose(stack.tilt_angles, angles, atol=2e-6)
        assert stack.read(2).sum() == 4


def test_ten_labels_of_eighty_letters_are_the_most(tmp_path):
    path = tmp_path / "x.mrc"

    with MrcWriter(path, (1, 1, 1), 3.0, labels=["å" * 100] * 20) as writer:
        writer.write((0, 0, 0), np.zeros((1, 1, 1), np.float32))

    assert read_header(validated(path)).labels[1:] == ("?" * 80,) * 9


def test_a_type_that_mrc_lacks_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"MRC holds int8, int16, .* not uint8"):
        MrcWriter(tmp_path / "x.mrc", (1, 1, 1), 3.0, np.uint8)


def test_a_volume_that_was_not_written_whole_is_not_kept(tmp_path):
    path = tmp_path / "x.mrc"
    path.write_text("old")

    with (
        pytest.raises(OutputError, match="only 6 of 24 voxels were written"),
        MrcWriter(path, (4, 2, 3), 3.0) as writer,
    ):
        writer.write((0, 0, 0), np.zeros((1, 2, 3), np.float32))

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_while_writing_keeps_the_old_volume(tmp_path):
    path = tmp_path / "x.mrc"
    path.write_text("old")

    with pytest.raises(ZeroDivisionError), MrcWriter(path, (4, 2, 3), 3.0):
        raise ZeroDivisionError

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_known_before_the_work(tiny_disk):
    path = tiny_disk / "x.mrc"
    path.write_text("old")

    with (
        pytest.raises(
            OutputError, match=r"full. 101 kB are needed and 61.4 kB are free. Make room"
        ),
        MrcWriter(path, (1, 100, 250), 3.0),
    ):
        pytest.fail("the disk has no room for this")

    assert path.read_text() == "old"
    assert list(tiny_disk.iterdir()) == [path]


def test_a_file_size_limit_is_known_before_the_work(tmp_path, file_size_limit):
    path = tmp_path / "x.mrc"
    path.write_text("old")

    with (
        file_size_limit(50_000),
        pytest.raises(OutputError, match="larger than this system allows"),
        MrcWriter(path, (1, 100, 250), 3.0),
    ):
        pytest.fail("the file may not grow so large")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_known_before_the_work(tmp_path):
    with (
        pytest.raises(OutputError, match=r"the folder doesn't exist. Create it first"),
        MrcWriter(tmp_path / "nowhere" / "x.mrc", (1, 1, 1), 3.0),
    ):
        pytest.fail("there is no such folder")


def test_axes_in_another_order_are_turned(tmp_path, rng):
    data = rng.normal(size=(2, 3, 4)).astype("<f4")  # sections y, rows x, columns z
    path = written(tmp_path, data, patches=[(64, "3i", 3, 1, 2)])

    volume = read_volume(path)

    np.testing.assert_array_equal(volume.data, data.transpose(2, 0, 1))
    assert volume.grid.size == (3, 2, 4)
