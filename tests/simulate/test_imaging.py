"""Image formation held to closed forms, and to the reference series' own images."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import optimize

from tests.simulate.shared_series import NAMES, imaged_by_us, read_reference, shells
from vitreous.ctf.model import transfer
from vitreous.kernels.cpu.splat import add_gaussians
from vitreous.kernels.dose import amplitude_of_exposure
from vitreous.kernels.fourier import cropped, forward, inverse
from vitreous.simulate import imaging
from vitreous.simulate.canvas import canvas_for
from vitreous.simulate.detector import blurred
from vitreous.simulate.molecules import BLOB_SIGMA
from vitreous.simulate.motion import Deformation
from vitreous.simulate.sample import Bead, Blobs, assembled
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings

EMPTY = {"molecules": (0.0, 0.0, 0.0, 0.0), "vesicles": 0.0}


@pytest.mark.parametrize("pixel_size", [1.7, 5.4, 6.8, 13.0])
def test_what_sampling_blobs_costs_stays_below_a_thousandth(pixel_size, rng):
    settings = SimulateSettings(size=(48, 40), pixel_size=pixel_size, defocus=0.0)
    canvas = canvas_for(settings)
    seen = rng.uniform(-0.4, 0.4, (30, 2)) * pixel_size * [48, 40]
    plane = np.zeros((1, *canvas.fine), np.float32)

    x, y = canvas.fine_points(seen).T
    add_gaussians(plane, x, y, np.zeros(30), np.ones(30), BLOB_SIGMA / canvas.fine_pixel)
    found = cropped(forward(plane[0]), canvas.fine[1], canvas.coarse)
    found *= canvas.fine[0] * canvas.fine[1] / (canvas.coarse[0] * canvas.coarse[1])

    ky, kx = canvas.frequencies()
    gaussian = np.exp(-2 * np.pi**2 * BLOB_SIGMA**2 * (kx**2 + ky**2))
    x, y = (canvas.fine_points(seen) * canvas.fine_pixel).T
    waves = np.exp(-2j * np.pi * (kx[..., None] * x + ky[..., None] * y)).sum(-1)
    inside = (np.hypot(kx, ky) < 0.5 / pixel_size) & (kx > 0)
    error = np.sqrt((np.abs(found - gaussian * waves)[inside] ** 2).mean())
    nyquist = np.sqrt(30) * np.exp(-2 * np.pi**2 * BLOB_SIGMA**2 / (2 * pixel_size) ** 2)
    assert error < 1e-3 * max(nyquist, 1)


@pytest.fixture(scope="module")
def one_bead():
    """The gold of one bead seen in 21 views, and where the truth has it."""
    settings = SimulateSettings(
        size=(160, 160), pixel_size=6.8, **EMPTY, local_motion=6.0, tilt_step=6.0
    )
    series = simulate_series(settings)
    bead = Bead(np.array([170.0, -210.0, 640.0]), 51.0, 1)
    sample = series.sample
    gold = assembled(sample.slab, [], [], [bead], sample.half_field, sample.deformation, seed=1)
    with_bead = replace(series, sample=gold)
    spectra = [with_bead.contrast(i).lasting - series.contrast(i).lasting for i in range(21)]
    return series, bead, np.array(spectra)


def places(canvas, spectra):
    """(n, 2) centres of mass (x, y), px of the image: the phases of the longest waves.

    A view's only body lies there, whatever its contrast transfer: that is real and even.
    """
    rows, columns = canvas.coarse
    sign = np.sign(spectra[:, 0, 0].real)
    x = -np.angle(sign * spectra[:, 0, 1]) / (2 * np.pi) * columns % columns
    y = -np.angle(sign * spectra[:, 1, 0]) / (2 * np.pi) * rows % rows
    return np.stack([x - canvas.margin[1], y - canvas.margin[0]], -1)


def test_a_bead_is_seen_where_the_truth_has_it(one_bead):
    series, bead, spectra = one_bead

    found = places(series.canvas, spectra)

    true = series.pixels(bead.position[None])[:, 0]
    assert np.abs(found - true).max() < 0.02
    undeformed = series.alignment.pixels(bead.position[None])[:, 0]
    assert np.abs(found - undeformed).max() > 0.2  # the deformation is seen


def test_views_back_project_a_bead_to_its_place(one_bead):
    series, bead, spectra = one_bead
    motion = series.sample.deformation.motion(bead.position[None])[0]
    shares = np.array([tilt.deformed for tilt in series.tilts])
    maps, pixel_size = series.alignment.projections, series.pixel_size

    seen = (places(series.canvas, spectra) - 80) * pixel_size - series.alignment.shifts
    seen -= shares[:, None] * (maps @ motion)
    found = np.linalg.lstsq(maps.reshape(-1, 3), seen.ravel(), rcond=None)[0]

    assert np.abs(found - bead.position).max() < 0.05 * pixel_size


@pytest.fixture(scope="module")
def rings():
    """The contrast of ice alone, untilted, strongly astigmatic."""
    settings = SimulateSettings(
        size=(320, 300),
        pixel_size=3.0,
        **EMPTY,
        max_tilt=0.0,
        defocus=22000.0,
        astigmatism=1200.0,
        astigmatism_angle=25.0,
        thickness="600A",
        envelope=0.0,
    )
    series = simulate_series(settings)
    return series, np.abs(series.contrast(0).lasting) ** 2


def test_the_rings_are_at_the_given_defocus(rings):
    series, power = rings
    ctf, centre = series.tilts[0].ctf, true_centre(series, 0)
    ky, kx = series.canvas.frequencies()
    k = np.hypot(kx, ky)
    used = (k > 0.03) & (k < 0.16) & (kx > 0)
    power = power / power[used].mean() - 1

    def disagreement(parameters):
        u, v, angle = parameters
        fitted = transfer(replace(ctf, defocus_u=u, defocus_v=v, astigmatism_degrees=angle), kx, ky)
        return -np.corrcoef((fitted**2)[used], power[used])[0, 1]

    means = np.arange(15000, 30000, 250.0)
    start = means[np.argmin([disagreement((mean, mean, 0)) for mean in means])]
    fit = optimize.minimize(
        disagreement,
        (start + 300, start - 300, 0),
        method="Nelder-Mead",
        options={"initial_simplex": start_simplex(start)},
    )
    u, v, angle = fit.x
    if u < v:
        u, v, angle = v, u, angle + 90

    assert (u + v) / 2 == pytest.approx(centre.defocus, abs=100)
    assert u - v == pytest.approx(centre.astigmatism, abs=150)
    assert (angle - centre.astigmatism_degrees + 90) % 180 - 90 == pytest.approx(0, abs=4)


def start_simplex(mean):
    return [
        (mean + 300, mean - 300, 0),
        (mean + 900, mean - 300, 0),
        (mean + 300, mean - 900, 0),
        (mean + 300, mean - 300, 50),
    ]


def true_centre(series, view):
    """The CTF of the middle of the ice on the ray through the image's middle."""
    from vitreous.simulate.truth import centre_of_image

    tilt = series.tilts[view]
    height, _ = centre_of_image(tilt, series.alignment, series.sample.slab)
    return tilt.ctf.at_height(height)


@pytest.mark.parametrize("hand", [1, -1])
def test_what_lies_higher_has_the_defocus_of_its_height(hand):
    settings = SimulateSettings(size=(64, 64), pixel_size=4.0, **EMPTY, max_tilt=0.0, hand=hand)
    series = simulate_series(settings)
    tilt, canvas = series.tilts[0], series.canvas
    z = 415.0
    still = Deformation(np.zeros((3, 3)), np.zeros((3, 3, 2)), np.zeros((3, 3)))
    sample = assembled(series.sample.slab, [], [], [], (128.0, 128.0), still, seed=1)
    blob = Blobs(np.array([[0.0, 0.0, z]]), np.array([1e4]), np.zeros((1, 3)))

    seen = replace(series, sample=replace(sample, matter=blob)).contrast(0).matter

    ky, kx = canvas.frequencies()
    height = series.alignment.heights(blob.positions)[0, 0]
    expected = 2 * transfer(tilt.ctf.at_height(height), kx, ky)
    expected *= imaging.interaction(300) * 1e4 / settings.pixel_size**2
    expected *= np.exp(-2 * np.pi**2 * BLOB_SIGMA**2 * (kx**2 + ky**2))
    x, y = series.alignment.pixels(blob.positions)[0, 0] + canvas.margin[::-1]
    expected = -expected * np.exp(-2j * np.pi * (kx * x + ky * y) * settings.pixel_size)
    apart = np.abs(seen - expected)
    assert apart.max() < 0.012 * np.abs(expected).max()
    # the layers' linear share loses at most LAYER_PHASE^2 / 8 of the amplitude at Nyquist
    assert apart[:, -1].max() < 0.03 * np.abs(expected).max()
    assert tilt.ctf.at_height(height).defocus == pytest.approx(tilt.ctf.defocus - hand * z, abs=1)


def test_layers_in_groups_are_the_same_layers(monkeypatch):
    series = simulate_series(
        SimulateSettings(size=(64, 48), pixel_size=3.0, tilt_step=60.0, beads=3000.0)
    )
    whole = series.contrast(0)

    monkeypatch.setattr(imaging, "LAYERS_AT_ONCE", 5)
    in_groups = series.contrast(0)

    for one, other in ((whole.matter, in_groups.matter), (whole.lasting, in_groups.lasting)):
        np.testing.assert_allclose(one, other, atol=1e-5 * np.abs(one).max())
        assert np.abs(one).max() > 1


def test_damage_takes_matter_and_leaves_gold_and_ice():
    settings = SimulateSettings(size=(64, 64), pixel_size=8.0, max_tilt=0.0, beads=400.0)
    series = simulate_series(settings)
    seen, canvas = series.contrast(0), series.canvas

    found = imaging.damaged(seen, canvas, 300, pre_exposure=60, dose=3)

    ky, kx = canvas.frequencies()
    left = amplitude_of_exposure(np.hypot(kx, ky), 60, 3)
    np.testing.assert_allclose(found - seen.lasting, seen.matter * left, atol=1e-4)
    assert left[0, 0] == 1
    assert left[0, -1] < 0.35


def test_dark_matter_is_dark_and_ends_as_black():
    canvas = canvas_for(SimulateSettings(size=(32, 32)))
    values = np.linspace(-3, 0.5, canvas.coarse[0] * canvas.coarse[1], dtype=np.float32)

    found = imaging.brightness(forward(values.reshape(canvas.coarse)), canvas).ravel()

    assert (np.diff(found) > 0).mean() > 0.99
    assert found.min() > 0
    np.testing.assert_allclose(found[values > -0.29], 1 + values[values > -0.29], atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_images_show_their_particles_as_we_image_them(shared, name):
    """Regression of the reference's counts on our image of the particles, shell by shell."""
    reference = read_reference(shared, name)
    series = imaged_by_us(reference.truth)
    canvas = series.canvas
    slopes = []
    for view in (19, 20, 21):
        tilt = series.tilts[view]
        particles = replace(series.contrast(view), lasting=np.zeros((1, 1), np.complex64))
        spectrum = imaging.damaged(particles, canvas, 300, tilt.pre_exposure, tilt.dose)
        ours = canvas.cut(blurred(1 + inverse(spectrum, canvas.coarse), canvas, 0.8))
        theirs = reference.stack[view] / reference.stack[view].mean()
        slopes.append(shells(ours, theirs, 0.04) / shells(ours, width=0.04))

    # up to 0.32 cycles/px, without the first shell: vesicles and what lies beside the field
    assert np.mean(slopes, 0)[1:8] == pytest.approx(np.ones(7), abs=0.1)
