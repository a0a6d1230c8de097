"""What operators give `vitreous run` by mistake: a truthful table, exit code 1, the others done."""

import json
import subprocess
import unicodedata

import numpy as np
import pytest

from tests.align.blobs import PIXEL_SIZE, blob_series
from tests.series import beads_seen, tilts_seen, write_series, write_stack
from vitreous.formats.imod import write_angles
from vitreous.formats.star import read_star
from vitreous.pipeline.state import state_of

TILTS = np.arange(-60, 61, 5.0)
COUNT = len(TILTS)


@pytest.fixture(scope="module")
def blobs():
    """Images (n, y, x) of a small series that can be aligned in seconds."""
    return blob_series(tilts=TILTS).images


@pytest.fixture
def session(tmp_path, blobs):
    """session("TS_1") -> its stack in the folder `session`, and NAME.rawtlt beside it."""
    folder = tmp_path / "session"
    folder.mkdir()

    def write(name, images=blobs, tilts=TILTS, pixel_size=PIXEL_SIZE):
        if tilts is not None:
            write_angles(folder / f"{name}.rawtlt", tilts)
        return write_stack(folder / f"{name}.mrc", images, pixel_size)

    return write


@pytest.fixture
def aligned(tmp_path):
    """aligned("TS_1") -> a small stack with its alignment in the folder `session`."""
    folder = tmp_path / "session"
    folder.mkdir()
    return lambda name: write_series(folder, name)


@pytest.fixture
def run(vitreous, tmp_path):
    """run(options) on the folder `session` into the folder `project`; bin 2 is quick."""

    def call(*options, inputs=(tmp_path / "session",)):
        words = ("run", *inputs, "--project", tmp_path / "project", "--bin", 2, *options)
        return vitreous(*words)

    return call


@pytest.fixture
def run_aligned(run, tmp_path):
    """The same with the alignments that lie beside the stacks."""

    def call(*options, inputs=(tmp_path / "session",)):
        where = ("--alignment", tmp_path / "session", "--thickness", "30nm")
        return run(*where, *options, inputs=inputs)

    return call


def table_of(ended):
    """What the table says of each series that failed: name -> step and reason."""
    lines = ended.said.splitlines()
    (head,) = (line for line in lines if line.startswith("series ") and " why, and" in line)
    width = head.index("step")
    rows = lines[lines.index(head) + 1 : -1]
    return {row[:width].rstrip(): row[width:] for row in rows if row[:width].strip()}


def states_of(tmp_path):
    """How each series of the project is, from its files: those that are done have whole products
    that fit their manifests."""
    return {series.name: series.how for series in state_of(tmp_path / "project")}


def manifest_of(tmp_path, name, step):
    return json.loads((tmp_path / "project" / name / step / "manifest.json").read_text())


# -- raw series ------------------------------------------------------------------------------------


def test_raw_series_that_cant_be_aligned_are_told_and_the_others_are_done(
    run, session, tmp_path, blobs
):
    session("good")
    session("three", blobs[[0, 12, 24]], TILTS[[0, 12, 24]])
    session("equal", tilts=np.full(COUNT, 5.0))
    session("miscounted", tilts=TILTS[:-2])
    session("unsaid", tilts=None, pixel_size=0)
    session("black", np.zeros_like(blobs))
    notes = session("notes", tilts=None).with_suffix(".mrc.mdoc")
    notes.write_text("[ZValue = 0]\nTiltAngle = 3\n[ZValue = 1]\nthis is no line\n")

    ended = run("--tilt-axis=-4.3")

    assert ended.code == 1
    assert ended.said.splitlines()[-1].startswith("error: 6 of 7 series failed: ")
    assert ended.said.splitlines()[-1].endswith("; 1 made")
    table = table_of(ended)
    assert set(table) == {"black", "equal", "miscounted", "notes", "three", "unsaid"}
    assert "align  0 usable tilts (25 left out) are too few" in table["black"]
    assert "align  the tilt angles run from 5 to 5 degrees only: check them" in table["equal"]
    assert "miscounted.rawtlt has 23 angles, the stack 25 images" in table["miscounted"]
    assert "notes.mrc.mdoc:4: expected 'key = value'" in table["notes"]
    assert "align  3 usable tilts are too few" in table["three"]
    missing = "nothing says its pixel size (--pixel) and its tilt angles (--angles, or"
    assert missing in table["unsaid"]
    states = states_of(tmp_path)
    assert states.pop("good") == "done"
    assert set(states.values()) == {"failed"}
    _assert_only_what_was_mended_is_done_anew(run, session, tmp_path)


def _assert_only_what_was_mended_is_done_anew(run, session, tmp_path):
    """The good one stays as it is; one that failed is mended, and done."""
    before = manifest_of(tmp_path, "good", "reconstruct")
    session("equal")

    ended = run("--only", "good", "--only", "equal")

    assert ended.code == 0
    assert "; 1 up to date already" in ended.said.splitlines()[-1]
    assert manifest_of(tmp_path, "good", "reconstruct") == before
    assert states_of(tmp_path)["equal"] == "done"


def test_blank_tilts_are_left_out_with_their_reason(run, session, tmp_path, blobs):
    images = blobs.copy()
    images[3], images[10], images[15] = 0, 7, np.nan
    images[20, :10] = np.nan
    session("blank", images)

    ended = run("--tilt-axis=-4.3", "--kv", 200, "--cs", 2.7, "--dose-per-tilt", 3)

    assert ended.code == 0
    for said in (
        "tilt 4 (-45.0 degrees) left out: blank: one grey value (0) all over",
        "tilt 11 (-10.0 degrees) left out: blank: one grey value (7) all over",
        "tilt 16 (15.0 degrees) left out: holds NaN only",
        "1280 NaN or infinite pixels were replaced by their image's mean: tilt 21 (40.0 degrees)",
    ):
        assert said in ended.said
    manifest = manifest_of(tmp_path, "blank", "align")
    assert list(manifest["left_out_tilts"]) == ["4", "11", "16"]
    assert manifest_of(tmp_path, "blank", "reconstruct")["left_out_tilts"] == [4, 11, 16]
    _assert_optics_are_kept(manifest, tmp_path / "project" / "blank" / "align" / "blank.star")


def _assert_optics_are_kept(manifest, star):
    """What the options said is in the manifest and in RELION's table."""
    made_of = manifest["inputs"]
    assert (made_of["voltage_kv"], made_of["spherical_aberration_mm"]) == (200, 2.7)
    assert made_of["doses"] == [3.0] * COUNT
    (row,) = read_star(star)[0].rows()
    assert (float(row["rlnVoltage"]), float(row["rlnSphericalAberration"])) == (200, 2.7)


def test_all_that_is_missing_is_named_in_one_message_before_any_work(run, session, tmp_path):
    session("TS_1", pixel_size=0)
    session("TS_2", tilts=None, pixel_size=0)

    ended = run()

    assert ended.code == 1
    assert ended.said == (
        "error: nothing says the pixel size (--pixel) of TS_1, TS_2; the tilt angles (--angles, or "
        "NAME.rawtlt beside the stack) of TS_2\n"
    )
    assert not (tmp_path / "project").exists()


NAMES = ["00255", "a.1", "a.2", unicodedata.normalize("NFD", 'it\'s 03 [new] "größe"')]


def test_ugly_names_go_the_whole_way(run, session, tmp_path):
    tilts = tilts_seen(9, (64, 56))
    images = beads_seen(tilts)
    for name in ("other", *NAMES):
        session(name, images, tilts.tilts_degrees)

    ended = run("--only", "00255", "--only", "a.?", "--only", 'it\'s 03 [new] "größe"')

    assert ended.code == 0
    assert states_of(tmp_path) == dict.fromkeys(NAMES, "done")
    for name in NAMES:
        assert (tmp_path / "project" / name / "reconstruct" / f"{name}.mrc").exists()


# -- series with an alignment ----------------------------------------------------------------------


def test_of_four_series_one_is_cut(run_aligned, aligned, tmp_path):
    series = [aligned(f"TS_{number}") for number in range(1, 5)]
    whole = series[1].stack.read_bytes()
    series[1].stack.write_bytes(whole[:-20_000])

    ended = run_aligned()

    assert ended.code == 1
    assert "the file ends in section 14 of 15" in table_of(ended)["TS_2"]
    assert ended.said.splitlines()[-1] == "error: 1 of 4 series failed: TS_2; 3 made"
    assert states_of(tmp_path) == {
        "TS_1": "done", "TS_2": "failed", "TS_3": "done", "TS_4": "done"
    }  # fmt: skip


def test_headers_that_lie_empty_files_and_pointers_are_told(run_aligned, aligned, tmp_path):
    lies, empty, pointer, _ = (aligned(name).stack for name in ("lies", "empty", "lfs", "good"))
    raw = bytearray(lies.read_bytes())
    raw[8:12] = (30).to_bytes(4, "little")  # sections
    lies.write_bytes(raw)
    empty.write_bytes(b"")
    pointer.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")

    ended = run_aligned()

    assert ended.code == 1
    table = table_of(ended)
    assert "the file ends in section 16 of 30" in table["lies"]
    assert "empty.mrc: byte 0: the file is empty" in table["empty"]
    assert "lfs.mrc: this is a Git LFS pointer, not the data" in table["lfs"]
    assert states_of(tmp_path)["good"] == "done"


def test_two_series_of_one_name_fail_and_the_others_are_done(run_aligned, aligned, tmp_path):
    one, third = aligned("TS_1"), aligned("TS_3")
    (tmp_path / "other").mkdir()
    other = write_series(tmp_path / "other", "TS_1")

    ended = run_aligned(inputs=(one.stack, other.stack, third.stack))

    assert ended.code == 1
    told = table_of(ended)["TS_1"]
    assert (
        f"{one.stack} and {other.stack} are both series TS_1: give them names of their own" in told
    )
    assert states_of(tmp_path) == {"TS_1": "failed", "TS_3": "done"}


def test_a_missing_input_is_told_beside_what_is_done(run_aligned, aligned, tmp_path):
    there = aligned("TS_1")
    missing = tmp_path / "session" / "TS_2.mrc"

    ended = run_aligned(inputs=(missing, there.stack))

    assert ended.code == 1
    assert f"{missing}: there is no such file or folder" in table_of(ended)["TS_2"]
    assert states_of(tmp_path) == {"TS_1": "done", "TS_2": "failed"}


def test_a_choice_of_what_isnt_there_names_what_is(run_aligned, aligned, tmp_path):
    aligned("TS_01")
    aligned("lamella")

    ended = run_aligned("--only", "TS_1")

    assert ended.code == 1
    assert ended.said == "error: --only TS_1: there is no such series; the nearest: TS_01\n"
    assert not (tmp_path / "project").exists()


def test_a_folder_without_series_is_told(run, tmp_path):
    (tmp_path / "session").mkdir()
    (tmp_path / "session" / "notes.txt").write_text("none yet\n")

    ended = run()

    assert ended.code == 1
    assert ended.said.startswith(f"error: no tilt series in {tmp_path / 'session'}: raw stacks are")
    assert not (tmp_path / "project").exists()


# -- the project -----------------------------------------------------------------------------------


def test_a_project_that_is_a_file_is_told_and_stays(run_aligned, aligned, tmp_path):
    aligned("TS_1")
    (tmp_path / "project").write_text("in the way")

    ended = run_aligned()

    assert ended.code == 1
    assert "project is a file, not the folder of a project" in ended.said
    assert (tmp_path / "project").read_text() == "in the way"


def test_a_project_that_cant_be_written_is_told(vitreous, aligned, tmp_path, tiny_disk):
    series = aligned("TS_1")
    (tiny_disk / "project").mkdir()
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)

    ended = vitreous(
        *("run", series.stack, "--alignment", series.transforms, "--bin", 2),
        *("--project", tiny_disk / "project"),
    )

    assert ended.code == 1
    assert ended.said.startswith("error: ")
    assert "read-only" in ended.said.lower()
    assert not list((tiny_disk / "project").iterdir())
