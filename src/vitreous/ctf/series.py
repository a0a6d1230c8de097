"""The contrast transfer of a whole tilt series at once: the chain.

    spectra  -> power spectra of tiles, grouped by their height under the tilt
    rings    -> a table: every spectrum compared with the rings of every defocus, once
    fit      -> defocus of each view, astigmatism, hand, pitch and phase look up in that table

A single image is a series of one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.chain import Chain, Found
from vitreous.ctf.envelope import ring_heights
from vitreous.ctf.fit import Question, astigmatism_deviation
from vitreous.ctf.hand import Hand
from vitreous.ctf.optics import Optics
from vitreous.ctf.path import chance_elsewhere
from vitreous.ctf.profile import Profiles, profiles
from vitreous.ctf.settings import CtfSettings
from vitreous.ctf.spectra import read_spectra
from vitreous.errors import UserError
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import CtfFit
from vitreous.records.images import ImageStack
from vitreous.records.progress import Progress, ignore_progress

Array = NDArray[np.float64]
Indices = NDArray[np.intp]

GAIN_SEEN = 10.0  # nats above no rings at which a view's rings count as seen
COARSE = 4  # columns of the table
USUAL_HAND = 1  # where it isn't known: that of `Ctf`, of IMOD and of RELION's GUI
ANOTHER_RING = 500.0  # angstrom from the value found, from where on others count as its error


@dataclass(frozen=True, slots=True, eq=False)
class SeriesCtf:
    """What the images say of their contrast transfer.

    fits: of the aligned views. astigmatism_deviation: of each component of the vector, angstrom.
    pitch_degrees: what the specimen is tilted besides its tilt angles; 0 where its deviation is too
    large for it to be used. resolution: period to which rings are seen in all views together.
    masked (view,): shares of the images that beads took.
    """

    fits: tuple[CtfFit, ...]
    hand: Hand
    astigmatism_deviation: float
    pitch_degrees: float
    pitch_deviation: float
    resolution: float
    profiles: Profiles
    masked: Array

    @property
    def has_rings(self) -> bool:
        """Whether any view shows rings."""
        return any(fit.has_rings for fit in self.fits)


def estimate_series(
    stack: ImageStack,
    alignment: Alignment,
    optics: Optics,
    settings: CtfSettings,
    *,
    order: Indices | None = None,
    threads: int = 1,
    progress: Progress = ignore_progress,
) -> SeriesCtf:
    """Estimate the contrast transfer of the aligned sections of a stack, at the origin's height.

    For a raw stack an alignment from nominal angles without shifts will do; the defocus then is
    that of what lies under the middle of each image. order (view,): the views in the order of
    their exposure, by default as they stand.
    """
    if alignment.section_count != stack.shape[0]:
        raise UserError(
            f"the alignment is of {alignment.section_count} images, the stack has {stack.shape[0]}"
        )
    spectra = read_spectra(stack, alignment, settings, threads, progress)
    in_order = np.arange(len(alignment)) if order is None else np.asarray(order, np.intp)
    question = Question(alignment, in_order, settings.jump, settings.astigmatism)
    found = Chain(optics, settings, question).found(spectra)
    known = settings.hand or (found.hand.hand if found.hand.is_determined else USUAL_HAND)
    return _concluded(found, optics, question, known)


def _concluded(found: Found, optics: Optics, question: Question, hand: int) -> SeriesCtf:
    """What was found as records, with what each view is worth."""
    spectra, fit, phases = found.spectra, found.fit, found.phases
    views = ring_heights(spectra, optics, question, fit, phases.values)
    curves = profiles(
        spectra, optics, question, fit, phases.values, found.heights.envelope(spectra.grid.k)
    )
    has_rings = fit.gain > GAIN_SEEN
    defocus, deviation = _from_neighbours(
        fit.defocus, _deviations(found, question), has_rings, question
    )
    ends = _periods(views.last, views.edges, spectra.grid.k)
    alignment = question.alignment
    fits = tuple(
        CtfFit(
            section=int(alignment.sections[view]),
            tilt_degrees=float(alignment.tilts_degrees[view]),
            ctf=optics.ctf(
                float(defocus[view]),
                fit.astigmatism,
                float(np.rad2deg(phases.values[view]) % 180),
                hand,
            ),
            deviation=float(deviation[view]),
            phase_deviation=float(np.rad2deg(phases.deviations[view])),
            score=float(curves.score[view]),
            resolution=float(ends[view]),
            has_rings=bool(has_rings[view]),
        )
        for view in range(spectra.views)
    )
    return SeriesCtf(
        fits=fits,
        hand=found.hand,
        astigmatism_deviation=astigmatism_deviation(found.table, question, fit),
        pitch_degrees=fit.pitch,
        pitch_deviation=found.pitch_deviation,
        resolution=float(_periods(found.heights.last, found.heights.edges, spectra.grid.k)),
        profiles=curves,
        masked=spectra.masked,
    )


def _deviations(found: Found, question: Question) -> Array:
    """(view,) of the defocus: the peak's width, the phase's share, and the chance of another."""
    fit, table = found.fit, found.table
    offsets = question.offsets(found.spectra, fit.hand, fit.pitch, fit.astigmatism)
    other = chance_elsewhere(
        table.curves(offsets)[:, ::COARSE],
        table.defocus[::COARSE],
        question.order,
        question.jump,
        fit.defocus,
        ANOTHER_RING,
    )
    return np.sqrt(
        fit.deviation**2 + (found.phases.coupling * found.phases.deviations) ** 2 + other
    )


def _from_neighbours(
    defocus: Array, deviation: Array, seen: NDArray[np.bool_], question: Question
) -> tuple[Array, Array]:
    """Views without rings get the defocus of the exposures before and after, and their scatter."""
    if seen.all() or not seen.any():
        return defocus, deviation
    in_time = question.order[seen[question.order]]
    place = np.empty(len(seen))
    place[question.order] = np.arange(len(seen))
    given = np.interp(place, place[in_time], defocus[in_time])
    scatter = np.std(np.diff(defocus[in_time])) if len(in_time) > 2 else question.jump
    return np.where(seen, defocus, given), np.where(seen, deviation, scatter)


def _periods(last: Indices, edges: Indices, k: Array) -> Array:
    """Periods, angstrom, at which bands end; infinite where not even the first counts."""
    last = np.asarray(last)
    return np.where(last > 0, 1 / k[np.maximum(edges[last] - 1, 0)], np.inf)
