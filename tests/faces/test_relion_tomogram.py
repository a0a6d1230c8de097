"""tomo_reconstruct_tomogram: products, the sets written, many tomograms, what goes wrong."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.reconstruct.imod_runs import correlation
from tests.relion_oracle import write_inputs
from tests.relion_sets import SIZE, write_image, write_set
from tests.series import volume_of
from vitreous.cli.main import main
from vitreous.formats.alignments import read_alignment
from vitreous.formats.star import Table, read_star, write_star
from vitreous.records.images import StackFacts

PLAIN = "--noctf --no_weight --bin 1"


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A set of one tomogram in the working directory."""
    monkeypatch.chdir(tmp_path)
    return write_set(tmp_path)


@pytest.fixture
def relion(capfd):
    """relion("--t ...") -> (exit code, what was said)."""

    def call(line, version=4):
        capfd.readouterr()
        words = ["relion", "tomo_reconstruct_tomogram", "--relion-version", str(version)]
        code = main([*words, *line.split()])
        return code, capfd.readouterr().err

    return call


def volume(path):
    return volume_of(Path(path))[0]


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


# -- products -------------------------------------------------------------------------------------


def test_the_file_named_is_the_only_one_written_and_its_folders_are_made(project, relion, tmp_path):
    before = files(tmp_path)

    code, said = relion(f"--t tomograms_r4.star --tn TS_1 {PLAIN} --o a/b/rec.mrc")

    assert code == 0, said
    assert set(files(tmp_path)) - set(before) == {"a/b/rec.mrc"}
    found, voxel_size, _ = volume_of(tmp_path / "a/b/rec.mrc")
    assert found.shape == SIZE[::-1]
    assert voxel_size == pytest.approx(5.0)


def test_an_optimisation_set_leads_to_the_same_volume(project, relion, tmp_path):
    write_star(
        tmp_path / "optimisation_set.star",
        [Table("", {"rlnTomoTomogramsFile": ["tomograms_r4.star"]}, is_loop=False)],
    )

    relion(f"--t tomograms_r4.star --tn TS_1 {PLAIN} --o a.mrc")
    relion(f"--i optimisation_set.star --tn TS_1 {PLAIN} --o b.mrc")

    np.testing.assert_array_equal(volume("a.mrc"), volume("b.mrc"))


def test_the_sets_first_voxel_is_1_for_relion_4_and_0_for_relion_5_in_sets_of_either(
    project, relion
):
    sides = "--w 32 --h 24 --d 12"
    for version, star, origin in [(4, "tomograms_r4", 1), (5, "tomograms_r4", 0),
                                  (4, "tilt_series", 1), (5, "tilt_series", 0)]:  # fmt: skip
        whole = f"--t {star}.star --tn TS_1 {PLAIN} {sides}"
        start = f"--x0 {origin} --y0 {origin} --z0 {origin}"
        relion(f"{whole} --o {version}{star}_", version)
        relion(f"{whole} {start} --o {version}{star}_said_", version)
    ending = {4: "", 5: "tomograms/rec_TS_1.mrc"}

    first = volume("4tomograms_r4_")
    for version, star in [(4, "tomograms_r4"), (5, "tomograms_r4"), (4, "tilt_series"),
                          (5, "tilt_series")]:  # fmt: skip
        for said in ("", "said_"):
            found = volume(f"{version}{star}_{said}{ending[version]}")
            np.testing.assert_allclose(found, first, atol=2e-4)


def test_a_part_lies_in_the_whole_where_it_begins(project, relion):
    relion(f"--t tomograms_r4.star --tn TS_1 {PLAIN} --o whole.mrc")
    code, said = relion(
        f"--t tomograms_r4.star --tn TS_1 {PLAIN} --o part.mrc "
        "--x0 6 --y0 3 --z0 4 --w 17 --h 9 --d 5"
    )

    assert code == 0, said
    assert "--w --h --d are unbinned pixels, as the manual says" in said
    whole, part = volume("whole.mrc"), volume("part.mrc")
    # images of pure noise: where lines are resampled depends on the region
    assert correlation(part, whole[3:8, 2:11, 5:22]) > 0.98
    for beside in (whole[2:7, 2:11, 5:22], whole[3:8, 3:12, 5:22], whole[3:8, 2:11, 4:21]):
        assert correlation(part, beside) < 0.9


def test_halves_and_projections_are_written_beside_the_volumes(project, relion, tmp_path):
    code, said = relion(
        "--t tilt_series.star --tn TS_1 --w 32 --h 24 --d 12 --no_weight --o out/ "
        "--generate_split_tomograms --do_proj --centre_proj 1 --thickness_proj 4",
        5,
    )

    assert code == 0, said
    made = [f"tomograms/rec_TS_1_half{k}.mrc" for k in (1, 2)]
    assert files(tmp_path / "out") == [f"projections/rec_TS_1_half{k}.mrc" for k in (1, 2)] + made
    halves = [volume(tmp_path / "out" / path) for path in made]
    np.testing.assert_allclose(halves[1], 3 * halves[0], rtol=1e-4, atol=1e-5)
    projection = volume(tmp_path / "out/projections/rec_TS_1_half1.mrc")
    np.testing.assert_allclose(projection.squeeze(), halves[0][5:10].sum(0), atol=1e-4)


def test_what_stands_at_an_images_edge_leaves_no_streak_with_a_taper(project, relion, tmp_path):
    """One image, moved by 12 px, has a bright band at its edge; what all others show is 10.

    RELION multiplies the volume by the largest taper of all tilts: the streak stays.
    """
    shifts = ["0.0", "-60.0", "0.0", "0.0", "0.0"]
    project.change_tilts(rlnTomoXShiftAngst=shifts, rlnTomoYShiftAngst=["0.0"] * 5)
    for k in range(5):
        image = np.full((24, 32), 10, np.float32)
        image[:, :4] += 90 * (k == 1)
        write_image(tmp_path / f"img/t{k}.mrc", image)
    line = f"--t tilt_series.star --tn TS_1 {PLAIN} --w 32 --h 24 --d 12 --keep_mean"

    relion(f"{line} --o plain.mrc")
    code, said = relion(f"{line} --td 4 --tf 2 --o faded.mrc")

    assert code == 0, said
    assert "--td --tf fade each image before it is back-projected" in said
    alignment = read_alignment(project.set, StackFacts(5, (32, 24), 5.0))
    z, y, x = np.indices(SIZE[::-1]).reshape(3, -1)
    seen = alignment.pixels((np.stack([x, y, z], -1) - (16, 12, 6)) * 5.0)
    inside = ((seen > 7) & (seen < np.array([24, 16]))).all(2)
    streak = (seen[1, :, 0] > 0.5) & (seen[1, :, 0] < 2.5) & inside[[0, 2, 3, 4]].all(0)
    assert streak.sum() > 20
    assert volume("plain.mrc").ravel()[streak].mean() == pytest.approx(28, abs=1)  # RELION's
    np.testing.assert_allclose(volume("faded.mrc").ravel()[streak], 10, atol=0.1)


# -- the sets written -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def relions_own(shared, tmp_path_factory):
    """The oracle's set, run as RELION was to write star/out_tomograms.star; the working folder."""
    oracle = shared / "oracles" / "R1_relion_tomogram"
    folder = tmp_path_factory.mktemp("r1")
    write_inputs(oracle, folder)
    return oracle, folder


def same_column(ours, theirs):
    try:
        return np.allclose(
            [float(x) for x in ours], [float(x) for x in theirs], rtol=0, atol=1.1e-5
        )
    except ValueError:
        return ours == theirs


def test_the_sets_written_agree_with_relions_column_by_column(relions_own, relion, monkeypatch):
    oracle, folder = relions_own
    monkeypatch.chdir(folder)

    code, said = relion(
        "--t tilt_series.star --o outall --w 104 --h 88 --d 36 --bin 2 --no_weight --do_proj "
        "--tiltangle_offset 5",
        5,
    )

    assert code == 0, said
    for written, own in [("tomograms.star", "out_tomograms.star"),
                         ("tilt_series/TS_1.star", "out_TS_1.star")]:  # fmt: skip
        (ours,), (theirs,) = (
            read_star(folder / "outall" / written),
            read_star(oracle / "star" / own),
        )
        assert ours.name == theirs.name
        assert list(ours.columns) == list(theirs.columns)
        for label in theirs.columns:
            assert same_column(ours.columns[label], theirs.columns[label]), label
        text = (folder / "outall" / written).read_text()
        assert "# version 50001" in text


def test_a_set_of_matrices_is_written_with_angles_and_its_other_columns(project, relion, tmp_path):
    code, said = relion("--t tomograms_r4.star --o out --no_weight --w 32 --h 24 --d 12", 5)

    assert code == 0, said
    (before,) = read_star(project.series)
    (after,) = read_star(tmp_path / "out/tilt_series/TS_1.star")
    assert not any(label.startswith("rlnTomoProj") for label in after.columns)
    for label in ("rlnTomoYTilt", "rlnTomoZRot", "rlnTomoXShiftAngst", "rlnDefocusU"):
        np.testing.assert_allclose(after.numbers(label), before.numbers(label), atol=2e-5)


def test_columns_that_are_not_used_come_back(project, relion, tmp_path):
    project.change_tilts(rlnCtfFigureOfMerit=[f"0.{k}" for k in range(5)])
    project.change_row(rlnMtfFileName="mtf_k3.star")

    relion("--t tilt_series.star --o out --no_weight --w 32 --h 24 --d 12 --bfactor_per_edose 3", 5)

    (tilts,) = read_star(tmp_path / "out/tilt_series/TS_1.star")
    (row,) = read_star(tmp_path / "out/tomograms.star")
    assert tilts.texts("rlnCtfFigureOfMerit") == ["0.0", "0.1", "0.2", "0.3", "0.4"]
    assert row.texts("rlnMtfFileName") == ["mtf_k3.star"]
    assert row.texts("rlnCtfBfactorPerElectronDose") == ["3.000000"]
    assert "rlnTomoTomogramBinning" not in row
    again = relion("--t out/tomograms.star --o again --no_weight --w 32 --h 24 --d 12", 5)
    assert again[0] == 0


# -- many -----------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path, monkeypatch):
    """A set of two tomograms, TS_1 and TS_2, in the working directory."""
    monkeypatch.chdir(tmp_path)
    first = write_set(tmp_path)
    (row,) = read_star(first.set)
    (tilts,) = read_star(first.series)
    write_star(tmp_path / "tilt_series/TS_2.star", [Table("TS_2", tilts.columns)])
    columns = {label: [words[0]] * 2 for label, words in row.columns.items()}
    columns |= {
        "rlnTomoName": ["TS_1", "TS_2"],
        "rlnTomoTiltSeriesStarFile": [f"tilt_series/TS_{k}.star" for k in (1, 2)],
    }
    write_star(first.set, [Table("global", columns)])
    return first


MANY = "--t tilt_series.star --o out --no_weight --w 32 --h 24 --d 12"


def times(folder):
    return {p.name: p.stat().st_mtime_ns for p in (folder / "out/tomograms").glob("*.mrc")}


def test_what_is_done_is_left_by_fingerprint_not_by_mere_existence(two, relion, tmp_path):
    assert relion(MANY, 5)[0] == 0
    first = times(tmp_path)
    assert sorted(first) == ["rec_TS_1.mrc", "rec_TS_2.mrc"]

    code, said = relion(MANY, 5)
    assert code == 0
    assert "TS_1 is up to date" in said
    assert times(tmp_path) == first

    (tmp_path / "out/tomograms/rec_TS_2.mrc").write_bytes(b"half of it")
    relion(MANY, 5)
    second = times(tmp_path)
    assert second["rec_TS_1.mrc"] == first["rec_TS_1.mrc"]
    assert volume(tmp_path / "out/tomograms/rec_TS_2.mrc").shape == SIZE[::-1]

    relion(f"{MANY} --keep_mean", 5)
    assert all(time > second[name] for name, time in times(tmp_path).items())
    manifest = json.loads((tmp_path / "out/tomograms/rec_TS_1.json").read_text())
    assert manifest["settings_changed"]["keep_mean"] is True


def test_several_are_named_with_commas_by_either_version(two, relion, tmp_path):
    code, said = relion(f"--tn TS_2,TS_1 {MANY} --noctf --bin 1")

    assert code == 0, said
    assert files(tmp_path / "out") == [
        "tomograms/rec_TS_1.json", "tomograms/rec_TS_1.mrc",
        "tomograms/rec_TS_2.json", "tomograms/rec_TS_2.mrc",
    ]  # fmt: skip


def test_one_that_fails_stops_no_other(two, relion, tmp_path):
    series = tmp_path / "tilt_series/TS_1.star"
    series.write_text(series.read_text().replace("img/t2.mrc", "img/lost.mrc"))

    code, said = relion(MANY, 5)

    assert code == 1
    assert "1 of 2 tomograms failed: TS_1" in said
    assert "1 image of TS_1 (rlnMicrographName) is missing: img/lost.mrc" in said
    assert list(times(tmp_path)) == ["rec_TS_2.mrc"]
    assert not (tmp_path / "out/tomograms.star").exists()


# -- what goes wrong ------------------------------------------------------------------------------


def ends_with(ended, *said):
    code, told = ended
    assert code == 1, told
    for text in said:
        assert text in told
    return True


LINE = f"--t tilt_series.star --tn TS_1 --w 32 --h 24 --d 12 {PLAIN} --o out/rec.mrc"
WITH_CTF = LINE.replace("--noctf", "")


def test_an_unknown_name_brings_those_that_are_there(project, relion):
    assert ends_with(
        relion(LINE.replace("TS_1", "TS1")), "tilt_series.star has no tomogram 'TS1'. It has TS_1"
    )


def test_missing_columns_of_the_ctf_are_all_named(project, relion):
    project.drop_tilts("rlnDefocusU", "rlnDefocusAngle")
    project.drop_row("rlnVoltage")

    assert ends_with(
        relion(WITH_CTF),
        "TS_1: its tilts have no rlnDefocusU, rlnDefocusAngle; its row in the set has no rlnVolt",
        "--noctf",
    )


def test_a_defocus_of_zero_is_told(project, relion):
    project.change_tilts(rlnDefocusU=["0"] * 5, rlnDefocusV=["0"] * 5)

    assert ends_with(relion(WITH_CTF), "TS_1 has no defocus (0) for tilts 1, 2, 3, 4, 5")


def test_images_of_unlike_sizes_are_told(project, relion, tmp_path):
    write_image(tmp_path / "img/t4.mrc", np.zeros((24, 31), np.float32))

    assert ends_with(relion(LINE), "most are 32 x 24 px, not so img/t4.mrc (31 x 24)")


def test_missing_images_are_told(project, relion, tmp_path):
    (tmp_path / "img/t0.mrc").unlink()

    assert ends_with(relion(LINE), "1 image of TS_1 (rlnMicrographName) is missing: img/t0.mrc")


@pytest.mark.parametrize("snr", ["0", "-2"])
def test_a_signal_to_noise_ratio_is_above_zero(project, relion, snr):
    assert ends_with(relion(f"{LINE} --SNR {snr}"), f"--SNR {snr}: it must be above 0")


@pytest.mark.parametrize(("option", "axis"), [("--x0 33", "x"), ("--z0 -11", "z")])
def test_a_region_outside_the_sample_is_told(project, relion, option, axis):
    assert ends_with(
        relion(f"{LINE} {option}"), f"{option}: the region of", "outside the sample of TS_1, 1 to"
    )


def test_a_folder_that_is_a_file_cannot_be_written_to(project, relion, tmp_path):
    (tmp_path / "out").write_text("a file")

    code, said = relion(LINE)

    assert code == 1
    assert "out" in said
    assert "can't be" in said
    assert (tmp_path / "out").read_text() == "a file"


def test_a_volume_that_does_not_fit_on_the_disk_is_told_before_the_work(
    project, relion, tmp_path, monkeypatch
):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/rec.mrc").write_text("the one before")
    huge = LINE.replace("--w 32 --h 24 --d 12", "--w 99000 --h 99000 --d 99000")

    assert ends_with(relion(huge), "the disk is too small. 3.88e+06 GB are needed")
    assert (tmp_path / "out/rec.mrc").read_text() == "the one before"


def test_a_full_disk_leaves_what_was_there(project, relion, tiny_disk):
    output = tiny_disk / "rec.mrc"
    output.write_text("the one before")
    line = LINE.replace("out/rec.mrc", str(output)).replace("--w 32", "--w 3200")

    code, said = relion(line)

    assert code == 1
    assert "are needed" in said
    assert output.read_text() == "the one before"


def test_a_read_only_disk_is_told(project, relion, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", tiny_disk], check=True)

    for output in (tiny_disk / "rec.mrc", tiny_disk / "a/rec.mrc"):
        code, said = relion(LINE.replace("out/rec.mrc", str(output)))
        assert code == 1
        assert "read-only" in said.lower()


def test_a_projection_beside_the_volume_is_told_before_the_work(project, relion, tmp_path):
    assert ends_with(
        relion(f"{LINE} --do_proj --centre_proj 20"),
        "sections 21 to 31 are to be projected, the tomogram has 0 to 11",
    )
    assert not (tmp_path / "out").exists()


def test_a_set_without_a_thickness_needs_it(project, relion):
    assert ends_with(
        relion(LINE.replace("--d 12", "")), "--d is needed: tilt_series.star doesn't say how thick"
    )


def test_sets_of_particle_stacks_are_refused(relion, shared, tmp_path, monkeypatch):
    folder = shared / "data" / "ribosome70s_particles"
    shutil.copy(
        folder / "warptools_test_4-tomos_10-ptcls_box-32_angpix-12_tomograms.star",
        tmp_path / "set.star",
    )
    monkeypatch.chdir(tmp_path)

    assert ends_with(
        relion("--t set.star --tn Unt_088.tomostar --o x.mrc"), "it describes particle stacks"
    )
