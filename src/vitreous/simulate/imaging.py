"""From the sample to the mean image of a view: projection, contrast transfer, damage, absorption.

The sample is cut into layers across the beam; each has a defocus of its own, and what lies between
two is shared linearly. Weak phase objects: contrast = -2 sin(chi) times the phase shift.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.model import phase, phase_per_defocus, wavelength
from vitreous.kernels.cpu.splat import add_gaussians
from vitreous.kernels.dose import amplitude_of_exposure
from vitreous.kernels.fourier import cropped, forward, inverse
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.simulate.acquisition import Exposure
from vitreous.simulate.canvas import Canvas
from vitreous.simulate.molecules import BLOB_SIGMA
from vitreous.simulate.sample import Blobs, Sample

Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Spectrum = NDArray[np.complex64]

LAYER_PHASE = 0.3  # rad of chi at Nyquist between layers: at most 1.1 % of amplitude is lost there
LAYERS_AT_ONCE = 16
GOLD_AMPLITUDE_CONTRAST = 0.35
MEAN_FREE_PATH = 3100.0  # A of ice, for being lost to the image
DARKEST = -0.3  # contrast from which on it is compressed: weak phase objects end here
# Ice: molecules/A^3, V A^3 of one, and how much less than random molecules they scatter
ICE_DENSITY, WATER_POTENTIAL, STRUCTURE_FACTOR = 0.0314, 145.6, 0.07
GRID_STEP = 16  # coarse pixels between the points at which the ice is looked at
ELECTRON_MASS_KEV = 510.99895


@dataclass(frozen=True, slots=True, eq=False)
class Ice:
    """The slab as a view sees it, on the fine grid (y, x): height of its middle, path, angstrom."""

    height: Floats
    path: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Contrast:
    """Half spectra (coarse) of a view's contrast: of what the dose damages, and of what not."""

    matter: Spectrum
    lasting: Spectrum


def interaction(voltage_kv: float) -> float:
    """Phase shift by a potential, rad/(V A): 2 pi m e lambda / h^2, relativistic."""
    rest, energy = ELECTRON_MASS_KEV, voltage_kv
    relative = (energy + rest) / (energy + 2 * rest)
    return float(2 * np.pi / (wavelength(voltage_kv) * energy * 1000) * relative)


def contrast(
    sample: Sample,
    alignment: Alignment,
    tilt: Exposure,
    canvas: Canvas,
    rng: np.random.Generator,
) -> Contrast:
    """The contrast of one view, before damage. The random numbers are the ice's."""
    view = tilt.section
    strength = interaction(tilt.ctf.voltage_kv)
    ice = seen_ice(sample, alignment, view, canvas)
    matter, gold = (
        _projected(blobs, alignment, tilt, canvas) for blobs in (sample.matter, sample.gold)
    )
    levels = layers((matter, gold), ice, tilt.ctf, canvas)

    heavy = replace(tilt.ctf, amplitude_contrast=GOLD_AMPLITUDE_CONTRAST)
    water = _water(ice, canvas, strength, rng)

    seen, lasting = np.zeros((2, *canvas.half), np.complex64)
    for some in _groups(levels):
        planes = np.zeros((len(some), *canvas.fine), np.float32)
        _add_blobs(planes, matter.between(some), some, canvas, strength)
        seen += transferred(planes, some, tilt.ctf, canvas)
        planes[:] = 0
        _add_water(planes, *water, some)
        lasting += transferred(planes, some, tilt.ctf, canvas)
        if len(sample.gold):
            planes[:] = 0
            _add_blobs(planes, gold.between(some), some, canvas, strength)
            lasting += transferred(planes, some, heavy, canvas)
    return Contrast(seen, lasting)


# -- projection -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Projection:
    """Blobs in a view: seen (m, 2) angstrom from the image's centre, heights (m,), weights (m,)."""

    seen: Array
    heights: Array
    weights: Array

    def between(self, levels: Array) -> "_Projection":
        """Those from the first of some layers to below the last."""
        here = (self.heights >= levels[0]) & (self.heights < levels[-1])
        return _Projection(self.seen[here], self.heights[here], self.weights[here])


def _projected(blobs: Blobs, alignment: Alignment, tilt: Exposure, canvas: Canvas) -> _Projection:
    """Where a view shows blobs, moved by the dose that they have had; those beside it left out."""
    view = tilt.section
    points = blobs.positions + tilt.deformed * blobs.motion
    seen = points @ alignment.projections[view].T + alignment.shifts[view]
    x, y = np.abs(seen).T
    inside = (x < canvas.reach[0]) & (y < canvas.reach[1])
    heights = points[inside] @ alignment.rotations[view, 2]
    return _Projection(seen[inside], heights, blobs.weights[inside])


def layers(bodies: Sequence[_Projection], ice: Ice, ctf: Ctf, canvas: Canvas) -> Array:
    """(n,) heights of the layers, evenly from the lowest to the highest thing seen."""
    heights = np.concatenate([blobs.heights for blobs in bodies])
    half = ice.path / 2
    low = min(heights.min(initial=np.inf), float((ice.height - half).min()))
    high = max(heights.max(initial=-np.inf), float((ice.height + half).max()))
    nyquist = 1 / (2 * canvas.pixel_size)
    step = LAYER_PHASE / phase_per_defocus(ctf.voltage_kv, np.array(nyquist**2))
    low, high = low - 1e-3 * step, high + 1e-3 * step  # so that nothing lies on the last
    return np.linspace(low, high, max(2, int(np.ceil((high - low) / step)) + 1))


def _groups(levels: Array) -> list[Array]:
    """Layers in groups that memory holds; neighbours share one, with what each has of it."""
    starts = range(0, len(levels) - 1, LAYERS_AT_ONCE)
    return [levels[start : start + LAYERS_AT_ONCE + 1] for start in starts]


def _depths(heights: NDArray[np.floating], levels: Array) -> NDArray[np.floating]:
    """Heights counted in layers from 0."""
    return (heights - levels[0]) / (levels[1] - levels[0])


def _add_blobs(
    planes: Floats, blobs: _Projection, levels: Array, canvas: Canvas, strength: float
) -> None:
    """Phase shifts in radians."""
    x, y = canvas.fine_points(blobs.seen).T
    add_gaussians(
        planes,
        np.ascontiguousarray(x),
        np.ascontiguousarray(y),
        _depths(blobs.heights, levels),
        blobs.weights * strength / canvas.fine_pixel**2,
        BLOB_SIGMA / canvas.fine_pixel,
    )


# -- ice ------------------------------------------------------------------------------------------


def seen_ice(sample: Sample, alignment: Alignment, view: int, canvas: Canvas) -> Ice:
    """The ice on the canvas: exact on a coarse mesh, linear between its points."""
    across = canvas.mesh(GRID_STEP) - alignment.shifts[view]
    height, path = sample.slab.seen(
        alignment.rotations[view], across / alignment.magnifications[view]
    )
    return Ice(_enlarged(height, canvas.fine), _enlarged(path, canvas.fine))


def _enlarged(mesh: Array, shape: tuple[int, int]) -> Floats:
    """A mesh (n, m) over a whole grid, linear between its points."""
    by_row, by_column = (_linear(n, size) for n, size in zip(mesh.shape, shape, strict=True))
    return (by_row @ mesh @ by_column.T).astype(np.float32)


def _linear(count: int, size: int) -> Array:
    """(size, count) weights of `count` points that lie evenly from 0 to `size`."""
    at = np.arange(size) * (count - 1) / size
    return np.maximum(1 - np.abs(at[:, None] - np.arange(count)), 0)


def _water(
    ice: Ice, canvas: Canvas, strength: float, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Phase shifts by the water (y, x), and the heights at which they lie.

    White, each pixel's at a random height of its path: the power spectrum then is the mean over
    the thickness, as it is for molecules all through it.
    """
    squared = STRUCTURE_FACTOR * ICE_DENSITY * (WATER_POTENTIAL * strength) ** 2
    shifts = np.sqrt(squared / canvas.fine_pixel**2 * ice.path)
    shifts *= rng.standard_normal(canvas.fine, np.float32)
    heights = ice.height + ice.path * (rng.random(canvas.fine, np.float32) - np.float32(0.5))
    return shifts.astype(np.float32), heights


def _add_water(planes: Floats, shifts: Floats, heights: Floats, levels: Array) -> None:
    """Share what lies between some layers among them."""
    depth = _depths(heights, levels).astype(np.float32)
    last = len(levels) - 1
    here = np.where((depth >= 0) & (depth < last), shifts, 0)
    near = depth.astype(np.intp).clip(0, last - 1)
    share = depth - near
    np.put_along_axis(planes, near[None], (here * (1 - share))[None], 0)
    np.put_along_axis(planes, near[None] + 1, (here * share)[None], 0)


# -- transfer -------------------------------------------------------------------------------------


def transferred(planes: Floats, levels: Array, ctf: Ctf, canvas: Canvas) -> Spectrum:
    """The contrast (coarse half spectrum) of layers of phase shifts (n, y, x), fine."""
    ky, kx = canvas.frequencies()
    squared = kx**2 + ky**2
    at_origin = phase(ctf, kx, ky).astype(np.float32)
    each = phase_per_defocus(ctf.voltage_kv, squared).astype(np.float32)
    total = np.zeros(canvas.half, np.complex64)
    for plane, level in zip(planes, levels, strict=True):
        spectrum = cropped(forward(plane), canvas.fine[1], canvas.coarse)
        total += spectrum * np.sin(at_origin - np.float32(ctf.hand * level) * each)
    return total * (-2 * np.exp(-ctf.b_factor / 4 * squared)).astype(np.float32)


def damaged(
    seen: Contrast, canvas: Canvas, voltage_kv: float, pre_exposure: float, dose: float
) -> Spectrum:
    """The contrast that an exposure shows, damage meaned over it."""
    ky, kx = canvas.frequencies()
    left = amplitude_of_exposure(np.hypot(kx, ky), pre_exposure, dose, voltage_kv)
    return seen.matter * left.astype(np.float32) + seen.lasting


def brightness(contrasts: Spectrum, canvas: Canvas) -> Floats:
    """1 + contrast on the coarse grid; compressed where weak phase objects end."""
    values = inverse(contrasts, canvas.coarse)
    beyond = np.minimum(values - DARKEST, 0)
    room = 1 + DARKEST
    compressed = DARKEST + room * np.expm1(beyond / room)
    return 1 + np.where(values < DARKEST, compressed, values)


def transmission(path: Floats) -> Floats:
    """The share of electrons that a path through ice leaves to the image."""
    return np.exp(-path / MEAN_FREE_PATH)
