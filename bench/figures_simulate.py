"""The simulated microscope against the reference series of another simulator."""

from functools import cache, partial

import numpy as np
from figures import Figure, Section

from tests.conftest import SHARED
from tests.simulate.shared_series import NAMES, read_reference
from tests.simulate.test_reference import compare

MOST_POWER, MOST_VARIANCE = 1.5, 0.2


@cache
def compared(name: str, seed: int) -> tuple[np.ndarray, float]:
    """Ratios of power in each shell, and of the variance of neighbouring views' differences."""
    return compare(read_reference(SHARED, name), range(40), seed)


def spectrum(name: str, seed: int) -> Figure:
    """The shells that differ most."""
    ratios, variance = compared(name, seed)
    holds = ratios.min() > 1 / MOST_POWER and ratios.max() < MOST_POWER
    holds &= abs(variance - 1) < MOST_VARIANCE
    cells = [f"{ratios.min():.2f}", f"{ratios.max():.2f}", f"{variance:.3f}"]
    return Figure(cells, bool(holds))


SIMULATED = Section(
    key="simulated",
    title="Simulated series",
    text="Ours with the parameters of the reference series over theirs: power in shells of 0.02 "
    "cycles/px from 0.02 to 0.48, least and most (0.67 to 1.5 is asked for), and the variance of "
    "differences of neighbouring views (0.8 to 1.2), all views.",
    columns=("least power", "most power", "variance"),
    rows={
        f"{name}, seed {seed}": partial(spectrum, name, seed)
        for name in NAMES
        for seed in (1, 2, 3)
    },
    held_by="tests/simulate/test_reference.py",
)
