"""Fourier transforms of images: good sizes, padding, binning by cropping, filters.

Real-to-complex, float32, in as many threads as asked for. A binned image keeps the pixel n // 2 of
the original on its own n // 2.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


def good_size(n: int, multiple: int = 1) -> int:
    """The smallest even multiple of `multiple` >= n without a prime factor above 11."""
    from scipy.fft import next_fast_len

    size = -(-n // multiple)
    while True:
        size = int(next_fast_len(size))
        if size % 2 == 0:
            return size * multiple
        size += 1


@dataclass(frozen=True, slots=True)
class Frame:
    """How an image is set into a larger, periodic one, and cut out of its binned version.

    shape, padded, small, binned: (y, x) of the image, set into its frame, the frame binned, the
    binned image. start: where the image begins in the padded one; cut: where the binned image
    begins in the small one.
    """

    shape: tuple[int, int]
    padded: tuple[int, int]
    small: tuple[int, int]
    start: tuple[int, int]
    binned: tuple[int, int]
    cut: tuple[int, int]

    @property
    def spacing(self) -> tuple[float, float]:
        """(y, x) pixels of the image from one binned pixel to the next."""
        return self.padded[0] / self.small[0], self.padded[1] / self.small[1]

    @property
    def centre(self) -> tuple[float, float]:
        """(y, x) where the binned image has the image's pixel n // 2."""
        y, x = (
            (begin + n // 2) / step - out
            for begin, n, step, out in zip(
                self.start, self.shape, self.spacing, self.cut, strict=True
            )
        )
        return y, x


def frame_for(shape: tuple[int, int], binning: float = 1) -> Frame:
    """A frame with IMOD's room at the ends: twice 5 %, at least 16 and at most 50 pixels.

    A whole binning keeps the image's pixel n // 2 on the binned one's; with a fraction the frame's
    sizes approach it (`spacing` is exact), and the centre lies between pixels.
    """
    lines = [_framed_line(n, binning) for n in shape]
    padded, small, start, binned, cut = ((y, x) for y, x in zip(*lines, strict=True))
    return Frame((shape[0], shape[1]), padded, small, start, binned, cut)


def _framed_line(n: int, binning: float) -> tuple[int, int, int, int, int]:
    """padded, small, start, binned, cut of one axis."""
    room = min(50, 2 * max(8, n // 20))
    binned = binned_size(n, binning)
    if binning == int(binning):
        step = int(binning)
        padded = good_size(n + room + 2 * (step - 1), step)
        centre = padded // 2 // step
        return padded, padded // step, centre * step - n // 2, binned, centre - binned // 2
    padded = good_size(n + room + int(5 * binning))
    small = round(padded / binning)
    centre = round(padded // 2 * small / padded)
    return padded, small, padded // 2 - n // 2, binned, centre - binned // 2


def binned_size(n: int, binning: float) -> int:
    """How many whole binned pixels n pixels hold."""
    return int(n / binning * (1 + 1e-9))


def framed(image: Floats, frame: Frame) -> Floats:
    """The image in its frame; round the edges it goes over linearly into the opposite edge.

    The ends are means of three pixels, as IMOD's tilt has it, so that no step filters into streaks.
    """
    rows, columns = frame.shape
    out = np.empty(frame.padded, np.float32)
    top, left = frame.start
    inner = out[top : top + rows]
    inner[:, left : left + columns] = image
    _bridge(inner.T, left, columns)
    _bridge(out, top, rows)
    return out


def _bridge(lines: Floats, start: int, count: int) -> None:
    """Fill the lines of a periodic array outside [start, start + count), linearly."""
    size = len(lines)
    reach = min(3, count)
    last = lines[start + count - reach : start + count].mean(0)
    first = lines[start : start + reach].mean(0)
    gap = size - count
    share = ((np.arange(gap) + 1) / (gap + 1)).astype(np.float32)[:, None]
    bridge = last * (1 - share) + first * share
    after = size - start - count
    lines[start + count :] = bridge[:after]
    lines[:start] = bridge[after:]


def forward(image: Floats, threads: int = 1) -> Spectrum:
    """Half spectrum (y, x // 2 + 1) of a real image."""
    from scipy import fft

    found: Spectrum = fft.rfft2(image, workers=threads)
    return found


def inverse(spectrum: Spectrum, shape: tuple[int, int], threads: int = 1) -> Floats:
    """The real image (y, x) of a half spectrum; the spectrum's memory may be reused."""
    from scipy import fft

    found: Floats = fft.irfft2(spectrum, s=shape, workers=threads, overwrite_x=True)
    return found


def cropped(spectrum: Spectrum, columns: int, small: tuple[int, int]) -> Spectrum:
    """The half spectrum of the same image, sampled more coarsely: (y, x) -> `small`.

    Grey values stay means. Of the two frequencies that fall together in the Nyquist row the
    negative one is kept, in the column the positive one, as RELION does.
    """
    rows = len(spectrum)
    if (rows, columns) == small:
        return spectrum
    high, wide = small
    up = (high + 1) // 2
    out = np.empty((high, wide // 2 + 1), spectrum.dtype)
    out[:up] = spectrum[:up, : wide // 2 + 1]
    out[up:] = spectrum[rows - (high - up) :, : wide // 2 + 1]
    out *= np.float32(high * wide / (rows * columns))
    return out


def padded(spectrum: Spectrum, columns: int, large: tuple[int, int]) -> Spectrum:
    """The half spectrum of the same image, sampled more finely: (y, x) -> `large`.

    What a Nyquist row or column holds is shared between the two frequencies it stands for.
    """
    rows = len(spectrum)
    high, wide = large
    out = np.zeros((high, wide // 2 + 1), spectrum.dtype)
    half = columns // 2 + 1
    up = (rows + 1) // 2
    out[:up, :half] = spectrum[:up]
    out[high - (rows - up) :, :half] = spectrum[up:]
    if rows % 2 == 0 and high > rows:
        out[high - rows // 2] *= np.float32(0.5)
        out[rows // 2] = out[high - rows // 2]
    if columns % 2 == 0 and wide > columns:
        out[:, half - 1] *= np.float32(0.5)
    out *= np.float32(high * wide / (rows * columns))
    return out


def binned(image: Floats, binning: float, threads: int = 1) -> Floats:
    """The image Fourier-cropped by a whole factor, antialiased; pixel n // 2 stays the centre."""
    if binning == 1:
        return image
    frame = frame_for((image.shape[0], image.shape[1]), binning)
    spectrum = cropped(forward(framed(image, frame), threads), frame.padded[1], frame.small)
    whole = inverse(spectrum, frame.small, threads)
    return cut_out(whole, frame)


def cut_out(whole: Floats, frame: Frame, border: int = 0) -> Floats:
    """The binned image out of its padded one, with `border` more pixels all round."""
    top, left = frame.cut
    rows, columns = frame.binned
    return whole[top - border : top + rows + border, left - border : left + columns + border]


def coefficients(image: Floats, border: int) -> Floats:
    """Cubic B-spline coefficients of an image that is mirrored at its edges, with a border."""
    from vitreous.kernels.cpu.spline import spline_coefficients

    found: Floats = spline_coefficients(np.ascontiguousarray(image, np.float32), border)
    return found
