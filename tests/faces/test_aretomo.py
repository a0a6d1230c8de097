"""AreTomo's form for one stack: geometry, products, what is aligned and what isn't."""

import numpy as np
import pytest

from tests.align.blobs import blob_series
from tests.phantom import gaussian, projections
from tests.series import volume_of, write_stack
from vitreous.errors import UserError
from vitreous.faces.aretomo import run
from vitreous.faces.aretomo_line import parse
from vitreous.faces.aretomo_settings import MANY_SERIES, ONE_STACK, reconstruct_settings
from vitreous.faces.aretomo_single import given_alignment
from vitreous.formats import aretomo
from vitreous.formats.imod import read_angles, read_xf
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.images import ArrayStack, facts_of
from vitreous.records.tilt_series import Tilt, TiltSeries

PIXEL_SIZE = 10.0
SIZE = (64, 56)
THICK = 40  # px
BEADS = np.array([[90.0, -60, 60], [-120, 80, 45], [60, 100, -70]])  # no mirror image, no turn
TILTS = np.linspace(-60, 60, 31)


def planted(axis=4.0, sections=None, count=31, **more):
    """A known alignment of a series of three beads, and its images."""
    shifts = np.random.default_rng(3).normal(0, 2 * PIXEL_SIZE, (31, 2))
    keep = np.arange(31) if sections is None else np.asarray(sections)
    alignment = alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=TILTS[keep],
        shifts=shifts[keep],
        sections=keep,
        section_count=count,
        image_size=SIZE,
        pixel_size=PIXEL_SIZE,
        **more,
    )
    return alignment, 3 + projections([gaussian(at, 22.0, 0.01) for at in BEADS], alignment)


@pytest.fixture
def series(tmp_path):
    """series(axis=4.0, kernel="2") -> folder with ts.mrc, ts.rawtlt and the true ts.aln."""

    def write(axis=4.0, kernel="2", name="ts"):
        alignment, images = planted(axis)
        write_stack(tmp_path / f"{name}.mrc", images, PIXEL_SIZE)
        np.savetxt(tmp_path / f"{name}.rawtlt", TILTS, fmt="%.3f")
        aretomo.write(alignment, tmp_path / f"{name}.aln", kernel=kernel)
        return tmp_path

    return write


def aretomo_run(folder, line):
    """Run a command line in which '@' is the folder."""
    run(line.replace("@", f"{folder}/").split())


def places(middle, binning):
    """Voxels (x, y, z) of the beads, by AreTomo's middle of the unbinned x y z volume."""
    return [(middle + bead / PIXEL_SIZE) / binning for bead in BEADS]


def peak_near(volume, place, reach=2):
    """(x, y, z) of the peak near a place: the vertex of a parabola through logarithms."""
    volume = np.maximum(volume - np.median(volume), 1e-6)
    low = np.rint(place).astype(int)[::-1] - reach
    box = volume[tuple(slice(first, first + 2 * reach + 1) for first in low)]
    top = np.array(np.unravel_index(box.argmax(), box.shape)) + low
    found = []
    for axis in range(3):
        step = np.eye(3, dtype=int)[axis]
        before, at, after = (np.log(volume[tuple(top + k * step)]) for k in (-1, 0, 1))
        found.append(top[axis] + (before - after) / (2 * (before - 2 * at + after)))
    return np.array(found[::-1])


def as_xyz(volume):
    """An x, depth, y volume (rows of the file: y, depth, x) as (z, y, x), depth downwards."""
    return volume.transpose(1, 0, 2)[::-1]


# -- the volume -----------------------------------------------------------------------------------


@pytest.mark.parametrize("flip", [0, 1])
@pytest.mark.parametrize("binning", [1, 2])
@pytest.mark.parametrize("axis", [4.0, -86.0])
def test_beads_lie_where_aretomos_axes_sizes_and_middle_put_them(series, flip, binning, axis):
    folder = series(axis)

    aretomo_run(
        folder,
        f"-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ {THICK} -OutBin {binning} -Wbp 1 "
        f"-FlipVol {flip}",
    )

    volume, voxel_size, _ = volume_of(folder / "v.mrc")
    volume = volume if flip else as_xyz(volume)
    x, y = SIZE if axis == 4.0 else SIZE[::-1]
    assert volume.shape == (THICK // binning, y // binning, x // binning)
    assert voxel_size == pytest.approx(PIXEL_SIZE * binning)
    middle = np.array([x - 1, y - 1, THICK - 1]) / 2
    off = [peak_near(volume, place) - place for place in places(middle, binning)]
    assert np.abs(off).max() < 0.25
    assert np.abs(np.mean(off, 0)).max() < 0.1
    for mirror in ((-1, 1, 1), (1, -1, 1), (1, 1, -1)):
        for bead in BEADS * mirror:
            at = np.rint((middle + bead / PIXEL_SIZE) / binning).astype(int)
            assert volume[at[2], at[1], at[0]] < 0.5 * volume.max()


def test_nothing_is_aligned_where_the_alignment_is_given(series):
    folder = series()
    before = (folder / "ts.aln").read_bytes()

    aretomo_run(folder, f"-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ {THICK} -Wbp 1")

    assert (folder / "ts.aln").read_bytes() == before
    made = {path.name for path in folder.iterdir()}
    assert made == {
        *("ts.mrc", "ts.rawtlt", "ts.aln", "v.mrc", "v.log", "v.err"),
        *("v_projXY.mrc", "v_projXZ.mrc"),
    }


def test_the_contrast_is_inverted_when_asked_for(series):
    folder = series()
    line = f"-InMrc @ts.mrc -AlnFile @ts.aln -VolZ {THICK} -Wbp 1 -OutMrc"

    aretomo_run(folder, f"{line} @a.mrc")
    aretomo_run(folder, f"{line} @b.mrc -FlipInt 1")

    np.testing.assert_array_equal(volume_of(folder / "b.mrc")[0], -volume_of(folder / "a.mrc")[0])


@pytest.mark.parametrize("flip", [0, 1])
def test_projections_are_means_over_the_depth_and_over_y(series, flip):
    folder = series()

    aretomo_run(
        folder,
        f"-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ {THICK} -OutBin 2 -Wbp 1 "
        f"-FlipVol {flip}",
    )

    volume = volume_of(folder / "v.mrc")[0].astype(float)
    depth, along_y = (0, 1) if flip else (1, 0)
    for name, axis in (("XY", depth), ("XZ", along_y)):
        seen = volume_of(folder / f"v_proj{name}.mrc")[0][0]
        np.testing.assert_allclose(seen, volume.mean(axis), atol=1e-5)


def test_sart_without_wbp_sees_the_beads_too(series):
    folder = series()

    aretomo_run(
        folder,
        f"-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ {THICK} -OutBin 2 -Sart 3 8 "
        "-FlipVol 1",
    )

    volume = volume_of(folder / "v.mrc")[0]
    for place in places(np.array([*SIZE, THICK]) / 2 - 0.5, 2):
        assert np.abs(peak_near(volume, place) - place).max() < 0.3


def test_a_volume_without_thickness_is_the_aligned_series(series):
    folder = series()

    aretomo_run(folder, "-InMrc @ts.mrc -OutMrc @a.mrc -AlnFile @ts.aln -VolZ 0 -OutImod 3")

    images, pixel_size, _ = volume_of(folder / "a.mrc")
    assert images.shape == (31, SIZE[1], SIZE[0])
    assert pixel_size == PIXEL_SIZE
    upright = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=TILTS,
        shifts=np.full((31, 2), -PIXEL_SIZE / 2),  # from n // 2 to (n - 1) / 2
        image_size=SIZE,
        pixel_size=PIXEL_SIZE,
    )
    expected = 3 + projections([gaussian(at, 22.0, 0.01) for at in BEADS], upright)
    inner = (slice(None), slice(12, -12), slice(12, -12))
    assert np.abs(images - expected)[inner].max() < 0.05 * np.ptp(expected)
    again = volume_of(folder / "a_Imod" / "a_st.mrc")[0]
    np.testing.assert_array_equal(again, images)
    np.testing.assert_array_equal(
        read_xf(folder / "a_Imod" / "a_st.xf"), np.tile(np.eye(2, 3), (31, 1, 1))
    )


# -- settings -------------------------------------------------------------------------------------


def settings_of(line, generation=ONE_STACK, **more):
    return reconstruct_settings(parse(line.split()), planted(**more)[0], generation)


def test_defaults_are_those_of_the_generation():
    one, many = settings_of(""), settings_of("", MANY_SERIES, thickness_angstrom=400.0)

    assert (one.method, one.iterations, one.subsets) == ("os-sart", 20, 6)
    assert (many.method, many.iterations, many.subsets) == ("os-sart", 20, 10)
    assert (one.thickness, many.thickness) == ("1200", "340")
    assert (one.grid, many.grid) == ("aretomo", "aretomo3")
    assert (one.axis_order, many.axis_order) == ("xzy", "xzy")
    assert one.multiply is None


@pytest.mark.parametrize(
    ("line", "changed"),
    [
        ("-OutBin 3 -VolZ 301", {"binning": 3, "thickness": "300", "width": "60"}),
        ("-ReconRange -50 45", {"exclude_tilts": "1,2,3,28,29,30,31"}),
        ("-Sart 0 0", {"iterations": 15, "subsets": 6}),
        ("-Sart 7 31", {"iterations": 7, "subsets": 1}),
        ("-Wbp 1", {"method": "wbp", "window": "hamming", "combine": "mean"}),
        ("-CorrCTF 1 15", {"ctf": "wiener", "ctf_intact_first_peak": True}),
        ("-CorrCTF 2", {"ctf": "flip", "ctf_intact_first_peak": False}),
        ("-CorrCTF 0", {"ctf": "none"}),
        ("-FlipVol 1 -FlipInt 1", {"axis_order": "xyz", "multiply": -1.0}),
    ],
)
def test_options_become_our_settings(line, changed):
    found = settings_of(line).model_dump()

    assert {name: found[name] for name in changed} == changed


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-OutBin 2.5", "whole numbers from 1 on"),
        ("-ReconRange 70 80", "no tilt lies within"),
        ("-CorrCTF 4", "-CorrCTF 4: the first number is 0, 1, 2 or 3"),
    ],
)
def test_values_that_make_no_volume_are_errors(line, said):
    with pytest.raises(UserError, match=said):
        settings_of(line)


# -- alignments of other generations --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "sections", "count", "tilt"),
    [
        ("global_and_local", range(14, 51), 51, -27.71),
        ("global_no_local", range(61), 61, -63.20),
    ],
)
def test_real_files_of_both_meanings_of_sec_are_understood(shared, name, sections, count, tilt):
    path = shared / "reference" / "aln_samples" / f"{name}.aln"
    empty = np.broadcast_to(np.int8(0), (count, 4096, 4096))
    stack = ArrayStack(empty, 1.5)
    facts = facts_of(stack)
    tilts = tuple(Tilt(k, float(k)) for k in range(count))
    series = TiltSeries("ts", tilts, facts.pixel_size, facts.image_size)

    line = parse(["-AlnFile", str(path), "-OutBin", "4", "-VolZ", "1200", "-Wbp", "1"])
    found = given_alignment(line, stack, series)

    assert found.sections.tolist() == list(sections)
    assert found.tilts_degrees[0] == pytest.approx(tilt)
    settings = reconstruct_settings(line, found, ONE_STACK)
    assert (settings.width, settings.thickness) == ("4096", "1200")


# -- aligning -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aligned(tmp_path_factory):
    """A series of blobs aligned and reconstructed, and its truth."""
    folder = tmp_path_factory.mktemp("aligned")
    tilts = np.arange(-60, 61, 6.0)
    blobs = blob_series(seed=3, tilts=tilts, size=96, thickness=500.0, spread=2.0, along_x=6.0)
    write_stack(folder / "ts.mrc", blobs.images, 15.0)
    order = np.argsort(np.argsort(np.abs(tilts), kind="stable")) + 1
    np.savetxt(folder / "angles.txt", np.column_stack([tilts, order]), fmt="%.2f %d")
    (folder / "out").mkdir()
    run(
        [
            *("-InMrc", str(folder / "ts.mrc"), "-OutMrc", str(folder / "out" / "v.mrc")),
            *("-AngFile", str(folder / "angles.txt"), "-TiltAxis", "-4.3", "-1"),
            *("-VolZ", "100", "-OutBin", "4", "-Wbp", "1", "-TiltCor", "1", "-OutImod", "2"),
            *("-Kv", "300", "-ImgDose", "3", "-AlignZ", "80", "-OutXF", "1"),
        ]
    )
    return folder, blobs.truth


def test_the_aln_lies_beside_the_volume_named_like_the_stack_and_is_right(aligned):
    folder, truth = aligned

    found = aretomo.read(folder / "out" / "ts.aln", facts_of(blob_stack(truth)), kernel="2")

    assert found.axes_degrees == pytest.approx(np.full(21, -4.3), abs=1e-4)  # -TiltAxis -4.3 -1
    assert found.compare(truth).rms_px < 0.6


def blob_stack(truth):
    return ArrayStack(np.zeros((21, 96, 96), np.int8), truth.pixel_size)


def test_the_tilt_of_the_specimen_is_kept_in_tilt_and_told(aligned):
    folder, _ = aligned

    aln = aretomo.read_aln(folder / "out" / "ts.aln")

    assert -10 < aln.alpha_offset < -3  # so small a field tells little of the planted 6
    assert aln.tilts - aln.alpha_offset == pytest.approx(np.arange(-60, 61, 6.0), abs=1e-4)
    assert aln.sections.tolist() == list(range(1, 22))
    assert "are added to all tilts" in (folder / "out" / "v.log").read_text()


def test_the_log_tells_what_was_done(aligned):
    folder, _ = aligned
    log = (folder / "out" / "v.log").read_text()

    assert "the tilts are weighted by their dose, up to 63 e/A^2" in log
    assert "wrote" in log


def test_files_for_imod_are_of_the_stack_beside_them(aligned):
    folder, _ = aligned
    imod = folder / "out" / "v_Imod"

    images, pixel_size, _ = volume_of(imod / "v_st.mrc")
    raw = volume_of(folder / "ts.mrc")[0]
    aln = aretomo.read_aln(folder / "out" / "ts.aln")

    np.testing.assert_array_equal(images, raw)
    assert pixel_size == 15.0
    assert read_angles(imod / "v_st.tlt") == pytest.approx(aln.tilts, abs=1e-4)
    turn = read_xf(imod / "v_st.xf")[0, :, :2]
    assert np.degrees(np.arctan2(turn[0, 1], turn[0, 0])) == pytest.approx(
        aln.rotations[0], abs=1e-3
    )
    rows = (imod / "v_st_order_list.csv").read_text().splitlines()
    assert rows[0] == "ImageNumber, TiltAngle"
    assert rows[1] == f"   1,{aln.alpha_offset:.2f}"
    tilt_com = (imod / "tilt.com").read_text()
    assert "THICKNESS 96\n" in tilt_com
    assert "FULLIMAGE 96 96\n" in tilt_com
    assert "LOCALFILE" not in tilt_com


def test_files_for_imod_of_the_raw_series_name_the_dark_tilts(tmp_path):
    keep = [k for k in range(31) if k not in (2, 29)]
    alignment, _ = planted(sections=keep)
    images = planted()[1]
    write_stack(tmp_path / "ts.mrc", images, PIXEL_SIZE)
    np.savetxt(tmp_path / "ts.rawtlt", TILTS, fmt="%.3f")
    aretomo.write(alignment, tmp_path / "ts.aln")

    aretomo_run(
        tmp_path, f"-InMrc @ts.mrc -OutMrc @v.mrc -AlnFile @ts.aln -VolZ {THICK} -Wbp 1 -OutImod 1"
    )

    imod = tmp_path / "v_Imod"
    assert "EXCLUDELIST 3,30" in (imod / "tilt.com").read_text()
    transforms = read_xf(imod / "v_st.xf")
    assert len(transforms) == 31
    np.testing.assert_array_equal(transforms[2], np.eye(2, 3))
    assert not np.allclose(transforms[3], np.eye(2, 3), atol=0.01)
    assert not (imod / "v_st.mrc").exists()


# -- refusals, words ------------------------------------------------------------------------------


def test_dead_options_are_named_and_change_nothing(series, caplog):
    folder = series()
    line = f"-InMrc @ts.mrc -AlnFile @ts.aln -VolZ {THICK} -Wbp 1 -OutMrc"

    aretomo_run(folder, f"{line} @a.mrc")
    caplog.clear()
    aretomo_run(folder, f"{line} @b.mrc -OutXF 1 -IntpCor 1 -Bft 300 300 -McPatch 5 5")

    for name in ("OutXF", "IntpCor", "Bft", "McPatch"):
        assert f"-{name} is not used" in caplog.text
    np.testing.assert_array_equal(volume_of(folder / "a.mrc")[0], volume_of(folder / "b.mrc")[0])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("-OutMrc @ts.mrc", "give the output another name"),
        ("-OutMrc @no/v.mrc", "the folder doesn't exist"),
        ("-OutMrc @v.mrc -AlnFile @no.aln", "no.aln"),
        ("-OutMrc @v.mrc -AngFile @short.txt", "has 3 angles, the stack 31 images"),
    ],
)
def test_what_cannot_be_made_leaves_no_volume(series, change, said):
    folder = series()
    (folder / "short.txt").write_text("-3\n0\n3\n")
    before = (folder / "ts.mrc").read_bytes()

    with pytest.raises((UserError, OSError), match=said):
        aretomo_run(folder, f"-InMrc @ts.mrc -VolZ {THICK} {change}")

    assert not (folder / "v.mrc").exists()
    assert (folder / "ts.mrc").read_bytes() == before


def test_a_stack_without_a_pixel_size_asks_for_aretomos_option(tmp_path):
    write_stack(tmp_path / "ts.mrc", planted()[1], 0)

    with pytest.raises(UserError, match="give it with -PixSize"):
        aretomo_run(tmp_path, "-InMrc @ts.mrc -OutMrc @v.mrc")


def test_angles_of_a_range_are_evenly_spaced(series):
    folder = series()
    (folder / "ts.rawtlt").unlink()

    aretomo_run(
        folder,
        f"-InMrc @ts.mrc -OutMrc @v.mrc -TiltRange -60 60 -Align 0 -VolZ {THICK} -Wbp 1 -OutImod 1",
    )

    assert read_angles(folder / "v_Imod" / "v_st.tlt") == pytest.approx(TILTS, abs=1e-6)


def test_dark_tilts_are_left_out_by_the_tolerance_given(tmp_path):
    tilts = np.arange(-60, 61, 10.0)
    blobs = blob_series(seed=3, tilts=tilts, size=64, count=150, spread=1.0)
    images = blobs.images.copy()
    images[3] -= 40  # mean over SD falls to 0.6 of the others'
    write_stack(tmp_path / "ts.mrc", images, 15.0)
    np.savetxt(tmp_path / "ts.rawtlt", tilts, fmt="%.2f")

    for tolerance in ("0.8", "0.2"):
        aretomo_run(
            tmp_path,
            f"-InMrc @ts.mrc -OutMrc @v.mrc -VolZ 60 -OutBin 4 -Wbp 1 -TiltAxis -4.3 -1 "
            f"-DarkTol {tolerance}",
        )
        aln = aretomo.read_aln(tmp_path / "ts.aln")
        assert (4 not in aln.sections) == (tolerance == "0.8")
    assert len(aln.sections) == 13
