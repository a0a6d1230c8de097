"""Motion correction against movies whose motion is known."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from tests.motion.movies import TWENTY, Scene, errors_px, made, measured
from vitreous.errors import UserError
from vitreous.kernels.dose import amplitude_of_exposure
from vitreous.motion.dose import frame_weights
from vitreous.motion.group import group_starts
from vitreous.motion.movie import correct_motion, measure_motion
from vitreous.motion.settings import MotionSettings
from vitreous.motion.weights import signal_and_noise
from vitreous.records.images import ArrayStack
from vitreous.records.motion import Exposure

SMALL = Scene(size=384, frames=6, dose=9.0, pixel_size=3.0)
DOSE = Exposure(SMALL.dose / SMALL.frames)


@pytest.fixture(scope="module")
def small():
    """A small movie of much dose: (movie, motion, still contrast)."""
    return made(SMALL)


@pytest.fixture(scope="module")
def bent():
    """A movie of 1024 x 1024 with local motion, 3 e/A^2 in 8 frames."""
    return made(Scene(seed=1, local=0.7))


def same_sums(one, other, **how):
    for name in ("average", "even", "odd"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **how)


def test_whole_and_local_motion_are_found(bent):
    movie, truth, _ = bent
    scene = Scene(seed=1, local=0.7)

    found = measure_motion(movie, MotionSettings(), Exposure(3 / 8))

    whole, field_by_whole, field = errors_px(found, truth, scene)
    claimed = found.standard_error / scene.pixel_size
    assert claimed < 1.3 * 0.09
    assert whole < 0.15
    assert whole < 2 * claimed
    assert field_by_whole > 0.3
    assert field < 0.3
    assert found.local.standard_error / scene.pixel_size < 0.3
    assert found.displacements.mean(0) == pytest.approx([0, 0], abs=1e-9)


def test_local_motion_that_a_movie_cannot_prove_is_refused(small):
    movie, truth, _ = small

    found = measure_motion(movie, MotionSettings(), DOSE)

    assert found.local is None
    assert found.log_evidence < 5
    whole, field_by_whole, field = errors_px(found, truth, SMALL)
    assert field == field_by_whole
    assert whole < 2 * found.standard_error / SMALL.pixel_size


def test_a_last_ring_of_few_coefficients_decides_nothing():
    """Its power is an accident, which smoothing must not carry to its neighbours."""
    ring = np.repeat(np.arange(21), [1000] * 20 + [2])
    count, alone = np.ones(ring.size, np.float32), np.full(ring.size, 8.0, np.float32)
    together = np.where(ring == 20, 64.0, 8.0).astype(np.float32)

    noise, mean = signal_and_noise(ring, count, alone, together, 8, 2.0)

    np.testing.assert_allclose(noise, 1, rtol=0.01)
    np.testing.assert_allclose(mean, 1, rtol=0.05)


def test_a_long_drift_is_followed():
    scene = Scene(size=384, frames=8, dose=9.0, drift=60.0, pixel_size=3.0)
    movie, truth, _ = made(scene)

    found = measure_motion(movie, MotionSettings(local=False), Exposure(9 / 8))

    whole, _, _ = errors_px(found, truth, scene)
    assert whole < 2 * found.standard_error / scene.pixel_size


def test_the_claimed_standard_error_is_that_of_the_movies():
    """Eight movies of one kind: RMS of error / claimed."""
    ratios = []
    for seed in range(1, 9):
        scene = replace(SMALL, seed=seed, local=0.2)
        movie, truth, _ = made(scene)
        found = measure_motion(movie, MotionSettings(local=False), DOSE)
        whole, _, _ = errors_px(found, truth, scene)
        ratios.append(whole / (found.standard_error / scene.pixel_size))

    assert 0.8 < np.sqrt(np.mean(np.square(ratios))) < 1.5


@pytest.mark.accuracy
def test_twenty_movies_hold_what_is_asked_of_them():
    whole, by_whole, field, ratio = np.array([measured(seed) for seed in TWENTY]).T

    assert np.sqrt((whole**2).mean()) < 0.15
    assert 0.8 < np.sqrt((ratio**2).mean()) < 1.5
    assert field.max() < 0.3
    assert (field - by_whole).max() < 0.02


def test_a_given_b_factor_takes_the_place_of_measured_weights(small):
    movie, truth, _ = small

    measured = measure_motion(movie, MotionSettings(local=False), DOSE)
    given = measure_motion(movie, MotionSettings(local=False, b_factor=1500), DOSE)

    assert given.standard_error > measured.standard_error
    whole, _, _ = errors_px(given, truth, SMALL)
    assert 0.4 < whole / (given.standard_error / SMALL.pixel_size) < 2


def test_the_sum_of_a_movie_that_moves_by_whole_pixels_is_the_still_sum(rng):
    """Moved the other way by the kernel or in Fourier space, the frames are equal again."""
    still = rng.poisson(40, (96, 120)).astype(np.float32)
    path = np.array([[-2, 1], [0, 0], [3, -2], [-1, 1]])
    frames = np.array([np.roll(still, (dy, dx), (0, 1)) for dx, dy in path])
    movie = ArrayStack(frames, 4.0)
    from vitreous.motion.sums import sum_frames
    from vitreous.records.motion import LocalMotion, Motion

    whole = Motion(np.arange(4), 4, path * 4.0, (120, 96), 4.0)
    local = Motion(
        np.arange(4), 4, path * 4.0, (120, 96), 4.0, local=LocalMotion(np.zeros((4, 2, 5)), 0.0)
    )

    by_fourier = sum_frames(movie, whole, MotionSettings())
    by_spline = sum_frames(movie, local, MotionSettings())

    inner = (slice(5, -5), slice(5, -5))
    for found in (by_fourier, by_spline):
        np.testing.assert_allclose(found.average[inner], 4 * still[inner], atol=2.5)
        np.testing.assert_allclose(found.even + found.odd, found.average, atol=1e-3)
    np.testing.assert_allclose(by_fourier.average[inner], 4 * still[inner], atol=1e-2)


def test_the_average_shows_the_still_specimen_better_than_the_plain_sum(small):
    movie, _, still = small

    found = correct_motion(movie, MotionSettings(dose_weighting=False), DOSE)

    plain = movie.data.sum(0, dtype=float)
    moved_back = still[16:-16, 16:-16]
    resemblance = [
        np.corrcoef(image[16:-16, 16:-16].ravel(), moved_back.ravel())[0, 1]
        for image in (plain, found.sums.average)
    ]
    assert resemblance[1] > 1.1 * resemblance[0]


def test_the_weighted_sum_has_the_mean_and_the_noise_of_the_plain_one(rng):
    noise = ArrayStack(rng.poisson(30, (6, 128, 128)).astype(np.uint8), 2.0)
    settings = MotionSettings(unweighted=True, local=False)

    sums = correct_motion(noise, settings, Exposure(8.0, 20.0, 200.0)).sums

    assert sums.average.mean() == pytest.approx(sums.unweighted.mean(), rel=1e-3)
    assert sums.average.std() == pytest.approx(sums.unweighted.std(), rel=0.03)
    assert np.abs(sums.average - sums.unweighted).max() > 1
    np.testing.assert_allclose(sums.even + sums.odd, sums.average, rtol=1e-5)


def test_without_a_dose_the_average_is_the_plain_sum(small):
    movie, _, _ = small

    sums = correct_motion(movie, MotionSettings(local=False)).sums

    assert sums.unweighted is None
    assert sums.average.sum() == pytest.approx(movie.data.sum(dtype=float), rel=1e-3)


def test_frames_at_the_ends_can_be_left_out(small):
    movie, _, _ = small
    settings = MotionSettings(leave_out_first=1, leave_out_last=2, local=False)

    found = correct_motion(movie, settings, DOSE)

    assert found.motion.frames.tolist() == [1, 2, 3]
    alone = correct_motion(ArrayStack(movie.data[1:4], 3.0), MotionSettings(local=False), DOSE)
    same_sums(found.sums, alone.sums, rtol=0, atol=2e-2)


def test_leaving_out_all_frames_is_refused(small):
    movie, _, _ = small

    with pytest.raises(UserError, match="none is left"):
        measure_motion(movie, MotionSettings(leave_out_first=6))


def test_a_dark_frame_is_left_out_and_said(small, caplog):
    movie, _, _ = small
    frames = movie.data.copy()
    frames[3] = 0

    found = measure_motion(ArrayStack(frames, 3.0), MotionSettings(local=False))

    assert found.frames.tolist() == [0, 1, 2, 4, 5]
    assert "frames 4 are nearly dark" in caplog.text


def test_an_empty_movie_is_refused():
    empty = ArrayStack(np.zeros((3, 64, 64), np.uint8), 2.0)

    with pytest.raises(UserError, match="no counts"):
        measure_motion(empty, MotionSettings())


def test_a_single_frame_is_its_own_average(rng):
    frame = rng.poisson(20, (1, 64, 80)).astype(np.uint16)

    found = correct_motion(ArrayStack(frame, 2.0), MotionSettings(), Exposure(3.0))

    np.testing.assert_allclose(found.sums.average, frame[0], atol=0.2)
    assert found.motion.standard_error is None


def test_frames_of_little_dose_are_aligned_in_groups():
    scene = Scene(size=384, frames=24, dose=9.0, walk=0.1, pixel_size=3.0)
    movie, truth, _ = made(scene)

    found = measure_motion(movie, MotionSettings(local=False, group=4))

    assert found.group == 4
    assert len(found.displacements) == 24
    whole, _, _ = errors_px(found, truth, scene)
    assert whole < 0.5  # what happens within a group is more than the error
    by_dose = measure_motion(movie, MotionSettings(local=False), Exposure(0.02))
    assert by_dose.group == 4


def test_where_groups_are_aligned_their_frames_follow():
    scene = Scene(size=384, frames=12, dose=9.0, walk=0.1, pixel_size=3.0)
    movie, truth, _ = made(scene)

    in_groups = measure_motion(movie, MotionSettings(local=False, group=2))
    one_by_one = measure_motion(movie, MotionSettings(local=False), Exposure(0.1))

    assert one_by_one.group == 1
    errors = [errors_px(found, truth, scene)[0] for found in (in_groups, one_by_one)]
    assert errors[1] < 0.8 * errors[0]


@pytest.mark.parametrize(
    ("doses", "starts"),
    [
        ([0.05] * 12, [0, 3, 6, 9]),
        ([0.05] * 10, [0, 3, 6]),
        ([0.05] * 7, [0, 2, 4]),  # three groups at least
        ([0.05] * 3 + [0.2] * 3, [0, 3, 4, 5]),
        ([0.2] * 3 + [0.05] * 4, [0, 1, 2, 3]),
        ([0.0] * 4, [0, 1, 2, 3]),
    ],
)
def test_groups_go_by_the_dose_of_each_frame(doses, starts):
    exposure = Exposure(float(np.mean(doses)), doses=tuple(doses))

    found = group_starts(np.arange(len(doses)), MotionSettings(), exposure)

    assert found.tolist() == starts


def test_frames_of_differing_dose_are_weighted_by_what_each_has_and_had():
    doses, frames = (0.5, 0.5, 3.0, 3.0), np.array([1, 2, 3])
    k = np.array([0.02, 0.1, 0.2])

    weights = frame_weights(k, Exposure(1.75, 4.0, 300.0, doses), frames)

    shown = np.array(
        [amplitude_of_exposure(k, had, dose) for had, dose in ((4.5, 0.5), (5.0, 3.0), (8.0, 3.0))]
    )
    np.testing.assert_allclose(weights / weights[0], shown / shown[0])
    alike = frame_weights(k, Exposure(1.0), frames)
    np.testing.assert_allclose(frame_weights(k, Exposure(1.0, doses=(1.0,) * 4), frames), alike)


def test_sums_are_binned_by_cropping_their_transforms(small):
    movie, _, _ = small

    full = correct_motion(movie, MotionSettings(local=False), DOSE).sums
    half = correct_motion(movie, MotionSettings(local=False, binning=2), DOSE).sums

    assert half.pixel_size == 6.0
    assert half.average.shape == (192, 192)
    from vitreous.kernels.fourier import binned

    expected = 4 * binned(full.average, 2)
    error = (half.average - expected)[8:-8, 8:-8]
    assert error.std() < 2e-3 * half.average.std()  # edges' fringes


def test_threads_change_nothing(small):
    movie, _, _ = small
    settings = MotionSettings(local=False)

    one, two = (correct_motion(movie, settings, DOSE, threads=n) for n in (1, 2))

    same_sums(one.sums, two.sums, rtol=0, atol=1e-4)
    np.testing.assert_allclose(one.motion.displacements, two.motion.displacements, atol=1e-9)


MEASURED = """
import resource
import sys

import numpy as np

from vitreous.motion.movie import correct_motion
from vitreous.motion.settings import MotionSettings
from vitreous.records.motion import Exposure


class Unheld:
    dtype = np.dtype(np.uint8)

    def __init__(self, size, frames, pixel):
        self.shape, self.pixel_size = (frames, size, size), pixel

    def read(self, index):
        return np.random.default_rng(index).integers(0, 5, self.shape[1:], np.uint8)


def peak_of(size, frames, pixel):
    correct_motion(Unheld(size, frames, pixel), MotionSettings(proof=-1e9), Exposure(0.4))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


size, frames, pixel = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
before = peak_of(256, frames, pixel)
print(peak_of(size, frames, pixel) - before)
"""


@pytest.mark.parametrize("pixel_size", [1.5, 3.0, 4.5])
def test_no_more_memory_is_taken_than_the_movie_and_two_frames(pixel_size):
    """A movie of float32, as the kernel counts the process, with local motion corrected."""
    size, frames = 1536, 10

    command = [sys.executable, "-c", MEASURED, str(size), str(frames), str(pixel_size)]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)

    assert int(ended.stdout) < (frames + 2) * size**2 * 4
