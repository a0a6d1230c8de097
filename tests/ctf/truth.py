"""Series of the accuracy tables: what is true of them against what is found."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from tests.ctf.ice import Series, Slab, ice_series
from vitreous.ctf.optics import Optics, astigmatism_of
from vitreous.ctf.series import SeriesCtf, estimate_series
from vitreous.ctf.settings import CtfSettings
from vitreous.records.images import ArrayStack
from vitreous.simulate.series import simulate_series
from vitreous.simulate.settings import SimulateSettings

TWENTY = range(1, 21)
TILTS = tuple(np.arange(-60.0, 61.0, 3.0))


@dataclass(frozen=True)
class Errors:
    """Angstrom: of the defocus at tilts to 30 degrees and beyond, the largest, of the whole series.

    ratio: RMS of error / claimed error. astigmatism: length of the vector's error.
    """

    low: float
    high: float
    largest: float
    bias: float
    ratio: float
    astigmatism: float


def errors_of(found: SeriesCtf, defocus: np.ndarray, astigmatism: complex) -> Errors:
    """How far the fits of a series are from what is true (view,)."""
    error = np.array([fit.ctf.defocus for fit in found.fits]) - defocus
    claimed = np.array([fit.deviation for fit in found.fits])
    low = np.abs([fit.tilt_degrees for fit in found.fits]) < 30.5
    return Errors(
        low=float(np.median(np.abs(error[low]))),
        high=float(np.median(np.abs(error[~low]))),
        largest=float(np.abs(error).max()),
        bias=float(error.mean()),
        ratio=float(np.sqrt(np.mean((error / claimed) ** 2))),
        astigmatism=abs(astigmatism_of(found.fits[0].ctf) - astigmatism),
    )


# -- slabs of ice and coarse matter ---------------------------------------------------------------


def slab_of(seed: int) -> Slab:
    """1024 px of 2.0 to 2.7 A, 41 tilts of 3 e/A^2; all else drawn."""
    rng = np.random.default_rng(seed)
    return Slab(
        size=1024,
        pixel_size=float(rng.choice([2.0, 2.3, 2.5, 2.7])),
        tilts=TILTS,
        axis=float(rng.choice([84.6, -4.3, 174.0]) + rng.normal()),
        hand=int(rng.choice([-1, 1])),
        defocus=float(rng.uniform(20000, 50000)),
        astigmatism=complex(rng.uniform(0, 1000) * np.exp(2j * rng.uniform(-np.pi, np.pi))),
        pitch=float(rng.uniform(-6, 6)),
        seed=seed,
    )


def found_in(series: Series) -> SeriesCtf:
    """The estimate with the default settings."""
    return estimate_series(
        series.stack, series.alignment, Optics(), CtfSettings(), order=series.order
    )


@cache
def slab_measured(seed: int) -> tuple[Errors, SeriesCtf]:
    """One of the twenty."""
    slab = slab_of(seed)
    series = ice_series.__wrapped__(slab)  # not kept: twenty of them are a gigabyte
    found = found_in(series)
    return errors_of(found, series.defocus, slab.astigmatism), found


@cache
def without_rings(seed: int) -> SeriesCtf:
    """A series of hardly any ice and dose."""
    slab = Slab(
        size=768, tilts=TILTS, ice=0.01, lumps=0.3, thickness=3000.0, dose=1.5, seed=100 + seed
    )
    return found_in(ice_series.__wrapped__(slab))


@cache
def one_tile_wide(seed: int) -> SeriesCtf:
    """A series whose field is a tile."""
    slab = slab_of(seed)
    side = int(CtfSettings().tile / slab.pixel_size) // 2 * 2
    return found_in(ice_series.__wrapped__(Slab(**{**vars(slab), "size": side})))


# -- a specimen of molecules and vesicles ---------------------------------------------------------

SPECIMENS = {
    "molecules": SimulateSettings(
        size=(1024, 1024), pixel_size=2.5, seed=11, hand=1, defocus=30000.0
    ),
    "molecules, 2.2 A": SimulateSettings(
        size=(1024, 1024), pixel_size=2.2, seed=12, hand=-1, defocus=42000.0, tilt_axis=84.6,
        astigmatism=300.0, astigmatism_angle=70.0,
    ),
    "30 beads": SimulateSettings(
        size=(1024, 1024), pixel_size=2.5, seed=14, hand=-1, defocus=32000.0, beads=458.0
    ),
    "30 beads, axis at 84": SimulateSettings(
        size=(1024, 1024), pixel_size=2.5, seed=15, hand=1, defocus=40000.0, beads=458.0,
        tilt_axis=84.0,
    ),
}  # fmt: skip


@cache
def specimen_measured(name: str, keep_beads: bool = False) -> tuple[Errors, SeriesCtf]:
    """A series of the simulated microscope, with its true alignment."""
    settings = SPECIMENS[name]
    series, images = _specimen(settings)
    found = estimate_series(
        images,
        series.alignment,
        Optics(settings.kv, settings.cs, settings.amplitude_contrast),
        CtfSettings(keep_beads=keep_beads),
        order=np.argsort([tilt.exposure_index for tilt in series.tilts]),
    )
    true = [tilt.ctf for tilt in series.tilts]
    defocus = np.array([ctf.defocus for ctf in true])
    return errors_of(found, defocus, np.mean([astigmatism_of(ctf) for ctf in true])), found


@cache
def _specimen(settings: SimulateSettings) -> tuple[object, ArrayStack]:
    series = simulate_series(settings)
    return series, series.rendered()
