"""The contrast transfer of series that begin with a stack, within `vitreous run`."""

import numpy as np
import pytest

from tests.pipeline.test_session_chain import vitreous
from vitreous.ctf.settings import CtfSettings
from vitreous.formats.mrc import MrcWriter
from vitreous.pipeline.inputs import SeriesInput
from vitreous.pipeline.intake import Source
from vitreous.pipeline.jobs import takes_ctf
from vitreous.pipeline.project import StepFolder
from vitreous.pipeline.state import state_of

OPTICS = ("--cs", "2.7", "--amplitude-contrast", "0.07")
SIMULATED = ("--size", "320", "320", "--pixel", "3.0", "--tilt-step", "12", "--defocus", "30000",
             "--dose-per-tilt", "6")  # fmt: skip


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    """A simulated stack with its .mdoc, which says the voltage."""
    folder = tmp_path_factory.mktemp("stacks")
    assert vitreous("-q", "simulate", "--output", folder, "--name", "TS_1", *SIMULATED)[0] == 0
    return folder / "TS_1.mrc"


def foreseen(stack, tmp_path, *options):
    """Whether a run would estimate the contrast transfer."""
    code, said = vitreous("run", stack, "--project", tmp_path / "p", "--dry-run", *options)
    assert code == 0, said
    return " ctf " in said


def test_it_is_estimated_where_the_optics_are_known_or_it_is_asked_for(stack, tmp_path):
    assert foreseen(stack, tmp_path, *OPTICS)
    assert foreseen(stack, tmp_path, "--estimate-ctf")
    assert not foreseen(stack, tmp_path)
    assert not foreseen(stack, tmp_path, "--cs", "2.7")
    assert not foreseen(stack, tmp_path, *OPTICS, "--no-estimate-ctf")


def test_it_is_not_where_pixels_are_too_coarse_or_the_voltage_isnt_known(tmp_path):
    angles = np.arange(-20.0, 21, 10)
    coarse, bare = tmp_path / "coarse.mrc", tmp_path / "bare.mrc"
    for path, pixel_size in ((coarse, 12.0), (bare, 3.0)):
        with MrcWriter(path, (5, 64, 64), pixel_size, is_stack=True, tilt_angles=angles) as writer:
            writer.write((0, 0, 0), np.random.default_rng(1).normal(5, 1, (5, 64, 64)))

    assert foreseen(bare, tmp_path, *OPTICS, "--kv", "300")
    assert not foreseen(bare, tmp_path, *OPTICS)
    assert not foreseen(coarse, tmp_path, *OPTICS, "--kv", "300")


def test_a_stack_gets_its_contrast_transfer_and_no_step_is_done_twice(stack, tmp_path):
    project = tmp_path / "p"
    words = ("run", "--project", project)

    code, said = vitreous(*words, stack, "--thickness", "60nm", "--binning", "4", *OPTICS)

    assert code == 0, said
    (series,) = state_of(project)
    steps = ["align", "ctf", "reconstruct"]
    assert [(step.step, step.how) for step in series.steps] == [(step, "done") for step in steps]
    assert "--no-estimate-ctf leaves this out" in said
    assert (project / "TS_1" / "ctf" / "TS_1_CTF.txt").stat().st_size
    assert len(StepFolder(project, "TS_1", "ctf").read_manifest()["views"]) >= 9
    assert "up to date already" in vitreous(*words)[1]

    made = {step: StepFolder(project, "TS_1", step).manifest.stat().st_mtime_ns for step in steps}
    assert vitreous(*words, "--ctf.low", "30")[0] == 0
    again = {step: StepFolder(project, "TS_1", step).manifest.stat().st_mtime_ns for step in steps}
    assert [step for step in steps if made[step] != again[step]] == ["ctf"]


def test_a_tomogram_is_corrected_by_what_the_ctf_step_found(stack, tmp_path):
    project = tmp_path / "p"
    words = ("run", "--project", project)
    corrected = ("--ctf", "flip", "--dose-weighting")

    code, said = vitreous(
        *words, stack, "--thickness", "60nm", "--binning", "4", *corrected, "--kv", "300"
    )

    assert code == 0, said
    assert "CTFs of " in said
    made = StepFolder(project, "TS_1", "reconstruct").read_manifest()
    assert made["settings"]["ctf"] == "flip"
    assert made["inputs"]["doses"][0] > 0
    assert "up to date already" in vitreous(*words)[1]
    again = vitreous(*words, "--ctf", "none")
    assert again[0] == 0
    plain = StepFolder(project, "TS_1", "reconstruct").read_manifest()
    assert plain["inputs"]["ctfs"] is None
    assert plain["products"]["tomogram"] != made["products"]["tomogram"]


def test_a_correction_for_what_may_not_be_estimated_is_refused(stack, tmp_path):
    words = ("run", stack, "--project", tmp_path / "p", "--thickness", "60nm", "--binning", "4")

    code, said = vitreous(*words, "--ctf", "flip", "--no-estimate-ctf")

    assert code != 0
    assert "corrected for CTFs that --no-estimate-ctf forbids" in said


def test_a_file_that_cant_be_read_is_left_to_the_step_that_tells_of_it(tmp_path):
    broken, mdoc = tmp_path / "broken.mrc", tmp_path / "broken.mrc.mdoc"
    broken.write_bytes(b"no MRC")
    mdoc.write_bytes(b"\xff\xfe\x00")
    optics = {"cs": 2.7, "amplitude_contrast": 0.07}

    def taken(**given):
        source = Source("broken", broken, mdoc)
        return takes_ctf(source, SeriesInput(**optics, **given), CtfSettings(), needed=False)

    assert not taken(kv=300)
    assert not taken()
    assert taken(kv=300, pixel_size=3.0)
