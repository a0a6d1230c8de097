"""tomo_reconstruct_particle through the command: RELION's maps, its job files, and bad input."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.average.relion_particles import run as stored
from tests.average.test_relion_oracle import apart, correlation
from tests.series import volume_of
from vitreous.cli.main import main
from vitreous.faces.relion_line import parse
from vitreous.faces.relion_particle import launched, settings_of, words_of_job, workforce_of
from vitreous.faces.relion_particle_options import OPTIONS
from vitreous.formats.mrc import MrcWriter
from vitreous.formats.relion_particles import read_optimisation_set
from vitreous.formats.star import read_star, write_star
from vitreous.pipeline import particle_sums

PROGRAM = ["relion", "tomo_reconstruct_particle"]


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracles" / "R2_relion_particle"


def write_project(oracle, folder: Path) -> Path:
    """The oracle's input files as they lay when the program ran."""
    made_of = np.load(oracle / "input.npz")
    for number in (1, 2):
        images = made_of[f"stack{number}"].astype(np.float32)
        (folder / "img").mkdir(exist_ok=True)
        for index, image in enumerate(images):
            path = folder / "img" / f"TS_{number}_{index:02d}.mrc"
            with MrcWriter(path, (1, *image.shape), 4.0, is_stack=True) as writer:
                writer.write((0, 0, 0), image[None])
        with MrcWriter(folder / f"TS_{number}.mrc", images.shape, 4.0, is_stack=True) as writer:
            writer.write((0, 0, 0), images)
    (folder / "tilt_series").mkdir()
    for path in (oracle / "star").glob("[!o]*.star"):
        inside = path.name.startswith("TS_")
        shutil.copy(path, folder / "tilt_series" if inside else folder)
    shutil.copy(oracle / "star" / "optimisation_set.star", folder)
    return folder


@pytest.fixture
def project(oracle, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_project(oracle, tmp_path)


@pytest.fixture
def relion(capfd):
    """relion("--i ...") -> (exit code, what was said)."""

    def call(line):
        capfd.readouterr()
        code = main([*PROGRAM, *line.split()])
        return code, capfd.readouterr().err

    return call


def volume(path):
    return volume_of(Path(path))[0]


def outside_all_tilts(oracle, box):
    """Names of particles round which no tilt shows a box, by the oracle's own matrices."""
    made_of = np.load(oracle / "input.npz")
    names, counts = [], {0: 0, 1: 0}
    for position, tomogram in zip(made_of["pos"], made_of["tomo"], strict=True):
        counts[int(tomogram)] += 1
        seen = made_of[f"P{tomogram + 1}"] @ [*position, 1]
        x, y = seen[:, 0], seen[:, 1]
        if not ((x > box / 2) & (x < 144 - box / 2) & (y > box / 2) & (y < 120 - box / 2)).any():
            names.append(f"TS_{tomogram + 1}/{counts[int(tomogram)]}")
    return names


LINES = {
    "base": "--i optimisation_set.star --b 36",
    "C6": "--i optimisation_set.star --b 36 --sym C6",
    "crop24": "--i optimisation_set.star --b 36 --crop 24 --taper 4",
    "motion": "--i optimisation_set.star --b 36 --mot motion.star",
    "slope15": "--p particles.star --t tomograms_slope15.star --b 36",
    "slope15_handplus": "--p particles.star --t tomograms_slope15_hand_plus.star --b 36",
    "nohalf": "--p particles_nohalf.star --t tomograms.star --b 36",
    "r4": "--t tomograms_r4.star --p particles_r4.star --b 36",
}


@pytest.mark.parametrize("name", LINES)
def test_the_programs_command_lines_give_the_programs_maps(project, oracle, relion, name):
    code, said = relion(f"{LINES[name]} --o out/{name}/")

    assert code == 0, said
    kept = "base" if name in ("nohalf", "r4") else name
    ours = volume(f"out/{name}/merged.mrc")
    assert correlation(ours, stored(oracle, f"{kept}/merged")) > 0.999
    assert apart(ours, stored(oracle, f"{kept}/merged")) < 0.002
    if name in ("slope15", "slope15_handplus"):
        rival = {"slope15": "slope15_handplus", "slope15_handplus": "slope15"}[name]
        assert apart(ours, stored(oracle, f"{rival}/merged")) > 0.02
    if name == "nohalf":
        assert "no half maps" in said
        assert not Path(f"out/{name}/half1.mrc").exists()


def test_all_products_are_there_and_the_next_step_finds_them(project, oracle, relion):
    code, said = relion("--i optimisation_set.star --b 36 --crop 24 --o out/all")

    assert code == 0, said
    maps = {f"{kind}{tag}.mrc" for tag in ("half1", "half2", "merged") for kind in
            ("", "data_", "weight_")}  # fmt: skip
    maps |= {f"{tag}_full.mrc" for tag in ("half1", "half2", "merged")}
    others = {"optimisation_set.star", "fsc.star", "fsc.png", "left_out.star", "average.json"}
    assert {path.name for path in Path("out/all").iterdir()} == maps | others
    assert volume("out/all/merged.mrc").shape == (24,) * 3
    assert volume_of(Path("out/all/merged.mrc"))[1] == pytest.approx(4.0)
    files = read_optimisation_set(Path("out/all/optimisation_set.star"))
    assert files.half_maps == (Path("out/all/half1.mrc"), Path("out/all/half2.mrc"))
    (left_out,) = read_star(Path("out/all/left_out.star"))
    assert left_out.texts("rlnTomoParticleName") == outside_all_tilts(oracle, 36)
    assert set(left_out.texts("vitreousReason")) == {"no tilt shows the whole box"}
    assert "resolution at FSC 0.143" in said


def test_several_processes_give_the_same_sums(project, relion):
    assert relion("--i optimisation_set.star --b 36 --o one")[0] == 0

    code, said = relion("--i optimisation_set.star --b 36 --np 2 --j 1 --o two")

    assert code == 0, said
    assert "2 processes" in said
    for name in ("half1", "half2", "merged"):
        assert apart(volume(f"two/{name}.mrc"), volume(f"one/{name}.mrc")) < 1e-4


def test_under_mpirun_only_the_first_rank_works(project, relion, monkeypatch):
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "3")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "5")

    code, said = relion("--i optimisation_set.star --b 36 --o out/rank")

    assert (code, said) == (0, "")
    assert not Path("out").exists()
    assert launched({"PMI_RANK": "0", "PMI_SIZE": "5"}) == (0, 5)
    assert launched({}) == (0, 1)


def test_a_killed_run_goes_on_from_whole_tomograms(project, relion, monkeypatch):
    """One tomogram's sums are left; the second run takes them, and only the other is summed."""
    monkeypatch.setattr(particle_sums, "SAVE_SECONDS", 0.0)
    line = "--p particles_nohalf.star --t tomograms.star --b 36 --o out/killed"
    assert relion(f"{line.replace('killed', 'whole')}")[0] == 0
    summed = []
    true_add = particle_sums.Summing.add

    def add(self, tilted, progress=None):
        if summed:
            raise KeyboardInterrupt
        summed.append(tilted.particles.tomogram)
        return true_add(self, tilted, progress)

    monkeypatch.setattr(particle_sums.Summing, "add", add)
    assert relion(line)[0] == 130
    assert list(Path("out/killed/temp").glob("sums_*.npz"))

    code, said = relion(f"{line} --only_do_unfinished")

    assert code == 130  # it begins with the other tomogram, and is stopped again
    assert "1 of 2 tomograms are summed already" in said
    monkeypatch.setattr(particle_sums.Summing, "add", true_add)
    code, said = relion(f"{line} --only_do_unfinished")
    assert code == 0, said
    assert apart(volume("out/killed/merged.mrc"), volume("out/whole/merged.mrc")) < 1e-4
    assert not Path("out/killed/temp").exists()


def test_a_finished_average_is_not_made_again_when_unfinished_work_is_asked_for(project, relion):
    line = "--i optimisation_set.star --b 36 --o out/again"
    assert relion(line)[0] == 0
    before = Path("out/again/merged.mrc").stat().st_mtime_ns

    code, said = relion(f"{line} --only_do_unfinished")

    assert code == 0
    assert "is done already" in said
    assert Path("out/again/merged.mrc").stat().st_mtime_ns == before
    assert relion(f"{line} --only_do_unfinished --sym C2")[0] == 0
    assert Path("out/again/merged.mrc").stat().st_mtime_ns > before


# -- the window's job -----------------------------------------------------------------------------

JOB = """
data_job

_rlnJobTypeLabel             relion.reconstructparticletomo
_rlnJobIsContinue                       0
_rlnJobIsTomo                           1


data_joboptions_values

loop_
_rlnJobOptionVariable #1
_rlnJobOptionValue #2
in_optimisation {set}
use_direct_entries No
in_particles ""
in_tomograms ""
in_trajectories ""
binning 6
box_size 192
crop_size 96
snr 0
sym_name C6
do_helix No
helical_nr_asu 3
helical_twist 40
helical_rise 12
nr_mpi 5
nr_threads 12
other_args "--mem 50"
"""


def test_the_tutorials_job_is_understood(tmp_path, caplog):
    path = tmp_path / "job.star"
    path.write_text(JOB.format(set="Extract/job010/optimisation_set.star"))

    line = words_of_job(path)
    settings = settings_of(line)
    force = workforce_of(line, 1)

    assert (settings.binning, settings.box, settings.crop) == (6, 192, 96)
    assert (settings.snr, settings.symmetry, settings.helical_units) == (0, "C6", 1)
    assert (force.processes, force.threads) == (5, 12)
    assert line.needed("o") == f"{tmp_path}/"
    assert force.memory_bytes <= 50e9


def test_a_job_file_runs(project, oracle, relion):
    Path("job.star").write_text(
        JOB.format(set="optimisation_set.star")
        .replace("binning 6", "binning 1")
        .replace("box_size 192", "box_size 36")
        .replace("crop_size 96", "crop_size -1")
        .replace("--mem 50", "--mem 2")
    )

    code, said = relion("--job job.star --o out/job --pipeline_control out/control/")

    assert code == 0, said
    assert correlation(volume("out/job/merged.mrc"), stored(oracle, "C6/merged")) > 0.999
    assert Path("out/control/RELION_JOB_EXIT_SUCCESS").exists()
    assert "instead of" in said  # 12 threads, 5 processes


# -- what can't be done ---------------------------------------------------------------------------


def particles_with(old, new, name="bad.star"):
    text = Path("particles.star").read_text()
    assert old in text
    Path(name).write_text(text.replace(old, new))
    return name


BAD = {
    "no box": ("--i optimisation_set.star", "--b is needed"),
    "crop": ("--i optimisation_set.star --b 36 --crop 40", "larger than the box"),
    "group": ("--i optimisation_set.star --b 36 --sym Q3", "symmetry 'Q3' is not known"),
    "no set": ("--i nowhere.star --b 36", "nowhere.star"),
    "no tomograms": ("--p particles.star --b 36", "there are no tomograms"),
    "large": ("--i optimisation_set.star --b 120", "no particle of"),
    "memory": ("--i optimisation_set.star --b 36 --mem 0.1", "of memory are allowed"),
    "no_recon": ("--i optimisation_set.star --b 36 --no_recon", "--no_recon isn't done here"),
    "bin": ("--i optimisation_set.star --b 36 --bin 0", "--bin 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_can_not_be_done_is_said_and_nothing_is_written(project, relion, name):
    line, message = BAD[name]

    code, said = relion(f"{line} --o out")

    assert code == 1, said
    assert message in said
    assert "Traceback" not in said
    assert not list(Path().glob("out/*.mrc"))


def test_an_unknown_tomogram_is_told_with_the_nearest_names(project, relion):
    particles_with("TS_2 TS_2/1 ", "TS_22 TS_2/1 ")

    code, said = relion("--p bad.star --t tomograms.star --b 36 --o out")

    assert code == 1
    assert "TS_22" in said
    assert "TS_2" in said.replace("TS_22", "")


def test_an_empty_half_set_is_told(project, relion):
    text = Path("particles.star").read_text().splitlines()
    rows = [
        " ".join([*words[:3], "1", *words[4:]]) if (words := row.split()) and "/" in row else row
        for row in text
    ]
    Path("bad.star").write_text("\n".join(rows) + "\n")

    code, said = relion("--p bad.star --t tomograms.star --b 36 --o out")

    assert code == 1
    assert "half set 2 (rlnRandomSubset) is empty" in said


def test_positions_that_are_no_numbers_are_told_with_their_line(project, relion):
    particles_with("17.532000", "nan")

    code, said = relion("--p bad.star --t tomograms.star --b 36 --o out")

    assert code == 1
    assert "bad.star:" in said
    assert "rlnCenteredCoordinateXAngst" in said


def test_an_odd_box_is_made_even_and_said(project, oracle, relion):
    code, said = relion("--i optimisation_set.star --b 35 --o out")

    assert code == 0, said
    assert "--b 35 is odd: 36 is taken" in said
    assert correlation(volume("out/merged.mrc"), stored(oracle, "base/merged")) > 0.999


def test_a_missing_image_stops_before_work_and_what_stood_there_stays(project, relion):
    assert relion("--i optimisation_set.star --b 36 --o out")[0] == 0
    before = Path("out/merged.mrc").read_bytes()
    Path("img/TS_2_07.mrc").unlink()

    code, said = relion("--i optimisation_set.star --b 36 --sym C2 --o out")

    assert code == 1
    assert "TS_2_07.mrc" in said
    assert Path("out/merged.mrc").read_bytes() == before


def test_pixels_that_are_no_numbers_are_replaced_and_said(project, oracle, relion):
    images = np.load(oracle / "input.npz")["stack1"].astype(np.float32)
    image = images[7].copy()
    image[50:53, 60:64] = np.nan
    with MrcWriter(Path("img/TS_1_07.mrc"), (1, *image.shape), 4.0, is_stack=True) as writer:
        writer.write((0, 0, 0), image[None])

    code, said = relion("--i optimisation_set.star --b 36 --o out")

    assert code == 0, said
    assert "TS_1, section 8: 12 NaN or infinite pixels were replaced" in said
    assert correlation(volume("out/merged.mrc"), stored(oracle, "base/merged")) > 0.99


def test_images_of_which_nothing_is_left_are_told(project, relion):
    for path in Path("tilt_series").glob("*.star"):
        table = next(t for t in read_star(path) if "rlnMicrographPreExposure" in t)
        columns = table.columns | {"rlnCtfScalefactor": ["0.0"] * len(table)}
        write_star(path, [replace(table, columns=columns)])

    code, said = relion("--i optimisation_set.star --b 36 --o out")

    assert code == 1
    assert "leave nothing of any image" in said


def test_aberrations_that_are_not_applied_are_said(project, relion):
    text = Path("particles.star").read_text()
    text = text.replace("_rlnTomoTiltSeriesPixelSize #6", "_rlnTomoTiltSeriesPixelSize #6\n"
                        "_rlnOddZernike #7")  # fmt: skip
    Path("odd.star").write_text(text.replace("0.100000 4.000000", "0.100000 4.000000 [0,0.1]"))

    code, said = relion("--p odd.star --t tomograms.star --b 36 --o out")

    assert code == 0, said
    assert "rlnOddZernike isn't applied" in said


def test_unlike_optics_are_told(project, relion):
    particles_with("1 og1 300.000000", "1 og1 200.000000")

    code, said = relion("--p bad.star --t tomograms.star --b 36 --o out")

    assert code == 1
    assert "rlnVoltage is 200 there and 300 for TS_1" in said


def test_sums_killed_while_they_are_made_are_gone_on_from(project, oracle, tmp_path):
    """SIGKILL of the whole group while two processes sum; the second run ends as one alone."""
    line = [Path(sys.executable).with_name("vitreous"), *PROGRAM, "--i", "optimisation_set.star",
            "--b", "36", "--np", "2", "--o", "out/kill"]  # fmt: skip
    process = subprocess.Popen(line, start_new_session=True, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 120
    while not list(Path("out/kill/temp").glob("sums_*.npz")) and time.monotonic() < until:
        if process.poll() is not None:
            break
        time.sleep(0.02)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    ended = subprocess.run([*line, "--only_do_unfinished"], capture_output=True, text=True)

    assert ended.returncode == 0, ended.stderr
    assert apart(volume("out/kill/merged.mrc"), stored(oracle, "base/merged")) < 2e-3
    manifest = json.loads(Path("out/kill/average.json").read_text())
    assert manifest["particles"] == 60 - len(outside_all_tilts(oracle, 36))


def test_the_manual_page_holds_every_option():
    names = [name for option in OPTIONS for name in option.names.split()]
    assert len(names) == len(set(names))
    assert parse(["--b", "36"], OPTIONS).whole("b") == 36
