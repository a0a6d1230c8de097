"""Contrast transfer of a tilt's image: what was applied, what corrects it, how it changes across.

A tilted specimen has another defocus under each line of its image. The image is corrected for some
defoci and put together from the results: between two of them linearly, by the height of the
specimen's mid-plane (z = 0) under each pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.model import phase, phase_per_defocus, transfer
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf

Array = NDArray[np.float64]
Floats = NDArray[np.float32]

SAME_PHASE = 0.25  # radians at the image's corner frequency: strips nearer in defocus are the same


def applied_transfer(ctf: Ctf, settings: ReconstructSettings, kx: Array, ky: Array) -> Array:
    """The transfer at (kx, ky) in 1/A, as the settings have it be counted.

    An intact first peak is the CTF's scale as long as the phase is below a quarter turn.
    """
    found = transfer(ctf, kx, ky)
    if not settings.ctf_damping and ctf.b_factor:
        found = found * np.exp(ctf.b_factor / 4 * (kx**2 + ky**2))
    if settings.ctf_intact_first_peak:
        found = np.where(np.abs(phase(ctf, kx, ky)) < np.pi / 2, ctf.scale, found)
    return found


def correction(ctf: Ctf, settings: ReconstructSettings, kx: Array, ky: Array) -> Floats:
    """The factor of an image's spectrum that corrects it."""
    c = applied_transfer(ctf, settings, kx, ky)
    if settings.ctf == "flip":
        c = np.where(c < 0, -1.0, 1.0)
    elif settings.ctf == "wiener":
        c = c / (c**2 + 1 / settings.snr)
    return c.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Strips:
    """Heights at which an image is corrected, and how they share its pixels.

    heights (n,) angstrom along the beam, evenly spaced; at_origin: the height under pixel (0, 0),
    along (x, y): its growth for a pixel.
    """

    heights: Array
    at_origin: float
    along: tuple[float, float]

    def share(self, number: int, shape: tuple[int, int]) -> Floats:
        """(y, x) what strip `number` gives to each pixel; all strips' shares sum to 1."""
        if len(self.heights) == 1:
            return np.ones(shape, np.float32)
        step = self.heights[1] - self.heights[0]
        rows, columns = shape
        height = (
            self.at_origin
            + self.along[1] * np.arange(rows, dtype=np.float32)[:, None]
            + self.along[0] * np.arange(columns, dtype=np.float32)
        )
        away = np.abs(height - np.float32(self.heights[number])) / np.float32(step)
        return np.maximum(1 - away, 0).astype(np.float32)


def strips_of(
    alignment: Alignment,
    view: int,
    image_size: tuple[int, int],
    centre: tuple[float, float],
    pixel_size: tuple[float, float],
    step: float,
) -> Strips:
    """Strips of a view whose heights are at most `step` angstrom apart; one where step is 0.

    image_size (x, y) px of pixel_size (x, y) A, the origin at pixel `centre`. The one strip of an
    image without lies at the specimen's origin.
    """
    projection = alignment.projections[view]
    beam = alignment.rotations[view, 2, :2]
    per_angstrom = np.linalg.solve(projection[:, :2].T, beam)
    along = per_angstrom * np.asarray(pixel_size)
    shift = alignment.shifts[view] / np.asarray(pixel_size) + np.asarray(centre)
    at_origin = float(-along @ shift)
    corners = [
        at_origin + along[0] * x + along[1] * y
        for x in (0, image_size[0] - 1)
        for y in (0, image_size[1] - 1)
    ]
    low, high = min(corners), max(corners)
    if step == 0:
        return Strips(np.zeros(1), at_origin, (float(along[0]), float(along[1])))
    count = int(np.ceil((high - low) / step - 1e-9)) + 1
    heights = np.linspace(low, high, count) if count > 1 else np.array([(low + high) / 2])
    return Strips(heights, at_origin, (float(along[0]), float(along[1])))


def strip_step(ctf: Ctf, settings: ReconstructSettings, highest: float) -> float:
    """How far strips are apart in height: as set, or further where the pixels can't tell.

    highest: the image's highest frequency along an axis, 1/A.
    """
    if settings.ctf_strip_defocus == 0:
        return 0.0
    per_angstrom = float(phase_per_defocus(ctf.voltage_kv, np.array(highest**2)))
    return max(settings.ctf_strip_defocus, SAME_PHASE / per_angstrom)
