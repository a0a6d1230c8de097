"""A simulated session whose movies are EER, through `vitreous run` to its tomogram."""

import json
import re

import numpy as np
import pytest

from tests.formats.eer_files import packed_pixels, stored_place, write_eer
from tests.pipeline.test_session_chain import STEPS, aligned, manifest, vitreous
from vitreous.formats.images import open_images
from vitreous.formats.movies import open_movie
from vitreous.formats.mrc import read_volume
from vitreous.pipeline.against_truth import motion_errors, placed, rms, tilts_of
from vitreous.pipeline.state import state_of

SIMULATED = ("--size", "384", "384", "--pixel", "2.7", "--tilt-step", "12", "--frames", "4",
             "--frame-motion", "4", "--dose-per-tilt", "4")  # fmt: skip
FRAMES, RAW = 4, 15  # of a movie; raw frames of each of these


def raw_frames(counts, rng):
    """Counts of a frame (y, x) in RAW raw frames; of two electrons in a pixel one is lost."""
    left = counts.ravel().astype(int)
    for raw in range(RAW):
        taken = rng.binomial(left, 1 / (RAW - raw))
        left -= taken
        pixels = np.flatnonzero(taken)
        x, y = rng.integers(0, 4, (2, len(pixels)))
        yield packed_pixels(pixels, stored_place(x, y, 2), counts.size)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """A simulated session of 11 tilts; its TIFF movies are made EER, and the .mdoc says so."""
    folder, rng = tmp_path_factory.mktemp("session"), np.random.default_rng(5)
    assert vitreous("-q", "simulate", "--output", folder, "--name", "TS_1", *SIMULATED)[0] == 0
    for path in (folder / "frames").glob("*.tif"):
        movie = open_movie(path)
        streams = [s for n in range(FRAMES) for s in raw_frames(movie.read(n), rng)]
        columns_rows = movie.shape[2], movie.shape[1]
        write_eer(path.with_suffix(".eer"), streams, columns_rows, metadata="")
        movie.close()
        path.unlink()
    mdoc = folder / "TS_1.mrc.mdoc"
    text = re.sub(r"NumSubFrames = \d+", f"NumSubFrames = {FRAMES * RAW}", mdoc.read_text())
    text = re.sub(r"FrameDosesAndNumber = .*\n", "", text)
    mdoc.write_text(text.replace(".tif", ".eer"))
    return folder


@pytest.fixture(scope="module")
def project(session, tmp_path_factory):
    """The project of a run of it, and what the run said."""
    folder = tmp_path_factory.mktemp("project")
    code, said = vitreous(
        "run", session, "--project", folder, "--thickness", "60nm", "--eer-group", RAW
    )
    assert code == 0, said
    return folder, said


@pytest.fixture(scope="module")
def truth(session):
    return json.loads((session / "truth.json").read_text())


def test_a_session_of_eer_movies_ends_with_a_tomogram(project):
    (series,) = state_of(project[0])

    assert [(step.step, step.how) for step in series.steps] == [(step, "done") for step in STEPS]
    tomogram = read_volume(project[0] / "TS_1" / "reconstruct" / "TS_1.mrc").data
    assert np.isfinite(tomogram).all()
    assert tomogram.std() > 0


def test_the_gain_and_its_defects_lie_on_the_electrons(project):
    found = manifest(project[0], "gain")

    assert found["check"]["is_sure"]
    assert found["check"]["fits"] == found["orientation"]
    assert found["defects"] > 300  # the column


def test_motion_and_alignment_are_found_as_they_are(project, truth):
    errors, claims = motion_errors(manifest(project[0], "motion"), truth)
    error = placed(aligned(project[0]), tilts_of(aligned(project[0]), truth), truth)

    assert len(errors) == 11
    assert rms(errors) < 0.3  # px
    assert 0.5 < rms(errors) / rms(claims) < 2
    assert error.rms_px < 3
    assert not error.mirrored


def test_averages_hold_the_electrons_that_were_planted(session, project):
    """But for the gain and the defects, which change the sum by little."""
    (movie,) = (session / "frames").glob("TS_1_001_*.eer")
    planted = sum(int(open_movie(movie, None, 2.7).read(n).sum()) for n in range(8))
    average = open_images(project[0] / "TS_1" / "motion" / f"{movie.stem}.mrc").read(0)

    # eight frames of seven raw ones: four of sixty are left out
    assert average.sum(dtype=float) == pytest.approx(planted * 60 / 56, rel=0.05)
    said = json.loads((project[0] / "TS_1" / "motion" / f"{movie.stem}.json").read_text())
    assert (said["frame_count"], said["dose_per_frame"]) == (FRAMES, pytest.approx(1.0))
