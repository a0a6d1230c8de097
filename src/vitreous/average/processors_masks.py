"""EMAN2's masks, mask.*, and what grows regions, morph.*. Distances are in pixels from n // 2."""

from typing import NewType

import numpy as np
from numpy.typing import NDArray

from vitreous.average.processor_fields import (
    Array,
    Mask,
    Table,
    coordinates,
    deviation,
    filtered,
    radius,
)
from vitreous.errors import UserError

ImageFile = NewType("ImageFile", NDArray[np.float64])
"""A parameter that names an image file."""

LEAST_OF_MASK = 0.002
DUST_LOWPASS = 0.25


def outer(a: Array, outer_radius: float | None) -> float:
    """The outer radius in pixels; a negative one counts from the edge, none is half the side."""
    if outer_radius is None:
        return a.shape[-1] / 2
    return a.shape[-1] // 2 + outer_radius + 1 if outer_radius < 0 else outer_radius


# -- by shape -------------------------------------------------------------------------------------


def mask_sharp(
    a: Array,
    outer_radius: float | None = None,
    inner_radius: float = 0.0,
    value: float = 0.0,
    dx: float = 0.0,
    dy: float = 0.0,
    dz: float = 0.0,
) -> Array:
    """A value outside the outer and inside the inner radius."""
    r = radius(a.shape, (dx, dy, dz))
    return np.where((r >= outer(a, outer_radius)) | (r < inner_radius), value, a)


def mask_soft(
    a: Array,
    outer_radius: float | None = None,
    inner_radius: float = 0.0,
    width: float = 4.0,
    value: float = 0.0,
    dx: float = 0.0,
    dy: float = 0.0,
    dz: float = 0.0,
) -> Array:
    """The same with an edge like a Gaussian of some width."""
    r = radius(a.shape, (dx, dy, dz))
    beyond = np.maximum(r - outer(a, outer_radius), 0) + np.maximum(inner_radius - r, 0)
    return value + (a - value) * np.exp(-((beyond / width) ** 2))


def mask_gaussian(
    a: Array,
    outer_radius: float,
    inner_radius: float = 0.0,
    exponent: float = 2.0,
    dx: float = 0.0,
    dy: float = 0.0,
    dz: float = 0.0,
) -> Array:
    """exp(-((r - inner) / outer)^exponent) beyond the inner radius."""
    beyond = np.maximum(radius(a.shape, (dx, dy, dz)) - inner_radius, 0)
    return a * np.exp(-((beyond / outer(a, outer_radius)) ** exponent))


def mask_gaussian_nonuniform(
    a: Array,
    radius_x: float = 5.0,
    radius_y: float = 5.0,
    radius_z: float = 5.0,
    gauss_width: float = 0.05,
) -> Array:
    """A Gaussian beyond an ellipsoid."""
    axes = zip(coordinates(a.shape), (radius_x, radius_y, radius_z), strict=False)
    d = np.sqrt(np.asarray(sum((x / r) ** 2 for x, r in axes)))
    return a * np.exp(-((np.maximum(d - 1, 0) / gauss_width) ** 2))


def mask_ringmean(a: Array, outer_radius: float | None = None, ring_width: float = 1.0) -> Array:
    """Outside the radius the mean of the ring round it."""
    r, edge = radius(a.shape), outer(a, outer_radius)
    ring = a[(r >= edge - ring_width) & (r <= edge + ring_width)]
    return np.where(r >= edge, ring.mean() if ring.size else 0.0, a)


def mask_noise(
    a: Array, outer_radius: float | None = None, inner_radius: float = 0.0, seed: int = 0
) -> Array:
    """Outside the radius Gaussian noise with the image's mean and deviation."""
    r = radius(a.shape)
    noise = np.random.default_rng(seed).normal(a.mean(), deviation(a), a.shape)
    return np.where((r >= outer(a, outer_radius)) | (r < inner_radius), noise, a)


def mask_cylinder(
    a: Array,
    outer_radius: float | None = None,
    inner_radius: float = 0.0,
    phicen: float = 0.0,
    phirange: float = 180.0,
    zmin: float | None = None,
    zmax: float | None = None,
    ztriangle: int = 0,
) -> Array:
    """A cylinder about z, or a sector of it; heights zmin to zmax in voxels from the first."""
    x, y, *depth = coordinates(a.shape)
    r = np.hypot(x, y)
    away = np.abs(np.degrees(np.arctan2(y, x)) - phicen)
    inside = (np.minimum(away, 360 - away) < phirange) | (r == 0)
    inside = inside & (r <= outer(a, outer_radius)) & (r >= inner_radius)
    kept = np.broadcast_to(inside, a.shape).astype(np.float64)
    if not depth or (zmin is None and zmax is None):
        return a * kept
    z = depth[0] + a.shape[0] // 2
    low, high = 0.0 if zmin is None else zmin, a.shape[0] - 1.0 if zmax is None else zmax
    if ztriangle:
        middle, half = (low + high) / 2, max((high - low) / 2, 1e-9)
        return a * kept * np.clip(1 - np.abs(z - middle) / half, 0, 1)
    return a * kept * ((z >= low) & (z <= high))


def _zeroed(a: Array, widths: tuple[tuple[int, int], ...]) -> Array:
    """A copy with (before, after) planes along x, y, z set to 0."""
    out = a.copy()
    for axis, (before, after) in enumerate(widths):
        lines = np.moveaxis(out, a.ndim - 1 - axis, 0)
        lines[:before] = 0
        lines[len(lines) - after :] = 0
    return out


def mask_zeroedge2d(
    a: Array, x0: int = 0, x1: int | None = None, y0: int = 0, y1: int | None = None
) -> Array:
    """Columns and rows at the edges of an image 0."""
    if a.ndim != 2:
        raise UserError("mask.zeroedge2d takes images; mask.zeroedge3d takes volumes")
    return _zeroed(a, ((x0, x0 if x1 is None else x1), (y0, y0 if y1 is None else y1)))


def mask_zeroedge3d(
    a: Array,
    x0: int = 0,
    x1: int | None = None,
    y0: int = 0,
    y1: int | None = None,
    z0: int = 0,
    z1: int | None = None,
) -> Array:
    """Planes at the faces of a volume 0."""
    if a.ndim != 3:
        raise UserError("mask.zeroedge3d takes volumes; mask.zeroedge2d takes images")
    after = (x0 if x1 is None else x1, y0 if y1 is None else y1, z0 if z1 is None else z1)
    return _zeroed(a, tuple(zip((x0, y0, z0), after, strict=True)))


def mask_decayedge2d(a: Array, width: int = 4) -> Array:
    """Columns and rows at the edges fall to 0 linearly."""
    out = a.copy()
    for axis in (a.ndim - 1, a.ndim - 2):
        lines = np.moveaxis(out, axis, 0)
        for i in range(width):
            lines[i] *= i / width
            lines[len(lines) - 1 - i] *= i / width
    return out


def mask_zeroedgefill(a: Array) -> Array:
    """Constant borders of an image filled with the mean beside them."""
    out = a.copy()
    for lines in (out.T, out):
        constant = (lines == lines[:, :1]).all(1)
        if constant.all():
            return out
        first, last = int(np.argmin(constant)), len(lines) - int(np.argmin(constant[::-1]))
        lines[:first] = lines[first].mean()
        lines[last:] = lines[last - 1].mean()
    return out


def mask_fromfile(a: Array, filename: ImageFile, ismaskset: int = 0) -> Array:
    """Multiplied by an image file."""
    mask = np.asarray(filename)
    if mask.shape != a.shape:
        raise UserError(f"mask.fromfile: a mask of {mask.shape} for an image of {a.shape}")
    return a * mask


def tomo_tiltedgemask(
    a: Array,
    angle: float,
    edgemean: int = 0,
    biedgemean: int = 0,
) -> Array:
    """Columns that a thin specimen tilted about y can't fill: 0, or the mean beside them."""
    width = int(a.shape[-1] * (1 - np.cos(np.deg2rad(angle))) / 2)
    out = a.copy()
    if not width:
        return out
    left, right = (a[..., width : width + 2].mean(), a[..., -width - 2 : -width].mean())
    if biedgemean:
        left = right = (left + right) / 2
    out[..., :width] = left if edgemean or biedgemean else 0
    out[..., -width:] = right if edgemean or biedgemean else 0
    return out


# -- by content -----------------------------------------------------------------------------------


def neighbours(mask: Mask) -> Mask:
    """Pixels with a neighbour (4 in an image, 6 in a volume) in the mask; never on the border."""
    found = np.zeros(mask.shape, bool)
    for axis in range(mask.ndim):
        found |= np.roll(mask, 1, axis) | np.roll(mask, -1, axis)
    inside = np.zeros(mask.shape, bool)
    inside[tuple(slice(1, -1) for _ in mask.shape)] = True
    return found & inside


def shells(mask: Mask, count: int) -> Mask:
    """The mask grown by `count` shells."""
    grown = mask.copy()
    for _ in range(count):
        grown |= neighbours(grown)
    return grown


def _flooded(seed: Mask, open_: Mask) -> Mask:
    """The seed grown into all open pixels that it touches."""
    grown, fresh = seed.copy(), seed
    while fresh.any():
        fresh = neighbours(grown) & ~grown & open_
        grown |= fresh
    return grown


def _edged(mask: Mask, nshells: int, nshellsgauss: int) -> Array:
    """A mask grown by shells, and smooth at its edge."""
    grown = shells(mask, int(nshells + nshellsgauss / 2)).astype(np.float64)
    if nshellsgauss > 0:
        grown = filtered(grown, lambda s: np.exp(-((s * nshellsgauss) ** 2)))
    return np.where(grown < LEAST_OF_MASK, 0, grown)


def _seeds(a: Array, radius_px: float, nmaxseed: int, level: float) -> Mask:
    seed = np.zeros(a.shape, bool)
    if nmaxseed:
        seed.ravel()[np.argsort(a, axis=None)[::-1][:nmaxseed]] = True
    if radius_px:
        seed |= (radius(a.shape) <= radius_px) & (a >= level)
    return seed


def mask_auto3d(
    a: Array,
    threshold: float | None = None,
    sigma: float | None = None,
    radius: float = 0.0,
    nmaxseed: int = 0,
    nshells: int = 0,
    nshellsgauss: int = 0,
    return_mask: int = 0,
) -> Array:
    """What hangs together above a threshold with the middle, or with the highest voxels."""
    if threshold is None and sigma is None:
        raise UserError("mask.auto3d needs threshold or sigma")
    level = threshold if sigma is None else a.mean() + sigma * deviation(a)
    assert level is not None
    found = _flooded(_seeds(a, radius, nmaxseed, float(level)), a > level)
    mask = _edged(found, nshells, nshellsgauss)
    return mask if return_mask else a * mask


def mask_auto3d_thresh(
    a: Array,
    threshold1: float | None = None,
    threshold2: float | None = None,
    nshells: int = 0,
    nshellsgauss: int = 0,
    return_mask: int = 0,
) -> Array:
    """What is above one threshold, grown where it is above a second, lower one."""
    mean, sigma = float(a.mean()), deviation(a)
    mask = a >= (mean + 2 * sigma if threshold1 is None else threshold1)
    room = a >= (mean + sigma if threshold2 is None else threshold2)
    while True:
        grown = shells(mask, 2) & room
        if grown.sum() == mask.sum():
            break
        mask = grown
    edged = _edged(mask, nshells, nshellsgauss)
    return edged if return_mask else a * edged


def mask_addshells(a: Array, nshells: int = 1) -> Array:
    """1 where a value isn't 0 or is that near to one that isn't."""
    return shells(a != 0, nshells).astype(np.float64)


def mask_addshells_gauss(a: Array, val1: float, val2: float) -> Array:
    """val1 shells of 1, then val2 shells that fall off like a Gaussian."""
    grown = a != 0
    out = grown.astype(np.float64)
    for shell in range(1, int(val1 + val2) + 1):
        fresh = neighbours(grown) & ~grown
        beyond = shell - int(val1) - 1
        out[fresh] = 1.0 if beyond < 0 else np.exp(-((2.0 * beyond / val2) ** 2))
        grown |= fresh
    return out


def mask_dust3d(a: Array, threshold: float = 1.5, voxels: int = 27) -> Array:
    """Connected regions of few voxels above a threshold taken out, softly."""
    from scipy import ndimage

    labels, count = ndimage.label(a > threshold)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    small = (sizes <= voxels)[labels] & (labels > 0)
    soft = filtered(
        shells(small, 2).astype(np.float64), lambda s: np.exp(-(s**2) / DUST_LOWPASS**2)
    )
    return a * (1 - soft)


# -- binary morphology ----------------------------------------------------------------------------


def _ball(ndim: int, radius_px: int) -> Mask:
    return radius((2 * radius_px + 1,) * ndim) <= radius_px


def morph_dilate_binary(a: Array, radius: int = 1, thresh: float = 0.5) -> Array:
    """1 within a radius of what is above a threshold."""
    from scipy import ndimage

    return ndimage.binary_dilation(a > thresh, _ball(a.ndim, radius)).astype(np.float64)


def morph_erode_binary(a: Array, radius: int = 1, thresh: float = 0.5) -> Array:
    """1 where everything within a radius is above a threshold."""
    from scipy import ndimage

    return ndimage.binary_erosion(a > thresh, _ball(a.ndim, radius), border_value=1).astype(
        np.float64
    )


def morph_open_binary(a: Array, radius: int = 1, thresh: float = 0.5) -> Array:
    """Eroded, then dilated: small things go."""
    return morph_dilate_binary(morph_erode_binary(a, radius, thresh), radius, 0.5)


def morph_close_binary(a: Array, radius: int = 1, thresh: float = 0.5) -> Array:
    """Dilated, then eroded: small holes go."""
    return morph_erode_binary(morph_dilate_binary(a, radius, thresh), radius, 0.5)


PROCESSORS: Table = {
    "mask.sharp": mask_sharp,
    "mask.soft": mask_soft,
    "mask.gaussian": mask_gaussian,
    "mask.gaussian.nonuniform": mask_gaussian_nonuniform,
    "mask.ringmean": mask_ringmean,
    "mask.noise": mask_noise,
    "mask.cylinder": mask_cylinder,
    "mask.zeroedge2d": mask_zeroedge2d,
    "mask.zeroedge3d": mask_zeroedge3d,
    "mask.decayedge2d": mask_decayedge2d,
    "mask.zeroedgefill": mask_zeroedgefill,
    "mask.fromfile": mask_fromfile,
    "mask.auto2d": mask_auto3d,
    "mask.auto3d": mask_auto3d,
    "mask.auto3d.thresh": mask_auto3d_thresh,
    "mask.addshells": mask_addshells,
    "mask.addshells.gauss": mask_addshells_gauss,
    "mask.dust3d": mask_dust3d,
    "morph.dilate.binary": morph_dilate_binary,
    "morph.erode.binary": morph_erode_binary,
    "morph.open.binary": morph_open_binary,
    "morph.close.binary": morph_close_binary,
    "tomo.tiltedgemask": tomo_tiltedgemask,
}
