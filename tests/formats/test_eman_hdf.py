"""EMAN2's HDF, lists and IMAGIC pairs, held to files that EMAN2 wrote."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, OutputError, UnknownFormatError, UserError
from vitreous.formats.eman_bits import Storage, reduced, restored, storage_from_suffix
from vitreous.formats.eman_hdf import HdfImages, read_hdf_volume, write_hdf
from vitreous.formats.eman_lst import LstImages
from vitreous.formats.imagic import ImagicImages


@pytest.fixture(scope="module")
def files(shared: Path) -> Path:
    """What EMAN2 wrote."""
    return shared / "oracles" / "E1_eman2_make3dpar" / "files"


def layout(path: Path) -> list[object]:
    """Every group, data set and attribute of a file: name, type, shape, storage, value."""
    found: list[object] = []

    def add(name: str, item: h5py.HLObject) -> None:
        if isinstance(item, h5py.Dataset):
            storage = (item.chunks, item.compression, item.compression_opts, item.shuffle)
            found.append((name, item.shape, item.dtype, *storage, item[...].tobytes()))
        for key in item.attrs:
            kind = item.attrs.get_id(key).get_type()
            value = np.asarray(item.attrs[key])
            how = (value.dtype, item.attrs.get_id(key).shape, value.tobytes())
            if kind.get_class() == h5py.h5t.STRING:
                how = (*how, kind.get_strpad(), kind.get_cset(), kind.get_size())
            found.append((name, key, *how))

    with h5py.File(path) as file:
        file.visititems(add)
    return found


OF_THE_WRITER = {
    "all_int", "datatype", "maximum", "mean", "mean_nonzero", "minimum", "nx", "ny", "nz", "sigma",
    "sigma_nonzero", "square_sum", "render_compress_level", "is_complex", "is_complex_ri",
}  # fmt: skip


@pytest.mark.parametrize("bits", [0, 5, 8, 10])
def test_a_map_is_written_attribute_by_attribute_and_integer_by_integer_as_eman2_writes_it(
    files: Path, tmp_path: Path, bits: int
) -> None:
    data, header = read_hdf_volume(files / "bits0.hdf")
    ours = {key: value for key, value in header.items() if key not in OF_THE_WRITER}

    write_hdf(tmp_path / "map.hdf", [(data, ours)], Storage(bits))

    assert layout(tmp_path / "map.hdf") == layout(files / f"bits{bits}.hdf")


def test_a_stack_of_all_kinds_of_attributes_is_read(files: Path) -> None:
    expected = json.loads((files / "stack_expected.json").read_text())

    with HdfImages(files / "stack.hdf") as images:
        headers = [images.header(i) for i in range(images.count)]
        data = [images.read(i) for i in range(images.count)]
        size = images.size

    assert len(data) == 3
    assert size == (20, 24)
    for header, image, known in zip(headers, data, expected, strict=True):
        assert header["ctf"] == known["ctf_string"]
        assert header["note"] == known["note"]
        assert header["ptcl_repr"] == known["ptcl_repr"]
        assert header["apix_x"] == known["apix_x"]
        np.testing.assert_array_equal(header["class_ssnr"], known["class_ssnr"])
        np.testing.assert_array_equal(header["class_ptcl_idxs"], known["class_ptcl_idxs"])
        transform = np.ravel(header["xform.projection"])
        np.testing.assert_allclose(transform, known["xform"], atol=1e-6)
        np.testing.assert_allclose(image.ravel()[:5], known["first5"], rtol=1e-6)
        assert image.mean(dtype=np.float64) == pytest.approx(known["mean"], abs=1e-6)


def test_a_stack_is_written_as_eman2_writes_it(files: Path, tmp_path: Path) -> None:
    with HdfImages(files / "stack.hdf") as images:
        first = (
            images.read(0),
            {key: value for key, value in images.header(0).items() if key not in OF_THE_WRITER},
        )

    write_hdf(tmp_path / "stack.hdf", [first, first, first], Storage(-1))

    ours, theirs = layout(tmp_path / "stack.hdf"), layout(files / "stack.hdf")
    assert [row for row in ours if row[0].startswith("MDF/images/0")] == [
        row for row in theirs if row[0].startswith("MDF/images/0")
    ]
    assert ours[0] == theirs[0]


@given(
    bits=st.integers(2, 16),
    low=st.floats(-100, 100),
    width=st.floats(0.1, 1000),
    seed=st.integers(0, 99),
)
@settings(max_examples=30, deadline=None)
def test_grey_values_come_back_within_half_a_step_and_zero_exactly(
    bits: int, low: float, width: float, seed: int
) -> None:
    values = np.random.default_rng(seed).uniform(low, low + width, (12, 20)).astype(np.float32)
    values[3, 4] = 0
    stored = reduced(values, Storage(bits, full_range=True))

    back = restored(stored.integers, stored.low, stored.high, bits)

    step = (stored.high - stored.low) / (2**bits - 1)
    inside = (values >= stored.low) & (values <= stored.high)
    assert np.abs(back - values)[inside].max() <= 0.5 * step * 1.01 + 1e-5 * np.abs(values).max()
    if values.min() < 0 < values.max() and bits > 3:
        assert abs(back[3, 4]) < 1e-5 * width


def test_whole_numbers_survive_their_bits() -> None:
    values = np.arange(-20, 180, dtype=np.float32).reshape(10, 20)

    stored = reduced(values, Storage(8, full_range=True))

    np.testing.assert_array_equal(restored(stored.integers, stored.low, stored.high, 8), values)


@pytest.mark.parametrize(
    ("text", "storage"),
    [
        ("", Storage(0)),
        ("6", Storage(6)),
        ("6:f", Storage(6, full_range=True)),
        ("6:o", Storage(6)),
        ("6:-1.5:2", Storage(6, limits=(-1.5, 2.0))),
        ("6:-3s:5s", Storage(6, sigmas=(-3.0, 5.0))),
    ],
)
def test_storage_is_told_by_the_suffix_of_a_name(text: str, storage: Storage) -> None:
    assert storage_from_suffix(text, Storage(0)) == storage


@pytest.mark.parametrize("text", ["x", "6:x", "6:1", "6:-3s:5", "17"])
def test_a_suffix_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        storage_from_suffix(text, Storage(0))


def test_a_header_of_a_hundred_thousand_indices_is_kept(tmp_path: Path) -> None:
    many = np.arange(100_000)

    write_hdf(tmp_path / "a.hdf", [(np.ones((2, 3, 4), np.float32), {"threed_ptcl_idxs": many})])

    _, header = read_hdf_volume(tmp_path / "a.hdf")
    np.testing.assert_array_equal(header["threed_ptcl_idxs"], many)


# -- lists and IMAGIC -----------------------------------------------------------------------------


def test_a_list_hands_out_images_with_what_it_says_of_them(tmp_path: Path) -> None:
    matrix = np.arange(12.0).reshape(3, 4)
    stack = [(np.full((4, 5), i, np.float32), {"ptcl_repr": i}) for i in range(3)]
    write_hdf(tmp_path / "a.hdf", stack)
    told = {"ptcl_repr": 9, "xform.projection": {"__class__": "Transform", "matrix": str(
        matrix.ravel().tolist())}}  # fmt: skip
    lines = ["2\ta.hdf", f"1\ta.hdf\t{json.dumps(told)}"]
    text = "#LSX\n# comment\n# 300\n" + "".join(f"{line:<299}\n" for line in lines)
    (tmp_path / "a.lst").write_text(text)

    images = LstImages(tmp_path / "a.lst")

    assert images.count == 2
    assert images.header(0)["ptcl_repr"] == 2
    assert images.header(1)["ptcl_repr"] == 9
    np.testing.assert_array_equal(images.header(1)["xform.projection"], matrix)
    assert [images.read(i)[0, 0] for i in range(2)] == [2, 1]


@pytest.mark.parametrize("line", ["no index", "1\ta.hdf\t{broken", '1\ta.hdf\t{"a": {"b": 1}}'])
def test_a_broken_line_of_a_list_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.lst").write_text(f"#LSX\n# comment\n# 40\n{line}\n")

    with pytest.raises(FormatError, match=r"a\.lst:4"):
        LstImages(tmp_path / "a.lst")


def test_an_imagic_pair_of_eman2_has_the_images_and_orientations_of_its_hdf(
    files: Path, eman_input: Path
) -> None:
    images = ImagicImages(files / "classes.hed")

    assert images.count == 3
    with HdfImages(eman_input / "main.hdf") as main:
        assert images.pixel_size == main.pixel_size
        for i in range(3):
            np.testing.assert_allclose(images.read(i), main.read(i), rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(
                images.header(i)["xform.projection"], main.header(i)["xform.projection"], atol=1e-5
            )


def test_a_cut_imagic_pair_is_named(files: Path, tmp_path: Path) -> None:
    shutil.copy(files / "classes.hed", tmp_path)
    (tmp_path / "classes.img").write_bytes((files / "classes.img").read_bytes()[:-100])

    with pytest.raises(FormatError, match=r"classes\.img: byte"):
        ImagicImages(tmp_path / "classes.img")


# -- broken files ---------------------------------------------------------------------------------


def test_a_file_cut_anywhere_is_one_clear_error(files: Path, tmp_path: Path) -> None:
    whole = (files / "bits8.hdf").read_bytes()
    for length in (1, 100, 1000, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.hdf").write_bytes(whole[:length])

        with pytest.raises(FormatError, match=r"cut\.hdf"):
            read_hdf_volume(tmp_path / "cut.hdf")


def read_or_said(path: Path) -> str | None:
    """Read the first images of a file; what the error says, if it is one of the file."""
    try:
        with HdfImages(path) as images:
            for i in range(min(images.count, 5)):
                images.header(i)
                images.read(i)
    except FormatError as error:
        return str(error)
    return None


def test_flipped_bytes_are_an_error_of_the_file_or_nothing(files: Path, tmp_path: Path) -> None:
    whole = bytearray((files / "stack.hdf").read_bytes())
    rng = np.random.default_rng(4)
    for _ in range(150):
        broken = whole.copy()
        for at in rng.integers(0, len(whole), 8):
            broken[at] = rng.integers(0, 256)
        (tmp_path / "broken.hdf").write_bytes(broken)
        said = read_or_said(tmp_path / "broken.hdf")
        assert said is None or "broken.hdf" in said


def test_an_hdf5_file_of_others_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.hdf", "w") as file:
        file["data"] = np.zeros(3)

    with pytest.raises(UnknownFormatError, match="not EMAN2's"):
        HdfImages(tmp_path / "other.hdf")


def test_what_was_there_stays_when_the_disk_is_full(tiny_disk: Path) -> None:
    rng = np.random.default_rng(0)
    write_hdf(tiny_disk / "a.hdf", [(np.ones((2, 8, 8), np.float32), {})])
    before = (tiny_disk / "a.hdf").read_bytes()

    with pytest.raises(OutputError, match="disk is full"):
        write_hdf(tiny_disk / "a.hdf", [(rng.normal(size=(40, 40, 40)).astype("f4"), {})])

    assert (tiny_disk / "a.hdf").read_bytes() == before
    assert [path.name for path in tiny_disk.iterdir()] == ["a.hdf"]
