"""EMAN2's processors of grey values: normalize.*, threshold.*, math.* that act on each pixel.

The reference for formulas and defaults is EMAN2 2.99; where it does not do what its help says
(`normalize.maxmin`), the help is followed.
"""

import numpy as np

from vitreous.average.processor_fields import Array, Table, deviation, edge_mean, filtered, radius
from vitreous.errors import UserError

DALTON_PER_CUBIC_ANGSTROM = 0.81  # dalton in a cubic angstrom of protein: what EMAN2 takes


# -- normalize ------------------------------------------------------------------------------------


def scaled(a: Array, mean: float, by: float) -> Array:
    """(a - mean) / by; unchanged where there is nothing to divide by."""
    return (a - mean) / by if by else a


def normalize(a: Array) -> Array:
    """Mean 0, standard deviation 1."""
    return scaled(a, float(a.mean()), deviation(a))


def normalize_edgemean(a: Array) -> Array:
    """Mean of the border 0, standard deviation of all 1."""
    return scaled(a, edge_mean(a), deviation(a))


def normalize_circlemean(a: Array, radius: float | None = None, width: float = 2.0) -> Array:
    """Mean of a ring 0, standard deviation of all 1."""
    from vitreous.average.processor_fields import radius as distance

    start = a.shape[-2] / 2 - 2 if radius is None else radius
    start = start + a.shape[-2] / 2 if start < 0 else start
    r = distance(a.shape)
    ring = a[(r >= start) & (r < start + width)]
    if not ring.size:
        raise UserError(f"normalize.circlemean: no pixel lies {start:g} to {start + width:g} out")
    return scaled(a, float(ring.mean()), deviation(a))


def normalize_lredge(a: Array) -> Array:
    """Mean of the two columns at each side 0, standard deviation of all 1."""
    sides = np.concatenate([a[..., :2], a[..., -2:]], axis=-1)
    return scaled(a, float(sides.mean()), deviation(a))


def normalize_maxmin(a: Array) -> Array:
    """Minimum -1, maximum 1."""
    return scaled(a, float(a.max() + a.min()) / 2, float(a.max() - a.min()) / 2)


def normalize_unitlen(a: Array) -> Array:
    """Sum of squares 1."""
    return scaled(a, 0.0, float(np.sqrt((a**2).sum())))


def normalize_unitsum(a: Array) -> Array:
    """Sum 1."""
    return scaled(a, 0.0, float(a.sum()))


def normalize_rows(a: Array, unitlen: int = 0) -> Array:
    """Every row of an image mean 1 (or length 1); every section of a volume mean 0, deviation 1."""
    if a.ndim == 3:
        return (a - a.mean((1, 2), keepdims=True)) / a.std((1, 2), keepdims=True)
    return a / (np.sqrt((a**2).sum(-1, keepdims=True)) if unitlen else a.mean(-1, keepdims=True))


def normalize_histpeak(a: Array) -> Array:
    """Peak of the histogram within two standard deviations 0, standard deviation 1."""
    mean, sigma = float(a.mean()), deviation(a)
    bins = int(np.clip(a.size // 100, 5, 1000))
    counts, edges = np.histogram(a, bins, (mean - 2 * sigma, mean + 2 * sigma))
    peak = int(np.argmax(counts))
    return scaled(a, float(edges[peak] + edges[peak + 1]) / 2, sigma)


def normalize_ramp_normvar(a: Array) -> Array:
    """A plane taken off an image; then the pixels outside a circle mean 0, deviation 1."""
    from vitreous.average.processors_filters import filter_ramp

    level = filter_ramp(a)
    outside = level[radius(a.shape) > a.shape[-1] // 2 - 2]
    return scaled(level, float(outside.mean()), deviation(outside))


def normalize_local(a: Array, radius: float, threshold: float, apix: float = 0.0) -> Array:
    """Grey values divided by their local mean above a threshold."""
    pixels = a.shape[-2] * apix / radius if apix > 0 else radius
    cutoff = pixels / a.shape[-1]

    def low(values: Array) -> Array:
        return filtered(values, lambda s: np.exp(-(s**2) / cutoff**2))

    filled = low((a >= threshold).astype(np.float64))
    density = low(np.where(a < threshold, 0, a))
    return a * np.where(filled < 0.001, 0, filled) / density


def normalize_bymass(a: Array, mass: float, apix: float, thr: float | None = None) -> Array:
    """Scaled so that the volume above a threshold has a mass in kDa."""
    aim = float(a.mean()) + deviation(a) if thr is None else thr
    step, level = deviation(a) / 5, aim
    voxel = apix**3 * DALTON_PER_CUBIC_ANGSTROM / 1000

    def weight(at: float) -> float:
        return float(np.count_nonzero(a >= at)) * voxel

    for _ in range(4):
        while level < a.max() and weight(level) > mass:
            level += step
        step /= 4
        while level > a.min() and weight(level) < mass:
            level -= step
        step /= 4
    return a * (aim / level)


# -- threshold ------------------------------------------------------------------------------------


def threshold_belowtozero(a: Array, minval: float = 0.0) -> Array:
    """Values below a minimum become 0."""
    return np.where(a < minval, 0, a)


def threshold_belowtominval(a: Array, minval: float, newval: float | None = None) -> Array:
    """Values below a minimum become it, or another value."""
    return np.where(a < minval, minval if newval is None else newval, a)


def threshold_belowtozero_cut(a: Array, minval: float = 0.0) -> Array:
    """The minimum taken off; what is below it 0."""
    return np.maximum(a - minval, 0)


def threshold_clampminmax(
    a: Array, minval: float, maxval: float, tozero: int = 0, tomean: int = 0
) -> Array:
    """Values outside a range cut to it, or set to 0 or to the mean."""
    outside = (a < minval) | (a > maxval)
    if tozero or tomean:
        return np.where(outside, 0.0 if tozero else a.mean(), a)
    return np.clip(a, minval, maxval)


def threshold_clampminmax_nsigma(a: Array, nsigma: float, tomean: int = 0) -> Array:
    """The same with a range of standard deviations round the mean."""
    reach = nsigma * deviation(a)
    return threshold_clampminmax(a, a.mean() - reach, a.mean() + reach, tomean=tomean)


def threshold_binary(a: Array, value: float = 0.0) -> Array:
    """1 from a value on, else 0."""
    return (a >= value).astype(np.float64)


def threshold_binaryrange(a: Array, low: float, high: float) -> Array:
    """1 within a range, else 0."""
    return ((a >= low) & (a <= high)).astype(np.float64)


def threshold_compress(a: Array, range: float, value: float) -> Array:  # noqa: A002
    """Values near `value` become it, the others move towards it by `range`."""
    return np.where(a > value + range, a - range, np.where(a < value - range, a + range, value))


def threshold_notzero(a: Array) -> Array:
    """1 where a value isn't 0."""
    return (a != 0).astype(np.float64)


def threshold_rangetozero(a: Array, minval: float, maxval: float) -> Array:
    """Values within a range become 0."""
    return np.where((a >= minval) & (a <= maxval), 0, a)


# -- math -----------------------------------------------------------------------------------------


def math_linear(a: Array, scale: float, shift: float) -> Array:
    """a scale + shift."""
    return a * scale + shift


def math_absvalue(a: Array) -> Array:
    """Absolute values."""
    return np.abs(a)


def math_squared(a: Array) -> Array:
    """Squares."""
    return a**2


def math_sqrt(a: Array) -> Array:
    """Square roots; NaN below 0."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(a)


def math_pow(a: Array, pow: float) -> Array:  # noqa: A002
    """Powers; 0 for a negative value with a broken exponent."""
    if pow == int(pow):
        return a ** int(pow)
    return np.where(a < 0, 0, np.abs(a) ** pow)


def math_log(a: Array) -> Array:
    """Logarithms to base 10; 0 for values not above 0."""
    return np.where(a > 0, np.log10(np.where(a > 0, a, 1)), 0)


def math_exp(a: Array, low: float, high: float) -> Array:
    """exp(a / low - high), its exponent at most 40."""
    return np.exp(np.minimum(a / low - high, 40))


def math_floor(a: Array) -> Array:
    """The whole number below."""
    return np.floor(a)


def math_reciprocal(a: Array, zero_to: float = 0.0) -> Array:
    """1 / a; zero_to where a is 0."""
    return np.where(a == 0, zero_to, 1 / np.where(a == 0, 1, a))


def math_sigma(a: Array, value1: float, value2: float) -> Array:
    """Values above value1 or below value2 standard deviations become the mean."""
    mean, sigma = float(a.mean()), deviation(a)
    return np.where((a < mean - value2 * sigma) | (a > mean + value1 * sigma), mean, a)


def math_finite(a: Array, to: float = 0.0) -> Array:
    """NaN and infinite values become `to`."""
    return np.where(np.isfinite(a), a, to)


def math_addnoise(a: Array, noise: float, seed: int = 0) -> Array:
    """Gaussian noise of a standard deviation added."""
    return a + np.random.default_rng(seed).normal(0, noise, a.shape)


def math_addsignoise(a: Array, noise: float = 0.5, seed: int = 0) -> Array:
    """Gaussian noise of a share of the image's standard deviation added."""
    return math_addnoise(a, noise * deviation(a), seed)


def math_setbits(a: Array, bits: int = 5, nsigma: float = 0.0) -> Array:
    """Grey values rounded to a number of bits between minimum and maximum."""
    mean, reach = float(a.mean()), nsigma * deviation(a)
    low, high = float(a.min()), float(a.max())
    if nsigma:
        low, high = max(low, mean - reach), min(high, mean + reach)
    step = (high - low) / (2**bits - 1) or 1.0
    return np.floor((np.clip(a, low, high) - low) / step + 0.5) * step + low


PROCESSORS: Table = {
    "normalize": normalize,
    "normalize.edgemean": normalize_edgemean,
    "normalize.circlemean": normalize_circlemean,
    "normalize.lredge": normalize_lredge,
    "normalize.maxmin": normalize_maxmin,
    "normalize.unitlen": normalize_unitlen,
    "normalize.unitsum": normalize_unitsum,
    "normalize.rows": normalize_rows,
    "normalize.histpeak": normalize_histpeak,
    "normalize.ramp.normvar": normalize_ramp_normvar,
    "normalize.local": normalize_local,
    "normalize.bymass": normalize_bymass,
    "threshold.belowtozero": threshold_belowtozero,
    "threshold.belowtominval": threshold_belowtominval,
    "threshold.belowtozero_cut": threshold_belowtozero_cut,
    "threshold.clampminmax": threshold_clampminmax,
    "threshold.clampminmax.nsigma": threshold_clampminmax_nsigma,
    "threshold.binary": threshold_binary,
    "threshold.binaryrange": threshold_binaryrange,
    "threshold.compress": threshold_compress,
    "threshold.notzero": threshold_notzero,
    "threshold.rangetozero": threshold_rangetozero,
    "math.linear": math_linear,
    "math.absvalue": math_absvalue,
    "math.squared": math_squared,
    "math.sqrt": math_sqrt,
    "math.pow": math_pow,
    "math.log": math_log,
    "math.exp": math_exp,
    "math.floor": math_floor,
    "math.reciprocal": math_reciprocal,
    "math.sigma": math_sigma,
    "math.finite": math_finite,
    "math.addnoise": math_addnoise,
    "math.addsignoise": math_addsignoise,
    "math.setbits": math_setbits,
}
