"""EMAN2's processors that move, scale or average in space: xform.*, and math.* of neighbourhoods.

Transforms move content about n // 2: new(x) = old(T^-1 x), linear between pixels, 0 outside. Where
EMAN2 does not do what its help says (`math.rotationalaverage`), the help is followed.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np

from vitreous.average.processor_fields import (
    Array,
    Table,
    coordinates,
    radius,
    shared_between_rings,
)
from vitreous.average.processors_filters import filter_highpass_gauss, filter_lowpass_gauss
from vitreous.average.processors_masks import mask_gaussian
from vitreous.average.processors_values import normalize_circlemean
from vitreous.errors import UserError
from vitreous.geometry.euler import eman2_matrix
from vitreous.geometry.symmetry import point_group
from vitreous.kernels.insertion import WIDTHS, KernelName, kernel_along

LARGEST_GAIN = 4.0  # of a kernel's correction, as in EMAN2

Axis = Literal["x", "y", "z"]


def moved(a: Array, matrix: Array, shift: Array) -> Array:
    """new(matrix x + shift) = old(x), x (x, y, z) from n // 2.

    Linear; 0 where a source lies outside [0, n), its last pixel holds on from n - 1 to n. An image
    takes the upper left 2 x 2 of the inverse matrix.
    """
    inverse = np.linalg.inv(matrix)
    start = -(inverse @ shift)
    sizes = a.shape[::-1]
    axes = coordinates(a.shape)
    places = [
        sum(inverse[row, column] * axes[column] for column in range(a.ndim)) + start[row] + n // 2
        for row, n in zip(range(a.ndim), sizes, strict=True)
    ]
    inside = np.ones(a.shape, bool)
    low, share = [], []
    for place, n in zip(places, sizes, strict=True):
        # Rounding must not decide whether an edge lies inside.
        place = np.where(np.abs(place - np.rint(place)) < 1e-6, np.rint(place), place)
        inside &= (place >= 0) & (place < n)
        low.append(np.clip(np.floor(place), 0, n - 1).astype(int))
        share.append(np.clip(place - low[-1], 0, 1))
    out = np.zeros(a.shape)
    for corner in np.ndindex(*(2,) * a.ndim):
        index = [np.minimum(i + c, n - 1) for i, c, n in zip(low, corner, sizes, strict=True)]
        weight = np.ones(a.shape)
        for c, f in zip(corner, share, strict=True):
            weight = weight * (f if c else 1 - f)
        out += weight * a[tuple(index[::-1])]
    return np.where(inside, out, 0)


# -- xform ----------------------------------------------------------------------------------------


def xform(
    a: Array,
    az: float = 0.0,
    alt: float = 0.0,
    phi: float = 0.0,
    alpha: float = 0.0,
    tx: float = 0.0,
    ty: float = 0.0,
    tz: float = 0.0,
) -> Array:
    """Content turned by EMAN2's angles (alpha: in the plane), then shifted by pixels."""
    return moved(a, eman2_matrix(az, alt, phi + alpha), np.array([tx, ty, tz]))


def _axis(a: Array, axis: Axis) -> int:
    number = a.ndim - 1 - "xyz".index(axis) if axis in ("x", "y", "z") else -1
    if number < 0:
        raise UserError(f"axis={axis}: an image has x and y, a volume z too")
    return number


def xform_mirror(a: Array, axis: Axis) -> Array:
    """Mirrored along an axis; the pixel n // 2 stays, and plane 0 of an even size."""
    along = _axis(a, axis)
    turned = np.flip(a, along)
    return np.roll(turned, 1, along) if a.shape[along] % 2 == 0 else turned


def xform_flip(a: Array, axis: Axis) -> Array:
    """The same; plane 0 of an even size becomes 0."""
    turned = xform_mirror(a, axis).copy()
    if a.shape[_axis(a, axis)] % 2 == 0:
        np.moveaxis(turned, _axis(a, axis), 0)[0] = 0
    return turned


def xform_reverse(a: Array, axis: Axis) -> Array:
    """The order of pixels along an axis turned round."""
    return np.flip(a, _axis(a, axis))


def xform_transpose(a: Array) -> Array:
    """Rows and columns of an image exchanged."""
    if a.ndim != 2:
        raise UserError("xform.transpose takes images, not volumes")
    return a.T


def xform_phaseorigin_tocenter(a: Array) -> Array:
    """The origin from the first pixel to n // 2."""
    return np.fft.fftshift(a)


def xform_phaseorigin_tocorner(a: Array) -> Array:
    """The origin from n // 2 to the first pixel."""
    return np.fft.ifftshift(a)


def _clipped(a: Array, size: int) -> Array:
    """Cropped or padded with 0 to `size` along each axis, as xform.scale does it."""
    out = np.zeros((size,) * a.ndim)
    source, target = [], []
    for n in a.shape:
        start = int((n - size) / 2)  # towards zero
        first, last = max(0, start), min(n, start + size)
        source.append(slice(first, last))
        target.append(slice(first - start, last - start))
    out[tuple(target)] = a[tuple(source)]
    return out


def xform_scale(a: Array, scale: float, clip: int | None = None) -> Array:
    """Magnified about n // 2; clip: the size that comes out."""
    size = int(scale * a.shape[-1]) if clip is None else clip
    if scale <= 0 or size < 1:
        raise UserError(f"xform.scale: scale={scale:g} leaves no image")
    matrix, none = np.eye(3) * scale, np.zeros(3)
    if scale >= 1:
        return moved(_clipped(a, size), matrix, none)
    return _clipped(moved(a, matrix, none), size)


def xform_applysym(a: Array, sym: str) -> Array:
    """The mean over the rotations of a point group."""
    group = point_group(sym, "eman2")
    if a.ndim == 2 and not np.allclose(group[:, 2, 2], 1):
        raise UserError(f"xform.applysym: an image has no symmetry {sym}, only cN")
    total = np.zeros(a.shape)
    for rotation in group:
        total += moved(a, rotation, np.zeros(3))
    return total / len(group)


def centre_of_mass(a: Array, threshold: float) -> Array:
    """(3,) x, y, z of what is above a threshold, pixels from n // 2."""
    weight = np.where(a >= threshold, a, 0)
    total = weight.sum()
    if not total:
        return np.zeros(3)
    places = [float((weight * axis).sum() / total) for axis in coordinates(a.shape)]
    return np.array([*places, 0.0][:3])


def xform_centerofmass(a: Array, int_shift_only: int = 1, threshold: float = 0.0) -> Array:
    """The centre of mass of what is above a threshold moved to n // 2."""
    shift = -centre_of_mass(a, threshold)
    return moved(a, np.eye(3), np.rint(shift) if int_shift_only else shift)


def xform_center(a: Array) -> Array:
    """The bulk of the object moved to n // 2 by whole pixels; noise and slow gradients aside."""
    side = a.shape[-1]
    edge = max(side / 16, 5.0)
    bulk = filter_highpass_gauss(a, 1.0, cutoff_pixels=side // 10 if side < 50 else 5)
    bulk = normalize_circlemean(bulk, radius=a.shape[-2] // 2 - 4)
    bulk = mask_gaussian(bulk, edge / 1.3, side / 2 - edge) ** 2
    bulk = filter_lowpass_gauss(bulk, 1.0, cutoff_abs=0.05)
    bulk = normalize_circlemean(bulk, radius=a.shape[-2] // 2 - 6)
    bulk = mask_gaussian(bulk, edge / 1.3, side / 2 - edge)
    return moved(a, np.eye(3), -np.rint(centre_of_mass(bulk, 0.0)))


def xform_centeracf(a: Array) -> Array:
    """The centre of the best point symmetry moved to n // 2 by whole pixels."""
    from scipy import fft

    spectrum = fft.fftn(a - a.mean())
    match = fft.fftshift(fft.ifftn(spectrum**2).real)  # with the image turned round a point
    peak = np.unravel_index(int(np.argmax(match)), a.shape)
    twice = [int(i) - n // 2 for i, n in zip(peak, a.shape, strict=True)]
    # The correlation counts from pixel 0: n // 2 lies at n of an even size.
    shift = [-((t + n % 2 + n // 2) % n - n // 2) / 2 for t, n in zip(twice, a.shape, strict=True)]
    return moved(a, np.eye(3), np.rint(np.array([*shift[::-1], 0.0][:3])))


# -- of neighbourhoods ----------------------------------------------------------------------------


def math_toradius(a: Array) -> Array:
    """Each pixel's distance from n // 2."""
    return radius(a.shape)


def math_toradiussqr(a: Array) -> Array:
    """The square of it."""
    return radius(a.shape) ** 2


def math_gausskernelfix(a: Array, gauss_width: float) -> Array:
    """The fall-off of a Gaussian Fourier kernel undone: a exp(R^2 w / n^2)."""
    return a * np.exp(radius(a.shape) ** 2 * gauss_width / a.shape[-2] ** 2)


def math_gridkernelfix(a: Array, mode: Literal["gridding_5", "gridding_7"]) -> Array:
    """The fall-off of our Kaiser-Bessel Fourier kernel of that width undone, at most 4 times."""
    kernel: KernelName = "kaiser_5" if mode == "gridding_5" else "kaiser_7"
    width = WIDTHS[kernel]
    points = np.arange(-(width // 2), width // 2 + 1)
    gain = np.ones(a.shape)
    for axis, n in enumerate(a.shape):
        x = (np.arange(n) - n // 2)[:, None] / n
        along = kernel_along(kernel, points.astype(np.float64)) * np.cos(2 * np.pi * x * points)
        falloff = along.sum(1) / along[n // 2].sum()
        gain = gain / falloff.reshape([-1 if i == axis else 1 for i in range(a.ndim)])
    return a * np.clip(gain, -LARGEST_GAIN, LARGEST_GAIN)


def _blocks(a: Array, n: int, reduce: Callable[[Array], Array]) -> Array:
    """Blocks of n pixels along each axis reduced to one; the rest at the end is left out."""
    counts = [size // n for size in a.shape]
    if not all(counts):
        raise UserError(f"shrink: blocks of {n} pixels don't fit into {a.shape}")
    whole = a[tuple(slice(0, count * n) for count in counts)]
    split = whole.reshape([part for count in counts for part in (count, n)])
    inner = tuple(range(1, 2 * a.ndim, 2))
    return reduce(np.moveaxis(split, inner, range(a.ndim, 2 * a.ndim)).reshape(*counts, -1))


def math_meanshrink(a: Array, n: float) -> Array:
    """Means of blocks of n pixels; 1.5 for images."""
    if n == 1.5:
        return _shrunk_by_three_halves(a)
    if n != int(n):
        raise UserError(f"math.meanshrink: n={n:g} is neither whole nor 1.5")
    return _blocks(a, int(n), lambda block: block.mean(-1))


def _shrunk_by_three_halves(a: Array) -> Array:
    """Three pixels to two along each axis: 2/3 of the outer ones, 1/3 of the middle one.

    A last group that isn't whole repeats its last pixel.
    """
    if a.ndim != 2:
        raise UserError("math.meanshrink:n=1.5 takes images, not volumes")
    for axis in (0, 1):
        lines = np.moveaxis(a, axis, 0)
        count = (int(len(lines) / 1.5) + 1) // 2 * 2
        missing = max(count * 3 // 2 - len(lines), 0)
        lines = np.pad(lines, ((0, missing), (0, 0)), mode="edge")[: count * 3 // 2]
        whole = lines.reshape(-1, 3, lines.shape[1])
        pairs = np.stack([2 * whole[:, 0] + whole[:, 1], whole[:, 1] + 2 * whole[:, 2]], 1) / 3
        a = np.moveaxis(pairs.reshape(-1, lines.shape[1]), 0, axis)
    return a


def math_medianshrink(a: Array, n: int) -> Array:
    """Medians of blocks; of two in the middle the higher."""
    return _blocks(a, n, lambda block: np.sort(block, -1)[..., block.shape[-1] // 2])


def math_maxshrink(a: Array, n: int = 2) -> Array:
    """Maxima of blocks."""
    return _blocks(a, n, lambda block: block.max(-1))


def math_minshrink(a: Array, n: int = 2) -> Array:
    """Minima of blocks."""
    return _blocks(a, n, lambda block: block.min(-1))


def math_fft_resample(a: Array, n: float) -> Array:
    """Fourier-cropped by a factor; grey values grow by it along each axis, as in EMAN2."""
    from scipy import fft

    sizes = [int(np.floor(size / n + 0.5)) for size in a.shape]
    spectrum = fft.rfftn(a)[..., : sizes[-1] // 2 + 1]
    for axis, size in enumerate(sizes[:-1]):
        kept = np.arange(size) - (size - 1) // 2  # of an even size the positive Nyquist
        spectrum = np.take(spectrum, np.roll(kept, -((size - 1) // 2)) % a.shape[axis], axis)
    found: Array = fft.irfftn(spectrum, s=sizes)
    return found


def _radial(a: Array) -> tuple[Array, Array]:
    """The mean of each ring, at each pixel; and where there is one."""
    rings = a.shape[-1] // 2
    r = radius(a.shape)
    sums, counts = shared_between_rings(r, a, rings)
    profile = sums / np.where(counts == 0, 1, counts)
    return np.interp(r, np.arange(rings), profile), r.astype(int) < rings - 1


def math_rotationalaverage(a: Array) -> Array:
    """Each pixel the mean of its ring; 0 beyond the circle."""
    mean, inside = _radial(a)
    return np.where(inside, mean, 0)


def math_rotationalsubtract(a: Array) -> Array:
    """Less the mean of its ring; 0 beyond the circle."""
    mean, inside = _radial(a)
    return np.where(inside, a - mean, 0)


def math_localsigma(a: Array, radius: int = 1) -> Array:
    """Standard deviation in the box round each pixel."""
    from scipy import ndimage

    size = 2 * radius + 1
    mean = ndimage.uniform_filter(a, size, mode="wrap")
    squares = ndimage.uniform_filter(a**2, size, mode="wrap")
    return np.sqrt(np.maximum(squares - mean**2, 0))


def math_localmax(a: Array, radius: int = 1) -> Array:
    """Maximum in the box round each pixel."""
    from scipy import ndimage

    found: Array = ndimage.maximum_filter(a, 2 * radius + 1, mode="nearest")
    return found


PROCESSORS: Table = {
    "xform": xform,
    "xform.mirror": xform_mirror,
    "xform.flip": xform_flip,
    "xform.reverse": xform_reverse,
    "xform.transpose": xform_transpose,
    "xform.phaseorigin.tocenter": xform_phaseorigin_tocenter,
    "xform.phaseorigin.tocorner": xform_phaseorigin_tocorner,
    "xform.scale": xform_scale,
    "xform.applysym": xform_applysym,
    "xform.centerofmass": xform_centerofmass,
    "xform.center": xform_center,
    "xform.centeracf": xform_centeracf,
    "math.toradius": math_toradius,
    "math.toradiussqr": math_toradiussqr,
    "math.gausskernelfix": math_gausskernelfix,
    "math.gridkernelfix": math_gridkernelfix,
    "math.meanshrink": math_meanshrink,
    "math.medianshrink": math_medianshrink,
    "math.maxshrink": math_maxshrink,
    "math.minshrink": math_minshrink,
    "math.fft.resample": math_fft_resample,
    "math.rotationalaverage": math_rotationalaverage,
    "math.rotationalsubtract": math_rotationalsubtract,
    "math.localsigma": math_localsigma,
    "math.localmax": math_localmax,
}
