"""A simulated session through `vitreous run`, from its movies: found against truth, and mishaps."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from vitreous.cli.run import jobs_of
from vitreous.formats.alignments import read_alignment
from vitreous.formats.images import open_images
from vitreous.formats.mdoc import read_mdoc
from vitreous.formats.mrc import MrcWriter, read_volume
from vitreous.formats.tiff import write_tiff_stack
from vitreous.kernels.machine import Share
from vitreous.pipeline.against_truth import defocus_errors, motion_errors, placed, rms, tilts_of
from vitreous.pipeline.forecast import forecast
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.project_file import SeriesSettings
from vitreous.pipeline.state import state_of
from vitreous.records.images import facts_of

COMMAND = Path(sys.executable).with_name("vitreous")
STEPS = ["gain", "motion", "newstack", "align", "ctf", "reconstruct"]
SIMULATED = ("--size", "512", "512", "--pixel", "2.7", "--tilt-step", "10", "--frames", "5",
             "--frame-motion", "4", "--defocus", "35000", "--dose-per-tilt", "5")  # fmt: skip


def vitreous(*words):
    """(exit code, what was said)."""
    words = [COMMAND, *map(str, words)]
    ended = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "Traceback" not in ended.stderr, ended.stderr
    return ended.returncode, ended.stderr


# -- found against truth ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A simulated session of 13 tilts with movies."""
    folder = tmp_path_factory.mktemp("session")
    assert vitreous("-q", "simulate", "--output", folder, "--name", "TS_1", *SIMULATED)[0] == 0
    return folder


@pytest.fixture(scope="module")
def project(session, tmp_path_factory):
    """The project of a run of it, and what the run said."""
    folder = tmp_path_factory.mktemp("project")
    code, said = vitreous("run", session, "--project", folder, "--thickness", "60nm")
    assert code == 0, said
    return folder, said


@pytest.fixture(scope="module")
def truth(session):
    return json.loads((session / "truth.json").read_text())


def manifest(project, step):
    return StepFolder(project, "TS_1", step).read_manifest()


def aligned(project):
    stack = open_images(project / "TS_1" / "newstack" / "TS_1.st")
    return read_alignment(project / "TS_1" / "align" / "TS_1.xf", facts_of(stack))


def test_every_step_leaves_its_products_logs_and_manifest(project):
    folder, _ = project

    (series,) = state_of(folder)

    assert [(step.step, step.how) for step in series.steps] == [(step, "done") for step in STEPS]
    for step in STEPS:
        place = folder / "TS_1" / step
        assert (place / f"{step}.log").stat().st_size
        assert (place / f"{step}.err").exists()
        assert manifest(folder, step)["cost"]["cpu_seconds"] > 0
    for file in ("gain/TS_1_gain.mrc", "gain/TS_1_gain.png", "motion/TS_1_001_0.0.mrc",
                 "motion/TS_1_001_0.0.star", "motion/TS_1_001_0.0.png", "newstack/TS_1.st",
                 "newstack/TS_1_EVN.st", "newstack/TS_1.rawtlt", "ctf/TS_1_CTF.txt",
                 "ctf/TS_1.defocus", "ctf/TS_1_ctf.png", "reconstruct/TS_1.mrc"):  # fmt: skip
        assert (folder / "TS_1" / file).stat().st_size, file


def test_motion_is_found_as_it_is(project, truth):
    errors, claims = motion_errors(manifest(project[0], "motion"), truth)

    assert len(errors) == 13
    assert rms(errors) < 0.3  # px
    assert 0.5 < rms(errors) / rms(claims) < 2


def test_the_gain_is_laid_on_as_it_is(project):
    found = manifest(project[0], "gain")

    assert found["check"]["is_sure"]
    assert found["check"]["fits"] == found["orientation"]
    assert found["defects"] > 500  # the column


def test_the_stack_holds_the_averages_in_order_of_angle_with_their_doses(project):
    stack = project[0] / "TS_1" / "newstack" / "TS_1.st"
    mdoc = read_mdoc(stack.with_name("TS_1.st.mdoc"))

    sections = mdoc.of("ZValue")
    angles = [float(section.get("TiltAngle")) for section in sections]
    assert angles == sorted(angles)
    middle = open_images(stack).read(angles.index(min(angles, key=abs)))
    average = read_volume(project[0] / "TS_1" / "motion" / "TS_1_001_0.0.mrc").data[0]
    np.testing.assert_array_equal(middle, average)
    assert [section.get("ExposureDose") for section in sections] == ["5"] * 13
    assert sorted(float(s.get("PriorRecordDose")) for s in sections) == [5 * n for n in range(13)]


def test_the_alignment_is_found_as_it_is(project, truth):
    alignment = aligned(project[0])

    error = placed(alignment, tilts_of(alignment, truth), truth)

    assert error.rms_px < 2.5
    assert not error.mirrored


def test_the_contrast_transfer_is_found_as_it_is(project, truth):
    angles, errors, claims = defocus_errors(manifest(project[0], "ctf"), aligned(project[0]), truth)

    low = np.abs(angles) <= 30
    assert low.sum() >= 5
    assert np.median(np.abs(errors[low])) < 250  # A; the field is half of what is asked for 100
    assert rms(errors / claims) < 2
    assert manifest(project[0], "ctf")["hand"] in (None, -truth["defocus_hand"])


def test_what_a_run_would_take_is_no_less_than_it_took(project, session, tmp_path):
    (job,), _ = jobs_of(tmp_path / "new", [session], SeriesSettings(), ())

    foreseen = forecast(job, job.steps, Share(threads=2))

    assert [step.step for step in foreseen.steps] == STEPS
    for step in foreseen.steps:
        cost = manifest(project[0], step.step)["cost"]
        assert cost["peak_memory_bytes"] < step.memory_bytes, step.step
    motion = foreseen.steps[1]
    made = manifest(project[0], "motion")["products"].values()
    assert sum(product["bytes"] for product in made) < 1.2 * motion.disk_bytes


def test_a_simulated_session_ends_with_a_table_against_truth(project):
    _, said = project

    assert "TS_1 is simulated; what was found against what is true" in said
    for row in ("motion", "tilt axis", "alignment", "defocus", "defocus hand"):
        assert f"\n  {row} " in said


def test_the_page_shows_gain_motion_and_contrast_transfer(project):
    page = (project[0] / "TS_1" / "report.html").read_text()

    for heading in ("Gain reference", "Motion in the movies", "Contrast transfer", "Alignment"):
        assert f">{heading}</h2>" in page
    for plot in ("Way of each tilt", "Tracks, each from its first frame", "Defocus of each tilt"):
        assert plot in page
    assert 'href="motion/TS_1_001_0.0.png"' in page


def test_the_steps_are_left_as_task_folders_for_facilities(project):
    folder, _ = project

    assert vitreous("-q", "run", "--project", folder, "--task-json")[0] == 0

    tasks = sorted(path for path in (folder / "tasks").iterdir() if path.is_dir())
    assert [path.name for path in tasks] == [
        f"task_{number:02d}_{step}" for number, step in enumerate(STEPS, 1)
    ]
    read = {path.stem: json.loads(path.read_text()) for path in tasks[1].glob("*.json")}
    assert read["task"]["task_name"] == "motion"
    assert read["task"]["parameters"]["local"] is True
    assert read["result"]["status"] == "SUCCESS"
    assert read["result"]["errors"] == []
    logs = [entry["detail"] for entry in read["result"]["logs"]]
    assert any("TS_1: 13 of 13 movies corrected" in detail for detail in logs)
    (images,) = read["imageset"]["image_sets"]
    assert images["header"] == {"imageset_name": "TS_1"}
    assert len(images["images"]) == 13
    assert all(Path(image).is_absolute() and Path(image).exists() for image in images["images"])
    assert "of 5 frames" in (tasks[1] / "console.log").read_text()
    workflow = json.loads((folder / "tasks" / "workflow.json").read_text())
    assert [task["name"] for task in workflow["tasks"]] == STEPS


def test_what_is_done_isnt_done_again_and_a_lost_average_is_made_anew(project):
    folder, _ = project
    motion = folder / "TS_1" / "motion"
    others = (motion / "TS_1_002_10.0.mrc").stat().st_mtime_ns
    corrected = (motion / "motion.log").read_text().count("of 5 frames")

    assert "up to date already" in vitreous("run", "--project", folder)[1]
    (motion / "TS_1_001_0.0.mrc").unlink()
    code, said = vitreous("run", "--project", folder)

    assert code == 0, said
    assert (motion / "TS_1_001_0.0.mrc").exists()
    assert (motion / "TS_1_002_10.0.mrc").stat().st_mtime_ns == others
    assert (motion / "motion.log").read_text().count("of 5 frames") == corrected + 1


# -- mishaps ---------------------------------------------------------------------------------------


SHAPE = (4, 96, 96)
ANGLES = (-20, -10, 0, 10, 20)


def write_small(folder, name, **changes):
    """A session of five small movies of noise with some structure; changes: of the records."""
    rng = np.random.default_rng(3)
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    image = 8 + 6 * (rng.random((12, 12)).repeat(8, 0).repeat(8, 1) > 0.5)
    text = "PixelSpacing = 5\nVoltage = 300\nImageSize = 96 96\n\n"
    text += "[T =     Tilt axis angle = 0.0, binning = 1  spot = 8  camera = 1]\n\n"
    for z, angle in enumerate(ANGLES):
        movie = f"{name}_{z + 1:03d}_{angle}.0.tif"
        record = {
            "TiltAngle": f"{angle}",
            "ExposureDose": "3",
            "SubFramePath": f"X:\\frames\\{movie}",
            "NumSubFrames": f"{SHAPE[0]}",
            "DateTime": f"06-Jun-23  10:00:{z:02d}",
        } | changes
        lines = (f"{key} = {value}" for key, value in record.items() if value)
        text += f"[ZValue = {z}]\n" + "\n".join(lines) + "\n\n"
        frames = rng.poisson(np.broadcast_to(image, SHAPE)).astype(np.uint8)
        write_tiff_stack(folder / "frames" / movie, list(frames), 5.0)
    (folder / f"{name}.mdoc").write_text(text)


def write_gain(path, shape, value=1.0):
    with MrcWriter(path, (1, *shape), 5.0) as writer:
        writer.write((0, 0, 0), np.full((1, *shape), value, np.float32))


def movie(folder, name, number):
    (found,) = (folder / "frames").glob(f"{name}_{number:03d}_*.tif")
    return found


def test_each_mishap_is_told_of_its_series_and_the_others_go_on(tmp_path):
    folder, project = tmp_path / "s", tmp_path / "p"
    for name in (
        "cut",
        "lost",
        "longer",
        "gain_wrong",
        "gain_empty",
        "empty",
        "no_dose",
        "one_lost",
    ):
        write_small(folder / name, name)
    for number in (1, 2, 3):
        cut = movie(folder / "cut", "cut", number)
        cut.write_bytes(cut.read_bytes()[:4000])
        movie(folder / "lost", "lost", number).unlink()
    movie(folder / "one_lost", "one_lost", 1).unlink()
    write_small(folder / "longer", "longer", NumSubFrames="9")
    write_gain(folder / "gain_wrong" / "frames" / "gain.mrc", (64, 80))
    write_gain(folder / "gain_empty" / "frames" / "gain.mrc", SHAPE[1:], 0.0)
    for number in range(1, 6):
        frames = np.zeros(SHAPE, np.uint8)
        write_tiff_stack(movie(folder / "empty", "empty", number), list(frames), 5.0)
    write_small(folder / "no_dose", "no_dose", ExposureDose="0")
    text = (folder / "no_dose" / "no_dose.mdoc").read_text()
    write_small(folder / "no_pixel", "no_pixel")
    notes = folder / "no_pixel" / "no_pixel.mdoc"
    notes.write_text(notes.read_text().replace("PixelSpacing = 5\n", ""))
    for path in (folder / "no_pixel" / "frames").glob("*.tif"):
        write_tiff_stack(path, list(np.ones(SHAPE, np.uint8)), 1.0)

    words = ("--project", project, "--binning", "2", "--cpus", "2", "--task-json")
    code, said = vitreous("run", folder, *words)

    assert code == 1
    states = {series.name: series for series in state_of(project)}
    why = {name: state.failed.why for name, state in states.items() if state.failed}
    assert "2 of 5 movies could not be corrected" in why["cut"]
    assert "3 of 5 movies aren't there: lost_001_-20.0.tif" in why["lost"]
    assert "9 frames were recorded, 4 are in the file" in why["longer"]
    assert "80 x 64" in why["gain_wrong"]
    assert "96 x 96" in why["gain_wrong"]
    assert "gain.mrc" in why["gain_empty"]
    assert "empty" in why["empty"]
    assert "nothing says the pixel size of the movies" in why["no_pixel"]
    assert "nothing says the dose" in " ".join(states["no_dose"].warnings)
    assert "isn't there" in " ".join(states["one_lost"].warnings)
    for name in ("no_dose", "one_lost"):
        assert states[name].step("newstack").how == "done", name
    assert "ExposureDose = 0" in text
    assert len(open_images(project / "one_lost" / "newstack" / "one_lost.st").shape) == 3
    assert open_images(project / "one_lost" / "newstack" / "one_lost.st").shape[0] == 4
    assert "series failed" in said
    result = json.loads((project / "tasks" / "task_02_motion" / "result.json").read_text())
    assert {error["detail"].partition(":")[0] for error in result["errors"]} >= {"cut", "longer"}
    assert (result["status"], result["exit_code"]) == ("SUCCESS", 1)


def test_a_stack_is_begun_with_where_its_movies_are_missing_or_it_is_asked_for(tmp_path):
    folder = tmp_path / "s"
    write_small(folder, "TS")
    with MrcWriter(folder / "TS.mrc", (5, 96, 96), 5.0, is_stack=True) as writer:
        writer.write((0, 0, 0), np.random.default_rng(1).normal(5, 1, (5, 96, 96)).astype("f4"))

    words = ("run", folder, "--project", tmp_path / "p", "--dry-run")

    assert " newstack " in vitreous(*words)[1]
    assert " newstack " not in vitreous(*words, "--begin-with", "stacks")[1]
    for number in (1, 2, 3):
        movie(folder, "TS", number).unlink()
    few = vitreous(*words)[1]
    assert " newstack " not in few
    assert "3 of 5 movies aren't there" in few
    assert "its stack is taken" in few
    shutil.rmtree(folder / "frames")
    assert " newstack " not in vitreous(*words)[1]
    _, said = vitreous(*words, "--begin-with", "movies")
    assert "5 of 5 movies aren't there" in said


def test_movies_alone_are_no_stack_to_begin_with(tmp_path):
    write_small(tmp_path / "s", "TS")
    words = ("run", tmp_path / "s", "--project", tmp_path / "p", "--dry-run")

    assert "there is no stack to begin with" in vitreous(*words, "--begin-with", "stacks")[1]


def test_a_movie_of_two_series_is_told(tmp_path):
    folder = tmp_path / "s"
    write_small(folder, "TS")
    shutil.copy(folder / "TS.mdoc", folder / "copy.mdoc")

    _, said = vitreous("run", folder, "--project", tmp_path / "p", "--dry-run")

    assert "TS and copy name the same movies" in said or "copy and TS name the same movies" in said
