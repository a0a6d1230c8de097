"""What can't be done ends with one line that a tired operator understands, and leaves nothing."""

import os
import re
import shutil
import subprocess
from dataclasses import replace

import numpy as np
import pytest

from tests.series import tilts_seen, write_series, write_stack
from vitreous.formats import imod
from vitreous.formats.alignments import write_alignment


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path)


@pytest.fixture
def refused(vitreous, series, tmp_path):
    """refused("--thickness", 0) -> the one line that is said; nothing new is left in the folder.

    What isn't given is the working command's own.
    """

    def call(*options, code=1, stack=series.stack, alignment=series.transforms, output="rec.mrc"):
        words = [stack, "--alignment", alignment, "--output", tmp_path / output, *options]
        if not any(str(word).startswith("--thickness") for word in words):
            words += ["--thickness", "20"]
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        ended = vitreous("-q", "reconstruct", *words)
        after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        assert after == before
        assert ended.code == code
        assert ended.said.startswith("error: ")
        assert ended.said.count("\n") == 1
        return ended.said.removeprefix("error: ").strip().replace(f"{tmp_path}/", "")

    return call


# -- the stack -------------------------------------------------------------------------------------


def test_a_truncated_stack_is_told_with_the_place(refused, series):
    whole = series.stack.read_bytes()
    series.stack.write_bytes(whole[:-20_000])

    said = refused()

    assert said.startswith(f"ts.mrc: byte {len(whole) - 20_000}: the file ends in section 14 of 15")
    assert "Was it copied to the end" in said


def test_a_stack_cut_in_its_header_is_told(refused, series):
    series.stack.write_bytes(series.stack.read_bytes()[:700])

    assert refused().startswith("ts.mrc: byte 700: the file ends inside the MRC header")


def test_a_truncated_packed_stack_is_told(refused, series):
    subprocess.run(["gzip", series.stack], check=True)
    packed = series.stack.with_suffix(".mrc.gz")
    packed.write_bytes(packed.read_bytes()[:-3000])

    assert "its compression is damaged" in refused(stack=packed)


def test_a_tilt_of_nothing_but_nan_is_named_with_the_way_out(refused, series):
    images = series.images.copy()
    images[3] = np.nan
    write_stack(series.stack, images)

    assert refused() == (
        "tilt 4 (-34.3 degrees) holds NaN only: leave it out with --exclude-tilts 4"
    )


def test_a_header_without_a_pixel_size_names_the_option(refused, series):
    write_stack(series.stack, series.images, pixel_size=0)

    assert refused() == ("ts.mrc: the header has no pixel size; give it with --pixel (angstrom)")


def test_a_missing_stack_and_a_folder_are_told(refused, tmp_path):
    assert refused(stack=tmp_path / "no.mrc") == "no.mrc can't be read: No such file or directory"
    folder = tmp_path / "folder"
    folder.mkdir()
    assert refused(stack=folder) == "folder is a folder: the name of a file is needed here"
    assert refused(alignment=folder) == "folder is a folder: the name of a file is needed here"


def test_what_is_no_stack_is_told_with_its_kind(refused, series):
    said = refused(stack=series.transforms, code=2)

    assert said.startswith("ts.xf: a stack of images was expected, this is: IMOD transforms")


# -- the alignment ---------------------------------------------------------------------------------


def test_what_is_no_alignment_is_told(refused, series, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("Dear colleague,\nplease find attached\n")

    assert refused(alignment=notes, code=2).startswith("notes.txt: this is no alignment, but: text")
    assert "but: MRC image" in refused(alignment=series.stack, code=2)


def test_an_alignment_of_fewer_views_says_how_to_go_on(refused, tmp_path):
    (tmp_path / "ten.xf").touch()
    imod.write(tilts_seen(10), tmp_path / "ten.xf")

    said = refused(alignment=tmp_path / "ten.xf")

    assert said.startswith("ten.xf has 10 views, but the stack has 15 sections.")
    assert "--exclude-tilts" in said


def test_angles_unlike_transforms_are_told_with_both_counts(refused, tmp_path):
    lines = (tmp_path / "ts.tlt").read_text().splitlines()
    (tmp_path / "ts.tlt").write_text("\n".join(lines[:-2]) + "\n")

    assert "ts.xf has 15 views, but ts.tlt has 13." in refused()


def test_transforms_without_angles_name_the_option(refused, tmp_path):
    (tmp_path / "ts.tlt").unlink()

    assert "there is no ts.tlt beside it. Give the file of angles (--angles)" in refused()


def test_a_broken_line_is_told_with_its_number(refused, tmp_path):
    text = (tmp_path / "ts.tlt").read_text().splitlines()
    text[6] = "12.5 degrees"
    (tmp_path / "ts.tlt").write_text("\n".join(text))

    assert refused().startswith("ts.tlt:7: ")


def test_an_alignment_of_another_stack_is_told_by_its_size(refused, series, tmp_path):
    larger = replace(series.alignment, image_size=(128, 112))
    aln = tmp_path / "other.aln"
    write_alignment(larger, aln)

    said = refused(alignment=aln)

    assert said.startswith("other.aln is for images of 128 x 112 px, the stack's have 64 x 56.")


def test_pixel_sizes_that_contradict_one_another_name_the_option(refused, series, tmp_path):
    star = tmp_path / "other.star"
    write_alignment(replace(series.alignment, pixel_size=13.5), star, name="ts", stack=series.stack)

    said = refused(alignment=star)

    assert "other.star says 13.5 A/px, the stack 10." in said
    assert "--pixel" in said


def test_a_tilt_that_sees_the_slab_edge_on_is_named(refused):
    said = refused("--tilt-offset", 29.5)

    assert said.startswith(
        "tilt 15 (89.5 degrees) sees the slab at more than 88 degrees: leave it out"
    )


# -- settings --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--thickness", "0"], 1, "thickness must be above 0, not 0"),
        (["--thickness=-5nm"], 1, "thickness must be above 0, not -5nm"),
        (["--thickness", "12 parsecs"], 2, "--thickness 12 parsecs: '12 parsecs' is no length"),
        (["--thickness", "0.1A"], 1, "thickness is less than one voxel at binning 1"),
        (["--thickness", "9" * 30], 1, "voxels: is its unit right?"),
        (["--bin", "0"], 2, "allowed is 1 or more"),
        (["--bin", "99"], 1, "width is less than one voxel at binning 99"),
        (["--exclude-tilts", "1-15"], 1, "exclude_tilts leaves no tilt"),
        (["--exclude-tilts", "3,16"], 1, "exclude_tilts names tilt 16, but there are 1 to 15"),
        (["--exclude-tilts", "0"], 1, "exclude_tilts names tilt 0, but there are 1 to 15"),
        (["--exclude-tilts", "7-3"], 2, "the range 7-3 is empty: write it as 3-7"),
        (
            ["--exclude-tilts", "three"],
            2,
            "'three' is no list of tilt numbers: write it like 3,4,12-14",
        ),
        (["--exclude-tilts", "1-9999999999"], 2, "is no list of tilt numbers"),
        (
            ["--exclude-tilts", "1-14", "--half", "even"],
            1,
            "one tilt can't be parted into half sets",
        ),
        (["--rows", "40", "60"], 1, "rows 40 to 60 don't lie in 0 to 55"),
        (["--view-weights", "1", "2"], 1, "view_weights has 2 numbers, the stack 15 sections"),
        (["--view-weights", *["0"] * 15], 1, "view_weights of the tilts that are used have no"),
        (["--mode", "int12"], 2, "choose"),
        (["--pixel", "-3"], 2, "allowed is above 0"),
        (["--device", "tpu"], 1, "device 'tpu' is unknown: give auto, cpu, gpu or gpu:N"),
        (["--memory", "0.01"], 1, "0.01 GB of memory are allowed, at least 0.3"),
        (["--radial-cutoff", ".3", "--hamming-start", ".2"], 2, "exclude each other: give one"),
    ],
)
def test_settings_that_cant_be_are_told(refused, options, code, said):
    assert said in refused(*options, code=code)


@pytest.mark.skipif(shutil.which("nvidia-smi") is not None, reason="there may be a GPU")
def test_a_gpu_that_isnt_there_says_what_is_missing(refused):
    assert "no NVIDIA driver" in refused("--device", "gpu")


def test_a_mask_of_another_size_is_told_with_both(refused, tmp_path):
    mask = write_stack(tmp_path / "mask.mrc", np.ones((20, 56, 60)))

    assert refused("--mask", mask, "--method", "sirt") == (
        "the mask has 60 x 56 x 20 voxels, the tomogram will have 64 x 56 x 20: "
        "they must be the same"
    )
    assert "wbp can't use it" in refused("--mask", mask)


# -- the output ------------------------------------------------------------------------------------


def test_an_output_that_is_an_input_is_refused(refused, series, tmp_path):
    link = tmp_path / "link.mrc"
    link.symlink_to(series.stack)

    assert refused(output="ts.mrc") == "ts.mrc is an input (ts.mrc): give the output another name"
    assert "link.mrc is an input (ts.mrc)" in refused(output="link.mrc")
    assert "ts.xf is an input (ts.xf)" in refused(output="ts.xf")


def test_an_output_without_a_folder_is_told_before_the_work(refused, series):
    images = series.images.copy()
    images[0] = np.nan  # the work would find this
    write_stack(series.stack, images)

    assert refused(output="no/rec.mrc") == (
        "no/rec.mrc can't be written: the folder doesn't exist. Create it first."
    )


def test_a_folder_as_output_is_told(refused, tmp_path):
    (tmp_path / "rec").mkdir()

    assert "rec can't be written: a folder of this name stands there" in refused(output="rec")
    assert "a folder of this name stands there" in refused(output=".")
    assert "a folder of this name stands there" in refused(output="rec/..")


def test_a_full_disk_is_told_before_the_work_and_keeps_the_old_volume(vitreous, series, tiny_disk):
    output = tiny_disk / "rec.mrc"
    output.write_text("the old one")

    ended = vitreous(
        *("-q", "reconstruct", series.stack, "--alignment", series.transforms),
        *("--thickness", "20", "--output", output),
    )

    assert ended.code == 1
    assert re.fullmatch(
        rf"error: {output} can't be written: the disk is full. 288 kB are needed and [\d.]+ kB "
        r"are free. Make room, or choose another place for the output.\n",
        ended.said,
    )
    assert output.read_text() == "the old one"
    assert list(tiny_disk.iterdir()) == [output]


def test_a_disk_that_fills_up_in_the_middle_keeps_the_old_volume(
    vitreous, series, tmp_path, file_size_limit
):
    output = tmp_path / "rec.mrc"
    output.write_text("the old one")

    with file_size_limit(100_000):
        ended = vitreous(
            *("-q", "reconstruct", series.stack, "--alignment", series.transforms),
            *("--thickness", "20", "--output", output),
        )

    assert ended.code == 1
    assert "the file is larger than this system allows" in ended.said
    assert output.read_text() == "the old one"
    assert not list(tmp_path.glob(".*"))


def test_a_read_only_disk_is_told(vitreous, series, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)

    ended = vitreous(
        *("-q", "reconstruct", series.stack, "--alignment", series.transforms),
        *("--thickness", "20", "--output", tiny_disk / "rec.mrc"),
    )

    assert ended.code == 1
    assert "the disk is read-only" in ended.said


def test_a_folder_without_permission_is_told(vitreous, series, tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    tmp_path.chmod(0o755)
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere; the read-only disk is tested instead")

    ended = vitreous(
        *("-q", "reconstruct", series.stack, "--alignment", series.transforms),
        *("--thickness", "20", "--output", locked / "rec.mrc"),
    )

    assert ended.code == 1
    assert "no permission to write there" in ended.said


def test_scratch_without_room_is_told(refused, series, tmp_path, tiny_disk):
    images = np.random.default_rng(1).normal(size=(15, 600, 640))
    stack = write_stack(tmp_path / "large.mrc", images)

    said = refused("--memory", "0.34", "--scratch", tiny_disk, stack=stack)

    assert "no room for a scratch file of 0.0233 GB: No space left on device" in said
    assert "--scratch" in said
    missing = refused("--memory", "0.34", "--scratch", tmp_path / "nowhere", stack=stack)
    assert "nowhere: no room for a scratch file of 0.0233 GB: No such file" in missing
