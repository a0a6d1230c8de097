import gzip

import numpy as np
import pytest

from vitreous.errors import FormatError, UnknownFormatError, UserError
from vitreous.formats import imod
from vitreous.formats.facts import PartialFacts
from vitreous.geometry import affine
from vitreous.records.images import StackFacts

FACTS = StackFacts(3, (640, 480), 2.0)
PLAIN = "1 0 0 1 0 0\n"

BROKEN_XF = {
    "IMOD__BBalocal.xf": "local alignments",
    "IMOD__BBblocal.xf": "local alignments",
    "IMOD__midzone2alocal.xf.gz": "local alignments",
    "IMOD__midzone2alocal_patch-tracking.xf.gz": "local alignments",
    "IMOD__midzone2blocal.xf.gz": "local alignments",
    "IMOD__mediumscansb2_midas.xf": "expected 6 numbers, found 1",
    "tomo-preprocessing__transforms.xf": "the file is empty",
}
BROKEN_ANGLES = {
    "cryoet-data-portal-backend__bar.tlt": "the file is empty",
    "cryoet-data-portal-backend__bar.rawtlt": "the file is empty",
    "emClarity__riboNew10_ali1_ctf.tlt": "found 22 numbers",
    "leginon__template.tlt": "expected a number",
}


def written(folder, **files):
    for name, text in files.items():
        stem, suffix = name.rsplit("_", 1)
        (folder / f"{stem}.{suffix}").write_text(text)
    return folder / "a.xf"


def test_the_corpus_of_transforms(shared):
    paths = sorted((shared / "data" / "parsers" / "xf").iterdir())
    assert len(paths) == 24

    for path in paths:
        if path.name in BROKEN_XF:
            with pytest.raises(FormatError, match=BROKEN_XF[path.name]):
                imod.read_xf(path)
        else:
            assert imod.read_xf(path).shape[1:] == (2, 3), path.name


@pytest.mark.parametrize(("kind", "count"), [("tlt", 25), ("rawtlt", 10), ("xtilt", 4)])
def test_the_corpus_of_angles(shared, kind, count):
    paths = sorted((shared / "data" / "parsers" / kind).iterdir())
    assert len(paths) == count

    for path in paths:
        if path.name in BROKEN_ANGLES:
            with pytest.raises(FormatError, match=BROKEN_ANGLES[path.name]):
                imod.read_angles(path)
        else:
            assert np.abs(imod.read_angles(path)).max() <= 180, path.name


def test_numbers_that_ran_together_are_parted_by_width(tmp_path):
    path = tmp_path / "a.xf"
    path.write_text("   0.9000000  -0.4000000   0.4000000   0.9000000-1234567.500-1234567.250\n")

    np.testing.assert_array_equal(
        imod.read_xf(path), [[[0.9, -0.4, -1234567.5], [0.4, 0.9, -1234567.25]]]
    )


def test_transforms_and_angles_come_back(tmp_path, rng):
    transforms, angles = rng.normal(size=(5, 2, 3)) * 100, rng.uniform(-90, 90, 5)

    imod.write_xf(tmp_path / "a.xf", transforms)
    imod.write_angles(tmp_path / "a.tlt", angles)

    np.testing.assert_allclose(imod.read_xf(tmp_path / "a.xf"), transforms, atol=6e-7)
    np.testing.assert_allclose(imod.read_angles(tmp_path / "a.tlt"), angles, atol=6e-8)


def test_the_algebra_of_transforms_is_newstacks(rng):
    """xfproduct and xfinverse: the images of a point, one after the other, and back."""
    first, then = rng.normal(size=(2, 4, 2, 3))
    point = rng.normal(size=(4, 2))

    there = affine.apply(affine.product(first, then), point)

    np.testing.assert_allclose(there, affine.apply(then, affine.apply(first, point)))
    np.testing.assert_allclose(affine.apply(affine.inverse(affine.product(first, then)), there),
                               point)  # fmt: skip


def test_what_stands_beside_is_found(tmp_path):
    path = written(
        tmp_path,
        a_xf=PLAIN * 3,
        a_tlt="-10\n0\n10\n",
        a_xtilt="1\n1\n1\n",
        a_tilts_txt="# offset 2.5\n1 1\n2 0\n3 1\n",
    )

    alignment = imod.read(path, FACTS)

    np.testing.assert_array_equal(alignment.sections, [0, 2])
    np.testing.assert_allclose(alignment.tilts_degrees, [-10, 10])
    np.testing.assert_allclose(alignment.refined_tilts_degrees, [-12.5, 7.5])
    np.testing.assert_allclose(alignment.x_tilts_degrees, 1)


def test_packed_files_and_rawtlt_will_do(tmp_path, caplog):
    (tmp_path / "a.xf.gz").write_bytes(gzip.compress((PLAIN * 3).encode()))
    (tmp_path / "a.rawtlt").write_text("-3\n0\n3\n")

    alignment = imod.read(tmp_path / "a.xf.gz", FACTS)

    np.testing.assert_allclose(alignment.tilts_degrees, [-3, 0, 3])
    assert "nominal angles" in caplog.text


def test_offsets_of_tilt_com_are_part_of_the_map(tmp_path):
    """OFFSET adds to the angles; its second number moves the axis: x by (1 - cos t)."""
    path = written(tmp_path, a_xf=PLAIN * 3, a_tlt="50\n0\n10\n")

    plain = imod.read(path, FACTS, tilt_offset_degrees=10)
    moved = imod.read(path, FACTS, tilt_offset_degrees=10, axis_offset_px=8)

    assert plain.tilt_offset_degrees == 10
    np.testing.assert_allclose(plain.tilts_degrees, [60, 10, 20])
    size, centre = (640, 480, 100), np.array(imod.volume_centre((640, 480, 100)))
    moved_centre = np.array(imod.volume_centre(size, axis_offset=8))
    voxel = np.array([[300.0, 200.0, 40.0]])
    there = moved.pixels((voxel - moved_centre) * 2) - plain.pixels((voxel - centre) * 2)
    np.testing.assert_allclose(there[0, 0], [8 * (1 - np.cos(np.deg2rad(60))), 0], atol=1e-9)


def test_left_out_sections_may_have_lines_or_not(tmp_path):
    path = written(tmp_path, a_xf=PLAIN * 3, a_tlt="-3\n0\n3\n")
    some = written(tmp_path / "", a_xf=PLAIN * 3)

    of_all = imod.read(path, FACTS, left_out=[1])
    of_used = imod.read(some, StackFacts(4, (640, 480), 2.0), left_out=[1])

    np.testing.assert_array_equal(of_all.sections, [0, 2])
    np.testing.assert_array_equal(of_used.sections, [0, 2, 3])
    np.testing.assert_allclose(of_used.tilts_degrees, [-3, 0, 3])


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        (5, "has 3 views, but the stack has 5 sections. Were views left out"),
        (2, "has 3 views, but the stack has 2 sections. Is it of another stack"),
    ],
)
def test_a_wrong_count_says_both_numbers(tmp_path, sections, message):
    path = written(tmp_path, a_xf=PLAIN * 3, a_tlt="-3\n0\n3\n")

    with pytest.raises(UserError, match=message):
        imod.read(path, StackFacts(sections, (640, 480), 2.0))


def test_missing_things_are_named(tmp_path):
    path = written(tmp_path, a_xf=PLAIN * 3)
    with pytest.raises(UserError, match=r"there is no a.tlt beside it. Give the file of angles"):
        imod.read(path, FACTS)

    written(tmp_path, a_tlt="1\n2\n")
    with pytest.raises(UserError, match=r"has 3 views, but .*a.tlt has 2"):
        imod.read(path, FACTS)

    written(tmp_path, a_tlt="1\n2\n3\n")
    with pytest.raises(UserError, match="doesn't say the size of the images"):
        imod.read(path, PartialFacts(pixel_size=2.0))
    with pytest.raises(UserError, match="doesn't say the pixel size"):
        imod.read(path, PartialFacts(image_size=(640, 480)))

    written(tmp_path, a_xf="1 0 0 1 0 0\n0 0 0 0 0 0\n1 0 0 1 0 0\n")
    with pytest.raises(FormatError, match="the transform of view 2 flattens the image"):
        imod.read(path, FACTS)


def test_a_local_alignment_is_refused_and_said(shared):
    path = shared / "data" / "parsers" / "xf" / "IMOD__BBalocal.xf"

    with pytest.raises(UnknownFormatError, match=r"not read yet. Give the global alignment"):
        imod.read_xf(path)
