"""A simulated tilt series: its truth at once, its images when they are asked for."""

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.records.alignment import Alignment
from vitreous.records.images import ArrayStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.records.tilt_series import Tilt, TiltSeries
from vitreous.simulate.acquisition import Exposure, exposures, true_alignment
from vitreous.simulate.canvas import Canvas, canvas_for
from vitreous.simulate.chance import stream
from vitreous.simulate.detector import Camera, add_xrays, beam, blurred, camera, counted
from vitreous.simulate.imaging import (
    Contrast,
    brightness,
    contrast,
    damaged,
    seen_ice,
    transmission,
)
from vitreous.simulate.movie import frame_signals
from vitreous.simulate.sample import Sample, random_sample
from vitreous.simulate.settings import SimulateSettings

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

DARK = 0.02  # of the beam that is left in a dark tilt


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedSeries:
    """An image stack (`shape`, `dtype`, `pixel_size`, `read`) and all that is true of it.

    alignment: the maps of the views, to be applied to points that the dose has deformed, see
    `pixels`.
    """

    settings: SimulateSettings
    tilts: tuple[Exposure, ...]
    sample: Sample
    alignment: Alignment
    canvas: Canvas

    # -- as a stack -------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, int, int]:
        """(tilts, y, x)."""
        columns, rows = self.settings.size
        return len(self.tilts), rows, columns

    @property
    def dtype(self) -> np.dtype[np.generic]:
        """Counts are whole, but for those of movies with a gain."""
        return np.dtype(np.float32)

    @property
    def pixel_size(self) -> float:
        """Angstrom."""
        return self.settings.pixel_size

    def read(self, index: int) -> Floats:
        """Image `index` (y, x), in counts: made anew each time, always the same."""
        if self.settings.frames:
            camera = self.camera
            return self.summed(index, self.frames(index, camera), camera)
        image = counted(self.mean_image(index), self._stream("counts", index))
        add_xrays(image, self.settings.xrays, self._stream("X-rays", index))
        return image

    def rendered(self, threads: int = 1, progress: Progress = ignore_progress) -> ArrayStack:
        """All images in memory, made by several threads."""
        images = np.empty(self.shape, np.float32)
        for section, image in enumerate(self.images(threads)):
            images[section] = image
            progress(section + 1, len(images))
        return ArrayStack(images, self.pixel_size)

    def images(self, threads: int = 1) -> Iterator[Floats]:
        """The images in section order, made by several threads."""
        with ThreadPoolExecutor(threads) as pool:
            yield from pool.map(self.read, range(len(self.tilts)))

    # -- what the camera sees ---------------------------------------------------------------------

    def contrast(self, index: int) -> Contrast:
        """The undamaged contrast of a view, half spectra on the canvas."""
        rng = self._stream("ice", index)
        return contrast(self.sample, self.alignment, self.tilts[index], self.canvas, rng)

    def mean_image(self, index: int) -> Floats:
        """(y, x) counts to be expected, without the camera's noise."""
        tilt = self.tilts[index]
        spectrum = damaged(
            self.contrast(index), self.canvas, self.settings.kv, tilt.pre_exposure, tilt.dose
        )
        return self._expected(tilt, brightness(spectrum, self.canvas))

    def _expected(self, tilt: Exposure, signal: Floats) -> Floats:
        """Counts of the whole exposure for a signal (1 + contrast) on the canvas."""
        canvas, settings = self.canvas, self.settings
        electrons = tilt.dose * settings.pixel_size**2 * settings.dqe
        if tilt.fault == "dark":
            electrons *= DARK
        ice = seen_ice(self.sample, self.alignment, tilt.section, canvas)
        # the ice is known on the fine grid; it's smooth, so that the nearest points do
        rows, columns = (
            (np.arange(n) * fine) // n for n, fine in zip(canvas.coarse, canvas.fine, strict=True)
        )
        passed = transmission(ice.path)[np.ix_(rows, columns)]
        if tilt.fault == "blank":
            signal, passed = np.ones_like(signal), np.full_like(passed, passed.mean())
        lit = np.float32(electrons) * beam(canvas) * passed * signal
        return canvas.cut(blurred(lit, canvas, settings.mtf))

    # -- movies -----------------------------------------------------------------------------------

    @property
    def camera(self) -> Camera:
        """The movies' camera: its gain and defects."""
        return camera(self.settings)

    def frames(self, index: int, camera: Camera) -> Iterator[NDArray[np.uint8]]:
        """The raw frames (y, x) of a tilt's movie, one after the other."""
        tilt, rng = self.tilts[index], self._stream("counts", index)
        for signal in frame_signals(self.contrast(index), tilt, self.canvas, self.settings):
            share = np.float32(1 / self.settings.frames)
            yield camera.raw(self._expected(tilt, signal) * share, rng)

    def summed(self, index: int, frames: Iterable[NDArray[np.uint8]], camera: Camera) -> Floats:
        """The stack's image (y, x) of a tilt whose frames are at hand: their sum, corrected."""
        total = np.zeros(self.shape[1:], np.float32)
        for frame in frames:
            total += frame
        image = camera.corrected(total)
        add_xrays(image, self.settings.xrays, self._stream("X-rays", index))
        return image

    # -- truth ------------------------------------------------------------------------------------

    def pixels(self, points: Array) -> Array:
        """Specimen points (m, 3), angstrom -> (n, m, 2) pixels (x, y) where the views show them."""
        motion = self.sample.deformation.motion(points)
        moved = points + np.array([tilt.deformed for tilt in self.tilts])[:, None, None] * motion
        seen = np.einsum("nij,nmj->nmi", self.alignment.projections, moved)
        seen += self.alignment.shifts[:, None]
        return seen / self.pixel_size + np.array(self.settings.size) // 2

    def as_tilt_series(self, name: str) -> TiltSeries:
        """What the microscope knows of the series: nominal angles, doses, order."""
        settings = self.settings
        return TiltSeries(
            name=name,
            tilts=tuple(
                Tilt(
                    section=tilt.section,
                    nominal_tilt_degrees=tilt.nominal_tilt,
                    exposure_index=tilt.exposure_index,
                    dose=tilt.dose,
                    pre_exposure=tilt.pre_exposure,
                )
                for tilt in self.tilts
            ),
            pixel_size=settings.pixel_size,
            image_size=settings.size,
            stack=self,
            nominal_axis_degrees=settings.tilt_axis,
            voltage_kv=settings.kv,
            spherical_aberration_mm=settings.cs,
            amplitude_contrast=settings.amplitude_contrast,
        )

    def _stream(self, part: str, index: int) -> np.random.Generator:
        return stream(self.settings.seed, part, index)


def simulate_series(settings: SimulateSettings) -> SimulatedSeries:
    """A series as the settings have it: the same for the same settings, wherever it is made."""
    tilts = exposures(settings)
    return SimulatedSeries(
        settings=settings,
        tilts=tilts,
        sample=random_sample(settings, tilts),
        alignment=true_alignment(tilts, settings),
        canvas=canvas_for(settings),
    )
