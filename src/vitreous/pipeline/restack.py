"""Images of stacks written into another: cut, binned, transformed, scaled, as IMOD's newstack does.

Geometry and grey values are newstack's to the last pixel but for its outermost two: centres are at
(n - 1) / 2 where an image is transformed and at n // 2 where it is only cut, shifts of transforms
are in unbinned pixels of the input, filled pixels get the mean of the rows that were needed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.sections import binned, binned_size, placed, shrunk, tapered
from vitreous.pipeline.restack_settings import RestackSettings
from vitreous.records.images import ImageStack

Floats = NDArray[np.float32]
Transform = NDArray[np.float64]

TOPS = {"int8": 255.0, "int16": 32767.0, "uint16": 65535.0}  # of a range that begins at 0
TOP_OF_FLOATS = 255.0
HARMLESS = {"mode", "size", "fill", "antialias", "linear", "taper", "taper_inside"}
"""Settings that change no image of the output's size and type."""
SIGN = 128.0  # signed bytes hold grey values 0 to 255 less this


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """One image to take: a section of a stack, and its transform (2, 3) in IMOD's sense if any."""

    stack: ImageStack
    section: int
    transform: Transform | None = None

    def read(self) -> Floats:
        """The image; signed bytes as grey values from 0 to 255."""
        image = self.stack.read(self.section)
        grey = image.astype(np.float32)
        if image.dtype == np.int8:
            grey += SIGN
        return grey


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of one image as it goes into the output; z: its range before, in SDs from its mean."""

    low: float
    high: float
    mean: float
    deviation: float
    z: tuple[float, float]


def output_type(first: ImageStack, settings: RestackSettings) -> np.dtype[np.generic]:
    """Type of a pixel in the output; unsigned bytes become the signed ones that MRC has."""
    kept = "int8" if first.dtype.name == "uint8" else first.dtype.name
    return np.dtype(kept if settings.mode == "keep" else settings.mode)


def output_shape(source: Source, settings: RestackSettings) -> tuple[int, int]:
    """(y, x) of the output, as the first image has it."""
    if settings.size is not None:
        return settings.size[1], settings.size[0]
    rows, columns = source.stack.shape[1:]
    if settings.shrink is not None:
        return int(rows / settings.shrink), int(columns / settings.shrink)
    rows, columns = (binned_size(n, settings.bin)[0] for n in (rows, columns))
    times = settings.expand or 1.0
    return int(np.floor(rows * times + 0.5)), int(np.floor(columns * times + 0.5))


def output_pixel_size(pixel_size: float, settings: RestackSettings) -> float:
    """A/px of the output."""
    return pixel_size * (settings.shrink or settings.bin) / (settings.expand or 1.0)


def restacked(
    sources: Sequence[Source], settings: RestackSettings
) -> Iterator[NDArray[np.generic]]:
    """The images (y, x) of the output, one after the other, in its type.

    Where grey values depend on all images, these are read twice.
    """
    require_consistent(settings)
    dtype = output_type(sources[0].stack, settings)
    shape = output_shape(sources[0], settings)
    if is_a_copy(sources, settings, dtype, shape):
        for source in sources:
            yield as_stored_bytes(source.stack.read(source.section))
        return
    scales = scales_of(sources, settings, dtype, shape)
    for source, (multiply, add) in zip(sources, scales, strict=True):
        image = laid_out(source, settings, shape)
        if (multiply, add) != (1.0, 0.0):
            image = image * np.float32(multiply) + np.float32(add)
        yield stored(image, dtype)


def is_a_copy(
    sources: Sequence[Source],
    settings: RestackSettings,
    dtype: np.dtype[np.generic],
    shape: tuple[int, int],
) -> bool:
    """Whether images go through untouched; then no value passes through float32."""
    changed = settings.model_dump(exclude_defaults=True).keys() - HARMLESS
    alike = all(s.stack.shape[1:] == shape and s.transform is None for s in sources)
    types = {np.dtype("int8") if s.stack.dtype == np.uint8 else s.stack.dtype for s in sources}
    return alike and types == {dtype} and not changed


def as_stored_bytes(image: NDArray[np.generic]) -> NDArray[np.generic]:
    """Unsigned bytes as the signed ones of MRC; anything else as it is."""
    if image.dtype != np.uint8:
        return image
    return np.bitwise_xor(image.view(np.uint8), np.uint8(128)).view(np.int8)


def stored(image: Floats, dtype: np.dtype[np.generic]) -> NDArray[np.generic]:
    """Grey values in the output's type: rounded and cut where it is an integer."""
    if dtype.kind == "f":
        return image.astype(dtype)
    shift = SIGN if dtype == np.int8 else 0.0
    limits = np.iinfo(dtype.name)
    return np.clip(np.rint(image - shift), limits.min, limits.max).astype(dtype)


def require_consistent(settings: RestackSettings) -> None:
    """Raise a `UserError` where settings exclude each other."""
    if settings.shrink is not None and (settings.bin != 1 or settings.expand is not None):
        raise UserError("shrink stands alone: leave out bin and expand")
    ways = {
        "scale_to": settings.scale_to is not None,
        "mean_and_sd": settings.mean_and_sd is not None,
        "equalize": settings.equalize != 0,
        "multiply and add": (settings.multiply, settings.add) != (1.0, 0.0),
    }
    chosen = [name for name, is_chosen in ways.items() if is_chosen]
    if len(chosen) > 1:
        raise UserError(f"grey values are changed in one way only, not by {' and '.join(chosen)}")


# -- geometry -------------------------------------------------------------------------------------


def laid_out(source: Source, settings: RestackSettings, shape: tuple[int, int]) -> Floats:
    """One image on the output's grid (y, x)."""
    image, reduced = smaller(source, settings)
    transform = whole_transform(source, settings, reduced)
    offset = np.array(settings.offset) / reduced
    if transform is None and (offset == np.rint(offset)).all():
        moved = (int(offset[0]), int(offset[1]))
        out = placed(image, shape, moved)
        start = image.shape[0] // 2 - shape[0] // 2 + moved[1]
        needed = (start, start + shape[0])
    else:
        if transform is None:
            transform = np.eye(2, 3)
        out, needed = transformed(image, transform, offset, shape, settings.linear)
    filled(out, image, needed, settings)
    return out


def smaller(source: Source, settings: RestackSettings) -> tuple[Floats, float]:
    """One image binned or shrunk, and how many times."""
    if settings.shrink is not None:
        return shrunk(source.read(), settings.shrink, settings.antialias), settings.shrink
    return binned(source.read(), settings.bin), float(settings.bin)


def whole_transform(source: Source, settings: RestackSettings, reduced: float) -> Transform | None:
    """The transform of an image (2, 3), then enlargement and turn; None where there is none."""
    if source.transform is None and settings.rotate is None and settings.expand is None:
        return None
    transform = np.eye(2, 3) if source.transform is None else source.transform.copy()
    transform[:, 2] /= reduced
    angle = np.deg2rad(settings.rotate or 0.0)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found: Transform = (settings.expand or 1.0) * turn @ transform
    return found


def transformed(
    image: Floats,
    transform: Transform,
    offset: NDArray[np.float64],
    shape: tuple[int, int],
    is_linear: bool,
) -> tuple[Floats, tuple[int, int]]:
    """The image through an IMOD transform, NaN outside; the rows of it that this needed."""
    from vitreous.kernels.cpu.cubic import resample

    back = np.linalg.inv(transform[:, :2])
    middle_in = (np.array(image.shape[::-1]) - 1) / 2
    middle_out = (np.array(shape[::-1]) - 1) / 2
    start = middle_in + offset - back @ (middle_out + transform[:, 2])
    source = np.column_stack([back, start])
    out = np.empty(shape, np.float32)
    resample(image, source, is_linear, out)
    corners = np.array([[x, y, 1] for x in (0, shape[1] - 1) for y in (0, shape[0] - 1)])
    heights = corners @ source[1]
    return out, (int(np.floor(heights.min())) - 1, int(np.ceil(heights.max())) + 2)


def filled(out: Floats, image: Floats, needed: tuple[int, int], settings: RestackSettings) -> None:
    """Give pixels that are NaN the fill, and taper towards it, in place."""
    outside = np.isnan(out)
    if not outside.any():
        return
    fill = settings.fill
    if fill is None:
        rows = image[max(needed[0], 0) : max(needed[1], 0)]
        fill = float((rows if rows.size else image).mean(dtype=np.float64))
    out[outside] = fill
    if settings.taper:
        tapered(out, outside, fill, settings.taper, settings.taper_inside)


# -- grey values ----------------------------------------------------------------------------------


def scales_of(
    sources: Sequence[Source],
    settings: RestackSettings,
    dtype: np.dtype[np.generic],
    shape: tuple[int, int],
) -> list[tuple[float, float]]:
    """(factor, addend) of each image."""
    if settings.scale_to is not None:
        low, high = range_of(sources)
        multiply = (settings.scale_to[1] - settings.scale_to[0]) / ((high - low) or 1.0)
        return [(multiply, settings.scale_to[0] - multiply * low)] * len(sources)
    if settings.mean_and_sd is None and not settings.equalize:
        multiply, add = settings.multiply, settings.add
        if (multiply, add) == (1.0, 0.0):
            multiply = between_integers(sources[0].stack.dtype, dtype)
        return [(multiply, add)] * len(sources)
    found = [statistics(source, settings, shape) for source in sources]
    if settings.mean_and_sd is not None:
        mean, deviation = settings.mean_and_sd
        factors = [deviation / (s.deviation or 1.0) for s in found]
        return [(f, mean - f * s.mean) for f, s in zip(factors, found, strict=True)]
    top = TOPS.get(dtype.name, TOP_OF_FLOATS)
    return equalized(found, settings.equalize, top, dtype.kind == "f")


def equalized(
    found: Sequence[Statistics], how: int, top: float, is_float: bool
) -> list[tuple[float, float]]:
    """newstack's -float: (factor, addend) of each image for a range from 0 to `top`."""
    if how == 1:
        factors = [top / ((s.high - s.low) or 1.0) for s in found]
        return [(f, -f * s.low) for f, s in zip(factors, found, strict=True)]
    if how == 2:
        low, high = min(s.z[0] for s in found), max(s.z[1] for s in found)
        unit = top / ((high - low) or 1.0)
        factors = [unit / (s.deviation or 1.0) for s in found]
        return [(f, -unit * low - f * s.mean) for f, s in zip(factors, found, strict=True)]
    common = float(np.mean([s.mean for s in found]))
    shifts = [common - s.mean for s in found]
    if how == 3:
        return [(1.0, shift if is_float else float(np.rint(shift))) for shift in shifts]
    lowest = min(s.low + shift for s, shift in zip(found, shifts, strict=True))
    highest = max(s.high + shift for s, shift in zip(found, shifts, strict=True))
    factor = top / ((highest - lowest) or 1.0)
    return [(factor, factor * (shift - lowest)) for shift in shifts]


def between_integers(was: np.dtype[np.generic], becomes: np.dtype[np.generic]) -> float:
    """newstack's factor between integer types: range to range, both from 0."""
    names = ("int8" if was == np.uint8 else was.name, becomes.name)
    if names[0] == names[1] or not all(name in TOPS for name in names):
        return 1.0
    if names == ("int16", "uint16"):
        return 2.0
    return TOPS[names[1]] / TOPS[names[0]]


def statistics(source: Source, settings: RestackSettings, shape: tuple[int, int]) -> Statistics:
    """What one image holds, before and after it is laid out."""
    before, _ = smaller(source, settings)
    mean, deviation = mean_and_deviation(before)
    z = [(float(end) - mean) / (deviation or 1.0) for end in (before.min(), before.max())]
    image = laid_out(source, settings, shape)
    mean, deviation = mean_and_deviation(image)
    return Statistics(float(image.min()), float(image.max()), mean, deviation, (z[0], z[1]))


def mean_and_deviation(image: Floats) -> tuple[float, float]:
    """Mean and standard deviation."""
    mean = float(image.mean(dtype=np.float64))
    return mean, float(np.sqrt(((image - np.float32(mean)) ** 2).mean(dtype=np.float64)))


def range_of(sources: Sequence[Source]) -> tuple[float, float]:
    """Lowest and highest grey value of the images as they are read."""
    ends = [(float(image.min()), float(image.max())) for image in (s.read() for s in sources)]
    return min(low for low, _ in ends), max(high for _, high in ends)
