"""What every view's spectrum is multiplied with, but for the CTF: ramp, overlap, dose, weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vitreous.errors import UserError
from vitreous.kernels.dose import critical_dose
from vitreous.reconstruct.deconvolution import deconvolution
from vitreous.reconstruct.inversion import Inversion, inversion_of
from vitreous.reconstruct.sampling import Sampling, Spectrum
from vitreous.reconstruct.settings import ReconstructSettings
from vitreous.reconstruct.weights import Line, frequency_weights, view_factors
from vitreous.records.alignment import Alignment
from vitreous.records.ctf import Ctf
from vitreous.records.tilt_series import named_tilt

Array = NDArray[np.float64]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Filters:
    """The filters of all views on spectra of one sampling.

    across (n, 2): unit vectors (x, y) across the tilt axis; tables (n, indices): factors at
    frequencies 0, step, 2 step ... cycles/px along them. rotations (n, 3, 3) and object_px (x, y)
    where tilts are weighed by their overlap; doses (n,) and critical (y, x // 2 + 1), e/A^2, where
    by their dose; inversion where they are divided by the point spread;
    deconvolved: a view's factor (y, x // 2 + 1), where filtered for the eye.
    """

    across: Array
    tables: Array
    step: float
    columns: int
    rotations: Array | None
    object_px: tuple[float, float]
    doses: Array | None
    critical: Array | None
    inversion: Inversion | None = None
    deconvolved: Callable[[int], Floats] | None = None

    def weigh(self, view: int, spectrum: Spectrum, *, as_coefficients: bool) -> None:
        """Multiply a spectrum in place; as_coefficients: what comes of it are the B-spline's."""
        from vitreous.kernels.cpu.spectrum import weigh_by_overlap, weigh_spectrum

        table = self.tables[view].astype(np.float32)
        weigh_spectrum(spectrum, self.columns, self.across[view], table, self.step, as_coefficients)
        if self.rotations is not None:
            weigh_by_overlap(spectrum, self._slopes(view, len(spectrum)))
        if self.inversion is not None:
            spectrum /= self.inversion.divisor(view)
        if self.doses is not None and self.critical is not None:
            spectrum *= np.exp(-self.doses[view] / (2 * self.critical)).astype(np.float32)
        if self.deconvolved is not None:
            spectrum *= self.deconvolved(view)

    def is_flat(self, view: int) -> bool:
        """Whether every frequency of a view is multiplied by the same: by its `gain`."""
        others = (self.rotations, self.inversion, self.doses, self.deconvolved)
        table = self.tables[view]
        return all(other is None for other in others) and bool((table == table[0]).all())

    def gain(self, view: int) -> float:
        """The factor of the image's mean."""
        overlapping = 1 if self.rotations is None else len(self.rotations)
        divisor = self.inversion.mean_divisor(view) if self.inversion else overlapping
        factor = 1.0 if self.deconvolved is None else float(self.deconvolved(view)[0, 0])
        return float(self.tables[view, 0].astype(np.float32)) * factor / divisor

    def _slopes(self, view: int, rows: int) -> Array:
        """(n, 2): how far out of each view's plane this view's lies, per index (x, y).

        In units of the thickness of a plane, the inverse of the object's size.
        """
        assert self.rotations is not None
        apart = self.rotations[:, 2] @ self.rotations[view, :2].T
        slopes: Array = apart * np.asarray(self.object_px) / (self.columns, rows)
        return slopes


def filters_of(
    alignment: Alignment,
    settings: ReconstructSettings,
    sampling: Sampling,
    doses: Sequence[float | None] | None,
    voltage_kv: float,
    ctfs: tuple[Ctf, ...] | None = None,
) -> Filters:
    """The filters that the settings ask for; doses: by section, e/A^2; ctfs: by view."""
    directions = np.deg2rad(alignment.axes_degrees)
    across = np.stack([np.cos(directions), np.sin(directions)], -1)
    line = _line_across(sampling, across[0])
    voxel_size = alignment.pixel_size * settings.binning
    tilts = alignment.tilts_degrees
    if settings.method != "wbp":
        tables = np.ones((len(alignment), 2))
        # along z the rays of an untilted voxel are shorter by the cosine: density per angstrom
        factors = np.abs(alignment.rotations[:, 2, 2]) / voxel_size
        step = 1.0
    else:
        tables = frequency_weights(line, tilts, settings)
        factors = view_factors(tilts, line, voxel_size, settings)
        step = 1 / line.padded
    factors = factors * view_weights(alignment, settings)
    overlapping = settings.method == "wbp" and settings.weighting == "overlap"
    as_relion = settings.downsample != "crop"
    size = float(settings.exact_object_px)
    critical = before = None
    if settings.dose_weighting:
        before = _doses_of(alignment, doses)
        critical = critical_dose(np.hypot(*sampling.frequencies(alignment.pixel_size)), voltage_kv)
    inversion = inversion_of(
        alignment,
        settings,
        view_weights(alignment, settings),
        None if settings.ctf == "none" else ctfs,
        before,
        voltage_kv,
        sampling,
    )
    kx, ky = sampling.frequencies(alignment.pixel_size)

    def deconvolved(view: int) -> Floats:
        assert ctfs is not None
        return deconvolution(ctfs[view], settings, kx, ky)

    if inversion:
        factors = view_weights(alignment, settings) * inversion.grey_scale
    return Filters(
        across=across,
        tables=tables * factors[:, None],
        step=step,
        columns=sampling.periodic[1],
        rotations=alignment.rotations if overlapping else None,
        # RELION counts in Fourier pixels: an object as large as the image
        object_px=(float(sampling.size[0]), float(sampling.size[1])) if as_relion else (size, size),
        doses=before,
        critical=critical,
        inversion=inversion,
        deconvolved=deconvolved if settings.deconvolve else None,
    )


def _line_across(sampling: Sampling, across: Array) -> Line:
    """The line that the filter's indices count on: the image axis nearer to the direction."""
    axis = 0 if abs(across[0]) >= abs(across[1]) else 1
    return Line(sampling.size[axis], sampling.periodic[1 - axis])


def _doses_of(alignment: Alignment, doses: Sequence[float | None] | None) -> Array:
    """(n,) the dose before each view."""
    known = [None if doses is None else doses[int(section)] for section in alignment.sections]
    missing = [view for view, dose in enumerate(known) if dose is None]
    if missing:
        raise UserError(
            f"dose_weighting needs the dose of every tilt; it isn't known of "
            f"{named_views(alignment, missing)}"
        )
    return np.array(known, np.float64)


def named_views(alignment: Alignment, views: list[int]) -> str:
    """Tilts as people count them; of many the first."""
    sections, tilts = alignment.sections, alignment.tilts_degrees
    named = ", ".join(named_tilt(int(sections[view]), tilts[view]) for view in views[:8])
    return f"{named} and {len(views) - 8} more" if len(views) > 8 else named


def view_weights(alignment: Alignment, settings: ReconstructSettings) -> Array:
    """(n,) the factors given for the sections of the stack, over their mean; 1 without."""
    if not settings.view_weights:
        return np.ones(len(alignment))
    if len(settings.view_weights) != alignment.section_count:
        raise UserError(
            f"view_weights has {len(settings.view_weights)} numbers, "
            f"the stack {alignment.section_count} sections"
        )
    chosen = np.asarray(settings.view_weights)[alignment.sections]
    if not chosen.mean() > 0:
        raise UserError("view_weights of the tilts that are used have no mean above 0")
    return chosen / chosen.mean()
