"""IMOD's newstack 4.8.2 ran these command lines; ours has to give its files."""

import gzip
import io
import re

import mrcfile
import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.faces.imod import run
from vitreous.faces.imod_newstack import OPTIONS
from vitreous.faces.pip_options import Option, named, parse
from vitreous.formats.mrc import MrcWriter, open_stack

# To 1e-3 of the SD outside a border of 2 px; by correlation, section means and SDs.
EXACT = "n01 n02 n03 n04 n05 n06 n07 n08 n09 n10 n11 n12 n22 n23 n24 n25 n26 n28 n29 n30"
ALIKE = "n13 n14 n15 n16 n17 n18 n20 n21 n27"
BORDER = 2


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracles" / "I2_imod_newstack"


@pytest.fixture(scope="module")
def command_lines(oracle):
    """Run -> its options, from the README."""
    rows = re.findall(r"^\| (n\d\d_\w+) .*\| `(.+?)`", (oracle / "README.md").read_text(), re.M)
    return dict(rows)


@pytest.fixture(scope="module")
def theirs(oracle, command_lines):
    """Run -> IMOD's output as float64."""
    found = {}
    for name in command_lines:
        with open_stack(oracle / "runs" / f"{name}.mrc.gz", 1.0) as stack:
            found[name] = np.stack([stack.read(k) for k in range(stack.shape[0])]).astype(float)
    return found


@pytest.fixture(scope="module")
def ours(oracle, command_lines, tmp_path_factory):
    """Run -> our output, made from the same words in a folder with the same files."""
    folder = tmp_path_factory.mktemp("newstack")
    source = gzip.decompress((oracle / "in.mrc.gz").read_bytes())
    (folder / "in.mrc").write_bytes(source)
    (folder / "ser.st").write_bytes((oracle / "ser.st.head").read_bytes() + source[1024:])
    for transforms in oracle.glob("*.xf"):
        (folder / transforms.name).write_bytes(transforms.read_bytes())
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name, words in command_lines.items():
            line = words.split()
            if line[0] != "newstack":
                line = ["newstack", "-input", "in.mrc", "-output", f"{name}.mrc", *line]
            run(line)
            made[name] = open_stack(folder / f"{name}.mrc")
    return made


def images(stack):
    return np.stack([stack.read(k) for k in range(stack.shape[0])]).astype(float)


def inner(stack):
    return stack[:, BORDER:-BORDER, BORDER:-BORDER]


def distance(a, b):
    """RMS difference of the inner parts in SDs of the second."""
    return np.sqrt(((inner(a) - inner(b)) ** 2).mean()) / inner(b).std()


def runs_named(numbers, command_lines):
    return [name for name in command_lines if name[:3] in numbers]


def test_every_run_of_the_oracle_is_held_to(command_lines):
    assert {name[:3] for name in command_lines} == {*EXACT.split(), *ALIKE.split()}
    assert len(command_lines) == 35


def test_sizes_modes_and_pixel_sizes_are_imods(oracle, ours, theirs):
    for name, stack in ours.items():
        with mrcfile.open(oracle / "runs" / f"{name}.mrc.gz", permissive=True) as file:
            pixel_size, mode = file.voxel_size.x, int(file.header.mode)
        assert stack.shape == theirs[name].shape, name
        assert stack.header.mode == mode, name
        assert stack.pixel_size == pytest.approx(pixel_size, rel=0.01), name


def test_geometry_is_imods_to_a_thousandth_of_the_sd(ours, theirs, command_lines):
    for name in runs_named(EXACT, command_lines):
        assert distance(images(ours[name]), theirs[name]) <= 1e-3, name


def test_filters_and_grey_values_are_imods(ours, theirs, command_lines):
    """Over whole images, their edges too."""
    for name in runs_named(ALIKE, command_lines):
        for our, their in zip(images(ours[name]), theirs[name], strict=True):
            assert np.corrcoef(our.ravel(), their.ravel())[0, 1] >= 0.999, name
            shift = 128 if ours[name].header.mode == 0 else 0  # grey values, not signed bytes
            assert our.mean() + shift == pytest.approx(their.mean() + shift, rel=0.02), name
            assert our.std() == pytest.approx(their.std(), rel=0.02), name


def test_each_output_is_nearest_to_its_own_run(ours, theirs):
    for name, stack in ours.items():
        our, own = images(stack), theirs[name]
        rivals = [
            other
            for other in theirs.values()
            if other.shape == own.shape and not np.array_equal(other, own)
        ]
        assert all(distance(our, own) < distance(our, rival) for rival in rivals), name


def test_tilt_angles_of_the_extended_header_follow_the_sections(oracle, ours):
    with open_stack(oracle / "runs" / "n30_serialem_secs.mrc.gz", 1.0) as stack:
        np.testing.assert_allclose(ours["n30_serialem_secs"].tilt_angles, stack.tilt_angles)


# -- other options --------------------------------------------------------------------------------


@pytest.fixture
def series(tmp_path, monkeypatch):
    """a.mrc, three sections at 10, -10 and 0 degrees with grey values 0, 1, 2; and its title."""
    monkeypatch.chdir(tmp_path)
    labels = ["SerialEM: a test", "    Tilt axis angle = 85.3, binning = 1"]
    tilts = np.array([10.0, -10.0, 0.0])
    with MrcWriter(tmp_path / "a.mrc", (3, 8, 10), 2.5, np.int16, labels, True, tilts) as writer:
        writer.write((0, 0, 0), np.arange(3, dtype=np.int16)[:, None, None] * np.ones((3, 8, 10)))
    return tmp_path


def greys(name):
    with open_stack(name) as stack:
        return [stack.read(k).mean() for k in range(stack.shape[0])]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("a.mrc o.mrc", [0, 1, 2]),
        ("-reorder 1 a.mrc o.mrc", [1, 2, 0]),
        ("-reorder -1 a.mrc o.mrc", [0, 2, 1]),
        ("-secs 1-2,0 -in a.mrc -ou o.mrc", [1, 2, 0]),
        ("-fromone -secs 3,1 a.mrc o.mrc", [2, 0]),
        ("-exclude 1 a.mrc o.mrc", [0, 2]),
        ("-secs 2 -secs 0-1 -inp a.mrc -inp b.mrc -outp o.mrc", [2, 0, 1]),
        ("-in a.mrc -in b.mrc -ou o.mrc -secs /", [0, 1, 2, 0, 1, 2]),
        ("-fileinlist list.txt -output o.mrc", [2, 1, 0, 1, 2]),
    ],
)
def test_sections_come_in_the_order_asked_for(series, words, expected):
    (series / "b.mrc").write_bytes((series / "a.mrc").read_bytes())
    (series / "list.txt").write_text("2\na.mrc\n2-1\nb.mrc\n/\n")

    run(["newstack", *words.split()])

    assert greys(series / "o.mrc") == expected


def test_angles_of_a_file_replace_the_headers_and_titles_stay(series):
    (series / "a.rawtlt").write_text("1.5\n2.5\n3.5\n")

    run(["newstack", "-tilt", "a.rawtlt", "-secs", "2,0", "a.mrc", "o.mrc"])

    with open_stack(series / "o.mrc") as stack:
        np.testing.assert_allclose(stack.tilt_angles, [3.5, 1.5])
        assert "    Tilt axis angle = 85.3, binning = 1" in stack.header.labels


def test_transforms_go_by_section_by_file_or_by_list(series):
    shifts = "".join(f"1 0 0 1 {shift} 0\n" for shift in (0, 1, 2))
    (series / "s.xf").write_text(shifts)

    def first_column_filled(words):
        run(["newstack", *words.split(), "-mode", "2", "-fill", "9", "-xform", "s.xf"])
        with open_stack(series / "o.mrc") as stack:
            return [int((stack.read(k)[2] == 9).argmin()) for k in range(stack.shape[0])]

    assert first_column_filled("-secs 2,1,0 a.mrc o.mrc") == [2, 1, 0]
    assert first_column_filled("-uselines 1,2,2 a.mrc o.mrc") == [1, 2, 2]
    assert first_column_filled("-onexform a.mrc o.mrc") == [0, 0, 0]


def test_options_are_read_from_standard_input_as_in_command_files(series, monkeypatch):
    lines = ["# comment", "InputFile\ta.mrc", "OutputFile o.mrc", "SectionsToRead 2,1", "DONE", "x"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(lines)))

    run(["newstack", "-StandardInput"])

    assert greys(series / "o.mrc") == [2, 1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("a.mrc", "no input file"),
        ("-secs 5 a.mrc o.mrc", "sections 0 to 2, there is no 5"),
        ("-secs x a.mrc o.mrc", "no list of numbers"),
        ("-size 5 a.mrc o.mrc", "-size 5: 2 numbers expected"),
        ("-mode 4 a.mrc o.mrc", "-mode 4: choose 0, 1, 2, 6, 12"),
        ("-split 1 a.mrc o.mrc", "-split isn't done here: one output file"),
        ("-distort f a.mrc o.mrc", "-distort isn't done here"),
        ("-f 2 a.mrc o.mrc", "-f can be .*-float"),
        ("-nonsense a.mrc o.mrc", "-nonsense is no option"),
        ("a.mrc o.mrc -bin", "-bin needs a value"),
        ("-float 2 -scale 0,1 a.mrc o.mrc", "in one way only"),
        ("-shrink 2 -bin 2 a.mrc o.mrc", "shrink stands alone"),
        ("a.mrc a.mrc", "a.mrc is an input"),
        ("-exclude 0-2 a.mrc o.mrc", "no sections are left"),
    ],
)
def test_what_isnt_done_is_refused_with_a_word(series, words, message):
    with pytest.raises(UserError, match=message):
        run(["newstack", *words.split()])

    assert not (series / "o.mrc").exists()


def test_another_program_is_named_as_unknown():
    with pytest.raises(UserError, match="IMOD's tiltalign isn't understood here"):
        run(["tiltalign", "-in", "x"])


def test_every_option_can_be_written_by_each_of_its_names():
    for option in OPTIONS:
        for name in option.names.split():
            if option.refused:
                with pytest.raises(UserError, match="isn't done here"):
                    named(name, OPTIONS)
            else:
                assert named(name, OPTIONS) is option


def test_a_negative_number_is_a_value_not_an_option():
    line = parse(["-add", "-5", "file"], [Option("add AddValue")], [])

    assert line.numbers("add", 1) == (-5.0,)
    assert line.words == ("file",)
