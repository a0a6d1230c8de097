import os
import subprocess

import pytest

from vitreous.errors import OutputError
from vitreous.formats.products import atomic, readable, write_text


def test_a_product_replaces_the_old_one_and_leaves_nothing_else(tmp_path):
    path = tmp_path / "angles.tlt"
    path.write_text("old")

    write_text(path, "new\r\n")

    assert path.read_bytes() == b"new\r\n"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_the_old_product(tmp_path):
    path = tmp_path / "angles.tlt"
    path.write_text("old")

    with pytest.raises(ZeroDivisionError), atomic(path) as part:
        part.write_text(f"half {1 // 0}")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"nowhere/x.tlt .*the folder doesn't exist. Create it"):
        write_text(tmp_path / "nowhere" / "x.tlt", "1")


def test_a_folder_in_the_way_is_named(tmp_path):
    (tmp_path / "x.tlt").mkdir()

    with pytest.raises(OutputError, match="a folder of this name stands there"):
        write_text(tmp_path / "x.tlt", "1")

    assert [p.name for p in tmp_path.iterdir()] == ["x.tlt"]


def test_a_folder_without_permission_is_named(tmp_path):
    tmp_path.chmod(0o500)
    user = os.geteuid()
    if user == 0:  # root may write everywhere, nobody may not
        os.seteuid(65534)

    try:
        with pytest.raises(OutputError, match=r"no permission .*Choose another place"):
            write_text(tmp_path / "x.tlt", "1")
    finally:
        os.seteuid(user)


def test_a_read_only_disk_is_named(tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)

    with pytest.raises(OutputError, match=r"the disk is read-only. Choose another place"):
        write_text(tiny_disk / "x.tlt", "1")


def test_a_full_disk_says_what_is_free_and_keeps_the_old_product(tiny_disk):
    path = tiny_disk / "x.tlt"
    write_text(path, "old")

    with pytest.raises(OutputError, match=r"the disk is full. [\d.]+ kB are free. Make room"):
        write_text(path, "1" * 100_000)

    assert path.read_text() == "old"
    assert list(tiny_disk.iterdir()) == [path]


def test_a_file_size_limit_is_named_and_keeps_the_old_product(tmp_path, file_size_limit):
    path = tmp_path / "x.tlt"
    write_text(path, "old")

    with file_size_limit(1000), pytest.raises(OutputError, match=r"larger than this system allows"):
        write_text(path, "1" * 5000)

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("count", "text"),
    [(5, "5 bytes"), (1234, "1.23 kB"), (2_500_000, "2.5 MB"), (10**12, "1e+03 GB")],
)
def test_sizes_are_readable(count, text):
    assert readable(count) == text
