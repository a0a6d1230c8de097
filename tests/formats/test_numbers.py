import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitreous.errors import FormatError, UserError
from vitreous.formats.numbers import parse_columns, read_columns


def written(tmp_path, text):
    path = tmp_path / "angles.tlt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_column_of_angles_is_read_with_blanks_crlf_and_empty_lines(tmp_path):
    path = written(tmp_path, "\ufeff  -60.00\r\n\r\n 1e1\r\n\t-0.0")

    angles = read_columns(path, 1, "tilt angle")

    np.testing.assert_array_equal(angles, [[-60], [10], [0]])


def test_without_a_count_the_first_line_sets_it(tmp_path):
    path = written(tmp_path, "1 2 3\n4 5 6\n")

    assert read_columns(path, None, "tilt angle").shape == (2, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\n2 3\n", ":2: tilt angle: expected 1 number, found 2: '2 3'"),
        ("1\nfoo\n", ":2: tilt angle: expected a number, found 'foo'"),
        ("1\n\n12,5\n", ":3: .*found '12,5'. Write numbers with a decimal point"),
        ("nan\n", ":1: .*expected a number, found 'nan'"),
        ("1_0\n", ":1: .*expected a number, found '1_0'"),
        ("****\n", ":1: .*too long for the program"),
        ("\n\n", ":1: tilt angle: the file holds no numbers"),
        (b"1\n\0\n", "byte 2: text was expected"),
        ("", "byte 0: the file is empty"),
        ("version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer.*git lfs pull"),
    ],
)
def test_a_broken_file_names_the_place_and_what_was_expected(tmp_path, text, message):
    path = written(tmp_path, text)

    with pytest.raises(FormatError, match=f"^{re.escape(str(path))}.*{message}"):
        read_columns(path, 1, "tilt angle")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=r"nowhere.tlt can't be read: No such file"):
        read_columns(tmp_path / "nowhere.tlt", 1, "tilt angle")


def test_numbers_that_ran_together_are_cut_by_width():
    line = "   0.9000000  -0.4000000   0.4000000   0.9000000-12345.125-1234567.125"

    row = parse_columns([(1, line)], 6, "transform", widths=(12, 12, 12, 12, 10, 12))

    np.testing.assert_array_equal(row, [[0.9, -0.4, 0.4, 0.9, -12345.125, -1234567.125]])


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_written_numbers_come_back(numbers):
    lines = [(i, f" {value!r}") for i, value in enumerate(numbers, 1)]

    np.testing.assert_array_equal(parse_columns(lines, 1, "number")[:, 0], numbers)
