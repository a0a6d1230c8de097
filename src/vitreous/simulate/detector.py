"""The counting camera: uneven beam, MTF, Poisson counts, X-rays; movies' gain and defects."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.fourier import forward, inverse
from vitreous.simulate.canvas import Canvas
from vitreous.simulate.chance import stream
from vitreous.simulate.settings import SimulateSettings

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

BEAM_FALL = 0.08  # how much darker the beam is in the corners of the image
XRAY_LEAST, XRAY_MEAN = 40.0, 80.0  # counts


def beam(canvas: Canvas) -> Floats:
    """(y, x) the uneven beam on the coarse grid: 1 at the image's middle."""
    fall = np.zeros(canvas.coarse)
    for axis, (size, start, n) in enumerate(
        zip(canvas.coarse, canvas.margin, canvas.image, strict=True)
    ):
        from_middle = (np.arange(size) - start - (n - 1) / 2) / (n / 2)
        fall += (from_middle**2).reshape((-1, 1) if axis == 0 else (1, -1))
    return np.maximum(1 - BEAM_FALL / 2 * fall, 0).astype(np.float32)


def blurred(signal: Floats, canvas: Canvas, mtf: float) -> Floats:
    """The signal after the camera's MTF: a Gaussian in k, `mtf` at Nyquist; what it can't be, 0."""
    ky, kx = canvas.frequencies()
    squared = (kx**2 + ky**2) * (2 * canvas.pixel_size) ** 2
    spectrum = forward(signal) * (mtf**squared).astype(np.float32)
    return np.maximum(inverse(spectrum, canvas.coarse), 0)


def counted(mean: Floats, rng: np.random.Generator) -> Floats:
    """Electrons counted where `mean` are expected."""
    return rng.poisson(mean).astype(np.float32)


def add_xrays(image: Floats, per_million: float, rng: np.random.Generator) -> None:
    """Hits of single pixels, far brighter than electrons."""
    count = rng.poisson(per_million * image.size / 1e6)
    hit = rng.integers(image.size, size=count)
    image.reshape(-1)[hit] += np.rint(XRAY_LEAST + rng.exponential(XRAY_MEAN, count))


@dataclass(frozen=True, slots=True, eq=False)
class Camera:
    """What a movie's raw frames are made right by.

    gain (y, x): frames are multiplied by it; broken (y, x): pixels and a column that don't count.
    """

    gain: Floats
    broken: NDArray[np.bool_]

    def raw(self, mean: Floats, rng: np.random.Generator) -> NDArray[np.uint8]:
        """A raw frame where `mean` electrons are expected; broken pixels count nothing or all."""
        frame = rng.poisson(mean / self.gain).clip(0, 255).astype(np.uint8)
        stuck = np.where((self.gain > 1)[self.broken], 255, 0)
        frame[self.broken] = stuck
        return frame

    def corrected(self, total: Floats) -> Floats:
        """The sum of raw frames times the gain; broken pixels get the mean of good neighbours."""
        good = np.where(self.broken, 0, total * self.gain).astype(np.float32)
        weight = (~self.broken).astype(np.float32)
        near, known = _around(good), _around(weight)
        return np.where(self.broken, near / np.maximum(known, 1), good).astype(np.float32)


def _around(image: Floats) -> Floats:
    """Sum of the 5 x 5 pixels about each one."""
    edged = np.pad(image, 2)
    rows, columns = image.shape
    total = np.zeros_like(image)
    for y in range(5):
        for x in range(5):
            total += edged[y : y + rows, x : x + columns]
    return total


def camera(settings: SimulateSettings) -> Camera:
    """The camera of a session: gains that scatter, columns that share some of it, broken pixels."""
    rng = stream(settings.seed, "camera")
    columns, rows = settings.size
    spread = settings.gain_spread / 100
    sensitivity = 1 + spread * (
        0.8 * rng.normal(size=(rows, columns)) + 0.6 * rng.normal(size=(1, columns))
    )
    sensitivity = sensitivity.clip(0.3, 2)
    broken = np.zeros((rows, columns), bool)
    if settings.defects:
        broken.reshape(-1)[rng.integers(broken.size, size=settings.defects)] = True
        broken[:, rng.integers(2, columns - 2)] = True
    return Camera((sensitivity.mean() / sensitivity).astype(np.float32), broken)
