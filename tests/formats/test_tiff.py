import gzip
from contextlib import suppress

import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats.tiff import open_tiff_stack, read_tiff_header, write_tiff_stack


@pytest.fixture
def pages(rng):
    return rng.integers(0, 200, (3, 20, 30)).astype(np.uint8)


def images(path):
    stack = open_tiff_stack(path, pixel_size=2.0)
    return np.stack([stack.read(i) for i in range(stack.shape[0])])


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["u1", "i2", ">u2", "f4"])
def test_every_compression_is_read_bottom_row_first(tmp_path, pages, compression, dtype):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pages.astype(dtype), compression=compression, photometric="minisblack")

    read = images(path)

    np.testing.assert_array_equal(read, pages[:, ::-1])
    assert read.dtype == np.dtype(dtype).newbyteorder("=")


def test_imagej_stacks_give_their_pixel_size(tmp_path, pages):
    path = tmp_path / "x.tif"
    tifffile.imwrite(
        path, pages, imagej=True, resolution=(1 / 0.25, 1 / 0.25), metadata={"unit": "nm"}
    )

    stack = open_tiff_stack(path)

    assert stack.pixel_size == pytest.approx(2.5, rel=1e-4)
    assert stack.shape == pages.shape
    np.testing.assert_array_equal(stack.read(2), pages[2, ::-1])


def test_a_packed_file_is_opened(tmp_path, pages):
    path = tmp_path / "x.tif"
    tifffile.imwrite(tmp_path / "plain.tif", pages, photometric="minisblack")
    path.write_bytes(gzip.compress((tmp_path / "plain.tif").read_bytes()))

    np.testing.assert_array_equal(images(path), pages[:, ::-1])


def test_a_printers_resolution_is_no_pixel_size(tmp_path, pages):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pages, photometric="minisblack", resolution=(72, 72))

    with pytest.raises(UserError, match=r"x.tif has no pixel size; give it with --pixel"):
        open_tiff_stack(path)


def test_a_section_that_is_not_there_is_named(tmp_path, pages):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pages, photometric="minisblack")

    with pytest.raises(UserError, match="has 3 sections, there is no number 4"):
        open_tiff_stack(path, 2.0).read(3)


def test_colours_are_refused(tmp_path, rng):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, rng.integers(0, 9, (4, 5, 3)).astype(np.uint8), photometric="rgb")

    with pytest.raises(UnknownFormatError, match="in colour, which is not read"):
        read_tiff_header(path)


def test_a_truncated_file_names_the_byte(tmp_path, pages):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, pages[0], photometric="minisblack", metadata=None)
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])

    with pytest.raises(FormatError, match=rf"byte {len(whole) - 100}: the file ends inside page 1"):
        read_tiff_header(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: the file is empty"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "Git LFS pointer"),
        (b"some text", "byte 0: not a TIFF file"),
        (b"II*\0\x08\0\0\0", "byte 8: (not a whole TIFF file|the TIFF file has no pages)"),
    ],
)
def test_what_is_no_tiff_is_refused(tmp_path, content, message):
    path = tmp_path / "x.tif"
    path.write_bytes(content)

    with pytest.raises(FormatError, match=message):
        read_tiff_header(path)


@given(st.integers(0, 2500), st.binary(max_size=20), st.integers(100, 2500))
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_damaged_files_are_read_or_refused(tmp_path, pages, place, patch, length):
    path = tmp_path / "x.tif"
    if not path.exists():
        tifffile.imwrite(path, pages, photometric="minisblack", compression="deflate")
    damaged = bytearray(path.read_bytes())
    damaged[place : place + len(patch)] = patch
    (tmp_path / "y.tif").write_bytes(damaged[:length])

    with suppress(FormatError):
        assert images(tmp_path / "y.tif").ndim == 3


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_written_stacks_are_read_as_they_were(tmp_path, pages, dtype):
    path = tmp_path / "a movie.tif"

    write_tiff_stack(path, iter(pages.astype(dtype)), pixel_size=1.37)

    stack = open_tiff_stack(path)
    assert stack.shape == pages.shape
    assert stack.dtype == dtype
    assert stack.header.compression == "lzw"
    assert stack.pixel_size == pytest.approx(1.37, rel=1e-4)
    np.testing.assert_array_equal(np.stack([stack.read(i) for i in range(3)]), pages)


def test_a_stack_that_cant_be_written_leaves_nothing(tmp_path, pages):
    def broken():
        yield pages[0]
        raise RuntimeError("the simulation failed")

    with pytest.raises(RuntimeError):
        write_tiff_stack(tmp_path / "x.tif", broken(), pixel_size=1.0)

    assert list(tmp_path.iterdir()) == []
