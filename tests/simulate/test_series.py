import numpy as np
import pytest

from vitreous.simulate.detector import beam
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings

SMALL = SimulateSettings(size=(96, 80), pixel_size=8.0, tilt_step=15.0, beads=3000.0)


@pytest.fixture(scope="module")
def series():
    return simulate_series(SMALL)


@pytest.fixture(scope="module")
def images(series):
    return series.rendered().data


def changed(**settings):
    return simulate_series(SMALL.model_copy(update=settings))


def test_the_same_settings_give_the_same_bytes(images):
    again = simulate_series(SMALL)

    assert np.array_equal(again.read(3), images[3])
    assert np.array_equal(again.rendered(threads=3).data, images)
    assert not np.array_equal(changed(seed=2).read(3), images[3])


def test_one_parts_change_leaves_the_others_as_they_are(series):
    doubled = changed(dose_per_tilt=6.0)
    calm = changed(shift_error=0.0, tilt_error=0.0)

    assert [t.shift_px for t in doubled.tilts] == [t.shift_px for t in series.tilts]
    assert np.array_equal(doubled.sample.matter.positions, series.sample.matter.positions)
    assert [t.ctf for t in calm.tilts] == [t.ctf for t in series.tilts]
    assert np.array_equal(calm.sample.deformation.waves, series.sample.deformation.waves)


def test_counts_are_whole_and_scatter_as_poissons(series, images):
    mean = series.mean_image(5)
    counts = images[5]

    assert np.array_equal(counts, np.rint(counts))
    ordinary = counts < 1.5 * mean  # no X-rays
    standardised = (counts - mean)[ordinary] / np.sqrt(mean[ordinary])
    assert abs(standardised.mean()) < 3 / np.sqrt(standardised.size)
    assert standardised.var() == pytest.approx(1, abs=0.05)


def test_brightness_is_dose_times_transmission(series):
    """Without specimen but with ice: Beer and Lambert's law, the beam's fall, the camera's DQE."""
    bare = changed(molecules=(0, 0, 0, 0), vesicles=0, beads=0, pitch_x=0, pitch_y=0, bend="0")

    for view, tilt in enumerate(bare.tilts):
        path = 1500 / np.cos(np.deg2rad(tilt.tilt))
        expected = 3.0 * 64 * 0.85 * np.exp(-path / 3100)
        lit = bare.canvas.cut(beam(bare.canvas)).mean()
        assert bare.mean_image(view).mean() == pytest.approx(expected * lit, rel=0.005)


def test_the_beam_falls_to_the_corners(series):
    falling = series.canvas.cut(beam(series.canvas))

    assert falling[40, 48] == pytest.approx(1, abs=1e-3)
    assert falling[0, 0] == pytest.approx(0.92, abs=0.003)
    assert falling[0, 48] == pytest.approx(0.96, abs=0.003)


def test_dark_and_blank_tilts_are_what_they_say(images):
    faulty = changed(dark="2", blank="4-5", xrays=0.0)

    assert [tilt.fault for tilt in faulty.tilts] == [
        "",
        "dark",
        "",
        "blank",
        "blank",
        "",
        "",
        "",
        "",
    ]
    assert faulty.read(1).mean() == pytest.approx(0.02 * images[1].mean(), rel=0.05)
    noise = faulty.read(3)
    assert noise.var() == pytest.approx(noise.mean(), rel=0.1)
    assert images[3].var() > 1.3 * images[3].mean()
    assert np.array_equal(faulty.read(0), changed(xrays=0.0).read(0))


def test_xrays_hit_single_pixels():
    often = changed(xrays=2000.0).read(4)
    never = changed(xrays=0.0).read(4)

    hit = often != never
    assert 3 < hit.sum() < 40
    assert (often - never)[hit].min() >= 40


def test_the_camera_blurs_by_its_mtf():
    sharp = changed(mtf=1.0).mean_image(4)
    blurred = changed(mtf=0.8).mean_image(4)

    one, two = (np.abs(np.fft.rfft2(image - image.mean())) for image in (sharp, blurred))
    k = np.hypot(np.fft.fftfreq(80)[:, None], np.fft.rfftfreq(96))
    shell = (k > 0.3) & (k < 0.34)
    found = np.sqrt((two[shell] ** 2).sum() / (one[shell] ** 2).sum())
    assert found == pytest.approx(0.8 ** ((2 * 0.32) ** 2), abs=0.02)


def test_the_microscope_knows_no_truth(series):
    known = series.as_tilt_series("TS_01")

    assert known.name == "TS_01"
    assert known.nominal_tilts_degrees.tolist() == list(range(-60, 61, 15))
    assert [tilt.exposure_index for tilt in known.tilts] == [8, 7, 4, 3, 0, 1, 2, 5, 6]
    assert known.tilts[0].pre_exposure == 24
    assert known.nominal_axis_degrees == SMALL.tilt_axis
    assert known.stack is series
    assert series.shape == (9, 80, 96)


def test_beads_are_dark_where_the_truth_has_them(series, images):
    beads = np.array(
        [b.position for b in series.sample.beads if series.sample.in_field(b.position)]
    )
    places = series.pixels(beads)

    darker = []
    y, x = np.indices(images.shape[1:])
    for view in range(len(images)):
        for u, v in places[view]:
            if 8 < u < 88 and 8 < v < 72:
                distance = np.hypot(x - u, y - v)
                ring = images[view][(distance > 11) & (distance < 15)].mean()
                darker.append(images[view][distance < 5].mean() / ring - 1)

    assert len(darker) > 25
    assert np.mean(darker) == pytest.approx(-0.22, abs=0.05)
