"""MotionCor's lists of frames that are summed, and the doses they make."""

import json

import numpy as np
import pytest

from tests.formats.eer_files import packed, write_eer
from vitreous.errors import FormatError
from vitreous.formats.eer import groups_for
from vitreous.formats.fm_int import integrated_groups, raw_doses, read_fm_int
from vitreous.formats.movie_settings import MovieSettings
from vitreous.formats.movies import frame_doses, open_movie, require_frames
from vitreous.formats.tiff import write_tiff_stack


@pytest.fixture
def listed(tmp_path):
    """listed('2 1 0.1', ...) -> settings of reading with such a file."""

    def written(*lines):
        path = tmp_path / "FmIntFile.txt"
        path.write_text("\n".join(lines) + "\n")
        return MovieSettings(fm_int_file=path)

    return written


def test_raw_frames_are_summed_as_motioncor_does(shared, listed):
    for case in json.loads((shared / "reference/session_vectors.json").read_text())["fm_int_file"]:
        how = listed(*(f"{frames} {size}" for frames, size in case["entries"]))
        groups = groups_for(case["n_raw"], how)
        assert [[group.start, len(group)] for group in groups] == case["frames"], case


@pytest.mark.parametrize(
    ("lines", "raw_frames", "sizes"),
    [
        (("4 1 0.1", "4 2 0.3"), 8, [1] * 8),  # of differing dose: nothing is summed
        (("4 1", "4 1"), 9, [1] * 9),
        (("2 10",), 3, [3]),  # too few for a single frame
        (("3 3", "2 10"), 5, [5]),
    ],
)
def test_lists_at_their_limits(listed, lines, raw_frames, sizes):
    groups = integrated_groups(read_fm_int(listed(*lines).fm_int_file), raw_frames)

    assert [len(group) for group in groups] == sizes
    assert [raw for group in groups for raw in group] == list(range(raw_frames))


def test_the_first_line_decides_whether_there_are_doses(listed):
    with_doses = read_fm_int(listed("4 2 0.1", "", "4 4 0.1").fm_int_file)
    without = read_fm_int(listed("4 2", "4 4 0.1").fm_int_file)

    assert raw_doses(with_doses, 10).tolist() == [0.1] * 10
    assert raw_doses(without, 10) is None


@pytest.mark.parametrize(
    ("lines", "line"), [(["4 2", "4"], 2), (["4 0"], 1), (["a 2"], 1), (["4 2 0.1", "4 2"], 2)]
)
def test_a_broken_line_is_named(listed, lines, line):
    with pytest.raises(FormatError, match=rf"FmIntFile.txt:{line}: .* is no line of frames"):
        read_fm_int(listed(*lines).fm_int_file)


def test_an_empty_list_is_refused(listed):
    with pytest.raises(FormatError, match="no line says which frames"):
        read_fm_int(listed("").fm_int_file)


def test_frames_of_an_eer_movie_have_the_doses_of_their_raw_frames(tmp_path, listed):
    path = write_eer(tmp_path / "x.eer", [packed([(5, 0)], 32 * 24, 7, 4)] * 11, (32, 24))
    how = listed("4 1 0.25", "6 3 0.25")

    movie = open_movie(path, how, pixel_size=1.5)

    assert [int(movie.read(k).sum()) for k in range(6)] == [1, 1, 1, 1, 3, 4]
    np.testing.assert_allclose(frame_doses(movie, how, 99.0), [0.25, 0.25, 0.25, 0.25, 0.75, 1.0])
    require_frames(movie, 11)


def test_frames_of_a_tiff_movie_are_summed_and_share_its_dose(tmp_path, listed, rng):
    raw = rng.integers(0, 9, (7, 24, 32)).astype(np.uint8)
    write_tiff_stack(tmp_path / "x.tif", list(raw), 1.5)
    how = listed("1 1", "6 3")

    movie = open_movie(tmp_path / "x.tif", how)

    assert movie.shape == (3, 24, 32)
    np.testing.assert_array_equal(movie.read(1), raw[1:4].sum(0))
    np.testing.assert_allclose(frame_doses(movie, how, 14.0), [2.0, 6.0, 6.0])
    assert frame_doses(movie, how, None) is None
    require_frames(movie, 7)


def test_raw_frames_that_are_left_out_take_their_dose_with_them(tmp_path):
    path = write_eer(tmp_path / "x.eer", [packed([(5, 0)], 32 * 24, 7, 4)] * 11, (32, 24))
    apart, joined = MovieSettings(eer_group=4), MovieSettings(eer_group=4, eer_join_rest=True)

    np.testing.assert_allclose(frame_doses(open_movie(path, apart), apart, 22.0), [8, 8])
    np.testing.assert_allclose(frame_doses(open_movie(path, joined), joined, 22.0), [8, 14])
