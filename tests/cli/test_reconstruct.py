"""`vitreous reconstruct` from file to file, on small series with beads."""

import re
from dataclasses import replace

import numpy as np
import pytest

from tests.series import (
    BEADS,
    PIXEL_SIZE,
    place_of,
    tilts_seen,
    volume_of,
    write_series,
    write_stack,
)
from vitreous.formats.alignments import write_alignment

THICKNESS = 41


@pytest.fixture
def series(tmp_path):
    return write_series(tmp_path)


@pytest.fixture
def made(vitreous, series, tmp_path):
    """made("--bin", 2, ...) -> (sections, voxel size, labels) of the volume of `series`."""

    def call(*options, of=series, thickness=THICKNESS):
        output = tmp_path / "rec.mrc"
        words = (of.stack, "--alignment", of.transforms, "--thickness", thickness)
        ended = vitreous("-q", "reconstruct", *words, "--output", output, *options)
        assert (ended.code, ended.said) == (0, "")
        return volume_of(output)

    return call


# -- where things are ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grid", "binning", "centre"),  # CONVERSIONS 1 and 5, for 64 x 56 x 41 voxels
    [
        ("house", 1, (32, 28, 20)),
        ("imod", 1, (31.5, 27.5, 20.5)),
        ("aretomo", 1, (31.5, 27.5, 20)),
        ("aretomo3", 1, (32, 27.5, 20.5)),
        ("relion", 1, (32, 28, 20)),
        ("house", 2, (16, 14, 10)),
        ("imod", 2, (15.5, 13.5, 9.5)),
        ("aretomo", 2, (31.5 / 2, 27.5 / 2, 19.5 / 2)),
        ("relion", 2, (16, 14, 10)),
        ("house", 3, (10, 9, 6)),
        ("relion", 3, (32 / 3, 28 / 3, 20 / 3)),
    ],
)
def test_beads_lie_where_each_familys_grid_has_them(made, grid, binning, centre):
    volume, voxel_size, _ = made("--grid", grid, "--bin", binning)

    assert voxel_size == pytest.approx(PIXEL_SIZE * binning)
    for bead in BEADS:
        expected = bead / voxel_size + centre
        assert np.abs(place_of(volume, expected) - expected).max() < 0.15


def test_imods_axis_order_is_the_same_volume_turned(made):
    upright, _, _ = made()

    native, _, _ = made("--axis-order", "xzy")

    assert native.shape == (56, THICKNESS, 64)
    assert np.array_equal(native, upright[::-1].transpose(1, 0, 2))


def test_shifts_move_the_contents(made):
    volume, _, _ = made("--shift-x", "3", "--shift-z=-40A")

    expected = BEADS[0] / PIXEL_SIZE + (32 + 3, 28, 20 - 4)
    assert np.abs(place_of(volume, expected) - expected).max() < 0.15


# -- sizes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("binning", [1, 2])
@pytest.mark.parametrize("length", ["30", "30px", "300A", "30nm", "0.03um", " 30 nm "])
def test_lengths_count_unbinned_pixels_or_have_a_unit(made, length, binning):
    volume, _, _ = made("--bin", binning, "--width", length, "--height", length, thickness=length)

    assert volume.shape == (30 // binning,) * 3


def test_an_axis_near_the_images_x_axis_swaps_width_and_height(made, tmp_path):
    lying = write_series(tmp_path, "lying", axis=86.0)

    volume, _, _ = made(of=lying)

    assert volume.shape == (THICKNESS, 64, 56)
    expected = BEADS[0] / PIXEL_SIZE + (28, 32, 20)
    assert np.abs(place_of(volume, expected) - expected).max() < 0.15


def test_rows_are_a_part_of_the_whole(made):
    whole, _, _ = made()

    part, _, _ = made("--rows", 10, 29)

    np.testing.assert_allclose(part, whole[:, 10:30], atol=1e-6 * whole.std())


def test_a_thickness_that_the_alignment_says_is_taken(vitreous, series, tmp_path):
    aln = tmp_path / "ts.aln"
    write_alignment(replace(series.alignment, thickness_angstrom=360.0), aln)

    ended = vitreous(
        "reconstruct", series.stack, "--alignment", aln, "--output", tmp_path / "rec.mrc"
    )

    assert ended.code == 0
    assert volume_of(tmp_path / "rec.mrc")[0].shape[0] == 36
    assert "no thickness" not in ended.said


# -- which tilts -----------------------------------------------------------------------------------


def test_an_excluded_tilt_is_not_even_read(made, series):
    expected, _, _ = made("--exclude-tilts", "4,9-10")
    images = series.images.copy()
    images[[3, 8, 9]] = np.nan
    write_stack(series.stack, images)

    found, _, _ = made("--exclude-tilts", "4,9-10")

    assert np.array_equal(found, expected)


def test_an_alignment_of_the_used_tilts_only_goes_with_the_list_of_the_others(
    made, series, tmp_path
):
    expected, _, _ = made("--exclude-tilts", "4")
    (tmp_path / "ts_tilts.txt").unlink()
    for name in ("ts.xf", "ts.tlt", "ts.xtilt"):
        lines = (tmp_path / name).read_text().splitlines()
        (tmp_path / name).write_text("\n".join(lines[:3] + lines[4:]) + "\n")

    found, _, _ = made("--exclude-tilts", "4")

    assert np.array_equal(found, expected)


def test_half_sets_share_no_tilt_and_show_the_same(made, series):
    whole, _, _ = made("--density-neighbours", 0, "--combine", "imod")
    halves = []
    for half in ("odd", "even"):
        data, _, labels = made("--half", half, "--density-neighbours", 0, "--combine", "imod")
        halves.append(data)
        assert f"{8 if half == 'odd' else 7} tilts" in labels[1]

    together = (8 * halves[0] + 7 * halves[1]) / 15  # IMOD's scale: the mean of the tilts
    np.testing.assert_allclose(together, whole, atol=1e-4 * whole.std())


def test_a_tilt_of_weight_0_leaves_no_trace(made, series):
    weights = ["--view-weights", *np.where(np.arange(15) == 6, 0, 1)]
    expected, _, _ = made(*weights)
    images = series.images.copy()
    images[6] = 1000 * np.random.default_rng(1).normal(size=images[6].shape)
    write_stack(series.stack, images)

    found, _, _ = made(*weights)

    np.testing.assert_allclose(found, expected, atol=1e-6 * expected.std())


def test_view_weights_count_by_their_ratios(made):
    plain, _, _ = made()

    weighted, _, _ = made("--view-weights", *[2.5] * 15)

    np.testing.assert_allclose(weighted, plain, rtol=1e-5, atol=1e-6 * plain.std())


# -- grey values -----------------------------------------------------------------------------------


def scaling_in(labels):
    text = next(label for label in labels if "stored =" in label)
    add, multiply = re.search(r"\(density \+ (\S+)\) \* (\S+)", text).groups()
    return float(add), float(multiply)


@pytest.mark.parametrize("mode", ["int16", "int8"])
@pytest.mark.parametrize("given", [(), ("--add", "0.001"), ("--multiply", "20000")])
def test_integers_hold_the_densities_within_half_a_step_of_the_stated_scaling(made, mode, given):
    density, _, _ = made()

    stored, _, labels = made("--mode", mode, *given)

    add, multiply = scaling_in(labels)
    assert stored.dtype == mode
    range_ = np.iinfo(mode)
    expected = np.clip((density.astype(float) + add) * multiply, range_.min, range_.max)
    float32_rounding = 2**-23 * np.abs(expected).max()
    assert np.abs(stored - expected).max() < 0.5 + float32_rounding
    assert stored.std() > 1


@pytest.mark.parametrize("brightness", [1, 1e-6, 1e7])
def test_float16_keeps_ten_bits_however_faint_or_bright(made, series, brightness):
    write_stack(series.stack, series.images * brightness)
    density, _, _ = made()

    stored, _, labels = made("--mode", "float16")

    add, multiply = scaling_in(labels)
    assert stored.dtype == np.float16
    expected = (density.astype(float) + add) * multiply
    assert np.abs(stored - expected).max() < 2**-11 * np.abs(expected).max()
    assert 1e-2 < stored.astype(float).std() < 1e3


def test_cut_voxels_are_counted(vitreous, series, tmp_path):
    ended = vitreous(
        *("reconstruct", series.stack, "--alignment", series.transforms, "--thickness", "20"),
        *("--output", tmp_path / "rec.mrc", "--mode", "int8", "--multiply", "1e6"),
    )

    assert ended.code == 0
    assert re.search(r"warning: \d+ voxels \([\d.]+ %\) lay beyond the range of int8", ended.said)


def test_the_logarithm_undoes_an_exponential(made, series):
    write_stack(series.stack, series.images - 2.9)
    expected, _, _ = made()
    write_stack(series.stack, 10 ** (series.images - 2.9))

    found, _, _ = made("--log-base", "0")

    np.testing.assert_allclose(found, expected, atol=1e-5 * expected.std())


def test_a_mean_is_kept_only_where_asked_for(made):
    without, _, _ = made("--weighting", "none", "--combine", "mean")

    with_mean, _, _ = made("--weighting", "none", "--combine", "mean", "--keep-mean")

    assert abs(without.mean()) < 0.05
    assert with_mean[15:25, 20:40, 20:40].mean() == pytest.approx(3.0, abs=0.2)


def test_a_taper_takes_off_what_stands_at_the_edges(made, series):
    images = series.images.copy()
    images[:, :, -1] += 50
    write_stack(series.stack, images)
    sharp, _, _ = made()

    faded, _, _ = made("--taper", 4)

    assert faded[20, 28].max() < 0.1 * sharp[20, 28].max()


# -- iterations ------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sirt", "os-sart"])
def test_iterations_stay_within_the_mask(made, tmp_path, method):
    mask = np.zeros((THICKNESS, 56, 64))
    mask[10:36, :, 5:60] = 1
    write_stack(tmp_path / "mask.mrc", mask, pixel_size=0)  # a mask needs no pixel size

    volume, _, _ = made("--method", method, "--iterations", 3, "--mask", tmp_path / "mask.mrc")

    assert not volume[mask == 0].any()
    expected = BEADS[0] / PIXEL_SIZE + (32, 28, 20)
    assert np.abs(place_of(volume, expected) - expected).max() < 0.3


# -- inputs as they come ---------------------------------------------------------------------------


def test_tilts_may_stand_in_any_order(vitreous, made, series, tmp_path):
    expected, _, _ = made()
    order = np.random.default_rng(2).permutation(15)
    ordered = tilts_seen()
    shuffled = write_series(
        tmp_path,
        "shuffled",
        series.images[order],
        tilts_degrees=ordered.tilts_degrees[order],
        shifts=ordered.shifts[order],
    )

    found, _, _ = made(of=shuffled)

    np.testing.assert_allclose(found, expected, atol=2e-5 * expected.std())


def test_two_tilts_of_the_same_angle_are_used_and_told(vitreous, series, tmp_path):
    angles = tilts_seen().tilts_degrees
    angles[8] = angles[3]
    write_series(tmp_path, "twice", tilts_degrees=angles)

    ended = vitreous(
        *("reconstruct", tmp_path / "twice.mrc", "--alignment", tmp_path / "twice.xf"),
        *("--thickness", 20, "--output", tmp_path / "rec.mrc"),
    )

    assert ended.code == 0
    assert "warning: tilts 4 and 9 have the same angle" in ended.said
    assert "15 of 15 tilts" in ended.said


def test_holes_are_filled_and_counted(vitreous, made, series, tmp_path):
    expected, _, _ = made()
    images = series.images.copy()
    images[2, 5, 7:9], images[11, 50, 3] = np.nan, -np.inf
    write_stack(series.stack, images)

    ended = vitreous(
        *("reconstruct", series.stack, "--alignment", series.transforms),
        *("--thickness", THICKNESS, "--output", tmp_path / "rec.mrc"),
    )

    assert ended.code == 0
    told = (
        "warning: 3 NaN or infinite pixels were replaced by their image's mean: "
        "tilt 3 (-42.9 degrees), tilt 12 (34.3 degrees)"
    )
    assert told in ended.said
    found, _, _ = volume_of(tmp_path / "rec.mrc")
    assert np.isfinite(found).all()
    assert np.corrcoef(found.ravel(), expected.ravel())[0, 1] > 0.99


def test_a_blank_image_is_told(vitreous, series, tmp_path):
    images = series.images.copy()
    images[4] = 3
    write_stack(series.stack, images)

    ended = vitreous(
        *("reconstruct", series.stack, "--alignment", series.transforms, "--thickness", 20),
        *("--output", tmp_path / "rec.mrc"),
    )

    assert ended.code == 0
    assert (
        "one grey value all over: tilt 5 (-25.7 degrees); leave out with --exclude-tilts 5"
        in ended.said
    )


def test_a_header_without_a_real_pixel_size_is_told(vitreous, series, tmp_path):
    write_stack(series.stack, series.images, pixel_size=1.0)
    words = ("--alignment", series.transforms, "--thickness", 20, "--output", tmp_path / "rec.mrc")

    ended = vitreous("reconstruct", series.stack, *words)
    corrected = vitreous("reconstruct", series.stack, *words, "--pixel", 10)

    assert "warning: " in ended.said
    assert "exactly 1 A often means that it wasn't set" in ended.said
    assert "warning" not in corrected.said
    assert volume_of(tmp_path / "rec.mrc")[1] == 10


def test_a_dry_run_says_what_would_be_and_makes_nothing(vitreous, series, tmp_path):
    before = sorted(tmp_path.iterdir())

    ended = vitreous(
        *("reconstruct", series.stack, "--alignment", series.transforms, "--dry-run"),
        *("--thickness", 40, "--mode", "int16", "--output", tmp_path / "rec.mrc"),
    )

    assert ended.code == 0
    assert "tomogram of 64 x 56 x 40 voxels of 10 A (400 A thick)" in ended.said
    assert re.search(
        r"dry run on cpu: would write .*rec.mrc, 287 kB as int16; .* are free", ended.said
    )
    assert "memory: up to" in ended.said
    assert sorted(tmp_path.iterdir()) == before


# -- contrast transfer, dose ----------------------------------------------------------------------


def write_ctf(series, hand=1):
    """A .defocus beside the stack."""
    path = series.stack.with_suffix(".defocus")
    lines = [f"{17 if hand < 0 else 1} 0 0. 0. 0 3"]
    lines += [f"{view} {view} 0 0 {2500 + 10 * view} 2400 30" for view in range(1, 16)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_ctfs_beside_the_stack_are_found_and_those_given_come_first(
    made, vitreous, series, tmp_path
):
    plain, *_ = made()
    elsewhere = tmp_path / "elsewhere.defocus"
    write_ctf(series).rename(elsewhere)

    named, *_ = made("--ctf", "flip", "--ctf-file", elsewhere)
    write_ctf(series)
    found, *_ = made("--ctf", "flip")
    other, *_ = made("--ctf", "flip", "--ctf-hand=-1")

    assert np.array_equal(named, found)
    assert not np.array_equal(named, plain)
    assert not np.array_equal(named, other)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ctf", "flip"), "no CTFs are given or lie beside"),
        (("--ctf-hand", "1"), "--ctf-hand: only with --ctf multiply, flip or wiener"),
        (("--dose-weighting",), "dose_weighting needs the dose of every tilt"),
        (("--dose-per-tilt", "3"), "--dose-per-tilt: only with --dose-weighting"),
    ],
)
def test_what_lacks_for_a_correction_is_said(options, said, vitreous, series, tmp_path):
    words = (series.stack, "--alignment", series.transforms, "--output", tmp_path / "rec.mrc")

    ended = vitreous("reconstruct", *words, *options)

    assert ended.code != 0
    assert said in ended.said
    assert not (tmp_path / "rec.mrc").exists()
