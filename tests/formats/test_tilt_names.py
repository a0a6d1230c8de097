import pytest

from vitreous.errors import FormatError
from vitreous.formats.file_lists import parse_list, read_file_list
from vitreous.formats.tilt_names import number_in_name, tilt_in_name


@pytest.mark.parametrize(
    ("name", "tilt", "number"),
    [
        ("s_001_0.0.tif", 0.0, 1),
        ("TS_01_003_-6.00.mrc", -6.0, 3),
        ("TS_01_041_60.00_20250113_171527_EER.mrc", 60.0, 41),
        ("x[-60.00].tif", -60.0, None),
        ("TS_12_004_[9.0].mrc", 9.0, 4),
        ("root_12_-60.0_Jan01_12.00.00.mrc", -60.0, 12),
        ("x_-60.00.mc.mrc", -60.0, None),
        ("x_-60.mc.mrc", -60.0, None),
        ("TS_17.mrc", 17.0, None),  # nothing better in a bare name
        ("TS_2024.mrc", None, None),
        ("grid3.mrc", None, None),
    ],
)
def test_angle_and_number_are_found_in_names(name, tilt, number):
    assert tilt_in_name(name) == tilt
    assert number_in_name(name) == number


def test_lists_run_upwards_and_downwards():
    assert parse_list("0-3, 7,9-8") == [0, 1, 2, 3, 7, 9, 8]
    with pytest.raises(ValueError, match="no list of numbers"):
        parse_list("1,x")


def test_a_list_of_files_has_a_count_and_two_lines_a_file(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("2\na.mrc\n0-1,5\nsub/b.mrc\n/\n")

    assert read_file_list(path) == [
        (tmp_path / "a.mrc", [0, 1, 5]),
        (tmp_path / "sub" / "b.mrc", None),
    ]


def test_bare_names_are_a_list_too(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("a.mrc\nb.mrc\n")

    assert read_file_list(path) == [(tmp_path / "a.mrc", None), (tmp_path / "b.mrc", None)]


@pytest.mark.parametrize("text", ["3\na.mrc\n0\n", "1\na.mrc\nx\n", "\n"])
def test_a_list_that_doesnt_add_up_is_a_format_error(tmp_path, text):
    path = tmp_path / "list.txt"
    path.write_text(text)

    with pytest.raises(FormatError, match=r"list\.txt"):
        read_file_list(path)
