"""The order in which the questions about a series are put to its table."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.ctf.envelope import RingHeights, first_envelope, pooled, ring_heights
from vitreous.ctf.fit import Fit, Question, fitted
from vitreous.ctf.hand import Hand, found_pitch, found_slope
from vitreous.ctf.noise import with_measured_noise
from vitreous.ctf.optics import Optics
from vitreous.ctf.phase import Phases, Rings, common_phase, drifting_phases, no_phases, rings_of
from vitreous.ctf.settings import CtfSettings
from vitreous.ctf.spectra import Spectra
from vitreous.ctf.table import Table, defocus_grid

Array = NDArray[np.float64]

FIRST_ENDS = (12.0, 8.0, 5.5)  # angstrom: where the rings may end, before it is known
PITCH_SURE = 3.0  # degrees (one sigma) to which a pitch has to be known to be used


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """All that is known of a series at the end; heights: of the series' rings together."""

    spectra: Spectra
    table: Table
    fit: Fit
    phases: Phases
    heights: RingHeights
    pitch_deviation: float
    hand: Hand


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """From spectra to what is found in them."""

    optics: Optics
    settings: CtfSettings
    question: Question

    def found(self, spectra: Spectra) -> Found:
        """A first fit, the rings' height, everything again, the noise, everything again."""
        fit, phases = self._first(spectra)
        spectra, fit, phases, _ = self._better(spectra, fit, phases)
        spectra, fit, phases, heights = self._better(spectra, fit, phases)
        rings = self._rings(spectra, heights.envelope(spectra.grid.k))
        table = rings.at(phases.values)
        fit, pitch_deviation = self._with_pitch(table, self._both(table, fit))
        if self.settings.phase_plate:
            phases = drifting_phases(rings, self.question, fit, phases.values)
            table = rings.at(phases.values)
            fit = fitted(table, self.question, fit.hand, fit.pitch, fit.astigmatism)
        hand = self._hand(table, fit)
        return Found(spectra, table, fit, phases, heights, pitch_deviation, hand)

    @property
    def _hands(self) -> tuple[int, ...]:
        return (-1, 1) if self.settings.hand is None else (self.settings.hand,)

    def _rings(self, spectra: Spectra, envelope: Array) -> Rings:
        grid = defocus_grid(*self.settings.defocus)
        return rings_of(spectra, self.optics, envelope, grid, phase_plate=self.settings.phase_plate)

    def _first(self, spectra: Spectra) -> tuple[Fit, Phases]:
        """The likeliest of what different guesses of the rings' end lead to."""
        high = self.settings.high
        best: tuple[Fit, Phases] | None = None
        for end in sorted({max(end, high) for end in FIRST_ENDS} | {high}):
            rings = self._rings(spectra, first_envelope(spectra.grid.k, end))
            for hand in self._hands:
                phases = no_phases(spectra.views)
                if self.settings.phase_plate:
                    phases = common_phase(rings, self.question, hand)
                fit = fitted(rings.at(phases.values), self.question, hand)
                if best is None or fit.total > best[0].total:
                    best = fit, phases
        assert best is not None
        return best

    def _better(
        self, spectra: Spectra, fit: Fit, phases: Phases
    ) -> tuple[Spectra, Fit, Phases, RingHeights]:
        """Heights of the rings as this fit sees them, a fit with those, the noise beside it."""
        heights = pooled(ring_heights(spectra, self.optics, self.question, fit, phases.values))
        envelope = heights.envelope(spectra.grid.k)
        rings = self._rings(spectra, envelope)
        if self.settings.phase_plate:
            phases = drifting_phases(rings, self.question, fit, phases.values)
        table = rings.at(phases.values)
        fit, _ = self._with_pitch(table, self._both(table, fit))
        heights = pooled(ring_heights(spectra, self.optics, self.question, fit, phases.values))
        spectra = with_measured_noise(
            spectra, self.optics, self.question, fit, envelope, self.settings.defocus, phases.values
        )
        return spectra, fit, phases, heights

    def _both(self, table: Table, start: Fit) -> Fit:
        """The likelier hand, from a start; under the other hand its pitch has the other sign."""
        fits = [
            fitted(table, self.question, hand, start.pitch * hand * start.hand, start.astigmatism)
            for hand in self._hands
        ]
        return max(fits, key=lambda fit: fit.total)

    def _with_pitch(self, table: Table, fit: Fit) -> tuple[Fit, float]:
        """The fit at the pitch that it tells; one that it hardly tells isn't used."""
        pitch, deviation = found_pitch(table, self.question, fit)
        used = pitch if deviation < PITCH_SURE else 0.0
        return fitted(table, self.question, fit.hand, used, fit.astigmatism), deviation

    def _hand(self, table: Table, fit: Fit) -> Hand:
        other = fitted(table, self.question, -fit.hand, -fit.pitch, fit.astigmatism)
        slope, deviation = found_slope(table, self.question, fit)
        return Hand(fit.hand, fit.total - other.total, slope, deviation)
