import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitreous.errors import FormatError, UserError
from vitreous.formats import aretomo
from vitreous.formats.facts import PartialFacts
from vitreous.records.images import StackFacts

ROW = "{} 85.0 1.0 {} 0.0 1 1 1 0 {}\n"


def aln_text(sections, *, raw=None, dark=(), extra=""):
    head = "# AreTomo Alignment / Priims bprmMn\n"
    head += "" if raw is None else f"# RawSize = 64 48 {raw}\n"
    head += "".join(f"# DarkFrame = {' '.join(map(str, frame))}\n" for frame in dark)
    return head + "".join(ROW.format(s, i, 3 * i) for i, s in enumerate(sections)) + extra


def read(folder, text, sections=None):
    path = folder / "a.aln"
    path.write_text(text)
    return aretomo.read(path, PartialFacts(sections, (64, 48), 2.0))


def test_the_corpus_is_read_and_comes_back(shared, tmp_path):
    paths = sorted((shared / "data" / "parsers" / "aln").iterdir())
    paths += sorted((shared / "reference" / "aln_samples").glob("*.aln"))
    assert len(paths) == 10

    for path in paths:
        aln = aretomo.read_aln(path)
        aretomo.write_aln(tmp_path / "again.aln", aln)
        again = aretomo.read_aln(tmp_path / "again.aln")
        for name in ("sections", "rotations", "shifts", "tilts", "raw_size", "dark_frames",
                     "alpha_offset", "beta_offset", "thickness_px", "local"):  # fmt: skip
            np.testing.assert_array_equal(getattr(aln, name), getattr(again, name), path.name)


@pytest.mark.parametrize(
    ("rows", "raw", "dark", "sections"),
    [
        ([0, 1, 3, 4], 5, [(2, 2, -3.0)], [0, 1, 3, 4]),  # (a) AreTomo 1, 2
        ([4, 3, 1, 0], 5, [(2, 2, -3.0)], [4, 3, 1, 0]),  # (a), an unsorted stack
        ([0, 1, 2, 3], 5, [(1, 1, -3.0)], [0, 2, 3, 4]),  # (b) AreTomo3 to 2.0.6
        ([0, 1, 2], 5, [(0, 0, -9.0), (1, 1, -6.0)], [2, 3, 4]),  # (b), as in a real file
        ([1, 2, 4, 5], 5, [(2, 3, -3.0)], [0, 1, 3, 4]),  # (c) AreTomo3 from 2.0.7
        ([1, 2, 3], 3, [], [0, 1, 2]),  # (c) without dark frames
        ([0, 1, 2], 3, [], [0, 1, 2]),
        ([0, 1, 2, 3], 5, [(4,)], [0, 1, 2, 3]),  # version 1: fewer numbers
        ([0, 2], 3, [], [0, 2]),  # a row taken out by hand, the base is certain
        ([1, 3], 3, [], [0, 2]),
    ],
)
def test_the_meanings_of_sec(tmp_path, rows, raw, dark, sections):
    alignment = read(tmp_path, aln_text(rows, raw=raw, dark=dark))

    np.testing.assert_array_equal(alignment.sections, np.sort(sections))
    assert alignment.section_count == raw
    tilts = np.array([3 * i for i in range(len(rows))])[np.argsort(sections)]
    np.testing.assert_allclose(alignment.tilts_degrees, tilts)


def test_what_sec_cannot_mean_is_said(tmp_path):
    with pytest.raises(
        FormatError, match=r"SEC .2 to 3, 2 rows, 0 dark frames. doesn't fit a stack of 5"
    ):
        read(tmp_path, aln_text([2, 3], raw=5))
    with pytest.raises(FormatError, match="a section occurs twice"):
        read(tmp_path, aln_text([2, 2], raw=2))


def test_old_files_take_the_count_from_their_rows(shared):
    path = shared / "data" / "parsers" / "aln" / "lil-aretomo__example_v1_2_0.aln"

    alignment = aretomo.read(path, PartialFacts(image_size=(4092, 5760), pixel_size=1.0))

    assert alignment.section_count == 41
    assert alignment.tilts_degrees[0] == pytest.approx(-51.98)


def test_a_count_unlike_the_stack_is_an_error(tmp_path):
    with pytest.raises(UserError, match="has 3 views, but the stack has 4 sections"):
        read(tmp_path, aln_text([0, 1, 2], raw=3), sections=4)
    with pytest.raises(UserError, match="has 3 views, but the stack has 2 sections"):
        read(tmp_path, aln_text([0, 1, 2]), sections=2)


def test_alpha_offset_thickness_and_dark_frames_are_kept_apart(shared):
    path = shared / "reference" / "aln_samples" / "global_and_local.aln"

    alignment = aretomo.read(path, PartialFacts(pixel_size=1.5))

    assert alignment.left_out == tuple(range(14))
    assert alignment.tilts_degrees[0] == pytest.approx(-27.71)
    assert alignment.refined_tilts_degrees[0] == pytest.approx(-40.01)
    assert alignment.thickness_angstrom == 1910 * 1.5


def test_local_patches_follow_aretomos_rule(shared, rng):
    path = shared / "reference" / "aln_samples" / "global_and_local.aln"
    size, pixel_size = np.array([4096, 4096]), 1.5
    aln = aretomo.read_aln(path)
    alignment = aretomo.read(path, PartialFacts(pixel_size=pixel_size))
    seen = rng.uniform(-2048, 2047, (len(alignment), 300, 2))

    found = alignment.displacement(seen * pixel_size) / pixel_size

    apart = []
    for row, points in enumerate(seen):
        patches = [p for p in aln.local if p[0] == row and p[6] == 1]
        q = points - aln.shifts[row] + 0.5  # counted from the image's middle, T taken off
        weights = [np.exp(-100 * (((q - p[2:4]) / size) ** 2).sum(1)) for p in patches]
        moved = sum(w[:, None] * p[4:6] for w, p in zip(weights, patches, strict=True))
        total = sum(weights)[:, None]
        near = total[:, 0] > 1e-100
        apart += [np.abs(found[row] - moved / np.maximum(total, 1e-300))[near].max()]
    assert np.max(apart) < 0.02


def test_the_reference_patches_give_the_reference_shifts(shared, tmp_path):
    example = json.loads((shared / "reference" / "session_vectors.json").read_text())["aln_local"]
    size, pixel_size = np.array([example["nx"], example["ny"]]), 1.5
    rows = [" ".join(map(str, (0, i, *row))) for i, row in enumerate(example["patches"])]
    path = tmp_path / "a.aln"
    path.write_text(aln_text([1], extra="# Local Alignment\n" + "\n".join(rows) + "\n"))
    points = np.array([case["q"] for case in example["cases"]])
    wanted = np.array([case["shift"] for case in example["cases"]])

    aln = aretomo.read_aln(path)
    good = aln.local[aln.local[:, 6] > 0.5]
    told = PartialFacts(1, tuple(size.tolist()), pixel_size)
    seen = points + aln.shifts[0] - 0.5  # from pixel n // 2: the middle is half a pixel lower
    sampled = aretomo.read(path, told).displacement(seen[None] * pixel_size)[0] / pixel_size

    np.testing.assert_allclose(aretomo.local_shift(points, good, size), wanted, rtol=1e-9)
    np.testing.assert_allclose(sampled, wanted, rtol=0, atol=0.02)  # as LOCAL_NODES allows


def test_bad_patches_are_left_and_files_without_the_flag_are_read(tmp_path):
    local = "# Local Alignment\n0 0 5 5 1.0 2.0 {}\n0 1 -5 -5 900 900 0.0\n"
    flagged = read(tmp_path, aln_text([0, 1], raw=2, extra=local.format("1.0")))
    old = read(tmp_path, aln_text([0, 1], raw=2, extra="# Local Alignment\n0 0 5 5 1.0 2.0\n"))

    for alignment in (flagged, old):
        moved = alignment.displacement(np.zeros((2, 1, 2)))
        np.testing.assert_allclose(moved, [[[2.0, 4.0]], [[0.0, 0.0]]])


def test_the_kernel_is_a_setting(tmp_path, caplog):
    caplog.set_level("INFO")
    path = tmp_path / "a.aln"
    path.write_text(aln_text([1, 2], raw=2))
    facts = StackFacts(2, (64, 48), 2.0)

    older, newer = aretomo.read(path, facts), aretomo.read(path, facts, kernel="3")

    assert "kernel 2" in caplog.text
    turned = np.deg2rad(85.0)
    np.testing.assert_allclose(
        (newer.shifts - older.shifts) / 2.0, [[np.cos(turned) / 2, np.sin(turned) / 2]] * 2
    )
    assert aretomo.volume_centre((64, 48, 20), "3") == (32, 23.5, 10)


def test_the_list_of_tilts_comes_back(tmp_path, rng):
    path = tmp_path / "a_TLT.txt"
    tilts = aretomo.TiltList(np.array([-3.0, 0.0, 3.0]), np.array([3, 1, 2]), np.full(3, 2.9))

    aretomo.write_tlt_txt(path, tilts)

    again = aretomo.read_tlt_txt(path)
    for name in ("tilts", "order", "dose"):
        np.testing.assert_array_equal(getattr(again, name), getattr(tilts, name))
    path.write_text("1 2 3 4\n")
    with pytest.raises(FormatError, match=r"a_TLT.txt:1: expected 'tilt order dose'"):
        aretomo.read_tlt_txt(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# AreTomo Alignment\n1 2 3\n", ":2: .*expected 10 numbers, found 3"),
        ("# AreTomo Alignment\n", ":2: no rows SEC ROT"),
        (aln_text(["x"]), ":2: .*expected a number, found 'x'"),
        (aln_text([0.5]), ":2: SEC: expected a whole number"),
        ("# RawSize = 1 b 3\n" + ROW.format(0, 0, 0), ":1: RawSize: expected a number, found 'b'"),
        (
            aln_text([0], extra="# Local Alignment\n3 0 1 1 1 1 1\n"),
            ":4: local alignment of tilt 3",
        ),
        (aln_text([0], extra="# Local Alignment\n1 2\n"), ":4: local alignment: expected 7"),
    ],
)
def test_a_broken_file_names_the_line(tmp_path, text, message):
    with pytest.raises(FormatError, match=message):
        aretomo.parse_aln(text, tmp_path / "a.aln")


LINES = st.sampled_from(aln_text([0, 1], raw=2, dark=[(0, 0, 1.0)]).split("\n")) | st.text(
    "# =-.0123456789eRawSizeLocalAlignmentDarkFrame"
)


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=8))
def test_garbage_is_a_clear_error(lines):
    try:
        aln = aretomo.parse_aln("\n".join(lines))
        aretomo.to_alignment(aln, aretomo.sections_of(aln, 2), StackFacts(2, (64, 48), 1.0))
    except (FormatError, UserError):
        return


@pytest.mark.parametrize("kernel", ["2", "3"])
@pytest.mark.parametrize("name", ["global_and_local", "global_no_local"])
def test_the_other_hand_keeps_where_images_and_local_shifts_lie(shared, name, kernel):
    aln = aretomo.read_aln(shared / "reference" / "aln_samples" / f"{name}.aln")
    facts = StackFacts(aln.raw_size[2], aln.raw_size[:2], 1.5)
    sections = aretomo.sections_of(aln, facts.sections)

    one = aretomo.to_alignment(aln, sections, facts, kernel)
    other = aretomo.to_alignment(aretomo.with_other_hand(aln, kernel), sections, facts, kernel)

    # u = -P X + s: the specimen inverted through its origin, seen in the same images
    np.testing.assert_allclose(other.projections, -one.projections, atol=1e-9)
    np.testing.assert_allclose(other.shifts, one.shifts, atol=1e-9)
    if aln.local is not None:
        np.testing.assert_allclose(other.displacement.values, one.displacement.values, atol=1e-6)


def test_a_file_without_sizes_has_no_other_hand(tmp_path):
    (tmp_path / "a.aln").write_text(aln_text([0, 1]))

    with pytest.raises(UserError, match="without '# RawSize'"):
        aretomo.with_other_hand(aretomo.read_aln(tmp_path / "a.aln"))
