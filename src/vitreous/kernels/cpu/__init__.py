"""The kernels in Numba."""

import os

# GNU OpenMP spins between parallel regions: on busy cores seconds of CPU time for nothing. Read
# once, when numba first starts its threads.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

from vitreous.kernels.cpu.backproject import (
    backproject_cubic,
    backproject_linear,
    backproject_uneven,
    correct_linear,
    level_lines,
    project_linear,
)
from vitreous.kernels.cpu.resample import (
    coverage,
    divide_by_coverage,
    faded_coverage,
    sheared_lines,
)

__all__ = [
    "backproject_cubic",
    "backproject_linear",
    "backproject_uneven",
    "correct_linear",
    "coverage",
    "divide_by_coverage",
    "faded_coverage",
    "level_lines",
    "project_linear",
    "sheared_lines",
]
