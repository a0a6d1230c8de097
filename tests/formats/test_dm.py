from contextlib import suppress

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.formats.dm_files import CODES, dm_bytes
from vitreous.errors import FormatError, VitreousError
from vitreous.formats.dm import read_dm
from vitreous.formats.kinds import Kind, kind_of


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("dtype", CODES)
def test_the_image_is_read_bottom_row_first_and_the_thumbnail_is_not(tmp_path, version, dtype):
    image = np.arange(30).reshape(5, 6).astype(dtype)
    path = tmp_path / "x.dm4"
    path.write_bytes(dm_bytes(image, version))

    found = read_dm(path)

    assert kind_of(path) is Kind.DM
    np.testing.assert_array_equal(found.data, image[::-1])
    assert found.data.dtype == image.dtype
    assert found.pixel_size == pytest.approx(1.5)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.7, 0.95])
def test_a_truncated_file_is_a_format_error(tmp_path, share):
    whole = dm_bytes(np.ones((50, 60), np.float32))
    path = tmp_path / "x.dm4"
    path.write_bytes(whole[: int(share * len(whole))])

    with pytest.raises(FormatError, match=r"x\.dm4: byte \d+: the file ends inside its tags"):
        read_dm(path)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 600), value=st.integers(0, 255))
def test_a_damaged_byte_never_ends_in_anything_but_an_image_or_a_word(tmp_path, at, value):
    raw = bytearray(dm_bytes(np.ones((5, 6), np.int16)))
    raw[at % len(raw)] = value
    path = tmp_path / "x.dm4"
    path.write_bytes(raw)

    with suppress(VitreousError):
        read_dm(path)


def test_every_real_file_is_read(shared):
    files = sorted((shared / "data" / "parsers" / "dm").iterdir())

    found = [read_dm(path).data for path in files if path.stat().st_size]

    assert len(found) == len(files) - 1  # one is empty
    assert {data.dtype.kind for data in found} == set("iufc")
