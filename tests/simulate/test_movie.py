import numpy as np
import pytest

from vitreous.simulate.movie import drift_px, frame_signals
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings

SETTINGS = SimulateSettings(
    size=(128, 96), pixel_size=8.0, max_tilt=0.0, frames=6, dose_per_tilt=12.0, gain_spread=10.0
)


@pytest.fixture(scope="module")
def series():
    return simulate_series(SETTINGS)


@pytest.fixture(scope="module")
def frames(series):
    return np.array(list(series.frames(0, series.camera)))


def test_frames_are_raw_counts_that_the_gain_makes_even(series, frames):
    camera = series.camera
    assert frames.dtype == np.uint8
    assert frames.shape == (6, 96, 128)

    good = ~camera.broken
    raw = frames.sum(0, dtype=float)
    unlike = (raw / raw[good].mean())[good]
    even = (raw * camera.gain / raw[good].mean())[good]
    pattern = (1 / camera.gain)[good]
    assert np.corrcoef(unlike, pattern)[0, 1] > 0.5
    assert abs(np.corrcoef(even, pattern)[0, 1]) < 0.15


def test_broken_pixels_count_nothing_or_all_and_are_mended_in_the_stack(series, frames):
    broken = series.camera.broken

    assert broken.sum() == pytest.approx(20 + 96, abs=3)
    assert set(frames[:, broken].ravel()) == {0, 255}
    image = series.read(0)
    assert image[broken].std() < 2 * image[~broken].std()
    assert image[broken].mean() == pytest.approx(image[~broken].mean(), rel=0.05)


def test_the_stack_holds_the_sum_of_its_movie(series, frames):
    image = series.read(0)
    camera = series.camera

    total = frames.sum(0, dtype=np.float32) * camera.gain

    ordinary = ~camera.broken & (image < total + 20)  # X-rays aside
    np.testing.assert_allclose(image[ordinary], total[ordinary], rtol=1e-5)
    assert ordinary.mean() > 0.98


def test_the_specimen_drifts_as_the_truth_says(series):
    """The contrast of a frame is that of the mean position, shifted."""
    path = drift_px(SETTINGS, 0)
    assert np.abs(path.mean(0)).max() < 1e-9
    assert np.sqrt((path**2).mean()) == pytest.approx(SETTINGS.frame_motion / 8.0)

    signals = list(frame_signals(series.contrast(0), series.tilts[0], series.canvas, SETTINGS))
    first, last = (np.fft.fft2(signal) for signal in (signals[0], signals[-1]))
    dx, dy = path[0] - path[-1]
    ky, kx = (np.fft.fftfreq(n) for n in signals[0].shape)
    across = first * last.conj()
    left = across * np.exp(2j * np.pi * (kx * dx + ky[:, None] * dy))

    assert np.hypot(dx, dy) > 0.5
    assert left.sum().real > 0.995 * np.abs(across).sum()
    slope = (left.imag * kx).sum() / (np.abs(left) * kx**2).sum() / (2 * np.pi)
    assert abs(slope) < 0.02  # px


def test_movies_show_what_a_still_image_shows(series):
    still = simulate_series(SETTINGS.model_copy(update={"frames": 0}))
    calm = simulate_series(SETTINGS.model_copy(update={"frame_motion": 0.0, "gain_spread": 0.0}))

    camera = calm.camera
    total = sum(frame.astype(float) for frame in calm.frames(0, camera))

    apart = (total - still.mean_image(0))[~camera.broken]
    assert apart.var() == pytest.approx(still.mean_image(0).mean(), rel=0.05)
    assert abs(apart.mean()) < 0.5
