"""Averages of particles beside RELION's own maps, the truth and a plain insertion."""

import tempfile
from functools import cache, partial
from pathlib import Path

import numpy as np
from figures import Figure, Section

from tests.average import test_relion_oracle as relion_test
from tests.average.relion_particles import PIXEL, run, tilted
from tests.average.test_ribosomes import REACHED, fsc_with
from tests.conftest import SHARED
from tests.series import volume_of
from vitreous.average.particle_settings import AverageSettings
from vitreous.average.particles import divided, summed
from vitreous.cli.main import main
from vitreous.kernels.fsc import fourier_shell_correlation

ORACLE = SHARED / "oracles" / "R2_relion_particle"
RIBOSOMES = SHARED / "data" / "ribosome70s_particles"
LEAST_CORRELATION, LEAST_FSC, MOST_BELOW, MOST_BELOW_README = 0.999, 0.995, 0.01, 0.02
SHELLS = range(1, 12)


def agreement(name: str) -> Figure:
    """The worst of a run's maps: correlation, FSC, rms difference."""
    found = []
    for half in relion_test.stored(ORACLE, name):
        ours = relion_test.map_of(ORACLE, name, half).volume
        theirs = run(ORACLE, f"{name}/{half}")
        found.append(
            (
                relion_test.correlation(ours, theirs),
                relion_test.least_fsc(ours, theirs),
                -relion_test.apart(ours, theirs),
            )
        )
    correlation, fsc, apart = np.array(found).min(0)
    cells = [str(len(found)), f"{correlation:.7f}", f"{fsc:.6f}", f"{-apart:.2g}"]
    return Figure(cells, bool(correlation > LEAST_CORRELATION and fsc > LEAST_FSC))


PARTICLES = Section(
    key="particles",
    title="Reconstruct particle",
    text="Maps of RELION's tomo_reconstruct_particle on the same particles, the worst of merged "
    "and half maps: correlation (0.999 is due), the smallest FSC of all shells to 0.7 Nyquist "
    "(0.995 is due), and the rms difference over the standard deviation.",
    columns=["maps", "correlation", "least FSC", "rms difference / SD"],
    rows={name: partial(agreement, name) for name in relion_test.RUNS},
    held_by="tests/average/test_relion_oracle.py",
)


# -- against the truth ----------------------------------------------------------------------------


@cache
def truth_curves() -> dict[str, np.ndarray]:
    """FSC with the truth: of both ways to sum, and of RELION's map."""
    axis = np.arange(36) - 18
    radius = np.sqrt(sum(np.meshgrid(axis**2, axis**2, axis**2)))
    mask = 0.5 - 0.5 * np.cos(np.pi * np.clip((16 - radius) / 4, 0, 1))
    maps = {"RELION": run(ORACLE, "base/merged")}
    for kernel in ("gather", "spread"):
        settings = AverageSettings(box=36, taper=10, kernel=kernel)
        maps[kernel] = divided(summed(tilted(ORACLE), settings).both, settings, PIXEL).volume
    truth = relion_test.truth_of(ORACLE)
    return {
        name: fourier_shell_correlation(volume, truth, PIXEL, mask=mask).correlation
        for name, volume in maps.items()
    }


def native_shell(shell: int) -> Figure:
    """One shell of `vitreous average` and of RELION."""
    found = {name: float(curve[shell]) for name, curve in truth_curves().items()}
    cells = [f"{found[name]:.4f}" for name in ("gather", "spread", "RELION")]
    return Figure(cells, min(found["gather"], found["spread"]) > found["RELION"] - MOST_BELOW)


PARTICLES_TRUTH = Section(
    key="particles-truth",
    title="Reconstruct particle against the truth",
    text="FSC with the planted specimen of `vitreous average` and of RELION's map; 0.01 below it "
    "is allowed, to 0.7 Nyquist (shell 12 of 18).",
    columns=["vitreous average", "--kernel spread", "RELION"],
    rows={f"shell {shell}": partial(native_shell, shell) for shell in range(1, 13)},
    held_by="tests/average/test_relion_oracle.py",
)


# -- ribosomes ------------------------------------------------------------------------------------


@cache
def ribosomes() -> np.ndarray:
    """FSC of the mirrored average of forty ribosomes with the map beside them."""
    files = next(RIBOSOMES.glob("*_optimisation_set.star"))
    with tempfile.TemporaryDirectory() as output:
        main(["-q", "average", str(files), "--images", "stacks", "--output", output])
        found = volume_of(Path(output) / "merged.mrc")[0]
    wanted = volume_of(next(RIBOSOMES.glob("*.mrc")))[0]
    return np.asarray(fsc_with(found[(32 - np.arange(32)) % 32], wanted))


def ribosome_shell(shell: int) -> Figure:
    """One shell beside what a plain insertion reaches."""
    found, reached = ribosomes()[shell], REACHED[shell - 1]
    holds = found >= reached - MOST_BELOW_README and found >= 0.5
    return Figure([f"{found:.3f}", f"{reached:.2f}"], bool(holds))


RIBOSOME = Section(
    key="ribosomes",
    title="Forty real ribosomes",
    text="Stacks that WarpTools cut out, averaged: FSC with the map of the full data set, shell by "
    "shell of 384 Å, beside what the data's README tells of a plain insertion (0.02 below it is "
    "allowed, 0.5 is due).",
    columns=["FSC", "plain insertion"],
    rows={f"shell {shell}": partial(ribosome_shell, shell) for shell in SHELLS},
    held_by="tests/average/test_ribosomes.py",
)
