"""The sums of a movie's frames with the specimen where it is on average.

Frames are read one after the other and interpolated once. Without local motion they are moved in
Fourier space, exactly; with it, whole and local displacement together, by a cubic B-spline. The
spline's coefficients are found from the sums, not from each frame: displacements are so smooth that
the order makes no difference. Dose weights are products of a few functions of the frame and of the
frequency (`motion.dose`), so that a few sums of frames hold all that is needed of them.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitreous.kernels.fourier import Frame, cropped, cut_out, forward, frame_for, framed, inverse
from vitreous.kernels.machine import use_threads
from vitreous.motion.dose import Shares, dose_shares, plain_shares
from vitreous.motion.frames import frames_of
from vitreous.motion.settings import MotionSettings
from vitreous.records.images import ImageStack
from vitreous.records.motion import Exposure, Motion
from vitreous.records.progress import Progress, ignore_progress

Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """Sums of frames (y, x), counts; even + odd = average, even: the 1st, 3rd, ... that is used.

    average is dose-weighted where the dose is known and weighting was asked for, with the mean and
    the noise of the plain sum; unweighted: the plain sum, None where it wasn't asked for or the
    average is just that. pixel_size A/px.
    """

    average: Floats
    even: Floats | None
    odd: Floats | None
    unweighted: Floats | None
    pixel_size: float


def sum_frames(
    movie: ImageStack,
    motion: Motion,
    settings: MotionSettings,
    exposure: Exposure | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> Sums:
    """The movie's frames without their motion, added up."""
    use_threads(threads)
    weighted = exposure is not None and settings.dose_weighting
    shares = plain_shares(len(motion.frames))
    if exposure is not None and settings.dose_weighting:
        shares = dose_shares(exposure, motion.frames, motion.pixel_size)
    plain_too = weighted and settings.unweighted
    of_frames = np.column_stack([shares.of_frames, np.ones(len(motion.frames), np.float32)])
    if not plain_too:
        of_frames = of_frames[:, :-1]
    of_frames = np.ascontiguousarray(of_frames)

    frame = frame_for((motion.image_size[1], motion.image_size[0]), settings.binning)
    local = motion.local is not None
    add = _MovedInSpace(motion) if local else _MovedInFourier(motion, frame, threads)
    halves = 2 if settings.even_odd and len(motion.frames) > 1 else 1
    sums = [add.empty(of_frames.shape[1]) for _ in range(halves)]
    for n, image in enumerate(frames_of(movie, motion.frames, threads)):
        add(n, image, of_frames[n], sums[n % halves])
        progress(n + 1, len(motion.frames))
    return _finished(sums, shares, frame, motion, plain_too, local, threads)


def _finished(
    sums: list[Any],
    shares: Shares,
    frame: Frame,
    motion: Motion,
    plain_too: bool,
    local: bool,
    threads: int,
) -> Sums:
    """Weights, binning and the way back to images; `sums` is emptied for memory.

    sums: of even and of odd frames, (sums, y, x) images where the motion is local, else spectra.
    """
    weighted = shares.of_frames.shape[1]
    halves, plain = [], None
    while sums:
        spectra = sums.pop(0)
        if local:
            spectra = _transformed(spectra, frame, threads)
        halves.append(_image(spectra[:weighted], shares.of_frequencies, frame, local, threads))
        if plain_too:
            all_alike = plain_shares(1).of_frequencies
            image = _image(spectra[weighted:], all_alike, frame, local, threads)
            plain = image if plain is None else plain + image
        del spectra
    average = halves[0] if len(halves) == 1 else halves[0] + halves[1]
    even, odd = halves if len(halves) == 2 else (None, None)
    return Sums(average, even, odd, plain, motion.pixel_size * frame.spacing[1])


def _transformed(images: Floats, frame: Frame, threads: int) -> Spectrum:
    rows, columns = frame.padded
    found = np.empty((len(images), rows, columns // 2 + 1), np.complex64)
    for image, spectrum in zip(images, found, strict=True):
        spectrum[:] = forward(framed(image, frame), threads)
    return found


def _image(spectra: Spectrum, tables: Floats, frame: Frame, sharpen: bool, threads: int) -> Floats:
    from vitreous.kernels.cpu.motion import weighed_sum

    whole = np.empty(spectra.shape[1:], np.complex64)
    weighed_sum(spectra, frame.padded[1], tables, sharpen, whole)
    small = cropped(whole, frame.padded[1], frame.small)
    image = cut_out(inverse(small, frame.small, threads), frame)
    return np.ascontiguousarray(image) * np.float32(frame.spacing[0] * frame.spacing[1])


# -- one frame ------------------------------------------------------------------------------------


class _MovedInFourier:
    """Adds frames by their whole displacement: whole pixels, their edge going on, then the rest."""

    def __init__(self, motion: Motion, frame: Frame, threads: int) -> None:
        self.moves = motion.displacements / motion.pixel_size
        self.frame, self.threads = frame, threads

    def empty(self, count: int) -> Spectrum:
        rows, columns = self.frame.padded
        return np.zeros((count, rows, columns // 2 + 1), np.complex64)

    def __call__(
        self, n: int, image: NDArray[np.generic], shares: Floats, sums: NDArray[np.generic]
    ) -> None:
        from vitreous.kernels.cpu.motion import add_shifted

        dx, dy = np.rint(self.moves[n]).astype(int)
        spectrum = forward(framed(by_whole_pixels(image, dx, dy), self.frame), self.threads)
        dx, dy = self.moves[n] - (dx, dy)
        add_shifted(spectrum, self.frame.padded[1], dx, dy, shares, sums)


def by_whole_pixels(image: NDArray[np.generic], dx: int, dy: int) -> NDArray[Any]:
    """(y, x) -> image at (y + dy, x + dx); beyond its edge the edge goes on."""
    rows, columns = image.shape
    if dy:
        image = image.take(np.clip(np.arange(rows) + dy, 0, rows - 1), 0)
    if dx:
        image = image.take(np.clip(np.arange(columns) + dx, 0, columns - 1), 1)
    return image


class _MovedInSpace:
    """Adds frames by whole and local displacement together."""

    def __init__(self, motion: Motion) -> None:
        from vitreous.kernels.cpu.motion import BLOCK

        columns, rows = motion.image_size
        x, y = (np.arange(0.0, n + 2 * BLOCK, BLOCK) for n in (columns, rows))
        points = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
        nodes = motion.at(points) / motion.pixel_size
        self.fields = nodes.reshape(-1, len(y), len(x), 2).transpose(0, 3, 1, 2).copy()
        self.shape = rows, columns

    def empty(self, count: int) -> Floats:
        return np.zeros((count, *self.shape), np.float32)

    def __call__(
        self, n: int, image: NDArray[np.generic], shares: Floats, sums: NDArray[np.generic]
    ) -> None:
        from vitreous.kernels.cpu.motion import add_moved

        add_moved(np.ascontiguousarray(image, np.float32), self.fields[n], shares, sums)
