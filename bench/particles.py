"""Averages of particles: CPU seconds and memory beside what RELION 5 took of the same work."""

import sys
import tempfile
from pathlib import Path

from measure import REPEATS, Cost, cost_of, table, verdict

sys.path.insert(0, str(Path(__file__).parents[1]))  # the projects are those of the tests

from tests.average.particle_projects import write_noise_project

VITREOUS = Path(sys.executable).with_name("vitreous")
RELIONS = 14.8  # CPU s, 200 particles x 41 tilts, box 128, one thread, whole (relion.md 8)
MOST_OF_RELIONS = 0.5
BOX = 128


def line(*options: str) -> list[str | Path]:
    """tomo_reconstruct_particle on one thread, in the project's folder."""
    return [VITREOUS, "relion", "tomo_reconstruct_particle", "--j", "1", *options]


def particles_section(particles: int = 200, tilts: int = 41, box: int = BOX) -> str:
    """The section of the page."""
    with tempfile.TemporaryDirectory() as name:
        tiny = write_noise_project(Path(name) / "tiny", tilts=1, side=64, particles=4, spread=0.1)
        folder = write_noise_project(Path(name) / "whole", tilts=tilts, particles=particles)
        start_up = cheapest_in(tiny, "--b", "16")
        runs = {
            f"box {box}": cheapest_in(folder, "--b", str(box)),
            f"box {box}, C6": cheapest_in(folder, "--b", str(box), "--sym", "C6"),
            f"box {box // 2}": cheapest_in(folder, "--b", str(box // 2)),
        }
    whole, turned, _ = runs.values()
    slices = particles * tilts
    rows = [
        [
            what,
            f"{cost.cpu_seconds - start_up.cpu_seconds:.2f}",
            f"{(cost.cpu_seconds - start_up.cpu_seconds) / slices * 1e3:.2f}",
            f"{cost.peak_bytes / 1e6:.0f}",
        ]
        for what, cost in runs.items()
    ]
    rows.append([f"RELION 5, box {BOX}, as the reference has it", f"{RELIONS}", "1.80", "252"])
    share = (whole.cpu_seconds - start_up.cpu_seconds) / RELIONS
    extra = (turned.cpu_seconds - whole.cpu_seconds) / (whole.cpu_seconds - start_up.cpu_seconds)
    what = (
        f"{particles} particles in {tilts} tilts of 640 x 640 px, `tomo_reconstruct_particle "
        f"--j 1`, file to file, both halves. Start-up: {start_up.cpu_seconds:.2f} CPU s. RELION's "
        "figure is of another day on another processor of the same kind: trust its order only."
    )
    lines = [
        verdict(
            f"{share:.2f} of RELION's CPU s; {MOST_OF_RELIONS} are due", share <= MOST_OF_RELIONS
        ),
        verdict(f"C6 costs {1 + extra:.2f} times C1; less than 6 are due", extra < 5),
    ]
    head = ["", "CPU s", "ms a particle and tilt", "peak, MB"]
    return "\n\n".join([what, table(head, rows), "\n".join(lines)])


def cheapest_in(folder: Path, *options: str) -> Cost:
    """The run with the fewest CPU seconds; paths of a set count from any folder above it."""
    files = "--i", str(folder / "optimisation_set.star"), "--o", str(folder / "out")
    runs = [cost_of(line(*files, *options)) for _ in range(REPEATS)]
    return min(runs, key=lambda cost: cost.cpu_seconds)


if __name__ == "__main__":
    print(particles_section())
