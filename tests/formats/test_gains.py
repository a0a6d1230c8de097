import numpy as np
import pytest
import tifffile

from tests.formats.dm_files import dm_bytes
from tests.formats.test_mrc import written
from vitreous.errors import FormatError, UnknownFormatError
from vitreous.formats.gains import read_defects, read_gain, write_defects

GAIN = np.linspace(0.5, 1.5, 24, dtype=np.float32).reshape(4, 6)


def test_rows_of_tiff_and_dm_gains_are_turned_round_and_those_of_mrc_and_eer_are_not(tmp_path):
    written(tmp_path, GAIN, "x.mrc", size=(6, 4, 1))
    tifffile.imwrite(tmp_path / "x.tif", GAIN)
    tifffile.imwrite(tmp_path / "x.gain", GAIN)
    (tmp_path / "x.dm4").write_bytes(dm_bytes(GAIN))

    for name, turned in (("x.mrc", 1), ("x.tif", -1), ("x.gain", 1), ("x.dm4", -1)):
        np.testing.assert_array_equal(read_gain(tmp_path / name), GAIN[::turned], err_msg=name)


def test_a_gain_of_many_images_or_of_no_numbers_is_refused(tmp_path):
    many = written(tmp_path, np.stack([GAIN, GAIN]), "many.mrc", size=(6, 4, 2))
    broken = written(tmp_path, np.where(GAIN > 1, np.nan, GAIN), "nan.mrc", size=(6, 4, 1))
    text = tmp_path / "x.txt"
    text.write_text("1\n2\n")

    with pytest.raises(FormatError, match="one image, this file holds 2"):
        read_gain(many)
    with pytest.raises(FormatError, match="12 values of the gain are no numbers"):
        read_gain(broken)
    with pytest.raises(UnknownFormatError, match="a gain reference was expected"):
        read_gain(text)


def test_defects_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "defects.txt"
    boxes = np.array([[3, 4, 1, 1], [100, 0, 2, 4092]])

    write_defects(path, boxes)

    assert path.read_text() == "3 4 1 1\n100 0 2 4092\n"
    np.testing.assert_array_equal(read_defects(path), boxes)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n", "expected 4 numbers, found 3"),
        ("1 2 3 -1\n", "whole numbers"),
        ("1.5 2 1 1\n", "whole numbers"),
        ("CameraSizeX 5760\nBadColumns 3 4\n", "SerialEM's list"),
    ],
)
def test_a_list_of_defects_that_is_none_says_why(tmp_path, text, message):
    path = tmp_path / "defects.txt"
    path.write_text(text)

    with pytest.raises(FormatError, match=message):
        read_defects(path)


def test_comments_and_an_empty_list_are_no_defects(tmp_path):
    path = tmp_path / "defects.txt"
    path.write_text("# x y w h\n\n")

    assert len(read_defects(path)) == 0
