import numpy as np
import pytest
import tifffile

from vitreous.errors import UnknownFormatError
from vitreous.formats.images import open_images
from vitreous.formats.mrc import MrcWriter
from vitreous.records.images import facts_of


@pytest.fixture
def data(rng):
    return rng.integers(-100, 100, (3, 4, 5)).astype(np.int16)


def test_one_stack_reads_the_same_from_mrc_and_tiff(tmp_path, data):
    mrc, tiff = tmp_path / "x.mrc", tmp_path / "x.tif"
    with MrcWriter(mrc, data.shape, 2.5, np.int16, is_stack=True) as writer:
        writer.write((0, 0, 0), data)
    tifffile.imwrite(tiff, data[:, ::-1], photometric="minisblack")  # top row first

    stacks = [open_images(mrc), open_images(tiff, pixel_size=2.5)]

    assert facts_of(stacks[0]) == facts_of(stacks[1])
    for index, image in enumerate(data):
        np.testing.assert_array_equal(stacks[0].read(index), image)
        np.testing.assert_array_equal(stacks[1].read(index), image)


def test_what_is_no_stack_is_named(tmp_path):
    path = tmp_path / "stack.mrc"
    path.write_text("1 0 0 1 0 0\n")

    with pytest.raises(UnknownFormatError, match=r"was expected, this is: IMOD transforms \(xf\)"):
        open_images(path)
