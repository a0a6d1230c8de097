"""Two tomograms of independent halves of a series, and the curve of what they have in common.

Halves are every other tilt in order of angle, or the even and the odd frames of all tilts, whose
stacks lie beside the stack: NAME_EVN and NAME_ODD.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.fsc import write_curve
from vitreous.formats.images import open_images
from vitreous.formats.volumes import boxes, open_volume
from vitreous.kernels.fsc import ShellCorrelation, correlation_of_boxes
from vitreous.kernels.machine import ONE_THREAD, Share
from vitreous.pipeline.tomogram import Ctfs, Doses, write_tomogram
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.records.alignment import Alignment
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress
from vitreous.report.fsc import HALVES, in_words, write_fsc_picture

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

BESIDE = (("_EVN", "_ODD"), ("_even", "_odd"))
NAMES = {"tilts": "every other tilt", "frames": "even and odd frames"}


@dataclass(frozen=True, slots=True, eq=False)
class HalfSets:
    """volumes: the two tomograms; curves: its files by name; curve: the correlation itself."""

    volumes: tuple[Path, Path]
    curves: dict[str, Path]
    curve: ShellCorrelation

    @property
    def files(self) -> dict[str, Path]:
        """All files by name."""
        one, other = self.volumes
        return {"half 1": one, "half 2": other, **self.curves}


def write_half_sets(
    stack: ImageStack,
    stack_path: Path,
    alignment: Alignment,
    settings: ReconstructSettings,
    output: Path,
    *,
    ctfs: Ctfs | None = None,
    doses: Doses | None = None,
    mask: Floats | None = None,
    share: Share = ONE_THREAD,
    progress: Progress = ignore_progress,
) -> HalfSets:
    """Write NAME_half1, NAME_half2 and NAME_fsc.json, .csv, .png beside the tomogram `output`."""
    halves = halves_of(stack, stack_path, settings)
    suffix = ".ome.zarr" if output.name.endswith(".ome.zarr") else output.suffix
    name = output.name.removesuffix(suffix)
    one, other = (output.with_name(f"{name}_half{number}{suffix}") for number in (1, 2))
    for number, (path, (images, changed)) in enumerate(zip((one, other), halves, strict=True)):

        def passed(done: int, of: int, before: int = number) -> None:
            progress(before * of + done, 2 * of)

        write_tomogram(
            images,
            alignment,
            changed,
            path,
            ctfs=ctfs,
            doses=doses,
            mask=mask,
            share=share,
            progress=passed,
        )
    curve = correlation_of_files(one, other, share.threads)
    curves = {f"fsc{end}": output.with_name(f"{name}_fsc{end}") for end in (".json", ".csv")}
    for path in curves.values():
        write_curve(path, curve)
    curves["fsc.png"] = output.with_name(f"{name}_fsc.png")
    what = f"Half sets: {NAMES[settings.half_sets]}"
    write_fsc_picture(curves["fsc.png"], [("half sets", curve)], what)
    log.info(
        "half sets of %s: their correlation falls below %g at %s; wrote %s",
        NAMES[settings.half_sets],
        HALVES,
        in_words(curve.resolution(HALVES)),
        ", ".join(path.name for path in (one, other, *curves.values())),
    )
    return HalfSets((one, other), curves, curve)


def halves_of(
    stack: ImageStack, stack_path: Path, settings: ReconstructSettings
) -> list[tuple[ImageStack, ReconstructSettings]]:
    """The images and settings of either half."""
    alone = settings.model_copy(update={"half_sets": "none"})
    if settings.half_sets == "tilts":
        if settings.half != "all":
            raise UserError("half sets of tilts are of all tilts: leave 'half' out")
        return [(stack, alone.model_copy(update={"half": half})) for half in ("odd", "even")]
    return [(half_stack(path, stack), alone) for path in halves_beside(stack_path)]


def halves_beside(stack_path: Path) -> tuple[Path, Path]:
    """The stacks of even and odd frames beside a stack."""
    tried = [
        (stack_path.with_stem(stack_path.stem + even), stack_path.with_stem(stack_path.stem + odd))
        for even, odd in BESIDE
    ]
    for even, odd in tried:
        if even.is_file() and odd.is_file():
            return even, odd
    names = ", ".join(f"{even.name} and {odd.name}" for even, odd in tried)
    raise UserError(
        f"there are no stacks of even and odd frames beside {stack_path} ({names}): "
        "take half sets of tilts, or put them there"
    )


def half_stack(path: Path, whole: ImageStack) -> ImageStack:
    """A stack of one half, which has to be like the whole one."""
    half = open_images(path, whole.pixel_size)
    if half.shape != whole.shape:
        raise UserError(
            f"{path} has {_sizes(half.shape)} images, the stack {_sizes(whole.shape)}: "
            "it isn't of the same series"
        )
    return half


def _sizes(shape: tuple[int, ...]) -> str:
    sections, rows, columns = shape
    return f"{sections} x {columns} x {rows}"


def correlation_of_files(one: Path, other: Path, threads: int = 1) -> ShellCorrelation:
    """The curve of two volumes, read in boxes."""
    with open_volume(one) as first, open_volume(other) as second:
        pairs = zip(boxes(first), boxes(second), strict=True)
        return correlation_of_boxes(pairs, first.pixel_size, threads=threads)
