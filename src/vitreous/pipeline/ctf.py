"""CTF estimation as a step: what a stack's files say of it in, tables for other programs out."""

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitreous.ctf.hand import MARGIN
from vitreous.ctf.optics import Optics
from vitreous.ctf.series import SeriesCtf, estimate_series
from vitreous.ctf.settings import CtfSettings
from vitreous.errors import UserError
from vitreous.formats import relion
from vitreous.formats.alignments import read_alignment
from vitreous.formats.ctf_tables import (
    with_relion_columns,
    write_aretomo,
    write_ctffind,
    write_defocus,
)
from vitreous.formats.products import atomic, write_text
from vitreous.pipeline.inputs import RawInput, as_given, opened_raw, opened_stack
from vitreous.records.alignment import Alignment, alignment_from_angles
from vitreous.records.images import facts_of
from vitreous.records.progress import Progress
from vitreous.records.tilt_series import Tilt, TiltSeries

if TYPE_CHECKING:
    from vitreous.formats.mrc import MrcStack
    from vitreous.formats.tiff import TiffStack

log = logging.getLogger(__name__)

BESIDE = (".aln", ".xf")  # alignments that are looked for beside a stack
ENDINGS = ("_ctffind.txt", "_ctf.json", "_ctf.png")
ENDINGS_OF_SERIES = ("_CTF.txt", ".defocus", "_ctf.star")
UNUSUAL_LOSS = 0.3  # of an image that beads take


@dataclass(frozen=True, slots=True)
class Images:
    """A stack or a single image, with what its files say of it."""

    path: Path
    stack: "MrcStack | TiffStack"
    series: TiltSeries
    alignment: Alignment

    @property
    def name(self) -> str:
        """Of its products."""
        return self.series.name

    @property
    def is_series(self) -> bool:
        """Whether there are several images."""
        return self.stack.shape[0] > 1


def opened_images(path: Path, given: RawInput, alignment: Path | None, tilt: float) -> Images:
    """A stack with its alignment (given, beside it, or nominal), or an image at `tilt` degrees."""
    stack = opened_stack(path, given.pixel_size)
    if stack.shape[0] == 1:
        facts = facts_of(stack)
        series = TiltSeries(path.stem, (Tilt(0, tilt),), facts.pixel_size, facts.image_size, stack)
        series = as_given(series, given)
        return Images(path, stack, series, _nominal(series))
    stack, series = opened_raw(path, given)
    beside = [path.with_suffix(ending) for ending in BESIDE]
    found = alignment or next((file for file in beside if file.is_file()), None)
    if found is None:
        log.info("%s: no alignment given or beside it, nominal angles are used", path)
        return Images(path, stack, series, _nominal(series))
    log.info("%s: alignment of %s", path, found)
    return Images(path, stack, series, read_alignment(found, facts_of(stack), angles=given.angles))


def _nominal(series: TiltSeries) -> Alignment:
    tilts = np.array([tilt.nominal_tilt_degrees for tilt in series.tilts])
    if series.nominal_axis_degrees is None and np.abs(tilts).max() > 1:
        raise UserError(
            f"{series.name}: nothing says where its tilt axis is, and defocus changes across it. "
            "Give --tilt-axis or --alignment"
        )
    return alignment_from_angles(
        axes_degrees=series.nominal_axis_degrees or 0.0,
        tilts_degrees=tilts,
        shifts=np.zeros((len(tilts), 2)),
        image_size=series.image_size,
        pixel_size=series.pixel_size,
    )


def estimated(images: Images, settings: CtfSettings, threads: int, progress: Progress) -> SeriesCtf:
    """Estimate; the optics are what is given or said by the files, else the usual."""
    optics = _optics(images.series)
    return estimate_series(
        images.stack,
        images.alignment,
        optics,
        settings,
        order=_order(images),
        threads=threads,
        progress=progress,
    )


def _optics(series: TiltSeries) -> Optics:
    usual = Optics()
    voltage, aberration, contrast = (
        series.voltage_kv,
        series.spherical_aberration_mm,
        series.amplitude_contrast,
    )
    if voltage is None:
        log.warning(
            "%s: nobody says the voltage, %g kV is taken: give --kv", series.name, usual.voltage_kv
        )
    optics = Optics(
        usual.voltage_kv if voltage is None else voltage,
        usual.spherical_aberration_mm if aberration is None else aberration,
        usual.amplitude_contrast if contrast is None else contrast,
    )
    log.debug("%s: %s", series.name, optics)
    return optics


def _order(images: Images) -> "np.ndarray | None":
    """The aligned views in order of exposure, where that is known of all."""
    tilts = {tilt.section: tilt.exposure_index for tilt in images.series.tilts}
    index = [tilts.get(section) for section in images.alignment.sections.tolist()]
    if any(place is None for place in index):
        return None
    return np.argsort(np.array(index, np.intp))


# -- products -------------------------------------------------------------------------------------


def write_ctf(found: SeriesCtf, images: Images, product: Callable[[str], Path]) -> list[Path]:
    """A table as CTFFIND has it, all numbers, a picture; of a series tables of other programs too.

    Returns their paths.
    """
    from vitreous.report.thon import write_thon_page

    fits = found.fits
    write_ctffind(product("_ctffind.txt"), fits, images.stack.pixel_size, images.path.name)
    if images.is_series:
        write_aretomo(product("_CTF.txt"), fits)
        write_defocus(product(".defocus"), fits)
        series = with_relion_columns(images.series, fits)
        relion.write(images.alignment, product("_ctf.star"), series=series, stack=images.path)
    write_text(product("_ctf.json"), json.dumps(as_numbers(found), indent=1) + "\n")
    with atomic(product("_ctf.png")) as part:
        write_thon_page(found, part, in_words(found, images.name))
    endings = (*ENDINGS, *ENDINGS_OF_SERIES) if images.is_series else ENDINGS
    return [product(ending) for ending in endings]


def as_numbers(found: SeriesCtf) -> dict[str, object]:
    """All that was found, for a JSON file."""
    return {
        "hand": found.hand.hand if found.hand.is_determined else None,
        "hand_margin_nats": round(found.hand.margin, 2),
        "slope": round(found.hand.slope, 4),
        "slope_deviation": _finite(found.hand.slope_deviation),
        "astigmatism_deviation": _finite(found.astigmatism_deviation),
        "pitch_degrees": round(found.pitch_degrees, 3),
        "pitch_deviation": _finite(found.pitch_deviation),
        "resolution": _finite(found.resolution),
        "views": [
            {
                name: _finite(value) if isinstance(value, float) else value
                for name, value in asdict(fit).items()
            }
            for fit in found.fits
        ],
    }


def _finite(value: float) -> float | None:
    """JSON has no infinity."""
    return round(float(value), 4) if np.isfinite(value) else None


# -- words ----------------------------------------------------------------------------------------


def hand_in_words(found: SeriesCtf) -> str:
    """The hand, or that it isn't determined."""
    hand = found.hand
    if not hand.is_determined:
        return f"hand not determined (likelihood margin {hand.margin:.0f})"
    less = "less" if hand.hand == 1 else "more"
    return (
        f"hand {hand.hand:+d} (what is higher is {less} underfocused; likelihood margin "
        f"{hand.margin:.0f}, slope {hand.slope:.2f} +- {hand.slope_deviation:.2f})"
    )


def in_words(found: SeriesCtf, name: str) -> str:
    """The sum of it in a line."""
    seen = [fit for fit in found.fits if fit.has_rings]
    if not seen:
        return f"{name}: no rings"
    defocus = np.array([fit.ctf.defocus for fit in seen]) / 1e4
    error = np.median([fit.deviation for fit in seen]) / 1e4
    span = f"{defocus.min():.3f} to {defocus.max():.3f}" if len(seen) > 1 else f"{defocus[0]:.3f}"
    first = seen[0].ctf
    phase = f", phase shift {first.phase_shift_degrees:.0f} degrees" * bool(
        first.phase_shift_degrees
    )
    hand = f"; {hand_in_words(found)}" * (len(found.fits) > 1)
    return (
        f"{name}: defocus {span} um (error {error:.3f}), astigmatism {first.astigmatism:.0f} A at "
        f"{first.astigmatism_degrees:.0f} degrees{phase}, rings to {found.resolution:.1f} A{hand}"
    )


def say_ctf(found: SeriesCtf, name: str, settings: CtfSettings) -> None:
    """Log the sum of it, a line a view, and what to be wary of."""
    if not found.has_rings:
        log.warning(
            "%s: no rings are seen in any of %d images: their numbers are guesses. Is the pixel "
            "size right, and the range of --defocus?",
            name,
            len(found.fits),
        )
        return
    log.info("%s", in_words(found, name))
    for fit in found.fits:
        log.debug(
            "section %d, tilt %.1f: defocus %.0f +- %.0f A, phase %.1f +- %.1f degrees, score "
            "%.2f, rings to %.1f A%s",
            fit.section + 1, fit.tilt_degrees + 0.0, fit.ctf.defocus, fit.deviation,
            fit.ctf.phase_shift_degrees, fit.phase_deviation, fit.score, fit.resolution,
            "" if fit.has_rings else " (no rings: of its neighbours)",
        )  # fmt: skip
    if blind := [fit.section + 1 for fit in found.fits if not fit.has_rings]:
        log.warning(
            "%s: no rings in sections %s: their defocus is that of the exposures beside them",
            name,
            ", ".join(map(str, blind)),
        )
    if settings.hand and found.hand.margin < -MARGIN:
        log.warning("%s: the images tell the other hand than the one given", name)
    if found.masked.max() > UNUSUAL_LOSS:
        share = 100 * found.masked.max()
        log.warning("%s: up to %.0f %% of an image are masked as gold beads", name, share)
