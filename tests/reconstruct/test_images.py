"""What is done to images before they are back-projected: CTF, overlap, dose, taper."""

from dataclasses import replace

import numpy as np
import pytest

from tests.reconstruct.direct import pixel_values, reconstruct_directly
from tests.reconstruct.imod_runs import correlation
from vitreous.ctf.model import transfer
from vitreous.errors import UserError
from vitreous.kernels.dose import critical_dose
from vitreous.reconstruct.images import coefficients_shape, prepare
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.reconstruct.transfer import applied_transfer
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack

CTF = Ctf(31_000.0, 29_500.0, 25.0, 300.0, 2.7, 0.07)
PIXEL = 2.0
PLAIN = {"weighting": "none", "combine": "mean", "density_neighbours": 0, "keep_mean": True}


def aligned(tilts, size, axis=0.0, shifts=None):
    return alignment_from_angles(
        axes_degrees=axis,
        tilts_degrees=np.asarray(tilts, float),
        shifts=np.zeros((len(tilts), 2)) if shifts is None else shifts,
        image_size=size,
        pixel_size=PIXEL,
    )


def prepared(images, alignment, settings, **records):
    out = np.empty(coefficients_shape(alignment, settings), np.float32)
    stack = ArrayStack(images.astype(np.float32), PIXEL)
    found = prepare(stack, alignment, settings, out, **records)
    return pixel_values(found.coefficients) + found.levels[:, None, None]


def frequencies(shape):
    ky, kx = np.fft.fftfreq(shape[0], PIXEL), np.fft.rfftfreq(shape[1], PIXEL)
    return kx[None], ky[:, None]


def weighed(image, weight):
    return np.fft.irfft2(np.fft.rfft2(image) * weight, image.shape)


# -- contrast transfer ----------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(64, 80), (63, 81)])
@pytest.mark.parametrize("intact", [False, True])
@pytest.mark.parametrize("damping", [False, True])
@pytest.mark.parametrize("way", ["multiply", "flip", "wiener"])
def test_an_image_is_corrected_as_asked_for(way, damping, intact, shape, rng):
    image = rng.normal(size=shape)
    ctf = replace(CTF, b_factor=60.0, scale=0.7)
    settings = ReconstructSettings(
        **PLAIN, ctf=way, ctf_damping=damping, ctf_intact_first_peak=intact, snr=5.0,
        ctf_strip_defocus=0, downsample="relion",
    )  # fmt: skip

    ours = prepared(image[None], aligned([0.0], shape[::-1]), settings, ctfs=[ctf])[0]

    kx, ky = frequencies(shape)
    c = transfer(ctf if damping else replace(ctf, b_factor=0.0), kx, ky)
    if intact:
        c = np.where(peak_region(ctf, kx, ky), 0.7, c)
    factor = {"multiply": c, "flip": np.where(c < 0, -1, 1), "wiener": c / (c**2 + 0.2)}[way]
    np.testing.assert_allclose(ours[:-1, :-1], weighed(image, factor), atol=2e-5)


def peak_region(ctf, kx, ky):
    """Where the phase is below a quarter turn, by the formula of the aberrations themselves."""
    length, squared = 0.0196875, kx**2 + ky**2
    azimuth = np.arctan2(ky, kx) - np.deg2rad(ctf.astigmatism_degrees)
    half = (ctf.defocus_u - ctf.defocus_v) / 2
    defocus = ctf.defocus + half * np.cos(2 * azimuth)
    phase = np.pi * length * squared * (defocus - length**2 * squared * 2.7e7 / 2)
    return np.abs(phase + np.arcsin(ctf.amplitude_contrast)) < np.pi / 2


PERIODIC = {"downsample": "relion"}  # as the images made here are


@pytest.fixture(scope="module")
def tilted_plane():
    """A plane of noise, each of its columns under its own transfer: seen at 55 degrees; and it."""
    rng = np.random.default_rng(3)
    rows, columns = 96, 384
    truth = rng.normal(size=(rows, columns))
    kx, ky = frequencies(truth.shape)
    image = np.zeros_like(truth)
    # the axis is y: a point at image x lies at height -x tan(tilt), by the rotation about y
    heights = -(np.arange(columns) - columns // 2) * PIXEL * np.tan(np.deg2rad(55))
    for x, height in enumerate(heights):
        column = np.zeros_like(truth)
        column[:, x] = truth[:, x]
        image += weighed(column, transfer(CTF.at_height(height), kx, ky))
    return truth, image


def agreement(tilted_plane, margin=10, **settings):
    """Correlation of the corrected image with the truth."""
    truth, image = tilted_plane
    alignment = aligned([55.0], truth.shape[::-1])
    settings = ReconstructSettings(**PLAIN, **PERIODIC, **settings)
    ours = prepared(image[None], alignment, settings, ctfs=[CTF])[0][:-1, :-1]
    return correlation(ours[:, margin:-margin], truth[:, margin:-margin])


@pytest.mark.parametrize("way", ["multiply", "flip", "wiener"])
def test_strips_follow_the_defocus_across_a_tilted_image(way, tilted_plane):
    strips = agreement(tilted_plane, ctf=way)
    one = agreement(tilted_plane, ctf=way, ctf_strip_defocus=0)

    assert strips > 0.75
    assert strips > one + 0.15


def test_the_other_hand_is_worse_than_none(tilted_plane):
    truth, image = tilted_plane
    settings = ReconstructSettings(**PLAIN, **PERIODIC, ctf="flip")
    alignment = aligned([55.0], truth.shape[::-1])

    wrong = prepared(image[None], alignment, settings, ctfs=[replace(CTF, hand=-1)])[0]
    wrong = wrong[:-1, :-1]

    inside = slice(10, -10)
    assert correlation(wrong[:, inside], truth[:, inside]) < agreement(
        tilted_plane, ctf="flip", ctf_strip_defocus=0
    )


def test_strips_run_along_the_axis_whatever_its_direction(tilted_plane):
    truth, image = tilted_plane
    turned = image.T[::-1]  # by 90 degrees: the axis lies along x
    alignment = aligned([55.0], turned.shape[::-1], axis=-90.0)
    settings = ReconstructSettings(**PLAIN, **PERIODIC, ctf="flip")
    ctf = replace(CTF, astigmatism_degrees=CTF.astigmatism_degrees - 90)

    ours = prepared(turned[None], alignment, settings, ctfs=[ctf])[0]

    back = ours[:-1, :-1][::-1].T
    assert (
        correlation(back[:, 10:-10], truth[:, 10:-10]) > agreement(tilted_plane, ctf="flip") - 0.02
    )


def test_a_tilt_without_a_ctf_is_named():
    alignment = aligned([-30.0, 0.0, 30.0], (32, 32))

    with pytest.raises(UserError, match=r"isn't known of tilt 2 \(0.0 degrees\)"):
        prepared(
            np.zeros((3, 32, 32)), alignment, ReconstructSettings(ctf="flip"), ctfs=[CTF, None, CTF]
        )


def test_what_was_applied_holds_scale_and_damping():
    ctf = replace(CTF, b_factor=200.0, scale=0.5)
    k = np.linspace(0, 0.1, 50)

    damped = applied_transfer(ctf, ReconstructSettings(), k, 0 * k)
    undamped = applied_transfer(ctf, ReconstructSettings(ctf_damping=False), k, 0 * k)

    np.testing.assert_allclose(damped, 0.5 * transfer(CTF, k, 0 * k) * np.exp(-50 * k**2))
    np.testing.assert_allclose(undamped, 0.5 * transfer(CTF, k, 0 * k), atol=1e-12)


# -- weights over frequency -----------------------------------------------------------------------


def test_dose_weights_are_what_the_dose_leaves(rng):
    image = rng.normal(size=(48, 64))
    alignment = aligned([0.0, 10.0], (64, 48))
    settings = ReconstructSettings(**PLAIN, dose_weighting=True, downsample="relion")

    ours = prepared(np.stack([image, image]), alignment, settings, doses=[0.0, 70.0])

    k = np.hypot(*frequencies(image.shape))
    np.testing.assert_allclose(ours[0][:-1, :-1], image, atol=1e-5)
    expected = weighed(image, np.exp(-70 / (2 * critical_dose(k))))
    np.testing.assert_allclose(ours[1][:-1, :-1], expected, atol=1e-5)


def test_an_unknown_dose_is_named():
    with pytest.raises(UserError, match=r"dose of every tilt; .* tilt 1 \(-10.0 degrees\)"):
        prepared(
            np.zeros((2, 32, 32)),
            aligned([-10.0, 10.0], (32, 32)),
            ReconstructSettings(dose_weighting=True),
            doses=[None, 3.0],
        )


def overlap_slowly(alignment, view, shape, object_px):
    """1 / how many planes of thickness 1 / object hold each frequency of a view."""
    ky, kx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    points = (
        alignment.rotations[view, 0] * kx[..., None] + alignment.rotations[view, 1] * ky[..., None]
    )
    count = 0
    for normal in alignment.rotations[:, 2]:
        count = count + np.maximum(0, 1 - np.abs(points @ normal) * object_px)
    return 1 / count


def test_overlap_weighs_in_any_geometry(rng):
    images = rng.normal(size=(5, 40, 60))
    alignment = aligned([-50.0, -20.0, 0.0, 25.0, 60.0], (60, 40), axis=37.0)
    settings = ReconstructSettings(**{**PLAIN, "weighting": "overlap"}, exact_object_px=30)

    ours = prepared(images, alignment, settings)

    for view in range(5):
        pad = np.pad(images[view], 200, mode="reflect")
        expected = weighed(pad, overlap_slowly(alignment, view, pad.shape, 30))[200:-200, 200:-200]
        assert correlation(ours[view], expected) > 0.995
        assert ours[view].std() == pytest.approx(expected.std(), rel=0.05)


def test_the_overlap_of_evenly_spaced_tilts_is_the_ramp_where_they_overlap(rng):
    tilts = np.linspace(-60, 60, 41)
    images = rng.normal(size=(41, 64, 64))
    alignment = aligned(tilts, (64, 64))
    usual = {"combine": "density", "density_neighbours": 0, "exact_object_px": 30}

    ramp = prepared(images, alignment, ReconstructSettings(**usual))
    overlap = prepared(images, alignment, ReconstructSettings(**usual, weighting="overlap"))

    middle = slice(10, 31)
    assert correlation(ramp[middle], overlap[middle]) > 0.95
    assert overlap[middle].std() == pytest.approx(ramp[middle].std(), rel=0.15)


# -- edges ----------------------------------------------------------------------------------------


TILTS = np.linspace(-40, 40, 9)
BAND = 8


@pytest.fixture(scope="module")
def carbon_edges():
    """An empty specimen; one image has a bright band along its left edge."""
    images = np.zeros((9, 64, 64))
    images[2, :, :BAND] = 100.0
    return images


@pytest.mark.parametrize("direct", [True, False], ids=["twin", "fast"])
@pytest.mark.parametrize(
    "edges", [{"taper_distance": 8}, {"taper_distance": 4, "taper_falloff": 16}]
)
def test_what_one_image_has_at_its_edge_fades(edges, direct, carbon_edges):
    alignment = aligned(TILTS, (64, 64))
    make = reconstruct_directly if direct else volume_of
    common = {**PLAIN, "thickness": "24"}

    plain = make(ArrayStack(carbon_edges, PIXEL), alignment, ReconstructSettings(**common))
    ours = make(ArrayStack(carbon_edges, PIXEL), alignment, ReconstructSettings(**common, **edges))

    # RELION fades the sum by the largest taper of all views: the streak stays
    relions = plain * largest_taper(alignment, plain.shape, **edges)
    most = 0.35 if "taper_falloff" in edges else 0.04
    assert np.abs(ours).sum() < most * np.abs(relions).sum()
    assert np.abs(relions).sum() > 0.2 * np.abs(plain).sum()


def volume_of(stack, alignment, settings):
    return reconstruct_tomogram(stack, alignment, settings).data


def largest_taper(alignment, shape, taper_distance, taper_falloff=0):
    z, _, x = np.indices(shape) - np.array(shape).reshape(3, 1, 1, 1) // 2
    largest = np.zeros(shape)
    for tilt in np.deg2rad(alignment.tilts_degrees):
        edge = 31 - np.abs(x * np.cos(tilt) + z * np.sin(tilt))
        if taper_falloff:
            risen = np.clip((edge - taper_distance) / taper_falloff, 0, 1)
        else:
            risen = edge >= taper_distance
        largest = np.maximum(largest, 0.5 - 0.5 * np.cos(np.pi * risen))
    return largest


def test_fading_images_leave_the_mean_where_enough_of_them_are_seen():
    images = np.full((9, 64, 64), 20.0)
    alignment = aligned(TILTS, (64, 64))
    settings = ReconstructSettings(**PLAIN, thickness="16", taper_falloff=20)

    volume = volume_of(ArrayStack(images, PIXEL), alignment, settings)

    assert np.abs(volume[:, 10:-10, 10:-10] - 20).max() < 0.05
    assert volume[8, 0, 0] < 5


def test_a_taper_is_the_same_on_images_of_odd_size():
    images = np.zeros((1, 47, 63))
    images[0, 20, 30] = 1.0
    settings = ReconstructSettings(**PLAIN, taper_distance=5, taper_falloff=4)

    ours = prepared(images, aligned([0.0], (63, 47)), settings)

    assert ours.shape == (1, 37, 53)
    assert np.unravel_index(ours[0].argmax(), (37, 53)) == (15, 25)
    assert ours[0, 15, 25] == pytest.approx(1, abs=0.01)
