"""RELION's motion files: read against what was planted, written and read back."""

import numpy as np
import pytest

from tests.motion.relion_run import planted
from vitreous.errors import FormatError
from vitreous.formats import motion_json, relion_motion
from vitreous.formats.star import read_star, table_named
from vitreous.records.motion import Exposure, LocalMotion, Motion


@pytest.fixture(scope="module")
def oracle(shared):
    return shared / "oracles" / "R3_relion_motioncorr"


def places():
    x, y = np.meshgrid(np.linspace(30, 225, 9), np.linspace(30, 190, 9))
    return np.stack([x, y], -1).reshape(-1, 2)


@pytest.mark.parametrize(("name", "least"), [("global_movie", 0.0), ("local4x4_movie", 0.15)])
def test_relions_motion_is_the_planted_one(oracle, name, least):
    motion = relion_motion.read(oracle / "star" / f"{name}.star")

    true = planted(oracle, places())
    true -= true.mean(0)
    found = motion.at(places()) / motion.pixel_size
    rms = np.sqrt(((found - true) ** 2).sum(-1).mean())
    assert rms < 0.35  # the program's own error
    without = np.sqrt(
        ((found[:, :1] * 0 + motion.displacements[:, None] / 1.5 - true) ** 2).sum(-1)
    )
    assert (motion.local is not None) == (least > 0)
    assert np.sqrt((without**2).mean()) > least


def test_relions_local_model_is_evaluated_as_relion_does(oracle):
    """Each pixel by the formula of its source, against the record's own terms."""
    path = oracle / "star" / "local4x4_movie.star"
    model = table_named(read_star(path), "local_motion_model", path)
    coefficients = model.numbers("rlnMotionModelCoeff").reshape(2, 6, 3)

    motion = relion_motion.read(path)

    points = places()
    x, y = points[:, 0] / 256 - 0.5, points[:, 1] / 224 - 0.5
    basis = np.stack([np.ones_like(x), x, x * x, y, y * y, x * y])
    z = np.arange(12.0)
    powers = np.stack([z, z**2, z**3])
    corrections = np.einsum("cbk,bm,kf->fmc", coefficients, basis, powers)
    shifts = table_named(read_star(path), "global_shift", path)
    whole = np.stack([shifts.numbers(f"rlnMicrographShift{axis}") for axis in "XY"], -1)
    expected = -(corrections + whole[:, None])
    expected -= expected.mean(0)
    np.testing.assert_allclose(motion.at(points) / 1.5, expected, atol=1e-9)


def test_frames_that_relion_left_out_are_left_out(oracle):
    motion = relion_motion.read(oracle / "star" / "frames3to10_movie.star")

    assert motion.frames.tolist() == list(range(2, 10))
    assert motion.frame_count == 12
    true = planted(oracle, np.array([[127.5, 111.5]]))[2:10, 0]
    true -= true.mean(0)
    np.testing.assert_allclose(motion.displacements / 1.5, true, atol=0.4)


def motion_with(local, frames=(1, 2, 3, 4, 6), **more):
    rng = np.random.default_rng(3)
    frames = np.array(frames)
    displacements = rng.normal(size=(len(frames), 2)) * 4
    z = (frames - frames[0]).astype(float)
    terms = rng.normal(size=(2, 5, 3)) * [2, 0.3, 0.02]
    coefficients = np.einsum("ctk,kf->fct", terms, np.stack([z, z**2, z**3]))
    coefficients -= coefficients.mean(0)
    return Motion(
        frames=frames,
        frame_count=8,
        displacements=displacements - displacements.mean(0),
        image_size=(300, 201),
        pixel_size=1.7,
        standard_error=0.3,
        local=LocalMotion(coefficients, 0.2) if local else None,
        log_evidence=12.0 if local else 1.0,
        **more,
    )


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("binning", [1, 2])
def test_motion_comes_back_from_relions_file(tmp_path, local, binning):
    motion = motion_with(local)
    path = tmp_path / "m.star"

    relion_motion.write(motion, path, movie=tmp_path / "m.tif", binning=binning)

    found = relion_motion.read(path)
    assert found.frames.tolist() == motion.frames.tolist()
    points = np.array([[0.0, 0.0], [299, 200], [120, 40]])
    np.testing.assert_allclose(found.at(points), motion.at(points), atol=2e-5)


def test_relions_columns_hold_what_they_name(tmp_path):
    motion, path = motion_with(True), tmp_path / "m.star"
    exposure = Exposure(0.5, 3.0, 200.0)

    relion_motion.write(
        motion, path, movie=tmp_path / "m.tif", gain=tmp_path / "g.mrc", exposure=exposure
    )

    tables = read_star(path)
    general = next(table_named(tables, "general", path).rows())
    assert general["rlnMicrographStartFrame"] == "2"
    assert float(general["rlnVoltage"]) == 200
    assert float(general["rlnMicrographPreExposure"]) == 3
    assert general["rlnMicrographGainName"] == str(tmp_path / "g.mrc")
    shifts = table_named(tables, "global_shift", path)
    assert shifts.texts("rlnMicrographShiftX")[0] == "-9999.000000"
    assert shifts.numbers("rlnMicrographShiftX")[1] == pytest.approx(
        -motion.displacements[0, 0] / 1.7, abs=1e-6
    )
    ways = relion_motion.accumulated(motion, exposure)
    assert float(ways["rlnAccumMotionTotal"]) == pytest.approx(motion.path_length / 1.7, rel=1e-5)
    assert float(ways["rlnAccumMotionEarly"]) == 0  # 3 + 1.5 e/A^2 at the second frame's end


def test_early_motion_ends_by_the_dose_of_each_frame():
    motion = motion_with(False)  # frames 1, 2, 3, 4, 6 of 8, from 0
    doses = (0.5, 0.5, 0.5, 0.5, 2.0, 2.0, 2.0, 2.0)  # after them: 0.5, 1, 1.5, 2, 4, 6, 8, 10

    ways = relion_motion.accumulated(motion, Exposure(1.25, doses=doses))

    steps = np.linalg.norm(np.diff(motion.displacements, axis=0), axis=1) / 1.7
    assert float(ways["rlnAccumMotionEarly"]) == pytest.approx(steps[:3].sum(), rel=1e-5)


def test_a_local_model_of_another_length_is_refused(tmp_path):
    path = tmp_path / "m.star"
    relion_motion.write(motion_with(True), path, movie=tmp_path / "m.tif")
    text = path.read_text().splitlines()
    last = next(n for n, line in enumerate(text) if line.split()[:1] == ["35"])
    path.write_text("\n".join([*text[:last], *text[last + 1 :]]))

    with pytest.raises(FormatError, match="35 coefficients, 36 were expected"):
        relion_motion.read(path)


@pytest.mark.parametrize("local", [False, True])
def test_motion_comes_back_from_our_own_record(tmp_path, local):
    motion = motion_with(local, group=2)

    motion_json.write(motion, tmp_path / "m.json", Exposure(0.4))

    found = motion_json.read(tmp_path / "m.json")
    points = np.array([[3.0, 8.0], [299, 200]])
    np.testing.assert_allclose(found.at(points), motion.at(points), atol=5e-5)
    assert (found.group, found.standard_error, found.log_evidence) == (
        2, 0.3, motion.log_evidence,
    )  # fmt: skip


def test_another_json_is_no_record_of_motion(tmp_path):
    (tmp_path / "m.json").write_text("{}")

    with pytest.raises(FormatError, match="no record of motion"):
        motion_json.read(tmp_path / "m.json")
