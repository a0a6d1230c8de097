"""FSCs of maps whose curve is known."""

import numpy as np
from figures import Figure, Section, within

from tests.kernels.test_fsc_masked import departures_of_known_halves, noise_in_a_tight_mask

MOST_ERRORS, MOST_SHIFT, MOST_LEFT = 4.5, 0.05, 0.03


def known_curve() -> Figure:
    """Of all shells, in standard errors of a shell."""
    apart, _ = departures_of_known_halves()
    return within(float(np.abs(apart).max()), MOST_ERRORS, " standard errors")


def known_resolution() -> Figure:
    """Where it falls below 0.5."""
    _, shift = departures_of_known_halves()
    return within(100 * abs(float(shift)), 100 * MOST_SHIFT, " %")


def noise_masked() -> Figure:
    """What the mask alone makes of noise."""
    masked, corrected = noise_in_a_tight_mask()
    return Figure(
        [f"{corrected:.2g} (uncorrected up to {masked:.2g})", f"{MOST_LEFT:g}"],
        abs(corrected) <= MOST_LEFT,
    )


FSC = Section(
    key="fsc",
    title="Resolution of maps",
    text="Half maps of 64 × 64 × 64 voxels with planted signal and noise, in a mask: the corrected "
    "curve against SNR / (1 + SNR), and where there is nothing but noise, in a hard mask.",
    columns=["found", "due"],
    rows={
        "the worst shell of a known curve": known_curve,
        "resolution at 0.5": known_resolution,
        "mean of shells of noise": noise_masked,
    },
    held_by="tests/kernels/test_fsc_masked.py",
    needs_shared=False,
    made_from=(
        "src/vitreous/kernels/fsc.py",
        "src/vitreous/kernels/cpu/shells.py",
        "tests/kernels/test_fsc_masked.py",
        "bench/figures_fsc.py",
    ),
)
