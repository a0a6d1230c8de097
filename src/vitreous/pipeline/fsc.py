"""Map quality: FSCs of half maps and of maps, within a mask and freed of it; tables and plots."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.formats.fsc import CURVE, write_curves
from vitreous.formats.products import readable
from vitreous.formats.volumes import VolumeFile, boxes, open_volume
from vitreous.kernels import machine
from vitreous.kernels.fsc import (
    MaskedCorrelation,
    ShellCorrelation,
    correlation_of_boxes,
    fourier_shell_correlation,
    masked_correlation,
)
from vitreous.pipeline.inputs import differ
from vitreous.report.fsc import HALVES, MAPS, in_words, write_fsc_picture

log = logging.getLogger(__name__)

Floats = NDArray[np.float32]

TABLES, PICTURES = (".star", ".csv", ".json"), (".png",)
BYTES = 40  # a voxel of two volumes, a mask, their transforms and what is between
LABELS = {  # as in RELION's postprocess.star
    "corrected": "rlnFourierShellCorrelationCorrected",
    "unmasked": "rlnFourierShellCorrelationUnmaskedMaps",
    "masked": "rlnFourierShellCorrelationMaskedMaps",
    "random": "rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps",
    "half maps": CURVE,
    "maps": CURVE,
    "reference": "vitFourierShellCorrelationAgainst",
}


@dataclass(frozen=True, slots=True)
class Quality:
    """Curves by name, the first the one that counts; random_from: 1/A, where phases were random."""

    curves: dict[str, ShellCorrelation]
    random_from: float | None = None

    @property
    def threshold(self) -> float:
        """At which the first curve gives the resolution: two maps share their signal only once."""
        return MAPS if next(iter(self.curves)) in ("maps", "reference") else HALVES

    @property
    def resolution(self) -> float | None:
        """Angstrom; None: to Nyquist; infinite: nowhere."""
        return next(iter(self.curves.values())).resolution(self.threshold)

    def lines(self) -> list[str]:
        """A line a curve: where it falls below 0.5 and 0.143."""
        width = max(map(len, self.curves))
        return [
            f"{name:<{width}}  " + ", ".join(_falls(curve, at) for at in (MAPS, HALVES))
            for name, curve in self.curves.items()
            if name != "random"
        ]


def _falls(curve: ShellCorrelation, threshold: float) -> str:
    resolution = curve.resolution(threshold)
    if resolution is None:
        return f"above {threshold:g} to Nyquist"
    if resolution == float("inf"):
        return f"below {threshold:g} everywhere"
    return f"{threshold:g} at {in_words(resolution, 'A')}"


def quality_of(
    maps: Sequence[Path],
    *,
    mask: Path | None = None,
    against: Path | None = None,
    pixel_size: float | None = None,
    seed: int = 0,
) -> Quality:
    """The curves of two half maps, or of one map, or the halves' mean, and another.

    With a mask the halves' curve is corrected by random phases; the other's is of the masked maps.
    """
    if len(maps) > 2 or len(maps) + (against is not None) < 2:
        raise UserError("an FSC is of two half maps, or of a map and another (--against)")
    if mask is None and len(maps) + (against is not None) == 2:
        curve, in_boxes = correlated(maps[0], against or maps[1], pixel_size)
        if in_boxes:
            log.info("memory doesn't hold the maps: the curve is summed over boxes")
        return Quality({"maps" if against else "half maps": curve})
    read, voxel_size = read_alike([*maps, *filter(None, (against, mask))], pixel_size)
    soft = _checked(read.pop(), mask) if mask else None
    reference = read.pop() if against else None
    threads = machine.cores()
    curves: dict[str, ShellCorrelation] = {}
    random_from = None
    if len(read) == 2 and soft is not None:
        found = masked_correlation(read[0], read[1], voxel_size, soft, seed=seed, threads=threads)
        random_from = found.random_from
        curves = _curves_of(found)
    elif len(read) == 2:
        curves["half maps"] = fourier_shell_correlation(
            read[0], read[1], voxel_size, threads=threads
        )
    if reference is not None:
        mean = read[0] if len(read) == 1 else (read[0] + read[1]) / 2
        name = "reference" if curves else "maps"
        curves[name] = fourier_shell_correlation(
            mean, reference, voxel_size, mask=soft, threads=threads
        )
    return Quality(curves, random_from)


def _curves_of(found: MaskedCorrelation) -> dict[str, ShellCorrelation]:
    if found.random_from is None:
        log.warning(
            "the unmasked FSC stays above 0.8 to Nyquist: no phases were made random, what the "
            "mask adds is unknown"
        )
        return {"masked": found.masked, "unmasked": found.unmasked}
    return {
        "corrected": found.corrected,
        "masked": found.masked,
        "unmasked": found.unmasked,
        "random": found.randomised,
    }


def _checked(mask: Floats, path: Path) -> Floats:
    low, high = float(mask.min()), float(mask.max())
    if not (low >= 0 and high > 0):
        raise UserError(f"{path} has values from {low:g} to {high:g}: a mask has 0 to 1")
    return mask


def correlated(
    one: Path, other: Path, pixel_size: float | None = None
) -> tuple[ShellCorrelation, bool]:
    """The curve of two maps, and whether it is of boxes: of all voxels at once where memory holds
    them, else summed over boxes that fade at their edges.
    """
    with open_volume(one, pixel_size) as first, open_volume(other, pixel_size) as second:
        require_alike(second, first)
        voxel_size, threads = first.pixel_size, machine.cores()
        if BYTES * int(np.prod(first.shape)) > machine.memory():
            pairs = zip(boxes(first), boxes(second), strict=True)
            return correlation_of_boxes(pairs, voxel_size, threads=threads), True
        curve = fourier_shell_correlation(
            voxels_of(first), voxels_of(second), voxel_size, threads=threads
        )
        return curve, False


def read_alike(
    paths: Sequence[Path], pixel_size: float | None = None
) -> tuple[list[Floats], float]:
    """Volumes of the same size and voxel, float32, and the voxel size; else a `UserError`."""
    read: list[Floats] = []
    with open_volume(paths[0], pixel_size) as first:
        needed = BYTES * int(np.prod(first.shape))
        if needed > machine.memory():
            raise UserError(
                f"the FSC of {paths[0]} takes {readable(needed)} of memory, this machine has "
                f"{readable(machine.memory())}: bin the volumes, or cut them"
            )
        for path in paths:
            with open_volume(path, pixel_size) as volume:
                require_alike(volume, first)
                read.append(voxels_of(volume))
        return read, first.pixel_size


def require_alike(volume: VolumeFile, first: VolumeFile) -> None:
    """Raise a `UserError` where two volumes differ in size or in their voxels."""
    if volume.shape != first.shape:
        size, wanted = (" x ".join(map(str, each.shape[::-1])) for each in (volume, first))
        raise UserError(
            f"{volume.path} has {size} voxels, {first.path} {wanted}: an FSC needs the same"
        )
    if differ(volume.pixel_size, first.pixel_size):
        raise UserError(
            f"{volume.path} has voxels of {volume.pixel_size:g} A, {first.path} of "
            f"{first.pixel_size:g} A: an FSC needs the same (--pixel says what they are)"
        )


def voxels_of(volume: VolumeFile) -> Floats:
    """All of a volume; one that holds no finite numbers everywhere is a `UserError`."""
    nz, ny, _ = volume.shape
    found = volume.block(slice(0, nz), slice(0, ny)).astype(np.float32, copy=False)
    if not np.isfinite(found.sum()):
        raise UserError(f"{volume.path} holds voxels that are no finite numbers")
    return found


def write_quality(quality: Quality, outputs: Iterable[Path]) -> None:
    """Write the curves by each output's ending: .star, .csv, .json, .png."""
    name, curve = next(iter(quality.curves.items()))
    facts: dict[str, float | str] = {}
    if (resolution := quality.resolution) is None:
        resolution = 1 / float(curve.frequency[-1])
    if resolution != float("inf"):
        facts["rlnFinalResolution"] = resolution
    if quality.random_from is not None:
        facts["vitPhasesRandomBeyondAngstrom"] = 1 / quality.random_from
    for output in outputs:
        if output.suffix in PICTURES:
            write_fsc_picture(output, list(quality.curves.items()), f"FSC: {name}")
        else:
            labelled = {LABELS[each]: found for each, found in quality.curves.items()}
            write_curves(output, labelled, facts)
        log.info("wrote %s", output)


def require_known(outputs: Iterable[Path]) -> None:
    """Raise a `UserError` for an ending that isn't written, before any work."""
    for output in outputs:
        if output.suffix not in (*TABLES, *PICTURES):
            raise UserError(f"{output}: curves are written as {', '.join((*TABLES, *PICTURES))}")
