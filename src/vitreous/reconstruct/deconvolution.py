"""A filter for the eye: contrast brought back and noise taken away, by an assumed SNR.

    W(k) = T(k) / (T(k)^2 + 1 / SNR(k)),    SNR(k) = 1000^strength exp(-200 falloff k) highpass(k)

T is the transfer that is left in the image, k in 1/A; highpass rises as a raised cosine from 0 at
k = 0 to 1 at the period given. The SNR of Tegunov's tom_deconv, applied to each image with its own
defocus: an isotropic filter of a volume is the same filter of its projections.
"""

import numpy as np
from numpy.typing import NDArray

from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.transfer import applied_transfer, correction
from vitreous.records.ctf import Ctf

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

DECADES = 3.0  # of a strength of 1
FALL = 200.0  # A, of a fall-off of 1: exp(-100 / pixel size) at Nyquist


def assumed_snr(settings: ReconstructSettings, k: Array) -> Array:
    """Power of signal over noise at frequencies k in 1/A."""
    snr = 10 ** (DECADES * settings.deconvolve_strength) * np.exp(
        -FALL * settings.deconvolve_falloff * k
    )
    if settings.deconvolve_highpass:
        snr *= 0.5 - 0.5 * np.cos(np.pi * np.minimum(k * settings.deconvolve_highpass, 1))
    return snr


def deconvolution(ctf: Ctf, settings: ReconstructSettings, kx: Array, ky: Array) -> Floats:
    """The factor of an image's spectrum at (kx, ky) in 1/A, beside the CTF correction's own."""
    left = applied_transfer(ctf, settings, kx, ky)
    if settings.ctf != "none":
        left = left * correction(ctf, settings, kx, ky)
    snr = assumed_snr(settings, np.hypot(kx, ky))
    return (snr * left / (snr * left**2 + 1)).astype(np.float32)
