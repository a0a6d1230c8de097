"""The filter for the eye against its formula, and what it does to a volume."""

import numpy as np
import pytest

from vitreous.errors import UserError
from vitreous.reconstruct.deconvolution import assumed_snr, deconvolution
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.tomogram import reconstruct_tomogram
from vitreous.records.alignment import alignment_from_angles
from vitreous.records.ctf import Ctf
from vitreous.records.images import ArrayStack

CTF = Ctf(30000.0, 30000.0)


def tom_deconv(angpix, defocus_um, strength, falloff, points):
    """Tegunov's 1D curve from 0 to Nyquist, without high-pass; CTF negative at low k there."""
    frequency = np.linspace(0, 1, points)
    k = frequency / (2 * angpix)
    wave = 12.2643247 / np.sqrt(3e5 * (1 + 3e5 * 0.978466e-6))
    chi = np.pi * wave * defocus_um * 1e4 * k**2 - np.pi / 2 * 2.7e7 * wave**3 * k**4
    ctf = np.sin(chi + np.arcsin(0.07))
    snr = np.exp(-frequency * falloff * 100 / angpix) * 10 ** (3 * strength)
    return k, ctf / (ctf**2 + 1 / snr)


@pytest.mark.parametrize(("strength", "falloff"), [(1.0, 1.0), (0.6, 1.3)])
def test_the_filter_is_tom_deconvs(strength, falloff):
    settings = ReconstructSettings(
        deconvolve=True,
        deconvolve_strength=strength,
        deconvolve_falloff=falloff,
        deconvolve_highpass=0,
    )
    k, expected = tom_deconv(8.0, 3.0, strength, falloff, 200)

    np.testing.assert_allclose(deconvolution(CTF, settings, k, 0 * k), expected, rtol=1e-4)
    np.testing.assert_allclose(deconvolution(CTF, settings, 0 * k, k), expected, rtol=1e-4)


def test_flipped_phases_stay_upright_and_long_periods_fade():
    settings = ReconstructSettings(deconvolve=True, ctf="flip", deconvolve_highpass=800)
    k = np.linspace(0, 0.05, 300)

    assert (deconvolution(CTF, settings, k, 0 * k) >= 0).all()
    assert assumed_snr(settings, np.array([0, 1 / 800, 1 / 400])) == pytest.approx(
        [0, 1000 * np.exp(-0.25), 1000 * np.exp(-0.5)]
    )


def test_contrast_comes_back_and_noise_goes(rng):
    tilts = np.arange(-60, 61, 6.0)
    alignment = alignment_from_angles(
        axes_degrees=0.0,
        tilts_degrees=tilts,
        shifts=np.zeros((21, 2)),
        image_size=(64, 64),
        pixel_size=10.0,
    )
    y, x = np.indices((64, 64)) - 32.0
    blob = -10 * np.exp(-(x**2 + y**2) / 18)
    k = np.hypot(np.fft.fftfreq(64, 10.0)[:, None], np.fft.rfftfreq(64, 10.0))
    ctf = np.sin(np.pi * 0.0196875 * 3e4 * k**2 + np.arcsin(0.07))
    seen = np.fft.irfft2(np.fft.rfft2(blob) * ctf, s=blob.shape)
    stack = ArrayStack((seen + rng.normal(0, 0.5, (21, 64, 64))).astype(np.float32), 10.0)

    def made(**changed):
        settings = ReconstructSettings(thickness="40", **changed)
        return reconstruct_tomogram(stack, alignment, settings, ctfs=[CTF] * 21).data

    z, y, x = np.indices((40, 64, 64)) - np.array([20, 32, 32]).reshape(3, 1, 1, 1)
    truth = -np.exp(-(x**2 + y**2 + z**2) / 18)
    plain, filtered = (
        np.corrcoef(made(deconvolve=on).ravel(), truth.ravel())[0, 1] for on in (False, True)
    )
    assert filtered > 2 * abs(plain)
    with pytest.raises(UserError, match="deconvolve needs the CTF of every tilt"):
        reconstruct_tomogram(stack, alignment, ReconstructSettings(deconvolve=True))


def test_what_is_inverted_already_is_not_inverted_again():
    with pytest.raises(ValueError, match="deconvolve divides by the CTF"):
        ReconstructSettings(deconvolve=True, ctf="multiply", weighting="wiener")
