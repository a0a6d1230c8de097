"""How images are binned: where the binned pixels lie, and the spectra that filters work on.

Our own way crops the transform of the padded image. RELION's two ways keep pixel 0 on pixel 0 and
have even sizes; filters there work on the binned image itself, without padding, and the last row
and column go on for one more pixel.
"""

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels import fourier
from vitreous.kernels.fourier import Frame
from vitreous.reconstruct.settings import ReconstructSettings

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]
T = TypeVar("T", np.float32, np.complex64)

UNBINNED = 0.01  # RELION leaves images alone where the binning is 1 to within this
EDGE_PIXELS = 10  # Fourier pixels in which RELION's low-pass falls from 1 to 0


@dataclass(frozen=True, slots=True)
class Sampling:
    """Binned images of one size.

    size (x, y) px; spacing (x, y): unbinned pixels from one to the next; centre (x, y): the pixel
    that the unbinned n // 2 comes to lie on. frame: how a spectrum is padded; None for RELION's
    ways, whose spectra are those of the binned image. margin: px that are taken off each side
    before back-projection.
    """

    size: tuple[int, int]
    spacing: tuple[float, float]
    centre: tuple[float, float]
    frame: Frame | None
    filtered: bool
    margin: int = 0

    @property
    def image_size(self) -> tuple[int, int]:
        """(x, y) px of what is back-projected."""
        more = (0 if self.frame else 1) - 2 * self.margin
        return self.size[0] + more, self.size[1] + more

    @property
    def image_centre(self) -> tuple[float, float]:
        """`centre` in what is back-projected."""
        return self.centre[0] - self.margin, self.centre[1] - self.margin

    @property
    def periodic(self) -> tuple[int, int]:
        """(y, x) of the periodic image that spectra belong to."""
        return self.frame.small if self.frame else (self.size[1], self.size[0])

    @property
    def is_plain(self) -> bool:
        """Whether binned images are the images themselves, neither padded nor filtered."""
        return self.frame is None and not self.filtered and self.spacing == (1.0, 1.0)

    def frequencies(self, pixel_size: float) -> tuple[Array, Array]:
        """kx (1, x // 2 + 1) and ky (y, 1) of a spectrum in 1/A; pixel_size: unbinned, A."""
        rows, columns = self.periodic
        kx = np.fft.rfftfreq(columns, pixel_size * self.spacing[0]).astype(np.float64)
        ky = np.fft.fftfreq(rows, pixel_size * self.spacing[1]).astype(np.float64)
        return kx[None], ky[:, None]

    def spectrum(self, image: Floats, threads: int = 1) -> Spectrum:
        """The half spectrum of the image (y, x), binned."""
        if self.frame:
            whole = fourier.forward(fourier.framed(image, self.frame), threads)
            return fourier.cropped(whole, self.frame.padded[1], self.frame.small)
        rows, columns = self.periodic
        if self.filtered:
            return fourier.forward(sampled_down(image, self, threads), threads)
        part = image[: round(rows * self.spacing[1]), : round(columns * self.spacing[0])]
        return fourier.cropped(fourier.forward(part, threads), part.shape[1], self.periodic)

    def image(self, spectrum: Spectrum, threads: int = 1) -> Floats:
        """The binned image (y, x) of a spectrum, whose memory may be reused."""
        whole = fourier.inverse(spectrum, self.periodic, threads)
        return fourier.cut_out(whole, self.frame) if self.frame else whole


def sampling_of(image_size: tuple[int, int], settings: ReconstructSettings) -> Sampling:
    """The binning that the settings ask for, of images of `image_size` (x, y) px."""
    found = _binned(image_size, settings)
    margin = math.ceil(settings.taper_distance)
    if 2 * margin >= min(found.size):
        raise UserError(
            f"taper_distance {settings.taper_distance:g} leaves nothing of the binned images of "
            f"{found.size[0]} x {found.size[1]} px"
        )
    return replace(found, margin=margin)


def _binned(image_size: tuple[int, int], settings: ReconstructSettings) -> Sampling:
    columns, rows = image_size
    if settings.downsample == "crop":
        frame = fourier.frame_for((rows, columns), settings.binning)
        return Sampling(
            frame.binned[::-1], frame.spacing[::-1], frame.centre[::-1], frame, filtered=False
        )
    if abs(settings.binning - 1) < UNBINNED:
        return _from_the_corner(image_size, image_size, (1.0, 1.0), filtered=False)
    width, height = (fourier.binned_size(n, settings.binning) // 2 * 2 for n in image_size)
    if settings.downsample == "relion":
        spacing = settings.binning, settings.binning
        return _from_the_corner(image_size, (width, height), spacing, filtered=True)
    spacing = (
        int(settings.binning * width) / max(width, 1),
        int(settings.binning * height) / max(height, 1),
    )
    return _from_the_corner(image_size, (width, height), spacing, filtered=False)


def _from_the_corner(
    image_size: tuple[int, int],
    size: tuple[int, int],
    spacing: tuple[float, float],
    *,
    filtered: bool,
) -> Sampling:
    """Binned pixel i at unbinned pixel i * spacing."""
    centre = image_size[0] // 2 / spacing[0], image_size[1] // 2 / spacing[1]
    return Sampling(size, spacing, centre, None, filtered)


def sampled_down(image: Floats, sampling: Sampling, threads: int = 1) -> Floats:
    """RELION's binning: a low-pass with a cosine edge, then linear sampling at i * spacing.

    Only the frequencies that pass, and the lines that are sampled, are transformed.
    """
    from scipy import fft

    step = sampling.spacing[0]
    room = int(2 * step + 0.5)
    padded = np.pad(image, room, mode="edge")
    rows, columns = padded.shape
    passing = min(int(columns * 0.5 / step + EDGE_PIXELS / 2) + 1, columns // 2 + 1)
    along_x = fft.rfft(padded, axis=1, workers=threads)[:, :passing]
    spectrum = fft.fft(along_x, axis=0, workers=threads)
    frequency = np.hypot(np.fft.fftfreq(rows)[:, None], np.arange(passing) / columns)
    fall = np.clip(columns / EDGE_PIXELS * (frequency - 0.5 / step) + 0.5, 0, 1)
    spectrum *= (0.5 + 0.5 * np.cos(np.pi * fall)).astype(np.float32)
    width, height = sampling.size
    smooth = fft.ifft(spectrum, axis=0, workers=threads)[room : room + image.shape[0]]
    lines = fft.irfft(_sampled(smooth, height, step), columns, axis=1, workers=threads)
    return _sampled(lines[:, room : room + image.shape[1]].T, width, step).T


def _sampled(lines: NDArray[T], count: int, step: float) -> NDArray[T]:
    """Lines 0, step, 2 step, ... between the given ones, linearly."""
    at = np.arange(count) * step
    below = at.astype(int)
    share = (at - below).astype(np.float32)[:, None]
    above = np.minimum(below + 1, len(lines) - 1)
    found: NDArray[T] = lines[below] * (1 - share) + lines[above] * share
    return found
