"""The contrast transfer of simulated series against what is true of them."""

from functools import partial

import numpy as np
from figures import Figure, Section

from tests.ctf.truth import (
    SPECIMENS,
    TWENTY,
    Errors,
    one_tile_wide,
    slab_measured,
    slab_of,
    specimen_measured,
    without_rings,
)
from vitreous.ctf.series import SeriesCtf

COLUMNS = (
    "median to 30 degrees", "to 60", "largest", "mean", "error / claimed", "astigmatism", "hand",
    "margin", "rings to",
)  # fmt: skip


def cells_of(errors: Errors, found: SeriesCtf, hand: int) -> list[str]:
    """A row's cells; hand: the true one."""
    said = "right" if found.hand.hand == hand else "**wrong**"
    return [
        f"{errors.low:.0f}",
        f"{errors.high:.0f}",
        f"{errors.largest:.0f}",
        f"{errors.bias:+.0f}",
        f"{errors.ratio:.2f}",
        f"{errors.astigmatism:.0f}",
        said if found.hand.is_determined else "not determined",
        f"{found.hand.margin:.0f}",
        f"{found.resolution:.1f} A",
    ]


def is_exact(errors: Errors) -> bool:
    """What is asked of a series."""
    return errors.low <= 100 and errors.high <= 150 and errors.largest <= 400


def slab(seed: int) -> Figure:
    """One of the twenty slabs."""
    errors, found = slab_measured(seed)
    holds = is_exact(errors) and errors.astigmatism <= 100 and found.hand.hand == slab_of(seed).hand
    return Figure(cells_of(errors, found, slab_of(seed).hand), holds)


def all_slabs() -> Figure:
    """Medians, the worst, RMS and how many hands are determined and right."""
    every = [slab_measured(seed) for seed in TWENTY]
    errors = [one for one, _ in every]
    hands = [
        (found.hand, slab_of(seed).hand) for (_, found), seed in zip(every, TWENTY, strict=True)
    ]
    right = sum(hand.hand == true for hand, true in hands)
    determined = sum(hand.is_determined for hand, _ in hands)
    ratio = float(np.sqrt(np.mean([one.ratio**2 for one in errors])))
    cells = [
        f"{np.median([one.low for one in errors]):.0f}",
        f"{np.median([one.high for one in errors]):.0f}",
        f"{max(one.largest for one in errors):.0f}",
        f"{np.mean([one.bias for one in errors]):+.0f}",
        f"{ratio:.2f}",
        f"{np.median([one.astigmatism for one in errors]):.0f}",
        f"{right} right, {determined} determined",
        f"{min(hand.margin for hand, _ in hands):.0f}",
        "",
    ]
    return Figure(cells, bool(0.8 <= ratio <= 1.5 and right == len(hands) and determined >= 18))


def no_hand(found: SeriesCtf) -> Figure:
    """A series that can't tell its hand must say so."""
    said = "determined" if found.hand.is_determined else "not determined"
    cells = ["", "", "", "", "", "", said, f"{found.hand.margin:.0f}", ""]
    return Figure(cells, not found.hand.is_determined)


def specimen(name: str) -> Figure:
    """A series of the simulated microscope."""
    errors, found = specimen_measured(name)
    hand = SPECIMENS[name].hand
    exact = is_exact(errors) and abs(errors.bias) <= 100 and errors.astigmatism <= 100
    return Figure(cells_of(errors, found, hand), exact and found.hand.hand == hand)


CTF = Section(
    key="ctf",
    title="CTF of series",
    text="Errors of the defocus in angstrom, 1024 x 1024 px, 41 tilts of 3 e/A^2; asked for are "
    "medians of 100 and 150, 400 at most, 100 in the mean and for astigmatism as a vector, and 0.8 "
    "to 1.5 for error over claimed error. Slabs: ice and coarse matter, pixel 2.0 to 2.7 A, "
    "defocus 2 to 5 um, all else drawn. Specimens: the simulated microscope's, which changes its "
    "astigmatism by a quarter from tilt to tilt. Margin: of the hand's log likelihood.",
    columns=COLUMNS,
    rows={
        **{f"slab {seed}": partial(slab, seed) for seed in TWENTY},
        "all slabs": all_slabs,
        "hardly any ice and dose": lambda: no_hand(without_rings(1)),
        "as wide as a tile": lambda: no_hand(one_tile_wide(1)),
        **{name: partial(specimen, name) for name in SPECIMENS},
    },
    held_by="tests/ctf/test_accuracy.py",
    needs_shared=False,
)
