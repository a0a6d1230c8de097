"""What the dose leaves of the specimen (Grant & Grigorieff 2015, eLife 4:e06980).

At the critical dose Ne(k) the amplitude of a spatial frequency k has fallen to exp(-1/2).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

# Ne(k) = a k^b + c, e/A^2 at 300 kV, k in 1/A: fitted to rotavirus VP6
A, B, C = 0.24499, -1.6649, 2.8141
# Electrons of 200 kV do as much with 0.8 of the dose (the paper), of 100 kV with 0.532 (cisTEM)
VOLTAGES_KV, RELATIVE_DOSES = (100.0, 200.0, 300.0), (0.532, 0.8, 1.0)


def critical_dose(k: ArrayLike, voltage_kv: float = 300.0) -> Array:
    """Ne in e/A^2 at spatial frequencies k in 1/A; infinite at k = 0.

    Voltages between the known ones are interpolated, those beyond taken as the nearest.
    """
    with np.errstate(divide="ignore"):
        at_300 = A * np.asarray(k, np.float64) ** B + C
    return at_300 * np.interp(voltage_kv, VOLTAGES_KV, RELATIVE_DOSES)


def remaining_amplitude(k: ArrayLike, dose: float, voltage_kv: float = 300.0) -> Array:
    """exp(-dose / 2 Ne): what is left of the amplitudes after `dose` e/A^2."""
    return np.exp(-dose / (2 * critical_dose(k, voltage_kv)))


def amplitude_of_exposure(
    k: ArrayLike, pre_exposure: float, dose: float, voltage_kv: float = 300.0
) -> Array:
    """The mean of `remaining_amplitude` over an exposure: what its image shows.

    pre_exposure: e/A^2 before it, dose: its own; without dose the amplitude at its beginning.
    """
    doubled = 2 * critical_dose(k, voltage_kv)
    if dose == 0:
        return np.exp(-pre_exposure / doubled)
    lost = dose / doubled
    with np.errstate(invalid="ignore"):
        mean = -np.expm1(-lost) / lost
    return np.exp(-pre_exposure / doubled) * np.where(lost == 0, 1.0, mean)
