"""A tilt's movie: the contrast drifts, the damage grows, the electrons come in frames."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from vitreous.simulate.acquisition import Exposure
from vitreous.simulate.canvas import Canvas
from vitreous.simulate.chance import stream
from vitreous.simulate.imaging import Contrast, brightness, damaged
from vitreous.simulate.settings import SimulateSettings

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

SETTLING = 3.0  # frames over which the first, fast motion dies down


def drift_px(settings: SimulateSettings, section: int) -> Array:
    """(frames, 2) where each frame shows a point, px from the place in the mean; their mean is 0.

    Steps in random directions, larger at the beginning.
    """
    rng = stream(settings.seed, "frame motion", section)
    frames = np.arange(settings.frames)
    steps = rng.normal(size=(settings.frames, 2)) * (0.3 + np.exp(-frames / SETTLING))[:, None]
    path = np.cumsum(steps, 0)
    path -= path.mean(0)
    spread = np.sqrt((path**2).mean())
    wanted = settings.frame_motion / settings.pixel_size
    return path * (wanted / spread if spread else 0)


def frame_signals(
    seen: Contrast, tilt: Exposure, canvas: Canvas, settings: SimulateSettings
) -> Iterator[Floats]:
    """1 + contrast of each frame, on the coarse grid."""
    ky, kx = canvas.frequencies()
    dose = tilt.dose / settings.frames
    for number, (dx, dy) in enumerate(drift_px(settings, tilt.section) * settings.pixel_size):
        spectrum = damaged(seen, canvas, settings.kv, tilt.pre_exposure + number * dose, dose)
        moved = np.exp(-2j * np.pi * (kx * dx + ky * dy)).astype(np.complex64)
        yield brightness(spectrum * moved, canvas)
