import json
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tifffile

from tests.formats.test_mrc import header_bytes, written
from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import open_movie, require_frames
from vitreous.formats.mrc_header import IMOD_FOUR_BITS, IMOD_STAMP
from vitreous.kernels.ahead import read_ahead
from vitreous.records.images import ArrayStack

NIBBLES = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]], np.uint8)


def frames_of(movie):
    return np.stack(list(read_ahead(movie)))


@pytest.fixture
def counts(rng):
    return rng.poisson(3, (5, 24, 36)).astype(np.uint8)


@pytest.mark.parametrize("compression", [None, "lzw", "deflate", "zstd"])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_tiff_movies_come_frame_by_frame(tmp_path, counts, compression, dtype):
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in counts:
            page = {"photometric": "minisblack", "compression": compression, "rowsperstrip": 7}
            writer.write(frame.astype(dtype), contiguous=False, **page)

    movie = open_movie(path, pixel_size=1.5)

    assert movie.shape == counts.shape
    assert movie.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(frames_of(movie), counts[:, ::-1])


@pytest.mark.parametrize("patches", [[(152, "2i", IMOD_STAMP, 1)], [(152, "2i", IMOD_STAMP, 0)]])
def test_bytes_of_mrc_movies_are_signed_or_not(tmp_path, patches):
    stored = np.array([[[0, 127, 128, 255]]], np.uint8)
    path = written(tmp_path, stored, "x.mrcs", size=(4, 1, 1), mode=0, patches=patches)

    signed = patches[0][3] == 1
    assert open_movie(path).read(0).tolist() == [
        [0, 127, -128, -1] if signed else [0, 127, 128, 255]
    ]


@pytest.mark.parametrize(("mode", "dtype"), [(1, "i2"), (2, "f4"), (6, "u2"), (12, "f2")])
def test_mrc_movies_of_every_mode(tmp_path, counts, mode, dtype):
    path = written(tmp_path, counts.astype(dtype), "x.mrc", size=(36, 24, 5), mode=mode)

    np.testing.assert_array_equal(frames_of(open_movie(path)), counts)


def test_mode_101_has_two_pixels_a_byte_and_whole_bytes_a_row(tmp_path, shared):
    example = json.loads((shared / "reference" / "session_vectors.json").read_text())[
        "mrc_mode_101"
    ]
    plane = bytes.fromhex(example["hex"])
    size = (example["nx"], example["ny"], 2)
    path = tmp_path / "x.mrc"
    path.write_bytes(header_bytes(size, mode=101) + plane + plane[::-1])

    movie = open_movie(path)

    assert movie.shape == (2, 2, 5)
    assert movie.read(0).tolist() == example["values"] == NIBBLES.tolist()


@pytest.mark.parametrize("how", ["IMOD's flag", "SerialEM's title"])
def test_bytes_that_hold_two_pixels_are_told(tmp_path, how):
    columns, rows = (3838, 7420) if how == "SerialEM's title" else (3, 2)
    packed = np.full((rows, columns), 0x21, np.uint8)
    flags = [(152, "2i", IMOD_STAMP, IMOD_FOUR_BITS)]
    title = [(220, "i", 1), (224, "14s", b"4 bits packed ")]
    patches = title if how == "SerialEM's title" else flags
    path = written(tmp_path, packed, size=(columns, rows, 1), mode=0, patches=patches)

    movie = open_movie(path)

    assert movie.shape == (1, rows, 2 * columns)
    assert movie.read(0)[0, :4].tolist() == [1, 2, 1, 2]
    assert movie.pixel_size == 2.5


def test_four_bits_of_a_tiff_movie_are_told_by_the_size_and_can_be_denied(tmp_path):
    path = tmp_path / "x.tif"
    packed = np.full((7420, 3838), 0x21, np.uint8)
    tifffile.imwrite(path, packed, compression="lzw", photometric="minisblack")

    auto, denied = open_movie(path, None, 1.0), open_movie(path, MovieSettings(four_bits="no"), 1.0)

    assert auto.shape == (1, 7420, 7676)
    assert auto.read(0)[7, :4].tolist() == [1, 2, 1, 2]
    assert denied.shape == (1, 7420, 3838)


def test_threads_read_frames_of_one_file(tmp_path, counts):
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, counts, compression="lzw", photometric="minisblack")
    movie = open_movie(path, pixel_size=1.0)

    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(movie.read, [k % 5 for k in range(40)]))

    np.testing.assert_array_equal(read, counts[[k % 5 for k in range(40)], ::-1])


def test_a_truncated_movie_says_where_it_ends(tmp_path, counts):
    path = tmp_path / "x.tif"
    with tifffile.TiffWriter(path) as writer:
        for frame in counts:
            writer.write(frame, compression="lzw", photometric="minisblack", contiguous=False)
    whole = path.read_bytes()

    for share in (0.3, 0.5, 0.7, 0.9):
        path.write_bytes(whole[: int(share * len(whole))])
        with pytest.raises(FormatError, match=r"x\.tif: .*(ends|whole)"):
            open_movie(path, pixel_size=1.0)


def test_a_wrong_number_of_frames_is_said(tmp_path, counts):
    path = written(tmp_path, counts, size=(36, 24, 5), mode=0)

    with pytest.raises(FormatError, match="6 frames were recorded, 5 are in the file"):
        require_frames(open_movie(path), 6)


def test_what_is_no_movie_is_refused(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("1.5\n2.5\n")

    with pytest.raises(UnknownFormatError, match="a movie was expected"):
        open_movie(path)


# -- reading ahead --------------------------------------------------------------------------------


class Watched(ArrayStack):
    """A stack that counts what is read."""

    started = 0

    def read(self, index):
        Watched.started += 1
        return super().read(index)


def test_frames_are_read_ahead_of_their_use_but_not_far():
    Watched.started = 0
    stack = Watched(np.arange(60).reshape(10, 2, 3), 1.0)

    frames = read_ahead(stack, range(3, 10), threads=2, ahead=2)
    first = next(frames)
    time.sleep(0.05)

    assert first[0, 0] == 18
    assert Watched.started == 2
    assert [frame[0, 0] for frame in frames] == [24, 30, 36, 42, 48, 54]


def test_an_error_comes_when_its_frame_has_its_turn():
    frames = read_ahead(ArrayStack(np.zeros((3, 2, 2)), 1.0), [0, 1, 7])

    next(frames)
    next(frames)
    with pytest.raises(IndexError):
        next(frames)
