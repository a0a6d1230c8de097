"""The movie that RELION's motion correction was run on, its planted motion, and how we do on it.

256 x 224 px of 1.5 A, 12 frames of 1.2 e/A^2; about 8 counts a pixel and frame.
"""

from functools import cache

import numpy as np

from vitreous.motion.movie import correct_motion
from vitreous.motion.settings import MotionSettings
from vitreous.records.images import ArrayStack
from vitreous.records.motion import Exposure

SIZE, FRAMES, PIXEL, DOSE = (256, 224), 12, 1.5, 1.2
BORDER, TAPER = 12, 12  # px that are left out, and over which what is left fades
BANDS = 8  # of frequency, up to Nyquist


def planted(folder, points):
    """(12, m, 2) displacements, px, of content at points (m, 2)."""
    given = np.load(folder / "input.npz")
    frames = np.arange(float(FRAMES))[:, None]
    strength = 0.28 * frames - 0.012 * frames**2
    x, y = points[:, 0] / SIZE[0] - 0.5, points[:, 1] / SIZE[1] - 0.5
    dx = given["gx"][:, None] + strength * (0.9 * x - 0.5 * y + 1.2 * x * y)
    dy = given["gy"][:, None] + strength * (-0.7 * x + 0.8 * y + 0.9 * y**2 - 0.6 * x**2)
    return np.stack([dx, dy], -1)


def still_image(folder, displaced):
    """(y, x) the specimen, each of its Gaussians displaced by `displaced` (m, 2)."""
    given = np.load(folder / "input.npz")
    y, x = np.indices(SIZE[::-1])
    image = np.zeros(SIZE[::-1])
    blobs = (given[name] for name in ("bx", "by", "bs", "ba"))
    for bx, by, sigma, height, (dx, dy) in zip(*blobs, displaced, strict=True):
        distance = (x - bx - dx) ** 2 + (y - by - dy) ** 2
        image += height * np.exp(-distance / (2 * sigma**2))
    return image


def blob_places(folder):
    """(m, 2) px."""
    given = np.load(folder / "input.npz")
    return np.stack([given["bx"], given["by"]], -1)


def relions_image(folder, name):
    """What the program wrote."""
    stored = np.load(folder / "output.npz")
    scale, offset = stored[f"{name}__sc"]
    return stored[name] * scale + offset


@cache
def corrected(folder):
    """Our correction of the same movie, gain applied."""
    given = np.load(folder / "input.npz")
    frames = given["mov"] * given["gain"].astype(np.float32)
    dead = frames[:, 59:62, 199:202].sum((1, 2)) / 8  # the pixel whose gain is 0
    frames[:, 60, 200] = dead
    settings = MotionSettings(unweighted=True)
    return correct_motion(ArrayStack(frames, PIXEL), settings, Exposure(DOSE))


def correlations(image, still):
    """(BANDS,) Fourier ring correlations in bands of frequency."""
    rows, columns = (n - 2 * BORDER for n in SIZE[::-1])
    ends = [np.minimum(np.arange(n), np.arange(n)[::-1]) / TAPER for n in (rows, columns)]
    window = np.outer(*(np.clip(end, 0, 1) for end in ends))
    spectra = []
    for whole in (image, still):
        part = whole[BORDER:-BORDER, BORDER:-BORDER]
        spectra.append(np.fft.fft2((part - part.mean()) * window))
    k = np.hypot(np.fft.fftfreq(rows)[:, None], np.fft.fftfreq(columns))
    band = (k * 2 * BANDS).astype(int).ravel()

    def summed(values):
        return np.bincount(band, values.ravel())[:BANDS]

    one, other = spectra
    shared = summed((one * other.conj()).real)
    return shared / np.sqrt(summed(abs(one) ** 2) * summed(abs(other) ** 2))


def both_correlations(folder, run):
    """(ours, RELION's) correlations with the still specimen, each where it shows it.

    RELION's image shows it where the first frame did, ours where it is in the mean.
    """
    displaced = planted(folder, blob_places(folder))
    sums = corrected(folder).sums
    ours = {"local4x4/movie": sums.unweighted, "dw/movie": sums.average}[run]
    return (
        correlations(ours, still_image(folder, displaced.mean(0))),
        correlations(relions_image(folder, run), still_image(folder, displaced[0])),
    )
